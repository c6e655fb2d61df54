"""Perfetto traces that a program writes at its end, read by a reader that knows nothing of plait's code.

usage: test_perfetto.py TRACED
"""

import os
import subprocess
import sys
import tempfile

from pftrace import Trace
from tap import case, check, main

PROGRAM = sys.argv[1]
# Tasks that a loaded machine holds up are not to be taken over by another worker: that would change who waits for whom.
ENV = {**os.environ, "PLAIT_STUCK_MS": "100000"}


def recorded(*scene):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.pftrace")
        done = subprocess.run([PROGRAM, *scene], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=300,
                              check=False, env={**ENV, "PLAIT_TRACE": path})
        check(done.returncode == 0, f"{done.returncode}: {done.stderr}")
        check(os.listdir(folder) == ["out.pftrace"], f"{os.listdir(folder)}")
        return Trace(path)


def tasks_of(read):
    return [track for track in read.tracks.values() if len(read.path(track)) == 3 and read.path(track)[1] == "tasks"]


@case
def tasks_workers_waits_and_arrows_are_there():
    read = recorded("planted")
    processes = [track for track in read.tracks.values() if track.process]
    check(len(processes) == 1 and processes[0].process["pid"] > 0, "one process")
    workers = [track for track in read.tracks.values() if track.thread and track.name == "worker 0"]
    check(len(workers) == 1 and workers[0].parent == processes[0].uuid, "one worker, below its process")
    ran = {made.name for made in workers[0].slices}
    check({"first", "loser", "holder", "client"} <= ran, f"on the worker ran {ran}")
    tasks = {track.name.split(" #")[0]: track for track in tasks_of(read)}
    check({"first", "loser", "holder", "sleeper", "consumer", "producer"} <= set(tasks), f"tasks {set(tasks)}")
    waits = [made for made in tasks["loser"].slices if made.name == "waiting: mutex"]
    check(len(waits) == 1 and waits[0].end - waits[0].begin >= 30e6, "the wait for the lock")
    check(waits[0].notes["holder"] == "holder", str(waits[0].notes))
    for track in tasks.values():
        for before, after in zip(track.slices, track.slices[1:]):
            check(before.end <= after.begin, f"slices of {track.name} overlap")
    arrows = [(read.path(source.track)[-1], read.path(end.track)[-1]) for source, end in read.arrows
              if source.name == "wakes"]
    named = {(source.split(" #")[0], end.split(" #")[0]) for source, end in arrows}
    check({("holder", "loser"), ("producer", "consumer")} <= named, f"arrows {named}")
    spans = [track for track in read.tracks.values() if read.path(track)[-1] == "spans"]
    check([made.name for track in spans for made in track.slices] == ["stocktaking"], "spans")
    counters = {track.name for track in read.tracks.values() if track.counter and track.values}
    check({"cpu", "rss"} <= counters, f"counters {counters}")


@case
def many_events_are_all_there():
    read = recorded("many", "20000")
    turns = [track for track in tasks_of(read) if track.name.startswith("in turn #")]
    check(len(turns) == 8, f"{len(turns)} tasks")
    told = sum(made.name == "turn" for track in turns for made in track.instants)
    check(told == 20000, f"{told} events of 20000")
    ran = sum(made.name == "running" for track in turns for made in track.slices)
    check(ran >= 8, f"{ran} turns")
    on_workers = sum(made.name == "in turn" for track in read.tracks.values() if track.thread for made in track.slices)
    check(on_workers == ran, f"{ran} times a task ran, {on_workers} times a worker ran one")


main()
