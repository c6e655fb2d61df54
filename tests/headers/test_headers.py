"""Each public header compiles on its own, without a warning, in C and in C++.

usage: test_headers.py SOURCE COMPILER...
"""

import glob
import os
import shutil
import sys

from tap import Skip, case, check, main, run

source, *compiler = sys.argv[1:]
headers = sorted(os.path.basename(path) for path in glob.glob(os.path.join(source, "include/plait/*.h")))
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wundef", "-Werror"]


def check_alone(command):
    check(headers, "there are none")
    for header in headers:
        done = run([*command, *WARNINGS, "-fsyntax-only", "-I", os.path.join(source, "include"), "-include",
                    f"plait/{header}", "-"])
        check(done.returncode == 0, f"{header}:\n{done.stdout}")


@case
def each_header_compiles_alone_in_c():
    check_alone([*compiler, "-xc", "-std=gnu11", "-Wstrict-prototypes", "-Wmissing-prototypes"])


@case
def each_header_compiles_alone_in_cpp():
    cpp = shutil.which("g++") or shutil.which("clang++")
    if not cpp:
        raise Skip("no C++ compiler here")
    check_alone([cpp, "-xc++", "-std=gnu++17"])


main()
