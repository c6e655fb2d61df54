"""A runtime in which nothing happens makes no system call.   usage: test_idle.py PROGRAM"""

import concurrent.futures
import os
import select
import shutil
import signal
import subprocess
import sys
import time

import tap

PROGRAM = sys.argv[1]
QUIET_S, QUIET_MOST_S = 10, 90  # memory is given back about a second after it was last used


def strace():
    """The way to strace here; None where there is none, or where tracing is forbidden."""
    found = shutil.which("strace")
    if not found or subprocess.run([found, "-o", "/dev/null", "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        return None
    return found


def until_quiet(pipe):
    """Reads the calls until none has been made for a while; what they were, and whether it came to that."""
    end, calls = time.monotonic() + QUIET_MOST_S, b""
    while time.monotonic() < end:
        if not select.select([pipe], [], [], QUIET_S)[0]:
            return calls.decode(errors="replace"), True
        got = os.read(pipe, 65536)
        if not got:
            break
        calls += got
    return calls.decode(errors="replace"), False


def watch(poller):
    """The calls of the program with one poller, whether there was an end of them, and whether the program was there then."""
    with subprocess.Popen([TRACER, "-f", PROGRAM], env={**os.environ, "PLAIT_POLLER": poller}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            return *until_quiet(process.stderr.fileno()), process.poll() is None
        finally:
            os.killpg(process.pid, signal.SIGKILL)


TRACER = strace()
pool = concurrent.futures.ThreadPoolExecutor()
watched = {poller: pool.submit(watch, poller) for poller in ("epoll", "io_uring")} if TRACER else {}


def stays_idle(poller):
    if not watched:
        raise tap.Skip("there is no strace, or tracing a process is not allowed here")
    calls, quiet, alive = watched[poller].result()
    last = "\n".join(calls.splitlines()[-20:])
    tap.check(alive, f"the program has ended:\n{last}")
    tap.check(quiet, f"system calls go on and on:\n{last}")
    tap.check('write(1, "worked' in calls, f"the program did not come to its end:\n{last}")


@tap.case
def an_idle_runtime_makes_no_system_call_with_epoll():
    stays_idle("epoll")


@tap.case
def an_idle_runtime_makes_no_system_call_with_io_uring():
    stays_idle("io_uring")


tap.main()
