"""plait trace: what it says of a program whose waits are known, and of recordings that are cut, damaged or none.

usage: test_trace.py PLAIT TRACED
"""

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

from inspected import Inspected
from pftrace import Trace
from tap import Skip, case, check, main

PLAIT, PROGRAM = sys.argv[1:]
SLOW = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ
# Tasks that a loaded machine holds up are not to be taken over by another worker: that would change who waits for whom.
ENV = {**os.environ, "PLAIT_STUCK_MS": "100000"}
TIMEOUT = 300


def run(*command, **kwargs):
    return subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=TIMEOUT, check=False, env={**ENV, **kwargs.pop("env", {})}, **kwargs)


def trace(*args, **kwargs):
    return run(PLAIT, "trace", *args, **kwargs)


def summary_of(path):
    done = trace("--json", path)
    check(done.returncode == 0 and done.stderr == "", f"{done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def perfetto(path):
    read = Trace(path)
    check(any(track.slices for track in read.tracks.values()), f"{path} has nothing for Perfetto")
    return read


def refused(done, *words):
    check(done.returncode == 1 and done.stdout == "", f"{done.returncode}: {done.stdout[:300]}")
    for word in words:
        check(word in done.stderr, f"'{word}' is not in: {done.stderr}")


COMPRESSED = b"\x92\x03"  # the key of Perfetto's field with compressed packets
_recorded = tempfile.TemporaryDirectory()
PLANTED = os.path.join(_recorded.name, "planted.pftrace")


def planted():
    """The recording of the planted waits, made once."""
    if not os.path.exists(PLANTED):
        done = run(PROGRAM, "planted", env={"PLAIT_TRACE": PLANTED})
        check(done.returncode == 0, f"{done.returncode}: {done.stderr}")
    return PLANTED


def damageable():
    """The bytes of a recording, and a source of chance to damage them by."""
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}")
    with open(planted(), "rb") as file:
        return file.read(), random.Random(seed)


def wait_of(found, task, cause):
    waits = [wait for wait in found["waits"] if wait["task"] == task and wait["cause"] == cause]
    check(waits, f"{task} waits for no {cause}: {found['waits']}")
    return waits[0]


@case
def summary_names_planted_waits_with_cause_and_holder():
    found = summary_of(planted())
    check((found["schema"], found["dropped"]) == (1, 0) and found["events"] > 50 and found["duration_s"] >= 0.08, str(found))
    lock = wait_of(found, "loser", "mutex")
    check(lock["holder"] == "holder" and lock["duration_s"] >= 0.03 and lock["object"] == "stock_lock", str(lock))
    sleep = wait_of(found, "sleeper", "sleep")
    check(sleep["holder"] is None and sleep["duration_s"] >= 0.05, str(sleep))
    queue = wait_of(found, "consumer", "queue get")
    check(queue["holder"] == "producer" and queue["duration_s"] >= 0.069, str(queue))
    http = wait_of(found, "client", "http")
    check(http["duration_s"] >= 0.04 and re.search(r"http://127\.0\.0\.1:\d+/slow", http["object"]), str(http))
    for wait in found["waits"]:
        check(set(wait) == {"task", "cause", "object", "holder", "start_s", "duration_s"}, str(wait))
        check(0 <= wait["start_s"] and wait["start_s"] + wait["duration_s"] <= found["duration_s"] + 1e-5, str(wait))
    durations = [wait["duration_s"] for wait in found["waits"]]
    check(durations == sorted(durations, reverse=True), "the longest come first")


@case
def summary_has_locks_requests_states_and_tasks():
    found = summary_of(planted())
    lock = found["locks"][0]
    check(lock["object"] == "stock_lock" and lock["holder"] == "holder" and lock["waits"] == 1, str(lock))
    check(0.03 <= lock["total_s"] == lock["longest_s"], str(lock))
    check(len(found["requests"]) == 1, str(found["requests"]))
    request = found["requests"][0]
    check(request["task"] == "client" and request["status"] == 200 and request["duration_s"] >= 0.08, str(request))
    check("/slow" in request["request"] and request["phases_s"]["first_byte"] >= 0.08, str(request))
    waiting = found["states"]["waiting"]
    check(waiting["mutex"] >= 0.03 and waiting["sleep"] >= 0.05 + 0.03 + 0.07 + 0.08, str(found["states"]))
    check(found["states"]["running"] > 0, str(found["states"]))
    names = {task["task"]: task for task in found["tasks"]}
    check({"first", "loser", "holder", "client", "server"} <= set(names), str(names))
    check(names["sleeper"]["count"] == 1 and names["sleeper"]["waiting_s"] >= 0.05, str(names["sleeper"]))


@case
def text_names_the_same():
    done = trace("--summary", planted())
    check(done.returncode == 0 and done.stderr == "", done.stderr)
    for pattern in (r"^ +\d.* loser +mutex stock_lock +holder$", r"^ +\d.* sleeper +sleep +-$",
                    r"^ +\d.* consumer +queue get 0x\S+ +producer$", r"^ +\d.* client +http .*/slow",
                    r"^ +1 +\d+ m?s +\d+ m?s +mutex stock_lock +holder$", r"^ .* 200 +.*/slow +client$",
                    r"%  waiting: mutex +1  wait$", r"%  running$"):
        check(re.search(pattern, done.stdout, re.M), f"no line {pattern} in:\n{done.stdout}")
    check("missing" not in done.stdout and "killed" not in done.stdout, done.stdout)
    short = trace("--summary", "--limit", "1", planted()).stdout
    check("loser" not in re.search(r"Longest waits\n.*\n.*\n", short).group(), short)


@case
def program_is_run_and_its_end_is_kept():
    with tempfile.TemporaryDirectory() as folder:
        done = trace("-o", "out.pftrace", "--", PROGRAM, "planted", "3", cwd=folder)
        check(done.returncode == 3, f"{done.returncode}: {done.stderr}")
        check("out.pftrace" in done.stderr and "none dropped" in done.stderr, done.stderr)
        check(os.listdir(folder) == ["out.pftrace"], f"{os.listdir(folder)}")
        wait_of(summary_of(os.path.join(folder, "out.pftrace")), "loser", "mutex")
        perfetto(os.path.join(folder, "out.pftrace"))


@case
def page_and_recording_are_written_without_output():
    with tempfile.TemporaryDirectory() as folder:
        done = trace("--no-open", "--", PROGRAM, "planted", cwd=folder)
        check(done.returncode == 0, f"{done.returncode}: {done.stderr}")
        check(set(os.listdir(folder)) == {"traced-trace.pftrace", "traced-trace.html"}, f"{os.listdir(folder)}")
        with open(os.path.join(folder, "traced-trace.html"), encoding="utf-8") as file:
            check("<html" in file.read().lower(), "no page")
        done = trace("-o", "only.html", "--no-open", "--", PROGRAM, "planted", cwd=folder)
        check(done.returncode == 0 and "only.html" in done.stderr, done.stderr)
        check("only.html" in os.listdir(folder) and len(os.listdir(folder)) == 3, f"{os.listdir(folder)}")


def events_told(said):
    return int(re.search(r"plait trace: ([\d,]+) events? in ", said).group(1).replace(",", ""))


@case
def recording_is_as_large_as_its_summary_says():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x")
        for scene in (("planted",), ("many", "20000"), ("killed",)):
            said = trace("-o", path, "--", PROGRAM, *scene).stderr
            check(events_told(said) == summary_of(path)["events"], f"{scene}: {said}")
        said = trace("--ring", "64", "-o", path, "--", PROGRAM, "many", "2000000").stderr
        dropped = summary_of(path)["dropped"]
        check(f", {dropped:,} dropped" in said if dropped else ", none dropped" in said, f"{dropped}: {said}")


@case
def recording_that_was_cut_off_is_as_long_as_its_events():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x")
        check(run(PROGRAM, "many", "200000", env={"PLAIT_TRACE": path}).returncode == 0, "the program")
        with open(path, "rb") as file:
            whole = file.read()
        for part in (2, 4, 6):
            with open(path, "wb") as file:
                file.write(whole[:len(whole) * part // 8])
            found = summary_of(path)
            check(2 * found["duration_s"] >= found["states"]["running"] > 0, str(found))  # it has two workers
            check("whose end is missing" in trace("--summary", path).stdout, "the summary does not say that it was cut")


@case
def recording_that_was_cut_off_anywhere_is_completed():
    whole, chance = damageable()
    with tempfile.TemporaryDirectory() as folder:
        cut, path = os.path.join(folder, "cut"), os.path.join(folder, "x.pftrace")
        for turn in range(2 if SLOW else 15):
            bytes_left = chance.randrange(len(whole) // 10, len(whole))
            with open(cut, "wb") as file:
                file.write(whole[:bytes_left])
            done = trace("-o", path, "--", "sh", "-c", f'cp {cut} "$PLAIT_TRACE"')
            check(done.returncode == 0 and "did not end regularly" in done.stderr, f"turn {turn}: {done.stderr}")
            tasks = {track.name.split(" #")[0] for track in Trace(path).tracks.values() if track.name}
            if bytes_left > whole.index(COMPRESSED):  # all of the recording, and a part of what it is for Perfetto
                check({"holder", "loser"} <= tasks, f"turn {turn}: of {bytes_left} bytes there is {tasks}")


@case
def killed_program_is_read_and_converted():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "killed.trace")
        done = trace("-o", path, "--", PROGRAM, "killed")
        check(done.returncode == 128 + signal.SIGKILL, f"{done.returncode}: {done.stderr}")
        check("did not end regularly" in done.stderr, done.stderr)
        found = summary_of(path)
        check({"restless", "short-lived"} <= {task["task"] for task in found["tasks"]}, str(found["tasks"]))
        check("did not end regularly" in trace("--summary", path).stdout, "the summary does not say that it was killed")
        done = trace("--convert", path, "-o", os.path.join(folder, "out.pftrace"))
        check(done.returncode == 0, done.stderr)
        read = perfetto(os.path.join(folder, "out.pftrace"))
        instants = {made.name for track in read.tracks.values() for made in track.instants}
        check("the end" in instants, f"the last event is not there: {instants}")
        done = trace("-o", os.path.join(folder, "other.pftrace"), "--", PROGRAM, "killed")
        perfetto(os.path.join(folder, "other.pftrace"))


@case
def interrupt_reaches_the_program_and_keeps_the_recording():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cut.pftrace")
        command = subprocess.Popen([PLAIT, "trace", "-o", path, "--", PROGRAM, "busy"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV)
        check(command.stdout.readline().startswith("ready"), "it does not run")
        command.send_signal(signal.SIGINT)
        said = command.stderr.read()  # before its input ends, which would end it, too
        command.wait(TIMEOUT)
        command.stdin.close()
        command.stdout.close()
        command.stderr.close()
        check(command.returncode == 128 + signal.SIGINT, f"{command.returncode}: {said}")
        check(path in said, said)
        check("restless" in {task["task"] for task in summary_of(path)["tasks"]}, "not recorded")
        perfetto(path)


@case
def running_program_is_recorded():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "part.pftrace")
        process = subprocess.Popen([PROGRAM, "busy"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENV)
        check(process.stdout.readline().startswith("ready"), "it does not run")
        for _ in range(2):  # again after the first time
            done = trace("--pid", process.pid, "--seconds", "0.2", "-o", path)
            check(done.returncode == 0 and path in done.stderr, f"{done.returncode}: {done.stderr}")
            found = summary_of(path)
            check(found["duration_s"] >= 0.2 and {"restless", "short-lived", "first"} <=
                  {task["task"] for task in found["tasks"]}, f"{found['duration_s']} {found['tasks']}")
        perfetto(path)
        process.stdin.close()
        check(process.wait(TIMEOUT) == 0, "the program")
        process.stdout.close()


@case
def program_can_be_looked_at_while_it_is_recorded():
    with tempfile.TemporaryDirectory() as folder, Inspected(PROGRAM, "busy", env=ENV) as program:
        path = os.path.join(folder, "x")
        with subprocess.Popen([PLAIT, "trace", "--pid", str(program.pid), "--seconds", "1000", "-o", path],
                              stderr=subprocess.PIPE, text=True, env=ENV) as recorder:
            while not (os.path.exists(path) and "first" in trace("--summary", path).stdout):
                check(recorder.poll() is None, "it does not record")
            for command in ("ps", "tree"):
                done = run(PLAIT, command, program.pid)
                check(done.returncode == 0 and "first" in done.stdout, f"{command}: {done.returncode} {done.stderr}")
            refused(trace("--pid", program.pid, "-s", "0.1", "-o", path + "2"), "records already")
            recorder.send_signal(signal.SIGINT)
            said = recorder.stderr.read()
        check(recorder.returncode == 0, f"{recorder.returncode}: {said}")
        check(os.listdir(folder) == ["x"], f"{os.listdir(folder)}")


def catches(pid, number):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return bool(int(re.search(r"SigCgt:\s+(\w+)", file.read()).group(1), 16) >> (number - 1) & 1)


def is_stopped(pid):
    states = set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/stat", encoding="ascii") as file:
                states.add(file.read().rpartition(")")[2].split()[0])
        except (FileNotFoundError, ProcessLookupError):
            return False  # a thread has ended since
    return states == {"T"}


@case
def who_gives_up_asking_leaves_the_program_to_others():
    with tempfile.TemporaryDirectory() as folder, Inspected(PROGRAM, "busy", env=ENV) as program:
        # The program hears of who gave up when somebody else is waiting for it, or before anybody else asks.
        for number, (end, before, after) in enumerate(((signal.SIGINT, signal.SIGSTOP, None), (None, None, signal.SIGCONT),
                                                       (signal.SIGINT, signal.SIGSTOP, None), (None, signal.SIGCONT, None))):
            path = os.path.join(folder, str(number))
            if before:
                os.kill(program.pid, before)
                while before == signal.SIGSTOP and not is_stopped(program.pid):
                    os.sched_yield()
            command = [PLAIT, "trace", "--pid", str(program.pid), "--seconds", "0.1", "-o", path]
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENV) as recorder:
                while not catches(recorder.pid, signal.SIGINT):
                    check(recorder.poll() is None, f"it ended: {recorder.returncode}")
                if end:
                    recorder.send_signal(end)
                if after:
                    os.kill(program.pid, after)
                said = recorder.stderr.read()
            check(recorder.returncode == (1 if end else 0), f"{recorder.returncode}: {said}")
            check("interrupted" in said if end else summary_of(path)["duration_s"] >= 0.1, said)


@case
def ignored_interrupt_stays_ignored():
    with tempfile.TemporaryDirectory() as folder, Inspected(PROGRAM, "busy", env=ENV) as program:
        path = os.path.join(folder, "x")
        with subprocess.Popen([PLAIT, "trace", "--pid", str(program.pid), "--seconds", "1000", "-o", path],
                              stderr=subprocess.PIPE, text=True, env=ENV,
                              preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as recorder:
            while not catches(recorder.pid, signal.SIGINT):
                check(recorder.poll() is None, f"it ended: {recorder.returncode}")
            check(not catches(recorder.pid, signal.SIGHUP), "SIGHUP is caught under nohup")
            recorder.send_signal(signal.SIGTERM)
            recorder.communicate()


@case
def second_recording_of_a_process_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([PROGRAM, "busy"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env={**ENV, "PLAIT_TRACE": os.path.join(folder, "own")})
        check(process.stdout.readline().startswith("ready"), "it does not run")
        refused(trace("--pid", process.pid, "-s", "0.1", "-o", os.path.join(folder, "second")), "records already")
        process.stdin.close()
        process.stdout.close()
        check(process.wait(TIMEOUT) == 0, "the program")
        check(os.listdir(folder) == ["own"], f"{os.listdir(folder)}")


@case
def process_that_cannot_be_recorded_is_refused():
    refused(trace("--pid", "4194305"), "there is no process 4194305")
    refused(trace("--pid", "x1"), "there is no process x1")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as cat:
        refused(trace("--pid", cat.pid), "does not use plait")
        cat.stdin.close()
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("it takes root to become somebody else")
    with tempfile.TemporaryDirectory() as folder, Inspected(PROGRAM, "busy", env=ENV) as program:
        os.chmod(folder, 0o777)
        done = run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", PLAIT, "trace", "--pid",
                   program.pid, "-o", os.path.join(folder, "x"))
        if done.returncode == 127 or "libplait" in done.stderr:
            raise Skip("nobody may not run plait here")
        refused(done, "may not be read", "Run plait as")


@case
def program_without_plait_is_told_so():
    with tempfile.TemporaryDirectory() as folder:
        done = trace("--", "true", cwd=folder)
        refused(done, "true has recorded nothing", "does not use plait")
        check(os.listdir(folder) == [], f"{os.listdir(folder)}")
        done = trace("--", "false", cwd=folder)
        check(done.returncode == 1 and "recorded nothing" in done.stderr, done.stderr)
        done = trace("--", "./not-there", cwd=folder)
        check(done.returncode == 127 and "cannot run ./not-there" in done.stderr, done.stderr)
        done = trace("-o", "no-folder/x", "--", PROGRAM, "planted", "4", cwd=folder)
        check(done.returncode == 4 and "recorded nothing" in done.stderr, f"{done.returncode} {done.stderr}")


@case
def program_that_ends_too_soon_is_told_so():
    with tempfile.TemporaryDirectory() as folder:
        done = trace("-o", "x", "--", "sh", "-c", ': > "$PLAIT_TRACE"', cwd=folder)
        refused(done, "sh ended before it had recorded anything")
        check(os.listdir(folder) == [], f"{os.listdir(folder)}")


def limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


@case
def page_and_trace_say_why_they_cannot_be_written():
    with tempfile.TemporaryDirectory() as folder:
        for name in ("x.html", "x.pftrace"):
            refused(trace("--convert", planted(), "-o", name, cwd=folder, preexec_fn=limit_files), name, "File too large")
        check(os.listdir(folder) == [], f"{os.listdir(folder)}")


@case
def output_that_cannot_be_written_is_told():
    with Inspected(PROGRAM, "busy", env=ENV) as program:
        for command in (("ps", "--json", program.pid), ("trace", "--summary", planted())):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([PLAIT, *map(str, command)], stdout=full, stderr=subprocess.PIPE, text=True,
                                      timeout=TIMEOUT, check=False, env=ENV)
            check(done.returncode == 1 and "not all could be written" in done.stderr, f"{command}: {done}")


@case
def what_is_no_recording_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x")
        refused(trace("--summary", path), path, "No such file")
        for content in (b"", b"\n", b"hello world\n" * 100, b"\x0a\x00", bytes(1 << 16), os.urandom(5000),
                        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"):
            with open(path, "wb") as file:
                file.write(content)
            for option in ("--summary", "--json"):
                refused(trace(option, path), path, "no recording")
            refused(trace("--convert", path, "-o", path + ".pftrace"), path, "no recording")
        refused(trace("--summary", folder), folder)
        check(os.listdir(folder) == ["x"], f"{os.listdir(folder)}")


@case
def damaged_recording_is_read_as_far_as_it_goes_or_refused():
    whole, chance = damageable()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "damaged")
        for turn in range(10 if SLOW else 60):
            data = bytearray(whole)
            if turn % 2:
                del data[chance.randrange(len(data)):]
            else:
                for _ in range(chance.randrange(1, 50)):
                    data[chance.randrange(len(data))] = chance.randrange(256)
            with open(path, "wb") as file:
                file.write(data)
            done = trace("--json", path)
            check(done.returncode in (0, 1), f"turn {turn}: it ended with {done.returncode}: {done.stderr}")
            if done.returncode:
                check(done.stdout == "" and path in done.stderr, f"turn {turn}: {done.stderr}")
                continue
            json.loads(done.stdout)
            done = trace("--convert", path, "-o", path + ".pftrace")
            check(done.returncode in (0, 1), f"turn {turn}: it ended with {done.returncode}: {done.stderr}")
            if done.returncode == 0:
                Trace(path + ".pftrace")


@case
def wrong_usage_exits_with_2():
    for args in ((), ("--summary",), ("--json", "a", "b"), ("--pid", "1", "--", "true"), ("--seconds", "1", "--", "true"),
                 ("--seconds", "soon", "--pid", "1"), ("--convert", "a"), ("--convert", "a", "-o", "b"),
                 ("--summary", "-o", "b", "a"), ("--limit", "0", "--summary", "a"), ("--ring", "1", "--", "true"),
                 ("--pid", "1", "--summary", "a"), ("--nonsense",),
                 ("--convert", "a", "-o", "b.html", "-n", "3"), ("--limit", "3", "--", "true"), ("--summary", "--no-open", "a")):
        done = trace(*args)
        check(done.returncode == 2 and done.stdout == "", f"{args}: {done.returncode} {done.stderr}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.pftrace")
        shutil.copy(planted(), path)
        refused(trace("--convert", path, "-o", path), "another name")


main()
