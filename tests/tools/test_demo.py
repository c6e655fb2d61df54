"""plait demo: its table, its JSON, and that it tells what it measured.

It takes its time, so each poller is seen with one of the two.   usage: test_demo.py PLAIT
"""

import json
import os
import re
import subprocess
import sys
import tempfile

from tap import case, check, main

PLAIT = sys.argv[1]


def demo(*args, poller="epoll"):
    return subprocess.run([PLAIT, "demo", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=300, check=False, env={**os.environ, "PLAIT_POLLER": poller})


def tasks_are_faster(ways):
    """With five at once it cannot take less than 1.6 s; tasks that wait for all pages at once take a fraction of that."""
    return ways["tasks"]["speedup"] > max(ways["threads-5"]["speedup"], ways["processes-5"]["speedup"])


@case
def json_has_the_figures_of_the_contract():
    for _ in range(4):  # other programs may want the processors just when it is the tasks' turn
        done = demo("--json", poller="io_uring")
        check(done.returncode == 0 and done.stderr == "", done.stderr)
        data = json.loads(done.stdout)
        if tasks_are_faster({way["name"]: way for way in data["io"]}):
            break
    check((data["schema"], data["pages"], data["latency_ms"]) == (1, 160, 50), str(data))
    check([way["name"] for way in data["io"]] ==
          ["sequential", "threads-5", "processes-5", "threads-160", "tasks"], str(data))
    check([way["name"] for way in data["cpu"]] == ["sequential", "threads", "tasks", "processes"], str(data))
    for way in data["io"] + data["cpu"]:
        check(set(way) == {"name", "wall_s", "cpu_s", "peak_rss_bytes", "speedup"}, str(way))
        check(way["cpu_s"] > 0 and way["peak_rss_bytes"] > 1 << 20, str(way))
    ways = {way["name"]: way for way in data["io"]}
    check(ways["sequential"]["wall_s"] >= 160 * 0.05, "the pages came too early")
    for way in "threads-5", "processes-5":
        check(ways[way]["wall_s"] >= 32 * 0.05, "the pages came too early")
    check(ways["tasks"]["wall_s"] >= 0.05, "the pages came too early")
    # Processes have memory of their own, which counts.
    check(ways["processes-5"]["peak_rss_bytes"] > 2 * ways["threads-5"]["peak_rss_bytes"], str(data))
    # What is computed is the same in all ways, and so is the time it takes a processor.
    cpu = [way["cpu_s"] for way in data["cpu"]]
    check(min(cpu) > max(cpu) / 10, str(data))
    check(tasks_are_faster(ways), str(data))


@case
def table_and_sentence_tell_the_same():
    with tempfile.TemporaryDirectory() as folder:
        page = os.path.join(folder, "page of the demo.html")
        done = demo("--page", page, poller="epoll")
        check(done.returncode == 0 and done.stderr == "", done.stderr)
        check(done.stdout.splitlines()[-1].endswith(": " + page), done.stdout)
        with open(page, encoding="utf-8") as file:
            text = file.read()
        check("<title>plait demo: plait trace</title>" in text and 'data-table="requests"' in text, "the page")
        check(os.listdir(folder) == [os.path.basename(page)], "something was left beside the page")
    for way in ("one after the other", "5 threads", "5 processes", "160 threads", "160 tasks", "threads", "tasks",
                "processes"):
        check(re.search(rf"^{way}\s+\S+ \S+\s+\S+ \S+\s+\S+x\s+\S+ MB$", done.stdout, re.M), f"{way}: {done.stdout}")
    fast = float(re.search(r"^160 tasks .* (\S+)x", done.stdout, re.M).group(1))
    told = float(re.search(r"were (\d+) times as fast", done.stdout).group(1))
    check(abs(fast - told) <= 1, done.stdout)
    fast = re.search(r"^processes .* (\S+)x", done.stdout, re.M).group(1)
    check(f"processes {fast} times as fast" in done.stdout, done.stdout)


@case
def wrong_usage_exits_with_2():
    check(demo("argument").returncode == 2 and demo("--nonsense").returncode == 2, "exit code")


main()
