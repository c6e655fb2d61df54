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
LIMIT = 900  # seconds for one lab
MEASURED_AGAIN = 2  # times
HELD_UP_S = 0.02  # how late who sleeps wakes up on a machine that others keep busy

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
    """Runs a lab and returns what inner.py said. What is measured in it is time: where something is wrong, and the machine
    had no time for the lab meanwhile, nothing has been measured, and that is said and done again."""
    held_up = []
    while True:
        runs = run_once(kind, *numbers)
        late = max((one["late"] for one in runs if one.get("wrong") or "fault" in one), default=0.0)
        if late <= HELD_UP_S or len(held_up) == MEASURED_AGAIN:
            break
        held_up.append(f"{late:.3f} s")
    return runs + [{"held_up": held_up}] * bool(held_up)


def run_once(kind, *numbers):
    process = lab.start(INNER, BUILD, folder, kind, *numbers, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                        errors="replace")
    labs.add(process)
    try:
        out, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        return [{"fault": f"the lab did not end within {LIMIT} s", "late": 0.0}]
    finally:
        labs.discard(process)
    got = []
    for line in out.splitlines():
        try:
            got.append(json.loads(line))
        except ValueError:
            got.append({"noise": line})
    return got


def begin(kind, *numbers):
    """Starts a lab as soon as there is room; returns a future of what `run` returns."""
    return None if why_not else pool.submit(run, kind, *numbers)


def said(future):
    """What came out of a lab, when it is there; skips the case where there can be no labs."""
    if future is None:
        raise Skip(why_not)
    got = future.result()
    for one in got:
        if "held_up" in one:
            print("# measured again, as the processors were elsewhere for", ", ".join(one["held_up"]))
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
