"""What libplait.so exports is what the public headers declare.

usage: test_exports.py SOURCE LIBRARY NM
"""

import glob
import os
import re
import sys

from tap import case, check, main, must

source, library, nm = sys.argv[1:]


def exported():
    names = set()
    for line in must([nm, "-D", "--defined-only", library]).splitlines():
        kind, name = line.split()[-2:]
        if kind != "A":  # the version itself
            names.add(name.split("@")[0])
    return names


def declared():
    names = set()
    for path in glob.glob(os.path.join(source, "include/plait/*.h")):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", file.read(), flags=re.DOTALL)
        text = re.sub(r"^\s*#.*(?:\\\n.*)*", "", text, flags=re.MULTILINE)
        for declaration in re.findall(r"\bPLAIT_API\b([^;{]*)", text):
            match = re.search(r"\b(plait_\w+)\s*\(", declaration) or re.search(r"\b(plait_\w+)\s*(?:\[[^]]*\]\s*)*$",
                                                                              declaration)
            check(match, f"{path}: what does this declare? PLAIT_API{declaration}")
            names.add(match.group(1))
    return names


@case
def only_plait_names_are_exported():
    strange = sorted(name for name in exported() if not name.startswith("plait_"))
    check(not strange, f"exported: {strange}")


@case
def every_declared_function_is_exported():
    missing = sorted(declared() - exported())
    check(not missing, f"declared with PLAIT_API, not exported: {missing}")
    check(declared(), "the headers declare nothing")


@case
def every_exported_name_is_declared():
    hidden = sorted(exported() - declared())
    check(not hidden, f"exported, in no public header: {hidden}")


main()
