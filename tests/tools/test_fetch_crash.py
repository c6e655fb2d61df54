"""plait fetch, interrupted: by signals, kill -9, a full disk, a closed pipe; and its memory.

usage: test_fetch_crash.py PLAIT SOURCE
"""

import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile

from servers import (PLAIT, Nginx, Site, clean_env, end, fetch, fetch_json, folder, leftovers, names, read, refused_port,
                     start)
from tap import Skip, case, check, main


def gated(free):
    """A site that answers the first *free* requests at once and holds the others until its gate opens."""

    def answer(handler, path):
        site = handler.server.site
        with site.lock:
            number = len(site.asked)
        if number > free:
            site.gate.wait(600)
        handler.reply(path.encode() * 10)

    return Site(answer)


def journaled(out):
    with open(os.path.join(out, ".plait-fetch.journal"), encoding="utf-8") as file:
        return {line.split()[-1] for line in file}


def write_list(urls):
    path = os.path.join(folder(), "urls")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(url + "\n" for url in urls)
    return path


@case
def resume_fetches_only_what_is_missing():
    site, out = Site(lambda handler, path: handler.reply(path.encode() * 3)), folder()
    urls = [site.url(str(i)) for i in range(50)]
    check(fetch(*urls, "-o", out).code == 0, "first run")
    first = fetch_json(*urls, "-o", out, "--resume")
    check(first.code == 0 and first.summary["skipped"] == 50 and first.summary["ok"] == 0, str(first.summary))
    check(all(r["attempts"] == 0 and r["error"] is None and r["status"] == 200 for r in first.results), str(first))
    check(len(site.asked) == 50, "it asked again")

    files = {r["url"]: r["file"] for r in first.results}
    os.unlink(files[urls[3]])
    with open(files[urls[7]], "ab") as file:
        file.write(b"longer")
    second = fetch_json(*urls, site.url("new"), "-o", out, "--resume")
    check(sorted(site.asked[50:]) == sorted(["/3", "/7", "/new"]), str(site.asked[50:]))
    check(second.summary["skipped"] == 48 and second.summary["ok"] == 3, str(second.summary))
    check(read(files[urls[7]]) == b"/7" * 3, "the changed file")


@case
def without_resume_everything_is_fetched_again():
    site, out = Site(lambda handler, path: handler.reply(b"x")), folder()
    for _ in range(2):
        check(fetch_json(site.url("1"), "-o", out).summary["ok"] == 1, "run")
    check(len(site.asked) == 2 and len(names(out)) == 1, str(site.asked))


@case
def kill_loses_nothing_that_was_saved():
    for round_ in range(5):
        free = 20 + 37 * round_
        site, out = gated(free), folder()
        urls = [site.url(f"{i}") for i in range(300)]
        path = write_list(urls)
        process = start("-i", path, "-o", out, "--per-host", 16)
        site.wait_for(lambda s: s.now == 16 and len(s.asked) == free + 16)
        while len(journaled(out)) < free:
            pass
        process.kill()
        end(process)
        site.gate.set()
        saved = journaled(out)
        check(len(saved) == free and len(names(out)) == free, f"{len(saved)} noted, {len(names(out))} saved, {free} sent")
        before = len(site.asked)
        done = fetch_json("-i", path, "-o", out, "--resume")
        check(done.code == 0 and done.summary["skipped"] == free and done.summary["ok"] == 300 - free, str(done.summary))
        asked = {site.url(p[1:]) for p in site.asked[before:]}
        check(asked == set(urls) - saved, "the second run asked for what was saved, or not for what was missing")
        check(len(names(out)) == 300 and not leftovers(out), f"{len(names(out))} {leftovers(out)}")
        for result in done.results:
            check(read(result["file"]) == ("/" + result["url"].rsplit("/", 1)[1]).encode() * 10, result["url"])


@case
def kill_in_the_middle_of_a_large_body_leaves_nothing_under_its_name():
    def answer(handler, path):
        handler.send_response(200)
        handler.send_header("Content-Length", "10000000")
        handler.end_headers()
        handler.wfile.write(b"x" * 5000000)
        handler.wfile.flush()
        handler.server.site.gate.wait(600)

    site, out = Site(answer), folder()
    process = start(site.url("large"), "-o", out)
    while not any(os.path.getsize(os.path.join(out, name)) >= 4 << 20 for name in leftovers(out)):
        check(process.poll() is None, "it ended")
    process.kill()
    end(process)
    site.gate.set()
    check(not names(out) and len(leftovers(out)) == 1, f"{names(out)} {leftovers(out)}")
    check(fetch("-i", "/dev/null", "-o", out).code == 0 and not leftovers(out), "the next run does not clean up")


@case
def an_interrupt_is_clean_and_can_be_resumed():
    for number in (signal.SIGINT, signal.SIGTERM):
        site, out = gated(30), folder()
        path = write_list(site.url(f"{i}") for i in range(100))
        process = start("--json", "-i", path, "-o", out)
        site.wait_for(lambda s: s.now == 8 and len(s.asked) == 38)
        process.send_signal(number)
        done = end(process).parse()
        check(done.code == 128 + number and "interrupted" in done.err and "--resume" in done.err, str(done))
        check(done.summary["ok"] == 30 == len(names(out)) and done.summary["failed"] == 0, str(done.summary))
        check(not leftovers(out), str(leftovers(out)))
        site.gate.set()
        done = fetch_json("-i", path, "-o", out, "--resume")
        check(done.code == 0 and done.summary["skipped"] == 30 and done.summary["ok"] == 70, str(done.summary))


@case
def an_interrupt_ends_waiting_for_the_list():
    read_end, write_end = os.pipe()
    process = start("-i", "-", "-o", folder(), stdin=read_end, stderr=subprocess.PIPE)
    site = gated(0)
    os.write(write_end, (site.url("x") + "\n").encode())
    site.wait_for(lambda s: s.now == 1)
    process.send_signal(signal.SIGINT)
    check(end(process).code == 130, "exit code")
    for fd in (read_end, write_end):
        os.close(fd)
    site.gate.set()


@case
def a_second_interrupt_ends_it_on_the_spot():
    # Nobody reads its output, so that it cannot end in order.
    site, out = Site(lambda handler, path: handler.reply(b"x")), folder()
    path = write_list(site.url(f"{i}?{'x' * 2000}") for i in range(3000))
    process = start("--json", "-i", path, "-o", out)
    site.wait_for(lambda s: len(s.asked) > 100 and s.now == 0)
    process.send_signal(signal.SIGINT)
    for _ in range(600):
        try:
            process.wait(timeout=0.5)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
    check(process.returncode == 130, str(process.returncode))
    process.stdout.close()
    process.stderr.close()


@case
def a_closed_standard_output_ends_the_run():
    site, out = Site(lambda handler, path: handler.reply(b"x")), folder()
    path = write_list(site.url(f"{i}") for i in range(3000))
    process = start("--json", "-i", path, "-o", out)
    process.stdout.readline()
    process.stdout.close()
    code = process.wait(timeout=300)
    err = process.stderr.read().decode()
    process.stderr.close()
    check(code == 1 and "standard output" in err and "Broken pipe" in err, f"{code} {err}")
    check(not leftovers(out), str(leftovers(out)))
    done = fetch("-o", "-", site.url("x"), stdout=open("/dev/full", "wb"))
    check(done.code == 1 and "No space left" in done.err, str(done))


@case
def a_folder_that_cannot_be_written_to_is_told():
    out = folder()
    os.chmod(out, 0o555)
    os.chmod(os.path.dirname(out), 0o1777)
    user = {"user": 65534} if os.getuid() == 0 else {}
    try:
        done = fetch("http://127.0.0.1:1/", "-o", out, **user)
    except PermissionError:
        raise Skip("another user cannot run the command where it was built") from None
    check(done.code == 1 and out in done.err and "Permission denied" in done.err and "-o DIR" in done.err, str(done))
    done = fetch("http://127.0.0.1:1/", "-o", "/dev/null")
    check(done.code == 1 and "Not a directory" in done.err, str(done))
    done = fetch("http://127.0.0.1:1/", "-o", "/nonexistent/deep")
    check(done.code == 1 and "/nonexistent/deep" in done.err, str(done))


@case
def a_full_disk_ends_the_run_and_leaves_nothing_partial():
    out = tempfile.mkdtemp(prefix="plait-test-full-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", out], stderr=subprocess.DEVNULL,
                      check=False).returncode:
        os.rmdir(out)
        raise Skip("mounting a small file system takes root")
    try:
        site = Site(lambda handler, path: handler.reply(b"x" * 20000))
        path = write_list(site.url(f"{i}") for i in range(200))
        done = fetch_json("-i", path, "-o", out)
        check(done.code == 1 and "No space left on device" in done.err and "--resume" in done.err, str(done))
        check(len(site.asked) < 100, "it did not stop early")
        check(not leftovers(out), str(leftovers(out)))
        saved = names(out)
        check(0 < len(saved) < 30 and all(len(read(out, name)) == 20000 for name in saved), str(saved))
        check(done.summary["ok"] == len(saved), f"{done.summary} {len(saved)}")
        subprocess.run(["mount", "-o", "remount,size=20m", out], check=True)
        done = fetch_json("-i", path, "-o", out, "--resume")
        check(done.code == 0 and len(names(out)) == 200, str(done.summary))
        check(done.summary["skipped"] >= len(saved) - 1, f"{done.summary} {len(saved)}")
    finally:
        subprocess.run(["umount", out], check=False)
        os.rmdir(out)


@case
def sync_has_each_file_on_the_disk_first():
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    site, out, log = Site(lambda handler, path: handler.reply(b"x")), folder(), os.path.join(folder(), "log")
    command = ["strace", "-f", "-o", log, "-e", "trace=fdatasync,linkat,renameat,renameat2", PLAIT, "fetch", "-o", out]
    for option, right in (([], "n+"), (["--sync"], "sn+")):
        done = subprocess.run([*command, *option, site.url("x")], env=clean_env(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if "ptrace" in done.stderr:
            raise Skip("strace is not allowed")
        check(done.returncode == 0, done.stderr)
        calls = re.findall(r"(fdatasync|linkat|renameat)\w*\(", read(log).decode())
        order = "".join("s" if call == "fdatasync" else "n" for call in calls)
        check(re.fullmatch(right, order), f"{option}: {calls}")


def peak_kib(*args):
    before = start(*args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(before.pid, 0)
    before.returncode = status
    return usage.ru_maxrss


@case
def memory_does_not_grow_with_the_list():
    if os.environ.get("ASAN_OPTIONS") or os.environ.get("TSAN_OPTIONS"):
        raise Skip("a sanitizer's memory is not the command's")
    port = refused_port()
    lists = [write_list(f"http://127.0.0.1:{port}/some/path/to/page/{i}.html" for i in range(count)) for count in (2000, 40000)]
    args = ("--json", "--retries", "0", "-i")
    small, large = (peak_kib(*args, path, "-o", folder()) for path in lists)
    check(large - small < 4096, f"{small} KiB for 2,000 URLs, {large} KiB for 40,000")


@case
def memory_of_resuming_does_not_grow_with_the_journal():
    if os.environ.get("ASAN_OPTIONS") or os.environ.get("TSAN_OPTIONS"):
        raise Skip("a sanitizer's memory is not the command's")
    peaks = []
    for count in (500, 20000):
        nginx, out = Nginx(more="location / { return 200 x; }"), folder()
        path = write_list(nginx.url(f"{i}") for i in range(count))
        check(fetch("-q", "-i", path, "-o", out, "--per-host", 64).code == 0, "first run")
        peaks.append(peak_kib("--resume", "-q", "-i", path, "-o", out))
        nginx.stop()
    check(peaks[1] - peaks[0] < 2048, f"{peaks[0]} KiB for 500, {peaks[1]} KiB for 20,000")


resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
main()
