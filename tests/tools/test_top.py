"""plait top: what it says, its keys, and that it leaves the terminal as it was.

usage: test_top.py PLAIT INSPECTED
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from inspected import Inspected
from tap import case, check, main

PLAIT, PROGRAM = sys.argv[1:]
TIMEOUT = 300


def top(*args):
    return subprocess.run([PLAIT, "top", *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=TIMEOUT, check=False)


class Terminal:
    """plait top on a terminal of its own."""

    def __init__(self, *args, **env):
        self.master, self.slave = pty.openpty()
        self.resize(30, 100)
        self.before = termios.tcgetattr(self.slave)
        self.seen = ""
        self.process = subprocess.Popen([PLAIT, "top", "-d", "0.1", *map(str, args)], stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, start_new_session=True,
                                        env={**os.environ, "TERM": "xterm", **env})

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, pattern, after=0):
        end = time.monotonic() + TIMEOUT
        while not (found := re.compile(pattern).search(self.seen, after)):
            left = end - time.monotonic()
            check(left > 0, f"{pattern} never came: {self.seen[-2000:]!r}")
            if select.select([self.master], [], [], left)[0]:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
        return found.end()

    def press(self, key):
        os.write(self.master, key)

    def end(self):
        code = self.process.wait(TIMEOUT)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536).decode(errors="replace")
        check(self.seen.rstrip().endswith("\033[?7h\033[?25h\033[?1049l"), f"the screen is not put back: {self.seen[-200:]!r}")
        check(termios.tcgetattr(self.slave) == self.before, "the terminal is not as it was")
        os.close(self.master)
        os.close(self.slave)
        return code


@case
def batch_tells_states_causes_and_who_runs():
    with Inspected(PROGRAM, "states") as program:
        done = top("--batch", "-n", 2, "-d", "0.5", program.pid)
        check(done.returncode == 0 and done.stderr == "" and "\033" not in done.stdout, done.stderr)
        pictures = done.stdout.split("plait top: ")[1:]
        check(len(pictures) == 2, done.stdout)
        for text in pictures:
            check(re.search(rf"^inspected \({program.pid}\) +11 tasks: 10 waiting, 1 running, 0 ready, 0 new; 1 waiting", text),
                  text)
            check(re.search(r"^waiting for: event 4 .*mutex 1", text, re.M), text)
            share = re.search(r"^ *([\d.]+) +\d+ +computes +running", text, re.M)
            check(share and float(share.group(1)) > 90, text)
            others = [float(other) for other in re.findall(r"^ *([\d.]+) .* waiting  ", text, re.M)]
            check(len(others) >= 10 and max(others) < 50, text)


@case
def busy_program_switches():
    with Inspected(PROGRAM, "churn", 50) as program:
        text = top("-b", "-n1", "-d1", program.pid).stdout
        check(int(re.search(r"([\d,]+) switches/s", text).group(1).replace(",", "")) > 1000, text)
        check(float(re.search(r"([\d.]+) tasks in the queues", text).group(1)) > 0, text)


@case
def limits_are_shown_with_the_reason_of_their_last_change():
    with Inspected(PROGRAM, "tuned") as program:
        text = top("-b", "-n1", "-d0.1", program.pid).stdout
        check(re.search(r"^limit of stock\.example:80: 9, 9 under way, 0/s; down from 20 [\d.]+ m?s ago: refused; "
                        r"1 refused in all$", text, re.M), text)
    with Inspected(PROGRAM, "states") as program:
        check("limit of" not in top("-b", "-n1", "-d0.1", program.pid).stdout, "a limit where there is none")


@case
def order_can_be_chosen():
    with Inspected(PROGRAM, "states") as program:
        text = top("-b", "-n1", "-d0.1", "--sort=id", program.pid).stdout
        ids = [int(number) for number in re.findall(r"^ *[\d.]+ +(\d+) ", text, re.M)]
        check(len(ids) == 11 and ids == sorted(ids), text)


@case
def q_leaves_the_terminal_as_it_was():
    with Inspected(PROGRAM, "states") as program:
        screen = Terminal(program.pid)
        screen.wait_for("computes")
        screen.press(b"q")
        check(screen.end() == 0, "exit code")


@case
def signals_leave_the_terminal_as_it_was():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with Inspected(PROGRAM, "states") as program:
            screen = Terminal(program.pid)
            screen.wait_for("computes")
            screen.process.send_signal(number)
            check(screen.end() == 0, f"exit code after {number}")


@case
def s_changes_the_order_and_p_pauses():
    with Inspected(PROGRAM, "states") as program:
        screen = Terminal(program.pid)
        at = screen.wait_for(r"sort \(by run\)")
        screen.press(b"s")
        at = screen.wait_for(r"sort \(by wait\)", at)
        screen.press(b"p")
        at = screen.wait_for(r"\[paused\]", at)
        screen.press(b"s")
        at = screen.wait_for(r"sort \(by id\)", at)
        screen.press(b"p")
        screen.wait_for(r"p pause$", at)
        screen.press(b"q")
        check(screen.end() == 0, "exit code")


@case
def resize_draws_for_the_new_size():
    with Inspected(PROGRAM, "states") as program:
        screen = Terminal(program.pid)
        at = screen.wait_for("computes")
        screen.resize(8, 40)
        screen.process.send_signal(signal.SIGWINCH)
        screen.wait_for(r"\033\[H[^\r]{1,48}\.\.\.\033\[K\r\n", at)
        screen.press(b"q")
        check(screen.end() == 0, "exit code")


@case
def no_color_is_honoured():
    with Inspected(PROGRAM, "states") as program:
        plain, colored = Terminal(program.pid, NO_COLOR="1"), Terminal(program.pid, NO_COLOR="")
        for screen in (plain, colored):
            screen.wait_for("computes")
            screen.press(b"q")
            check(screen.end() == 0, "exit code")
        check("\033[7m" in colored.seen and "\033[7m" not in plain.seen, "colour")


@case
def end_of_the_program_ends_it_with_a_word():
    program = Inspected(PROGRAM, "states")
    with program:
        watching = subprocess.Popen([PLAIT, "top", "-b", "-d", "0.1", str(program.pid)], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check(watching.stdout.readline().startswith("plait top"), "it never began")
    _, said = watching.communicate(timeout=TIMEOUT)
    check(watching.returncode == 0 and "has ended" in said, f"{watching.returncode}: {said}")


@case
def what_it_cannot_watch_is_explained():
    with Inspected(PROGRAM, "states") as program:
        done = top(program.pid)
        check(done.returncode == 1 and "use --batch" in done.stderr, done.stderr)
    for args in ([], ["-d0", "1"], ["-n0", "1"], ["--sort=size", "1"]):
        check(top(*args).returncode == 2, str(args))


main()
