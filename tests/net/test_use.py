"""plait net as people use it (use.py), in the lab.

usage: test_use.py PLAIT
"""

import labs
import tap
import use
from tap import check, main


def outcome(name, future):
    def case():
        got = labs.said(future)[0]
        check(not got["wrong"], "\n".join(got["wrong"]))
    case.__name__ = name
    return case


for number, one in enumerate(use.uses):
    tap.case(outcome(one.__name__, labs.begin("use", number)))
main()
