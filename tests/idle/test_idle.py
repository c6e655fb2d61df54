"""A runtime in which nothing happens makes no system call.   usage: test_idle.py PROGRAM"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

import tap

PROGRAM = sys.argv[1]
SETTLED_S, SETTLE_MOST_S, WATCH_S = 2, 30, 3  # memory is given back about a second after it was last used


def strace():
    """The way to strace here; skips the case where there is none, or where tracing is forbidden."""
    found = shutil.which("strace")
    if not found:
        raise tap.Skip("there is no strace")
    if subprocess.run([found, "-o", "/dev/null", "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        raise tap.Skip("tracing a process is not allowed here")
    return found


def calls(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.readlines()


def settle(path):
    """Waits until no call has been made for a while."""
    end = time.monotonic() + SETTLE_MOST_S
    seen, since = len(calls(path)), time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        tap.check(time.monotonic() < end, f"system calls go on and on:\n{''.join(calls(path)[-20:])}")
        time.sleep(0.05)
        if len(calls(path)) != seen:
            seen, since = len(calls(path)), time.monotonic()
    return seen


def stays_idle(poller):
    tracer = strace()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "calls")
        with subprocess.Popen([tracer, "-f", "-o", path, PROGRAM], env={**os.environ, "PLAIT_POLLER": poller},
                              stdout=subprocess.PIPE, text=True) as process:
            try:
                tap.check(process.stdout.readline() == "worked\n", "the program did not come to its end")
                before = settle(path)
                time.sleep(WATCH_S)  # what is watched is that nothing happens in it
                made = calls(path)[before:]
                tap.check(not made, f"{len(made)} system calls in {WATCH_S} s:\n{''.join(made[:20])}")
                tap.check(process.poll() is None, "the program has ended")
            finally:
                for pid in {line.split()[0] for line in calls(path)}:
                    try:
                        os.kill(int(pid), 9)
                    except ProcessLookupError:
                        pass


@tap.case
def an_idle_runtime_makes_no_system_call_with_epoll():
    stays_idle("epoll")


@tap.case
def an_idle_runtime_makes_no_system_call_with_io_uring():
    stays_idle("io_uring")


tap.main()
