"""plait fetch against real servers: what it saves, says and limits.

usage: test_fetch.py PLAIT SOURCE
"""

import hashlib
import json
import os
import pty
import re
import subprocess
import threading

from servers import (PLAIT, SHAPE, SOURCE, Nginx, Site, clean_env, end, fetch, fetch_json, folder, leftovers, names, read,
                     start)
from tap import case, check, main

nginx = Nginx()
RESULT = {"type", "url", "status", "bytes", "file", "attempts", "total_s", "error"}
SUMMARY = {"type", "ok", "failed", "skipped", "bytes", "wall_s", "requests_per_s", "p50_s", "p90_s", "p99_s"}


def body(i):
    return hashlib.sha256(str(i).encode()).hexdigest().encode() * (i % 40)


def many(count):
    return [nginx.file(f"many/{i}.txt", body(i)) for i in range(count)]


@case
def every_file_of_a_thousand_is_right():
    urls, out = many(1000), folder()
    done = fetch_json("-i", "-", "-o", out, "--per-host", 64, data="\n".join(urls))
    check(done.code == 0 and done.summary["ok"] == 1000, str(done))
    results = done.by_url()
    for i, url in enumerate(urls):
        result = results[url]
        check(read(result["file"]) == body(i), f"{url} is wrong in {result['file']}")
        check(result["bytes"] == len(body(i)) and result["status"] == 200 and result["attempts"] == 1, str(result))
    check(len(names(out)) == 1000 and not leftovers(out), f"{len(names(out))} files, {leftovers(out)}")


@case
def json_has_the_fields_of_the_contract():
    urls, out = many(3), folder()
    done = fetch_json(*urls, nginx.url("none"), "-o", out)
    check(done.code == 1, str(done))
    for result in done.results:
        check(set(result) == RESULT, str(result))
        check(isinstance(result["total_s"], float) and result["total_s"] > 0, str(result))
    check(set(done.summary) == SUMMARY, str(done.summary))
    failed = done.by_url()[nginx.url("none")]
    check(failed["status"] == 404 and failed["file"] is None and "404" in failed["error"], str(failed))
    check(failed["attempts"] == 1, "a 404 is not tried again")
    check((done.summary["ok"], done.summary["failed"], done.summary["skipped"]) == (3, 1, 0), str(done.summary))
    check(done.summary["bytes"] == sum(len(body(i)) for i in range(3)), str(done.summary))
    check(0 < done.summary["p50_s"] <= done.summary["p90_s"] <= done.summary["p99_s"], str(done.summary))


@case
def summary_and_failures_are_told_in_words():
    url = nginx.file("words", b"x")
    done = fetch(url, nginx.url("none"), "-o", folder())
    check(done.code == 1, str(done))
    check(re.search(rb"1 ok, 1 failed, 0 skipped.*200: 1, 404: 1.*requests/s.*p50 .*p90 .*p99 ", done.out, re.S), str(done))
    check(f"{nginx.url('none')}: the server answered with status 404" in done.err, str(done))


@case
def quiet_tells_failures_only():
    done = fetch("-q", nginx.file("q", b"x"), nginx.url("none"), "-o", folder())
    check(done.code == 1 and done.out == b"" and done.err.count("\n") == 1, str(done))


@case
def names_are_the_same_in_every_run_and_differ_between_urls():
    one, two = nginx.file("a/same.html", b"one"), nginx.file("b/same.html", b"two")
    first, second = folder(), folder()
    check(fetch(one, two, "-o", first).code == 0, "first run")
    check(fetch(two, "-o", second).code == 0, "second run")
    check(len(names(first)) == 2 and set(names(second)) < set(names(first)), f"{names(first)}, {names(second)}")
    check(all(SHAPE.match(name) and name.endswith(".html") for name in names(first)), str(names(first)))
    check(fetch(one, "-o", second).code == 0 and names(second) == names(first), "a clash in a later run")


@case
def nothing_outside_the_folder_is_written_whatever_the_url_says():
    base = folder()
    out = os.path.join(base, "out")
    site = Site(lambda handler, path: handler.reply(b"evil"))
    paths = ["../../escape", "..%2f..%2fescape", "%2e%2e/%2e%2e/escape", "%2fetc%2fescape", "a%00b", "%0a%1b[2J", "..", ".",
             ".bashrc", "-rf", ".plait-fetch.journal", "x" * 3000, "%ff%fe", "a\\..\\b", "~root", "con", "%e2%80%aeexe"]
    done = fetch_json(*(site.url(path) for path in paths), "-o", out)
    check(done.summary["ok"] + done.summary["failed"] == len(paths), str(done))
    check(os.listdir(base) == ["out"], f"outside: {os.listdir(base)}")
    check(len(names(out)) == done.summary["ok"] >= 15, f"{names(out)} {done}")
    for name in names(out):
        check(os.path.isfile(os.path.join(out, name)) and name.isprintable() and len(name.encode()) < 200, repr(name))


@case
def links_in_the_folder_are_replaced_and_not_followed():
    out, victim = folder(), os.path.join(folder(), "victim")
    url = nginx.file("linked", b"new")
    check(fetch(url, "-o", out).code == 0, "first run")
    path = os.path.join(out, names(out)[0])
    os.unlink(path)
    with open(victim, "w", encoding="utf-8") as file:
        file.write("precious")
    os.symlink(victim, path)
    check(fetch(url, "-o", out).code == 0, "second run")
    check(read(victim) == b"precious" and not os.path.islink(path) and read(path) == b"new", "it followed the link")


@case
def a_folder_in_the_way_fails_one_url_only():
    out = folder()
    one, two = nginx.file("way/one", b"1"), nginx.file("way/two", b"2")
    check(fetch(one, "-o", out).code == 0, "first run")
    path = os.path.join(out, names(out)[0])
    os.unlink(path)
    os.mkdir(path)
    done = fetch_json(one, two, "-o", out)
    check(done.code == 1 and done.summary["ok"] == 1, str(done))
    check("cannot give the file its name: Is a directory" in done.by_url()[one]["error"], str(done))
    check(not leftovers(out), str(leftovers(out)))


@case
def output_to_standard_output_is_the_body_alone():
    data = bytes(range(256)) * 1000
    done = fetch("-o", "-", nginx.file("whole.bin", data))
    check(done.code == 0 and done.out == data, f"{done.code} {len(done.out)} {done.err}")
    check(fetch("-o", "-", nginx.url("none")).out == b"", "the body of an error page was written")


@case
def files_go_into_the_current_folder_without_an_option():
    here = folder()
    done = fetch_json(nginx.file("here.txt", b"here"), cwd=here)
    check(done.code == 0 and os.listdir(here) == [done.results[0]["file"]], f"{os.listdir(here)} {done}")
    check(read(here, done.results[0]["file"]) == b"here", "its content")


@case
def list_may_have_blanks_comments_and_windows_ends():
    out, url = folder(), nginx.file("list", b"x")
    text = f"\ufeff# comment\r\n\r\n  {url}?1 \r\n\t{url}?2\n#{url}?3\n{url}?4"
    done = fetch_json("-i", "-", "-o", out, data=text)
    check(done.code == 0 and {r["url"] for r in done.results} == {f"{url}?1", f"{url}?2", f"{url}?4"}, str(done))
    path = os.path.join(out, "list")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{url}?6\n")
    done = fetch_json(f"{url}?5", "-i", path, "-o", out)
    check({r["url"] for r in done.results} == {f"{url}?5", f"{url}?6"}, str(done))


@case
def list_is_read_as_it_comes():
    out, read_end, write_end = folder(), *os.pipe()
    url = nginx.file("stream", b"x")
    process = start("--json", "-i", "-", "-o", out, stdin=read_end)
    os.close(read_end)
    for i in range(3):
        os.write(write_end, f"{url}?{i}\n".encode())
        line = process.stdout.readline().decode()
        check(f"{url}?{i}" in line, f"line {i} is not fetched before the list ends: {line}")
    os.close(write_end)
    check(end(process).code == 0, "exit code")


@case
def malformed_urls_fail_alone_and_are_named_with_their_line():
    out, url = folder(), nginx.file("good", b"x")
    text = f"{url}\nnonsense\nftp://h/x\nhttp://h:99999/\n{'http://h/' + 'x' * 9000}\nhttp://a b/\n{url}?2\n"
    done = fetch("-i", "-", "-o", out, data=text)
    check(done.code == 1 and b"2 ok, 5 failed" in done.out, str(done))
    for line, why in ((2, "begin with http"), (3, "only http"), (4, "port"), (5, "longer than 8000"), (6, "blank")):
        check(re.search(f"^plait fetch: line {line}: .*{why}", done.err, re.M), f"line {line}: {done.err}")


@case
def empty_list_is_no_failure():
    done = fetch_json("-i", "-", "-o", folder(), data="")
    check(done.code == 0 and not done.results and done.summary["ok"] == 0, str(done))


@case
def a_url_listed_twice_is_fetched_twice_into_one_file():
    out, url = folder(), nginx.file("twice", b"x")
    done = fetch_json(url, url, "-o", out)
    check(done.code == 0 and done.summary["ok"] == 2 and len(names(out)) == 1, str(done))


@case
def wrong_usage_exits_with_2_and_says_how():
    for args, why in (((), "nothing to download"), (("-j", "0", "http://h/"), "from 1 to"), (("-j", "x", "http://h/"), "from 1"),
                      (("--rate", "fast", "http://h/"), "--rate"), (("--timeout", "-1", "http://h/"), "--timeout"),
                      (("--retries", "-1", "http://h/"), "--retries"), (("-H", "nocolon", "http://h/"), "Name: value"),
                      (("-o", "-", "http://h/", "http://i/"), "one URL"), (("-o", "-", "--json", "http://h/"), "standard output"),
                      (("--http1.1", "--http2", "http://h/"), "exclude"), (("--nonsense", "http://h/"), "unrecognized"),
                      (("-i", "a", "-i", "b"), "twice"), (("-o", "-", "--resume", "http://h/"), "folder")):
        done = fetch(*args)
        check(done.code == 2 and why in done.err, f"{args}: {done}")


@case
def a_list_that_cannot_be_read_is_named():
    done = fetch("-i", "/nonexistent/list")
    check(done.code == 1 and "/nonexistent/list" in done.err and "No such file" in done.err, str(done))
    check("Is a directory" in fetch("-i", "/tmp").err, "a folder as list")


def hold(handler, path):
    handler.server.site.gate.wait(600)
    handler.reply(b"held")


def holding_site():
    site = Site(hold)
    site.server.site = site
    return site


@case
def auto_begins_with_eight_and_grows_while_all_goes_well():
    # The limit is changed for the first time after 16 answers. Those to the first requests wait until there are eight, and
    # those to what follows the first 32 until there are more.
    eight, more, of_the_first = threading.Event(), threading.Event(), []

    def hold(handler, path):
        with site.lock:
            asked = len(site.asked)
            if asked <= 16:
                of_the_first.append(site.now)
        if asked <= 8:
            eight.wait(600)
        elif asked > 32:
            more.wait(600)
        handler.reply(b"x")

    site = Site(hold)
    path = os.path.join(folder(), "list")
    with open(path, "w", encoding="ascii") as urls:
        urls.writelines(site.url(f"{i}\n") for i in range(100))
    process = start("--json", "-i", path, "-o", folder(), "-j", "auto")
    site.wait_for(lambda s: s.now == 8)
    eight.set()
    site.wait_for(lambda s: s.now > 8)
    more.set()
    done = end(process)
    check(done.code == 0, str(done))
    check(max(of_the_first) == 8, f"{max(of_the_first)} at once at the beginning")
    limits = json.loads(done.out.splitlines()[-1])["limits"]
    limit = limits[0]
    check(set(limit) == {"host", "limit", "reason", "refused", "per_s", "first_byte_s", "advised"}, str(limit))
    check(limit["host"] == f"127.0.0.1:{site.port}" and limit["limit"] >= 1 and limit["refused"] == 0, str(limit))
    check(len(limits) == 1, "one host needs no limit of all")


@case
def auto_comes_down_to_what_the_server_takes():
    def refuse(handler, path):
        if site.now > 6:
            handler.reply(status=503)
        else:
            handler.reply(b"x")

    site = Site(refuse)
    urls = [site.url(str(i)) for i in range(400)]
    done = fetch_json("-i", "-", "-o", folder(), "-j", "auto", "--retries", 20, data="\n".join(urls))
    check(done.code == 0 and done.summary["ok"] == 400, str(done))
    limit = done.summary["limits"][0]
    check(limit["refused"] == len(site.asked) - 400, f"{limit} of {len(site.asked)}")
    check(limit["refused"] == 0 or limit["limit"] < 64, str(limit))


@case
def auto_of_several_hosts_tells_of_each_and_of_all():
    sites = [Site(lambda handler, path: handler.reply(b"x")) for _ in range(3)]
    urls = [site.url(str(i)) for i in range(20) for site in sites]
    done = fetch_json("-i", "-", "-o", folder(), "-j", "auto", data="\n".join(urls))
    hosts = {limit["host"] for limit in done.summary["limits"]}
    check(done.code == 0 and hosts == {f"127.0.0.1:{site.port}" for site in sites} | {"all hosts"}, str(done.summary))
    words = fetch("-i", "-", "-o", folder(), "-j", "auto", data="\n".join(urls))
    check(re.search(rb"at once +127\.0\.0\.1:\d+: \d+ \(", words.out), str(words))


@case
def auto_keeps_within_the_numbers_that_are_given():
    for args, most in ((("-j", 3, "--per-host", "auto"), 3), (("-j", "auto", "--per-host", 5), 5)):
        site = Site(lambda handler, path: handler.reply(b"x"))
        urls = [site.url(str(i)) for i in range(200)]
        done = fetch_json("-i", "-", "-o", folder(), *args, data="\n".join(urls))
        check(done.code == 0 and site.most <= most, f"{site.most} at once with {args}")
    for args in (("-j", "automatic"), ("--per-host", "0")):
        done = fetch(*args, "http://127.0.0.1/")
        check(done.code == 2 and "or auto" in done.err, str(done))


@case
def jobs_and_per_host_limit_what_runs_at_once():
    for args, limit in ((("-j", 5, "--per-host", 64), 5), (("-j", 64, "--per-host", 3), 3), ((), 8)):
        site = holding_site()
        process = start("--json", "-i", "-", "-o", folder(), *args, stdin=subprocess.PIPE)
        threading.Thread(target=lambda: (process.stdin.write("".join(site.url(str(i)) + "\n" for i in range(30)).encode()),
                                         process.stdin.close())).start()
        site.wait_for(lambda s: s.now == limit)
        site.gate.set()
        out = process.stdout.read().decode()
        check(process.wait() == 0 and out.count('"result"') == 30, out)
        process.stderr.close()
        process.stdout.close()
        check(site.most == limit, f"{site.most} at once with {args}")


@case
def a_slow_host_holds_up_nobody_else():
    slow, out, count = holding_site(), folder(), 3000
    path = os.path.join(out, "urls")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(slow.url(f"{i:050}") + "\n" for i in range(count))
        file.writelines(nginx.file(f"fast/{i}", b"x") + "\n" for i in range(50))
    process = start("--json", "-i", path, "-o", out, "-j", 16, "--per-host", 4)
    fast = [process.stdout.readline().decode() for _ in range(50)]
    check(all("/fast/" in line for line in fast), "the slow host's answers came first")
    check(slow.most <= 4, f"{slow.most} at once from the slow host")
    slow.gate.set()
    done = end(process)
    check(done.code == 0 and done.out.count(b'"result"') == count, str(done))
    check(sorted(slow.asked) == [f"/{i:050}" for i in range(count)], "not each URL once")


@case
def rate_spaces_the_requests():
    out, url = folder(), nginx.file("rate", b"x")
    done = fetch_json("--rate", "100/s", "-i", "-", "-o", out, data="".join(f"{url}?{i}\n" for i in range(41)))
    check(done.code == 0 and 0.4 <= done.summary["wall_s"] < 60, str(done.summary))


@case
def headers_and_user_agent_are_sent():
    seen = {}

    def answer(handler, _):
        seen.update(handler.headers)
        handler.reply(b"x")

    site = Site(answer)
    check(fetch(site.url(), "-H", "X-One: 1", "-H", "Accept: text/x", "-A", "tester/1", "-o", folder()).code == 0, "run")
    check((seen["X-One"], seen["Accept"], seen["User-Agent"]) == ("1", "text/x", "tester/1"), str(seen))
    check(fetch(site.url(), "-o", folder()).code == 0 and seen["User-Agent"].startswith("plait/"), str(seen))


@case
def proxy_is_used_and_an_empty_one_is_none():
    asked = []
    proxy = Site(lambda handler, path: (asked.append(path), handler.reply(b"by proxy")))
    out = folder()
    done = fetch_json("-x", proxy.url(), "http://name.invalid/page", "-o", out)
    check(done.code == 0 and asked == ["http://name.invalid/page"], f"{asked} {done}")
    env = {"http_proxy": proxy.url()}
    check(fetch("http://name.invalid/2", "-o", out, env=env).code == 0 and len(asked) == 2, "http_proxy")
    check(fetch(nginx.file("direct", b"x"), "-x", "", "-o", out, env=env).code == 0 and len(asked) == 2, "-x ''")


@case
def compressed_bodies_are_asked_for_unless_raw():
    seen = []
    site = Site(lambda handler, path: (seen.append(handler.headers.get("Accept-Encoding")), handler.reply(b"x")))
    check(fetch(site.url(), "-o", folder()).code == 0 and "gzip" in seen[0], str(seen))
    check(fetch("--raw", site.url(), "-o", folder()).code == 0 and not seen[1], str(seen))


@case
def progress_is_a_bar_on_a_terminal_and_without_color_on_request():
    for env, color in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
        site = holding_site()
        mine, its = pty.openpty()
        process = start(nginx.url("none"), site.url("1"), "-o", folder(), stderr=its, env=env)
        os.close(its)
        shown = b""
        while b"1 failed" not in shown:
            shown += os.read(mine, 4096)
        site.gate.set()
        check(process.wait() == 1, "exit code")
        process.stdout.close()
        os.close(mine)
        check(b"\r" in shown and b"] 1/2  50%" in shown, repr(shown))
        check((b"\033[33m" in shown) == color, repr(shown))


@case
def help_man_page_and_completions_know_the_same_options():
    text = subprocess.run([PLAIT, "fetch", "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
    options = set(re.findall(r"--[a-z][a-z0-9.-]*(?=[=\s,])", text.split("Examples:")[0])) - {"--help", "--usage", "--version"}
    check(len(options) > 20 and "Examples:" in text, text)
    page = read(SOURCE, "docs/man/plait-fetch.1.scd").decode()
    for option in options:
        check(f"*{option}*" in page, f"the man page does not tell of {option}")
    for shell, form in (("plait.bash", "{}"), ("_plait", "{}"), ("plait.fish", "-l {}")):
        script = read(SOURCE, "tools/completion", shell).decode()
        for option in options:
            wanted = form.format(option if form == "{}" else option[2:])
            check(re.search(re.escape(wanted) + r"(?![\w.-])", script), f"{shell} does not know {option}")


@case
def commands_and_mistakes_at_the_top():
    def run(*args):
        done = subprocess.run([PLAIT, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, env=clean_env(), check=False)
        return done.returncode, done.stdout, done.stderr

    check(run()[0] == 2 and "Usage" in run()[2], str(run()))
    check(run("fetsh")[0] == 2 and "did you mean 'fetch'" in run("fetsh")[2], str(run("fetsh")))
    check(re.findall("did you mean '(.*)'", run("tracee")[2]) == ["trace"], str(run("tracee")))
    check(run("nothing")[0] == 2 and "did you mean" not in run("nothing")[2], str(run("nothing")))
    check(run("--help")[0] == 0 and "fetch" in run("--help")[1], str(run("--help")))
    check(run("help", "fetch")[1] == run("fetch", "--help")[1] != "", "help fetch")
    check(re.match(r"plait \d+\.\d+", run("--version")[1]), str(run("--version")))
    check(run("--nonsense")[0] == 2, str(run("--nonsense")))


main()
