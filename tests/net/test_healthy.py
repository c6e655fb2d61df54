"""plait net in healthy networks of many kinds (scenarios.py): it finds no fault.

usage: test_healthy.py PLAIT [RUNS]      RUNS in all; a few of each kind without it
"""

import sys

import labs
import scenarios
import tap
from tap import check, main

KINDS = len(scenarios.HEALTHY)
ROUNDS = -(-int(sys.argv[2]) // KINDS) if len(sys.argv) > 2 else 2


def outcome(kind, future):
    def case():
        runs = labs.said(future)
        wrong = [got for got in runs if got["wrong"]]
        times = sorted(got["seconds"] for got in runs)
        print(f"# {len(runs)} runs, {len(wrong)} false; seconds: median {times[len(times) // 2]:.2f}, longest {times[-1]:.2f}")
        check(len(runs) == ROUNDS, f"{len(runs)} runs of {ROUNDS}")
        check(not wrong, f"{len(wrong)} of {len(runs)} runs are wrong\n" + "\n".join(labs.told(got) for got in wrong[:3]))
    case.__name__ = kind.name
    return case


for number, one in enumerate(scenarios.HEALTHY):
    tap.case(outcome(one, labs.begin("healthy", number, ROUNDS)))
main()
