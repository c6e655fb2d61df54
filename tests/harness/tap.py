"""The harness for tests that are Python scripts: each function marked @case is one, reported in TAP 13."""

import atexit
import os
import signal
import subprocess
import sys
import traceback

_cases = []


class Skip(Exception):
    """Raised to skip the case; the text is the reason."""


def case(function):
    _cases.append(function)
    return function


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def run(command, **kwargs):
    """Runs a command to its end; returns it with its whole output, standard error in it, as .stdout."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **kwargs)


def must(command, **kwargs):
    """Runs a command that has to succeed; returns its output."""
    done = run(command, **kwargs)
    check(done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def _heed_interrupts():
    """A shell ignores them for what it starts in the background; the programs that are tested would, too."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main():
    _heed_interrupts()
    print("TAP version 13")
    print(f"1..{len(_cases)}", flush=True)
    failed = False
    for number, function in enumerate(_cases, 1):
        name = function.__name__
        try:
            function()
            print(f"ok {number} - {name}")
        except Skip as skip:
            print(f"ok {number} - {name} # SKIP {skip}")
        except Exception as error:  # pylint: disable=broad-except
            failed = True
            print(f"not ok {number} - {name}")
            text = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            for line in text.splitlines():
                print("#", line)
        sys.stdout.flush()
    # Threads that still run would hold up an ordinary end; what was registered for it is done all the same.
    atexit._run_exitfuncs()  # pylint: disable=protected-access
    os._exit(1 if failed else 0)
