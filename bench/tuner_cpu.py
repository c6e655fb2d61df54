#!/usr/bin/env python3
"""Executors whose number of workers is found by measurement beside fixed numbers: what each gets done in the same time.

usage: tuner_cpu.py TUNER_CPU [--seconds S] [--rounds R] [--kind KIND]... [--job JOB]... [--where WHERE]... [--check]

WHERE is free (all processors), affinity (one processor) or quota (a control group with the time of one processor, which
takes rights on /sys/fs/cgroup; left out, and said so, without). A table is printed: jobs per second (medians of R rounds
in which all numbers take turns), what the best fixed number does, and what auto does of that: of the rates of the same
round, as the machine may be busier in another. --check exits with 1 when auto does less than nine tenths.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

FIXED = [1, 2, 3, 4, 8, 16]
KINDS = ["threads", "processes"]
JOBS = ["compute", "wait", "both"]
WHERE = ["free", "affinity", "quota"]


class Quota:
    """A control group with the processor time of one processor, of the first or the second version of those."""

    def __init__(self):
        self.path = None
        for root, file, text in (("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "100000"),
                                 ("/sys/fs/cgroup", "cpu.max", "100000 100000")):
            if not os.path.exists(os.path.join(root, "cgroup.procs")):
                continue
            try:
                self.path = tempfile.mkdtemp(prefix="plait-bench-", dir=root)
                with open(os.path.join(self.path, file), "w", encoding="ascii") as quota:
                    quota.write(text)
                return
            except OSError:
                self.remove()

    def enter(self):
        with open(os.path.join(self.path, "cgroup.procs"), "w", encoding="ascii") as procs:
            procs.write("0")

    def remove(self):
        if self.path:
            os.rmdir(self.path)
        self.path = None


def restriction(where, quota):
    """What a child does before it runs the program."""
    if where == "affinity":
        one = {min(os.sched_getaffinity(0))}
        return lambda: os.sched_setaffinity(0, one)
    return quota.enter if where == "quota" else None


def run(options, where, quota, kind, job, workers):
    command = [options.program, kind, job, str(workers), str(options.seconds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True,
                          preexec_fn=restriction(where, quota))
    result = json.loads(done.stdout)
    return result["ops"] / result["seconds"], result


def compare(options, where, quota, kind, job):
    rates = {workers: [] for workers in [*options.fixed, "auto"]}
    found = []
    for _ in range(options.rounds):
        for workers, measured in rates.items():
            rate, result = run(options, where, quota, kind, job, workers)
            measured.append(rate)
            if workers == "auto":
                found.append(result["limit"])
    medians = {workers: statistics.median(measured) for workers, measured in rates.items()}
    best = max(options.fixed, key=lambda workers: medians[workers])
    share = statistics.median(auto / fixed for auto, fixed in zip(rates["auto"], rates[best]))
    print(f"{where:9} {kind:10} {job:8}" + " ".join(f"{medians[workers]:7.0f}" for workers in options.fixed) +
          f"  {medians['auto']:7.0f} {best:5} {share:6.3f}  {found}", flush=True)
    return share >= 0.9


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--job", action="append", choices=JOBS)
    parser.add_argument("--where", action="append", choices=WHERE)
    parser.add_argument("--fixed", action="append", type=int)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    options.fixed = options.fixed or FIXED
    quota = Quota()
    good = []
    print(f"jobs per second, by number of workers\n{'where':9} {'kind':10} {'job':8}" +
          " ".join(f"{workers:7}" for workers in options.fixed) + f"  {'auto':>7} {'best':>5} {'share':>6}  found",
          flush=True)
    try:
        for where in options.where or WHERE:
            if where == "quota" and not quota.path:
                print("quota: left out, as no control group can be made here")
                continue
            good += [compare(options, where, quota, kind, job)
                     for job in options.job or JOBS for kind in options.kind or KINDS]
    finally:
        quota.remove()
    sys.exit(options.check and not all(good))


main()
