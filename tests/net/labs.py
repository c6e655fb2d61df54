"""What the tests of the lab share: the certificates, and running many labs at once."""

import atexit
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import certificates
import lab
from tap import Skip

BUILD = os.path.dirname(os.path.realpath(sys.argv[1]))
INNER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "inner.py")
# Most of a lab's time is waiting; but several such programs run at the same time, and what is measured in a lab is time.
AT_ONCE = max(2, min(3, 2 * (os.cpu_count() or 1)))
LIMIT = 240  # seconds for one lab

# What is in a lab computes little, and mostly waits: it goes ahead of the tests that run beside it, if that is permitted.
try:
    os.nice(-10)
except PermissionError:
    pass

why_not = lab.why_not()
folder = tempfile.mkdtemp(prefix="plait-test-")
atexit.register(shutil.rmtree, folder, ignore_errors=True)
if not why_not:
    certificates.make(folder)
pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
labs = set()


@atexit.register
def end_labs():
    pool.shutdown(wait=False, cancel_futures=True)
    for process in list(labs):
        process.kill()


def stop(*_):
    """Ends at once: threads that wait for labs would hold up an ordinary end."""
    end_labs()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, stop)


def run(kind, *numbers):
    """Runs one lab; returns what inner.py said."""
    process = lab.start(INNER, BUILD, folder, kind, *numbers, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                        errors="replace")
    labs.add(process)
    try:
        out, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        return [{"fault": f"the lab did not end within {LIMIT} s"}]
    finally:
        labs.discard(process)
    said = []
    for line in out.splitlines():
        try:
            said.append(json.loads(line))
        except ValueError:
            said.append({"noise": line})
    return said


def begin(kind, *numbers):
    """Starts a lab as soon as there is room; returns a future of what `run` returns."""
    return None if why_not else pool.submit(run, kind, *numbers)


def said(future):
    """What came out of a lab, when it is there; skips the case where there can be no labs."""
    if future is None:
        raise Skip(why_not)
    got = future.result()
    faults = [one["fault"] for one in got if "fault" in one]
    if faults or not any("user" in one for one in got):
        raise AssertionError("\n".join(faults + [one["noise"] for one in got if "noise" in one]) or "the lab said nothing")
    return [one for one in got if "user" in one]


def told(got):
    """A run of plait net, for people."""
    document = got.get("document") or {}
    facts = [f"{fact['layer']} {fact['name']} {fact['state']}: {fact.get('value')} {fact.get('why')}"
             for fact in document.get("facts", [])]
    return "\n".join([f"as {got['user']}, after {got['seconds']:.2f} s: {got['verdict']}, also {got['also']}", *got["wrong"],
                      json.dumps(document.get("verdict")), *facts])
