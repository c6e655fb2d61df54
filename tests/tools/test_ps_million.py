"""plait ps on a program with a million tasks, and on its core file: it agrees with the program's own count, and answers soon.

usage: test_ps_million.py PLAIT INSPECTED
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from inspected import Inspected, allow_core, need_plain_core_files, only_file
from tap import Skip, case, check, main

PLAIT, PROGRAM = sys.argv[1:]
TASKS = 1000000
CORE_BYTES = 6 << 30  # a page of stack each, control blocks, and some
WANTED_S = 2.0
ROUNDS = 5


def listed(target, told):
    """Lists the tasks of *target*, into a file, which is looked at afterwards: what takes time is the command alone."""
    times, spent = [], []
    with tempfile.TemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as out:
        for _ in range(ROUNDS):
            out.seek(0)
            out.truncate()
            begin = time.monotonic()
            process = subprocess.Popen([PLAIT, "ps", str(target)], stdin=subprocess.DEVNULL, stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            times.append(time.monotonic() - begin)
            process.returncode = os.waitstatus_to_exitcode(status)
            check(process.returncode == 0, f"exit code {process.returncode}")
            spent.append(usage.ru_utime + usage.ru_stime)
        out.seek(0)
        lines = out.read().splitlines()
    print("# seconds:", " ".join(f"{seconds:.2f}" for seconds in sorted(times)), "of which processor:",
          " ".join(f"{seconds:.2f}" for seconds in sorted(spent)))
    check(len(lines) == told + 2 and lines[-1].startswith(f"{told:,} tasks: ".encode()), str(lines[-1]))
    # Some ran on the stack of whoever joined them, and their stacks go on with his.
    many = sum(b"one of many" in line and b"plait_event_wait < wait_for_event" in line for line in lines)
    check(many == TASKS, f"{many} of {TASKS} are shown with their stacks")
    check(min(times) < WANTED_S, f"even the quickest is too long: {times}")


@case
def million_tasks_are_listed_in_two_seconds():
    with Inspected(PROGRAM, "crowd", TASKS) as program:
        listed(program.pid, int(program.wait_until(r"^tasks (\d+)").group(1)))


@case
def million_tasks_of_a_core_file_are_listed_in_two_seconds():
    need_plain_core_files()
    with tempfile.TemporaryDirectory() as folder:
        if shutil.disk_usage(folder).free < CORE_BYTES:
            raise Skip(f"there is no room for a core file of {CORE_BYTES >> 30} GiB")
        with Inspected(PROGRAM, "crowd", TASKS, cwd=folder, preexec_fn=allow_core) as program:
            told = int(program.wait_until(r"^tasks (\d+)").group(1))
            os.kill(program.pid, signal.SIGABRT)
            program.process.wait()
        listed(only_file(folder), told)


main()
