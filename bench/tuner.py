#!/usr/bin/env python3
"""plait fetch -j auto beside fixed limits: what each gets done in the same time, against servers of known capacity.

usage: tuner.py PLAIT TUNER_SERVER [--seconds S] [--rounds R] [--profile NAME]... [--limit N]... [--check]

Each run has a server of its own, a list that is longer than the run, and is interrupted after S seconds. A table is
printed: requests that went well per second (medians of R rounds in which all limits take turns), what the best fixed
limit does, what auto does of that, and how many of its requests were refused. --check exits with 1 when auto does less
than nine tenths, or a twentieth and more was refused.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PROFILES = ["constant", "jittery", "limited", "refusing", "asking", "slowstart"]
LIMITS = [8, 16, 32, 50, 64, 128, 256, 512, 1024]
URLS = 400000


def run(options, profile, limit, folder):
    """One run: (requests that went well a second, share of refused ones, the summary)."""
    server = subprocess.Popen([options.server, profile], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = json.loads(server.stdout.readline())["port"]
    names = os.path.join(folder, "urls")
    with open(names, "w", encoding="ascii") as urls:
        urls.writelines(f"http://127.0.0.1:{port}/{i}\n" for i in range(URLS))
    out = os.path.join(folder, "out")
    command = [options.plait, "fetch", "-q", "--json", "-i", names, "-o", out, "-j", str(limit), "--per-host", str(limit)]
    fetch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    begin = time.monotonic()
    summary = None
    interrupted = False
    attempts = 0
    for line in fetch.stdout:
        if not interrupted and time.monotonic() - begin >= options.seconds:
            fetch.send_signal(signal.SIGINT)
            interrupted = True
        if '"type": "summary"' in line or '"type":"summary"' in line:
            summary = json.loads(line)
    fetch.wait()
    server.stdin.close()
    server.wait()
    shutil.rmtree(out)
    attempts = summary["requests_per_s"] * summary["wall_s"]
    refused = sum(one["refused"] for one in summary.get("limits", []) if one["host"] != "all hosts")
    return summary["ok"] / summary["wall_s"], refused / attempts, summary


def compare(options, profile):
    rates = {limit: [] for limit in [*options.limit, "auto"]}
    refused, found = [], []
    for _ in range(options.rounds):
        for limit, measured in rates.items():
            with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
                rate, share, summary = run(options, profile, limit, folder)
            measured.append(rate)
            if limit == "auto":
                refused.append(share)
                found.append(summary["limits"][0]["limit"])
    medians = {limit: statistics.median(measured) for limit, measured in rates.items()}
    best = max(options.limit, key=lambda limit: medians[limit])
    share = medians["auto"] / medians[best]
    print(f"{profile:10} " + " ".join(f"{medians[limit]:7.0f}" for limit in options.limit) +
          f"  {medians['auto']:7.0f} {best:6} {share:6.3f} {100 * max(refused):8.2f}  {found}", flush=True)
    return share >= 0.9 and max(refused) < 0.05


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plait")
    parser.add_argument("server")
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="append", choices=PROFILES)
    parser.add_argument("--limit", action="append", type=int)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    options.limit = options.limit or LIMITS
    print("requests that went well per second, by limit")
    print(f"{'profile':10} " + " ".join(f"{limit:7}" for limit in options.limit) +
          f"  {'auto':>7} {'best':>6} {'share':>6} {'refused%':>8}  limits found", flush=True)
    good = [compare(options, profile) for profile in options.profile or PROFILES]
    sys.exit(options.check and not all(good))


main()
