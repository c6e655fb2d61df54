"""examples/deadlocks.c: the order is reported before anything happens, the deadlock when it has, the mended one never.

usage: test_deadlocks.py PROGRAM
"""

import os
import re
import subprocess
import sys

from tap import case, check, main

program = sys.argv[1]


def run(how, **variables):
    # The two transfers take turns on one worker, unless they are made to meet.
    done = subprocess.run([program, how], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          env={**os.environ, "PLAIT_WORKERS": "1", "PLAIT_LOCKORDER": "warn",
                               "PLAIT_DEADLOCK": "warn", **variables})
    return done.returncode, done.stdout, done.stderr


@case
def the_wrong_order_is_reported_though_it_works():
    code, out, err = run("wrong")
    check(code == 0 and out == "savings 1000, current 1000\n", (code, out, err))
    check(re.match(r"plait: lock order: 2 locks are taken in a circle \(two tasks", err), err)
    check(re.search(r"task '(save|spend)' \(#\d+\), holding lock .* took lock ", err), err)
    check(re.search(r"task '(save|spend)' \(#\d+\), holding lock .* now takes lock ", err), err)


@case
def the_wrong_order_ends_the_program_if_so_wanted():
    code, out, err = run("wrong", PLAIT_LOCKORDER="abort")
    check(code == -6 and out == "", (code, out, err))


@case
def the_mended_order_is_silent():
    code, out, err = run("mended", PLAIT_LOCKORDER="abort")
    check((code, out, err) == (0, "savings 1000, current 1000\n", ""), (code, out, err))


@case
def the_deadlock_itself_is_reported():
    code, _, err = run("meet", PLAIT_LOCKORDER="off", PLAIT_DEADLOCK="abort")
    check(code == -6, (code, err))
    check(err.startswith("plait: deadlock: 2 wait for each other in a circle\n"), err)
    for name in "save", "spend":
        check(re.search(rf"task '{name}' \(#\d+\) waits for mutex .*; it is held by task ", err), err)


main()
