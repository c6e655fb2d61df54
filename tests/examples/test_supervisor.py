"""examples/supervisor.c: restarts, reports, and a clean end.

usage: test_supervisor.py PROGRAM
"""

import os
import signal
import subprocess
import sys
import tempfile

from tap import case, check, main

program = sys.argv[1]


class Supervisor:
    def __init__(self, script):
        self.process = subprocess.Popen([program, "sh", "-c", script], stdout=subprocess.PIPE, text=True)
        self.lines = []

    def expect(self, wanted, but=()):
        """Reads lines until *wanted* comes; those that begin with one of *but* do not count."""
        while True:
            line = self.process.stdout.readline()
            check(line, f"ended before it said '{wanted}'; it said {self.lines}")
            line = line.rstrip("\n")
            self.lines.append(line)
            if line == wanted:
                return
            check(line.startswith(tuple(but)), f"said '{line}' instead of '{wanted}'")

    def end(self, with_signal):
        self.process.send_signal(with_signal)
        rest = self.process.stdout.read().splitlines()
        self.process.stdout.close()
        return self.process.wait(), rest


REPORTS = ("running", "pausing")


@case
def a_program_that_ends_is_started_again():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "runs")
        supervisor = Supervisor(f'echo >>{path}; [ "$(wc -l <{path})" -gt 2 ] && exec sleep 1000; exit 3')
        for start in (1, 2):
            supervisor.expect(f"start {start}", REPORTS)
            supervisor.expect("exited with 3", REPORTS)
        supervisor.expect("start 3", REPORTS)
        supervisor.expect("running, 3 starts", REPORTS)
        code, rest = supervisor.end(signal.SIGTERM)
        rest = [line for line in rest if not line.startswith(REPORTS)]
        check(rest == ["signal 15: stopping", "killed by signal 15"], rest)
        check(code == 0, f"ended with {code}")


@case
def a_program_that_does_not_want_to_end_is_killed_with_all_it_started():
    # The child and its child keep the pipe open that the test reads to its end.
    supervisor = Supervisor("trap '' TERM; sh -c \"trap '' TERM; echo ready; while :; do sleep 0.1; done\"; exit 1")
    supervisor.expect("start 1", ("ready", *REPORTS))
    if "ready" not in supervisor.lines:
        supervisor.expect("ready", REPORTS)
    code, rest = supervisor.end(signal.SIGINT)
    rest = [line for line in rest if not line.startswith(REPORTS)]
    check(rest == ["signal 2: stopping", "killed by signal 9"], rest)
    check(code == 0, f"ended with {code}")


@case
def a_program_that_does_not_exist_is_told():
    done = subprocess.run([program, "/does/not/exist"], stderr=subprocess.PIPE, text=True, check=False)
    check(done.returncode == 1, f"ended with {done.returncode}")
    check(done.stderr == "supervisor: cannot start /does/not/exist: program: No such file or directory\n", done.stderr)


main()
