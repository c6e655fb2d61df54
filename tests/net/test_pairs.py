"""plait net against two faults at once (scenarios.py): which one is the verdict, and which stands under "also".

usage: test_pairs.py PLAIT
"""

import labs
import scenarios
import tap
from tap import check, main


def outcome(pair, future):
    def case():
        got = labs.said(future)[0]
        print(f"# {got['verdict']}, also {got['also']}, after {got.get('elapsed', got['seconds']):.3f} s")
        check(not got["wrong"], labs.told(got))
    case.__name__ = f"{pair.verdict}, also {pair.also or 'nothing'} ({pair.args})"
    return case


for number, one in enumerate(scenarios.PAIRS):
    tap.case(outcome(one, labs.begin("pair", number)))
main()
