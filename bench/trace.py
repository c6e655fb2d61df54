#!/usr/bin/env python3
"""What recording costs: ns per event with one and two threads, on and off, beside LTTng-UST; bytes per event; echo.

usage: bench/trace.py BUILD_FOLDER [ROUNDS]

Programs take turns, and medians of the rounds are printed. LTTng-UST is left out, and that is said, where its programs
are not installed (scripts/install-deps bench).
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

EVENTS = 1_000_000
CONNECTIONS = 64
ECHO_MS = 2000


def run(*command, **options):
    """The line of JSON that a program prints."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=True, **options)
    return json.loads(done.stdout)


class Lttng:
    """A session of LTTng's, with a daemon of our own if none is there."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = dict(os.environ, LTTNG_HOME=str(folder), HOME=str(folder))
        self.daemon = subprocess.Popen(["lttng-sessiond", "--quiet"], env=self.environment, stderr=subprocess.DEVNULL)
        self.call("create", "plait", "--output", folder / "trace", patient=True)
        self.call("enable-channel", "--userspace", "events", "--subbuf-size", "16M", "--num-subbuf", "4")
        self.call("enable-event", "--userspace", "plait_bench:event", "--channel", "events")

    def call(self, *arguments, patient=False):
        command = ["lttng", "--no-sessiond", *map(str, arguments)]
        for _ in range(100 if patient else 1):
            done = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, check=False)
            if done.returncode == 0:
                return
            subprocess.run(["sleep", "0.1"], check=True)
        raise RuntimeError(" ".join(command) + ": " + done.stdout)

    def close(self):
        self.call("destroy", "plait")
        self.daemon.terminate()
        self.daemon.wait()


def echo(bench, recording):
    """Messages per second of the echo server; *recording*: a file, or None."""
    environment = dict(os.environ)
    environment.pop("PLAIT_TRACE", None)
    if recording:
        environment["PLAIT_TRACE"] = str(recording)
    with subprocess.Popen([bench / "echo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=environment) as server:
        port = json.loads(server.stdout.readline())["port"]
        rate = run(bench / "trace", "load", port, CONNECTIONS, ECHO_MS)["per_second"]
        server.stdin.close()
        server.wait()
    return rate


def measure_events(bench, folder, rounds, lttng):
    figures = {}
    for _ in range(rounds):
        for threads in (1, 2):
            off = run(bench / "trace", "events", threads, EVENTS)
            on = run(bench / "trace", "events", threads, EVENTS, folder / "events.rec")
            figures.setdefault(f"plait, off, threads: {threads}", []).append(off["ns_per_event"])
            figures.setdefault(f"plait, on, threads: {threads}", []).append(on["ns_per_event"])
            figures.setdefault(f"plait, bytes per event, threads: {threads}", []).append(on["bytes_per_event"])
            figures.setdefault(f"plait, dropped, threads: {threads}", []).append(on["dropped"])
            if not lttng:
                continue
            for word in ("stop", "start"):
                subprocess.run(["lttng", "--no-sessiond", word], env=lttng.environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, check=False)
                ust = run(bench / "trace_lttng", threads, EVENTS, env=lttng.environment)
                name = f"LTTng-UST, {'on' if word == 'start' else 'off'}, threads: {threads}"
                figures.setdefault(name, []).append(ust["ns_per_event"])
    for name, values in figures.items():
        print(f"{name:<45} {statistics.median(values):10.2f}")


def measure_echo(bench, folder, rounds):
    off, on, ratios = [], [], []
    for _ in range(rounds):
        off.append(echo(bench, None))
        on.append(echo(bench, folder / "echo.rec"))
        ratios.append(on[-1] / off[-1])
    size = run(bench / "trace", "size", folder / "echo.rec")
    print(f"{'echo, messages/s, off':<45} {statistics.median(off):10.0f}")
    print(f"{'echo, messages/s, on':<45} {statistics.median(on):10.0f}")
    print(f"{'echo, on / off':<45} {statistics.median(ratios):10.3f}")
    print(f"{'echo, bytes per event':<45} {size['bytes_per_event']:10.2f}")
    print(f"{'echo, events':<45} {size['events']:10} dropped {size['dropped']}")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    bench = pathlib.Path(sys.argv[1]).resolve() / "bench"
    rounds = int(sys.argv[2]) if len(sys.argv) == 3 else 7
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        there = shutil.which("lttng-sessiond") and (bench / "trace_lttng").exists()
        lttng = Lttng(folder) if there else None
        if not there:
            print("LTTng-UST is not installed (scripts/install-deps bench): plait alone")
        measure_events(bench, folder, rounds, lttng)
        if lttng:
            lttng.close()
        measure_echo(bench, folder, rounds)


if __name__ == "__main__":
    main()
