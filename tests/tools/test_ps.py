"""plait ps on live programs, on core files, and on what is neither.

usage: test_ps.py PLAIT INSPECTED
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from inspected import TIMEOUT, Inspected, allow_core, gcore, kernel_core, need_plain_core_files, only_file
from tap import Skip, case, check, main

PLAIT, PROGRAM = sys.argv[1:]
SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ


def ps(*args, **kwargs):
    return subprocess.run([PLAIT, "ps", *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=TIMEOUT, check=False, **kwargs)


def tasks_of(*args):
    done = ps("--json", *args)
    check(done.returncode == 0 and done.stderr == "", f"{done.returncode}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def refused(done, *words):
    check(done.returncode == 1 and done.stdout == "", f"{done.returncode}: {done.stdout[:300]}")
    for word in words:
        check(word in done.stderr, f"'{word}' is not in: {done.stderr}")


def by_name(tasks):
    return {task["name"]: task for task in tasks if task["name"]}


def functions(task):
    check(task["stack"], f"no stack: {task}")
    return [re.match(r"[^+.]*", frame).group() for frame in task["stack"]]  # without .isra.0 and the like


def check_states(tasks, fd, live):
    """What `inspected states` brought its tasks into."""
    named = by_name(tasks)
    causes = {"for an event": "event", "for the lock": "mutex", "to read": "read", "for an order": "receive",
              "asleep": "sleep", "for a task": "task", "inner child": "event", "with a scope": "join"}
    for name, cause in causes.items():
        check(named[name]["state"] == "waiting" and named[name]["waits_on"]["cause"] == cause, str(named[name]))
    check(named["for an event"]["waits_on"]["variable"] == "never", str(named["for an event"]))
    check(named["for the lock"]["waits_on"]["variable"] == "stock_lock", str(named["for the lock"]))
    check(named["for the lock"]["holder"] == named["first"]["id"], str(named["for the lock"]))
    check(named["to read"]["waits_on"]["fd"] == fd, str(named["to read"]))
    check(named["for a task"]["holder"] == named["asleep"]["id"], str(named["for a task"]))
    check(3500 < named["asleep"]["waits_on"]["timeout_s"] <= 3600, str(named["asleep"]))
    check(named["for an event"]["waits_on"].get("timeout_s") is None, str(named["for an event"]))
    check(0 <= named["asleep"]["since_s"] < 600, str(named["asleep"]))
    check(named["computes"]["state"] == "running" and named["computes"]["worker"] >= 0, str(named["computes"]))
    check(named["inner child"]["scope"]["opened_at"].startswith("with_scope"), str(named["inner child"]))
    check(named["for an event"]["scope"] == named["asleep"]["scope"] != named["inner child"]["scope"], "scopes")
    check([task["function"] for task in tasks if task["id"] and not task["name"]] == ["wait_for_event"], "no name")
    check(len({task["id"] for task in tasks if task["id"]}) == 11, "there are eleven tasks, of different numbers")
    threads = [task for task in tasks if task["id"] is None]
    check(len(threads) == 1 and threads[0]["waits_on"]["variable"] == "go_on" and threads[0]["tid"], str(threads))
    check_stacks(named, live)


def check_stacks(named, live):
    stack = functions(named["for an event"])
    check("plait_event_wait" in stack and stack.index("plait_event_wait") + 1 == stack.index("wait_for_event"), str(stack))
    check(stack[-1] == "pl_context_trampoline", f"unwound to its end: {stack}")
    check("wait_for_stock" in functions(named["for the lock"]), str(named["for the lock"]))
    check("sleep_long" in functions(named["asleep"]), str(named["asleep"]))
    check("(inspected.c:" in " ".join(named["asleep"]["stack"]), "no lines")
    check({"wait_for_input", "app"} <= set(functions(named["first"])) or not live, str(named["first"]))
    if not live:  # only there the processor's registers are known
        check("compute" in functions(named["computes"]), str(named["computes"]))


@case
def each_task_is_shown_with_what_it_waits_for():
    with Inspected(PROGRAM, "states") as program:
        fd = int(program.wait_until(r"^fd (\d+)").group(1))
        check_states(tasks_of(program.pid), fd, True)


@case
def core_file_of_gcore_shows_the_same():
    if not shutil.which("gcore"):
        raise Skip("there is no gcore")
    # gdb reads no further than the first guard page, unless that is a mapping of its own.
    env = {**os.environ, "PLAIT_DEBUG": "guard=mprotect"}
    with tempfile.TemporaryDirectory() as folder, Inspected(PROGRAM, "states", env=env) as program:
        fd = int(program.wait_until(r"^fd (\d+)").group(1))
        check_states(tasks_of(gcore(program.pid, folder)), fd, False)


@case
def what_gcore_leaves_out_is_told():
    if not shutil.which("gcore"):
        raise Skip("there is no gcore")
    with tempfile.TemporaryDirectory() as folder, Inspected(PROGRAM, "states") as program:
        path = gcore(program.pid, folder)
        done = ps("--json", path)
        tasks = [json.loads(line) for line in done.stdout.splitlines()]
        lost = [task for task in tasks if task["id"] and task["state"] == "waiting" and not task["stack"]]
        known = [task["id"] for task in tasks if task["id"]]
        check(done.returncode == 0 and len(known) == 11, f"{done.returncode}: {known}: {done.stderr}")
        # The thread's record may follow a guard page, too.
        check(len(tasks) == 12 or (len(tasks) == 11 and "threads may be missing" in done.stderr), f"{tasks}: {done.stderr}")
        if not lost:
            raise Skip("this gcore, or this kernel's way of guarding, loses no stacks")
        told = re.search(r"lacks the memory of (\d+) stacks", done.stderr)
        check(told and 0 < int(told.group(1)) <= len(lost) and "guard=mprotect" in done.stderr, f"{len(lost)}: {done.stderr}")


@case
def core_file_of_the_kernel_shows_the_same():
    if SANITIZED:
        raise Skip("a sanitizer's address space is not dumped")
    with tempfile.TemporaryDirectory() as folder:
        path, said = kernel_core(PROGRAM, folder)
        tasks = tasks_of(path)
        named = by_name(tasks)
        check(named["to read"]["waits_on"]["fd"] == int(re.search(r"fd (\d+)", said).group(1)), str(named["to read"]))
        check("abort" in functions(named["first"]) and "show_states" in functions(named["first"]), str(named["first"]))
        check(named["for the lock"]["waits_on"]["variable"] == "stock_lock", str(named["for the lock"]))
        check("sleep_long" in functions(named["asleep"]), str(named["asleep"]))


@case
def stopped_program_is_read_too():
    with Inspected(PROGRAM, "states") as program:
        os.kill(program.pid, signal.SIGSTOP)
        check(len(tasks_of(program.pid)) == 12, "all eleven, and the thread")


@case
def program_is_never_stopped():
    with Inspected(PROGRAM, "crowd", 20000) as program:
        reader = subprocess.Popen([PLAIT, "ps", str(program.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while reader.poll() is None:
            with open(f"/proc/{program.pid}/status", encoding="utf-8") as file:
                status = file.read()
            check(re.search(r"^TracerPid:\t0$", status, re.M), status)
            check(not re.search(r"^State:\t[tT]", status, re.M), status)
        check(reader.returncode == 0, "plait ps failed")


@case
def crowd_is_counted_rightly():
    number = 2000 if SANITIZED else 100000
    with Inspected(PROGRAM, "crowd", number) as program:
        told = int(program.wait_until(r"^tasks (\d+)").group(1))
        done = ps("--state=waiting", program.pid)
        lines = done.stdout.splitlines()
        check(done.returncode == 0 and len(lines) == told + 2, f"{len(lines)} lines for {told} tasks: {done.stderr}")
        check(lines[-1].startswith(f"{told:,} tasks: {told:,} waiting"), lines[-1])
        many = [line for line in lines if "one of many" in line]
        check(len(many) == number and all("plait_event_wait < wait_for_event" in line for line in many), "stacks")
        check(len({line.split()[0] for line in lines[1:-1]}) == told, "no number twice")


@case
def tasks_that_have_ended_leave_no_gaps():
    number = 2000 if SANITIZED else 20000
    with Inspected(PROGRAM, "remains", number) as program:
        told = int(program.wait_until(r"^tasks (\d+)").group(1))
        lines = ps(program.pid).stdout.splitlines()
        check(len(lines) == told + 2 and len({line.split()[0] for line in lines[1:-1]}) == told, lines[-1])
        check(sum("plait_event_wait < wait_for_event" in line for line in lines) == told - 1, "stacks")


@case
def core_file_of_a_crowd_is_counted_rightly_whole_and_cut():
    if SANITIZED:
        raise Skip("a sanitizer's address space is not dumped")
    need_plain_core_files()
    with tempfile.TemporaryDirectory() as folder:
        with Inspected(PROGRAM, "crowd", 20000, cwd=folder, preexec_fn=allow_core) as program:
            told = int(program.wait_until(r"^tasks (\d+)").group(1))
            os.kill(program.pid, signal.SIGABRT)
            program.process.wait()
        path = only_file(folder)
        whole = ps(path)
        lines = whole.stdout.splitlines()
        check(whole.returncode == 0 and len(lines) == told + 2, f"{len(lines)} lines for {told} tasks: {whole.stderr}")
        check(sum("plait_event_wait < wait_for_event" in line for line in lines) == 20000, "stacks")
        check(len({line.split()[0] for line in lines[1:-1]}) == told, "no number twice")
        check(len(tasks_of("--sort=id", "-n", "15000", path)) == 15000, "several blocks of lines")
        listed_without_threads(folder, path, whole.stdout)
        for eighth in range(7, -1, -1):
            os.truncate(path, os.path.getsize(path) * eighth // (eighth + 1))
            check_cut(ps(path), told)


def check_cut(done, told):
    """The lists of what there is, or a reason: never something in between."""
    if done.returncode == 0:
        check(done.stdout.splitlines()[-1].startswith(f"{told:,} tasks: "), done.stdout[-200:])
        check("lacks the memory of" in done.stderr, done.stderr)
    else:
        refused(done, "plait ps: ")
        check(any(word in done.stderr for word in ("cut", "damaged", "cannot be read", "short", "does not use")),
              done.stderr)


def listed_without_threads(folder, path, expected):
    """Where no thread can be started."""
    if os.geteuid() != 0:
        return
    os.chmod(path, 0o644)
    tool, env = tool_for_others(folder)

    def become_lonely():
        os.setgroups([])
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        os.setuid(1000000 + os.getppid())  # somebody who has no other process

    done = subprocess.run([tool, "ps", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=TIMEOUT, check=False, preexec_fn=become_lonely, env=env, cwd="/")
    check(done.returncode == 0 and done.stdout == expected, f"{done.returncode}: {done.stderr}")


@case
def compact_tasks_have_stacks_too():
    with Inspected(PROGRAM, "compact", 1000) as program:
        tasks = [task for task in tasks_of(program.pid) if task["function"] == "wait_for_event"]
        check(len(tasks) == 1000, str(len(tasks)))
        for task in tasks:
            check(functions(task)[-3:] == ["wait_for_event", "flow", "pl_context_trampoline"], str(task))


@case
def restless_program_is_shown_without_nonsense():
    with Inspected(PROGRAM, "churn", 50) as program:
        for _ in range(20):
            for task in tasks_of(program.pid):
                check(task["name"] in (None, "", "first", "short-lived"), str(task))
                check(task["function"] in ("restless", "short_lived", "first_task"), str(task))
                if task["stack"] and task["state"] == "waiting" and task["function"] == "restless":
                    check("restless" in functions(task), str(task))


@case
def filters_limits_and_order():
    with Inspected(PROGRAM, "states") as program:
        check({task["state"] for task in tasks_of("--state=running", program.pid)} == {"running"}, "state")
        check({task["name"] for task in tasks_of("--name=for a*", program.pid)} == {"for an event", "for an order",
                                                                                  "for a task"}, "name")
        check(len(tasks_of("-n", "3", program.pid)) == 3, "limit")
        ids = [task["id"] or 0 for task in tasks_of("--sort=id", program.pid)]
        check(ids == sorted(ids), str(ids))
        ages = [task["since_s"] or 0 for task in tasks_of("--sort=since", "--state=waiting", program.pid)]
        check(ages == sorted(ages, reverse=True), str(ages))
        check(all(task["stack"] is None for task in tasks_of("--no-stacks", program.pid)), "no stacks")
        whole = ps("--stacks", "--name=asleep", program.pid).stdout
        check(re.search(r"^ +sleep_long\+0x\w+ \(inspected\.c:\d+\)$", whole, re.M), whole)


@case
def age_grows():
    with Inspected(PROGRAM, "states") as program:
        first = by_name(tasks_of(program.pid))["for an event"]["since_s"]
        begin = time.monotonic()
        now = first
        while now - first < 0.3:
            now = by_name(tasks_of(program.pid))["for an event"]["since_s"]
            check(now - first <= time.monotonic() - begin + 60, f"{first} and {now}")
            check(time.monotonic() - begin < 60, f"a minute later it is still {now}, and was {first}")


@case
def what_is_no_target_is_explained():
    with tempfile.TemporaryDirectory() as folder:
        garbage = os.path.join(folder, "garbage")
        with open(garbage, "wb") as file:
            file.write(os.urandom(100000))
        empty = os.path.join(folder, "empty")
        with open(empty, "wb"):
            pass
        refused(ps(garbage), "no core file")
        refused(ps(empty), "too short")
        refused(ps(folder), "neither")
        refused(ps(os.path.join(folder, "missing")), "cannot open", "No such file")
        refused(ps(PROGRAM), "ELF file, but no core file")
    ended = subprocess.Popen(["true"])
    ended.wait()
    refused(ps(ended.pid), f"there is no process {ended.pid}")
    refused(ps("99999999999999"), "no process")
    other = subprocess.Popen(["sleep", "100"])
    try:
        refused(ps(other.pid), "does not use plait")
    finally:
        other.kill()
        other.wait()


@case
def damaged_core_file_is_refused_or_read_but_never_crashes():
    if not shutil.which("gcore"):
        raise Skip("there is no gcore")
    if SANITIZED:
        raise Skip("core files are huge")
    with tempfile.TemporaryDirectory() as folder:
        with Inspected(PROGRAM, "states") as program:
            path = gcore(program.pid, folder)
        size = os.path.getsize(path)
        for cut in (63, 64, 500, 4096, size // 100, size // 10, size // 2, size - 5000):
            with open(path, "rb") as source, open(os.path.join(folder, "cut"), "wb") as copy:
                copy.write(source.read(cut))
            done = ps(os.path.join(folder, "cut"))
            check(done.returncode in (0, 1), f"cut at {cut}: {done.returncode}")
        with open(path, "rb") as source:
            whole = bytearray(source.read())
        start = whole.find(b"plait registry\0")
        check(start > 0, "where is the registry?")
        for offset in range(36, 400, 2):
            broken = bytearray(whole[start + offset:start + offset + 2])
            with open(path, "r+b") as file:
                file.seek(start + offset)
                file.write(os.urandom(2))
                file.flush()
                done = ps("--json", path)
                file.seek(start + offset)
                file.write(broken)
            check(done.returncode in (0, 1), f"changed at {offset}: {done.returncode}")
        with open(path, "r+b") as file:
            file.seek(start + 16)
            file.write((99).to_bytes(4, "little"))
        refused(ps(path), "registry 99", "reads registry 1")


def tool_for_others(folder):
    """The command, where everybody can get at it, and the environment that it needs there."""
    os.chmod(folder, 0o755)
    tool = os.path.join(folder, "plait")
    libraries = os.path.join(folder, "lib")
    os.mkdir(libraries)
    shutil.copy(PLAIT, tool)
    for library in os.listdir(os.path.dirname(PLAIT)):
        if library.startswith("libplait.so") and os.path.isfile(os.path.join(os.path.dirname(PLAIT), library)):
            shutil.copy(os.path.join(os.path.dirname(PLAIT), library), libraries)
    return tool, {**os.environ, "LD_LIBRARY_PATH": libraries}


@case
def process_of_another_user_is_refused_with_the_reason():
    if os.geteuid() != 0:
        raise Skip("only root can become somebody else")

    def become_nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    with tempfile.TemporaryDirectory() as folder, Inspected(PROGRAM, "states") as program:
        tool, env = tool_for_others(folder)
        done = subprocess.run([tool, "ps", str(program.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=TIMEOUT, check=False, preexec_fn=become_nobody,
                              env=env, cwd="/")
        refused(done, "may not be read", "belongs to root")


@case
def wrong_usage_exits_with_2():
    for args in ([], ["1", "2"], ["--state=tired", "1"], ["--sort=size", "1"], ["-n", "0", "1"], ["--nonsense", "1"]):
        done = ps(*args)
        check(done.returncode == 2 and "plait ps" in done.stderr, f"{args}: {done.returncode} {done.stderr}")


main()
