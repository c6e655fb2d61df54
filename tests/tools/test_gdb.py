"""The gdb commands `plait tasks` and `plait bt`, with a real gdb, on a live process and on its core file.

usage: test_gdb.py SCRIPT PLAIT INSPECTED
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from inspected import Inspected, gcore
from tap import Skip, case, check, main

SCRIPT, PLAIT, PROGRAM = sys.argv[1:]
GDB = shutil.which("gdb")


def gdb(target, *commands):
    if not GDB:
        raise Skip("there is no gdb")
    args = [GDB, "-nx", "-batch", "-iex", "set debuginfod enabled off", *target, "-ex", f"source {SCRIPT}"]
    for command in commands:
        args += ["-ex", command]
    return subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, check=False).stdout


def number_of(pid, name):
    done = subprocess.run([PLAIT, "ps", "--json", f"--name={name}", str(pid)], stdout=subprocess.PIPE, text=True,
                          timeout=300, check=True)
    return json.loads(done.stdout.splitlines()[0])["id"]


def check_tasks(text):
    for line in (r"asleep +waiting +for sleep", r"for the lock +waiting +for mutex stock_lock", r"wait_for_event\(\) +waiting +for event never",
                 r"computes +running +on worker \d+, thread \d+", r"inner child +waiting +for event never"):
        check(re.search(rf"^ *\d+  {line}$", text, re.M), f"{line} is not in:\n{text}")
    check(re.search(r"^11 tasks$", text, re.M), text)


def check_stack(text):
    names = re.findall(r"^#\d+ +0x\w+ in (\w+) \(\)", text, re.M)
    check("sleep_long" in names and names.index("plait_sleep") < names.index("sleep_long"), text)
    check(names[-1] == "pl_context_trampoline", f"unwound to its end: {text}")


@case
def live_process_is_listed_and_unwound():
    with Inspected(PROGRAM, "states") as program:
        number = number_of(program.pid, "asleep")
        text = gdb(["-p", str(program.pid)], "plait tasks", f"plait bt {number}")
        check_tasks(text)
        check_stack(text)


@case
def core_file_is_listed_and_unwound():
    if not shutil.which("gcore"):
        raise Skip("there is no gcore")
    env = {**os.environ, "PLAIT_DEBUG": "guard=mprotect"}
    with tempfile.TemporaryDirectory() as folder:
        with Inspected(PROGRAM, "states", env=env) as program:
            number = number_of(program.pid, "asleep")
            running = number_of(program.pid, "computes")
            path = gcore(program.pid, folder)
        text = gdb([PROGRAM, path], "plait tasks", f"plait bt {number}")
        check_tasks(text)
        check_stack(text)
        check("compute (" in gdb([PROGRAM, path], f"plait bt {running}"), "the task that runs has its thread's stack")


@case
def registers_are_as_they_were_afterwards():
    with Inspected(PROGRAM, "states") as program:
        number = number_of(program.pid, "asleep")
        text = gdb(["-p", str(program.pid)], "print/x $pc", f"plait bt {number}", "print/x $pc", "backtrace")
        first, second = re.findall(r"^\$\d+ = (0x\w+)$", text, re.M)
        check(first == second, text)
        check("sleep_long" in text and "sleep_long" not in text.split(second)[-1], text)


@case
def states_can_be_chosen_and_mistakes_are_explained():
    with Inspected(PROGRAM, "states") as program:
        text = gdb(["-p", str(program.pid)], "plait tasks running", "plait tasks tired", "plait bt", "plait bt 999999")
        check(re.search(r"^1 task$", text, re.M), text)
        for word in ("there is no state 'tired'", "usage: plait bt TASK", "there is no task 999999"):
            check(word in text, f"{word} is not in:\n{text}")


@case
def gdb_loads_the_commands_by_itself_where_they_are_installed():
    library = os.path.realpath(os.path.join(os.path.dirname(PLAIT), "libplait.so"))
    with tempfile.TemporaryDirectory() as folder, Inspected(PROGRAM, "states") as program:
        os.makedirs(folder + os.path.dirname(library))
        shutil.copy(SCRIPT, f"{folder}{library}-gdb.py")
        done = subprocess.run([GDB or "gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex",
                               f"set auto-load scripts-directory {folder}", "-iex", f"add-auto-load-safe-path {folder}", "-p",
                               str(program.pid), "-ex", "plait tasks"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=300, check=False) if GDB else None
        if not done:
            raise Skip("there is no gdb")
        check_tasks(done.stdout)


@case
def program_without_plait_is_explained():
    text = gdb([shutil.which("true")], "plait tasks")
    check("does not use plait, or does not run yet" in text, text)


main()
