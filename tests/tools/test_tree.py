"""plait tree: scopes within scopes, groups of tasks that are alike, JSON.

usage: test_tree.py PLAIT INSPECTED
"""

import json
import os
import re
import subprocess
import sys

from inspected import Inspected
from tap import case, check, main

PLAIT, PROGRAM = sys.argv[1:]
SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ


def tree(*args):
    done = subprocess.run([PLAIT, "tree", *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    check(done.returncode == 0 and done.stderr == "", f"{done.returncode}: {done.stderr}")
    return done.stdout


def depth(text, pattern):
    found = re.search(rf"^( *){pattern}", text, re.M)
    check(found, f"{pattern} is not in:\n{text}")
    return len(found.group(1)) // 2


@case
def scopes_stand_below_the_task_that_opened_them():
    with Inspected(PROGRAM, "states") as program:
        text = tree(program.pid)
        main_scope = depth(text, "scope opened at show_states:")
        check(depth(text, r"#1 first: ") < main_scope, text)
        check(depth(text, r"#\d+ asleep: waiting for sleep") == main_scope + 1, text)
        check(depth(text, r"#\d+ with a scope: ") == main_scope + 1, text)
        inner = depth(text, r"scope opened at with_scope:\d+, 1 task, [12]h\d+m left")
        check(inner == main_scope + 2 and depth(text, r"#\d+ inner child: ") == inner + 1, text)


@case
def tasks_that_are_alike_are_one_line():
    number = 2000 if SANITIZED else 100000
    with Inspected(PROGRAM, "crowd", number) as program:
        text = tree(program.pid)
        groups = re.findall(r"^ *([\d,]+) x one of many: waiting for event go_on$", text, re.M)
        check(groups == [f"{number // 10:,}"] * 10, text)
        check(text.count("scope opened at open_some") == 10, text)
        check(len(text.splitlines()) < 50, text)


@case
def all_tasks_are_shown_when_asked_for():
    with Inspected(PROGRAM, "crowd", 500) as program:
        text = tree("--all", program.pid)
        check(len(re.findall(r"^ *#\d+ one of many: waiting", text, re.M)) == 500, text)


def tasks_in(scopes):
    for scope in scopes:
        yield from tasks_in(scope["scopes"])
        for task in scope["tasks"]:
            yield task
            yield from tasks_in(task["scopes"])


@case
def json_has_every_task_once():
    with Inspected(PROGRAM, "crowd", 500) as program:
        told = int(program.wait_until(r"^tasks (\d+)").group(1))
        data = json.loads(tree("--json", program.pid))
        ids = [task["id"] for task in tasks_in(data["scopes"])]
        check(data["schema"] == 1 and data["pid"] == program.pid, str(data)[:200])
        check(len(ids) == len(set(ids)) == told, f"{len(ids)} tasks, {len(set(ids))} numbers, {told} told")


@case
def restless_program_has_a_tree_at_any_time():
    with Inspected(PROGRAM, "churn", 50) as program:
        for _ in range(20):
            check("first" in tree(program.pid), "the first task is always there")


main()
