"""plait net against every single fault of the lab (scenarios.py), as root and as nobody.

usage: test_net.py PLAIT
"""

import labs
import scenarios
import tap
from tap import check, main

# Half as many seconds again as it should take, and what a machine takes that is busy with other tests.
SLACK, BUSY = 1.5, 30.0


def outcome(scenario, future, user):
    def case():
        got = next((one for one in labs.said(future) if one["user"] == user), None)
        check(got, f"there is no run as {user}")
        print(f"# {got['verdict']} after {got.get('elapsed', got['seconds']):.3f} s")
        check(not got["wrong"], labs.told(got))
        check(got["seconds"] < scenario.limit * SLACK + BUSY, f"it took {got['seconds']:.1f} s\n{labs.told(got)}")
    case.__name__ = f"{scenario.number}: {scenario.name}, as {user}"
    return case


# The ones that take longest first.
futures = {one.number: labs.begin("scenario", one.number) for one in sorted(scenarios.SCENARIOS, key=lambda one: -one.limit)}
for one in scenarios.SCENARIOS:
    for who in ("root", "nobody"):
        tap.case(outcome(one, futures[one.number], who))
main()
