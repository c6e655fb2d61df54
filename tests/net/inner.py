"""One scenario in one lab: run as the first process of new namespaces (lab.start), tells what came out as JSON.

usage: inner.py BUILD CERTIFICATES KIND NUMBER [ROUNDS]
"""

import json
import os
import sys
import threading
import time

import faults
import scenarios
import use
from faults import NoFault
from lab import Broken, Lab

EXIT = {"healthy": 0, "unknown": 3}


def judge(document, done, expected):
    """What is wrong with what plait net said, as sentences."""
    wrong = []
    verdict = document["verdict"]["code"]
    if isinstance(expected, scenarios.Unknown):
        facts = [fact for fact in document["facts"] if fact["name"] == expected.fact]
        if verdict not in expected.codes:
            wrong.append(f"the verdict is {verdict}, not {' or '.join(expected.codes)}")
        if not any(fact["state"] == "unknown" and fact.get("why") for fact in facts):
            wrong.append(f"the fact {expected.fact} is not unknown with a reason: {facts}")
    else:
        codes = (expected,) if isinstance(expected, str) else expected
        if verdict not in codes:
            wrong.append(f"the verdict is {verdict}, not {' or '.join(codes)}")
    if done.code != EXIT.get(verdict, 1):
        wrong.append(f"the exit code is {done.code} with the verdict {verdict}")
    if verdict not in EXIT and not (document["verdict"]["evidence"] and document["verdict"]["advice"]):
        wrong.append("the verdict comes without evidence or without advice")
    if verdict != "healthy" and any(other["code"] == verdict for other in document["also"]):
        wrong.append("the verdict stands under also, too")
    return wrong


def ask(lab, args, user, env):
    """Runs plait net; returns its document, or None, and how it ended."""
    done = lab.plait("--json", *args.split(), user=user, env=env)
    try:
        document = json.loads(done.out)
        assert document["schema"] == 1
    except (ValueError, KeyError, AssertionError, TypeError):
        document = None
    return document, done


def result(lab, args, user, env, expected):
    document, done = ask(lab, args, user, env)
    if document is None:
        return {"user": user, "verdict": "none", "also": [], "seconds": done.seconds, "wrong": [f"no document: {done}"]}
    return {"user": user, "verdict": document["verdict"]["code"], "also": [other["code"] for other in document["also"]],
            "seconds": done.seconds, "elapsed": document["elapsed_ms"] / 1000, "wrong": judge(document, done, expected),
            "document": document}


def scenario(lab, number):
    it = next(one for one in scenarios.SCENARIOS if one.number == number)
    lab.serve()
    lab.prove(it.fault(lab))
    for user, expected in (("root", it.root), ("nobody", it.nobody)):
        lab.forget()
        yield result(lab, it.args, user, it.env, expected)


def pair(lab, number):
    it = scenarios.PAIRS[number]
    lab.serve()
    for fault in (it.one, it.other):
        next(fault(lab))
    lab.forget()
    got = result(lab, it.args, "root", it.env, it.verdict)
    if it.also and it.also not in got["also"]:
        got["wrong"].append(f"{it.also} does not stand under also: {got['also']}")
    if not it.also and got["also"]:
        got["wrong"].append(f"the verdict explains what stands under also: {got['also']}")
    yield got


def healthy(lab, number, rounds):
    it = scenarios.HEALTHY[number]
    lab.serve()
    it.change(lab)
    for at in range(rounds):
        lab.forget()
        if lab.relay:
            # What one run left in the queue of a slow line is not to be the load of the next.
            faults.ping_until(lab, lambda ms: ms < 300, "the line is quiet")
        yield result(lab, it.args, "nobody" if at % 2 else "root", it.env, "healthy")


def usage(lab, number):
    lab.serve()
    try:
        use.uses[number](lab)
        wrong = []
    except AssertionError as error:
        wrong = [str(error)]
    yield {"user": "root", "wrong": wrong}


class Pulse:
    """How late at most a wait for some milliseconds was over: what the machine's other work does to everything in the lab."""

    BEAT_S = 0.005

    def __init__(self):
        self.late = 0.0
        self.ended = threading.Event()
        threading.Thread(target=self.beat, daemon=True).start()

    def beat(self):
        begin = time.monotonic()
        while not self.ended.wait(self.BEAT_S):
            now = time.monotonic()
            self.late = max(self.late, now - begin - self.BEAT_S)
            begin = now

    def take(self):
        late, self.late = self.late, 0.0
        return late


def main():
    build, certificates, kind, *numbers = sys.argv[1:]
    begin = time.monotonic()
    pulse = Pulse()
    try:
        lab = Lab(build, certificates)
        for got in {"scenario": scenario, "pair": pair, "healthy": healthy, "use": usage}[kind](lab, *map(int, numbers)):
            print(json.dumps({**got, "late": pulse.take()}), flush=True)
    except NoFault as error:
        print(json.dumps({"fault": f"the fault is not there: {error}", "late": pulse.take()}), flush=True)
    except Broken as error:
        print(json.dumps({"fault": f"the lab does not work: {error}", "late": pulse.take()}), flush=True)
    pulse.ended.set()
    print(json.dumps({"lab": time.monotonic() - begin}), flush=True)
    os._exit(0)  # and with it everything in the lab


main()
