"""No banned function can be used: src/base/banned.h makes each an error.

usage: test_banned.py SOURCE COMPILER...
"""

import os
import re
import sys
import tempfile

from tap import case, check, main, run

source, *compiler = sys.argv[1:]
header = os.path.join(source, "src/base/banned.h")

# The headers that declare them come after, as in any source file.
SYSTEM = "".join(f"#include <{name}>\n" for name in
                 ("stdio.h", "stdlib.h", "string.h", "strings.h", "time.h", "unistd.h", "netdb.h", "pthread.h"))


def compile_text(text, *flags):
    with tempfile.NamedTemporaryFile("w", suffix=".c") as probe:
        probe.write(text)
        probe.flush()
        return run([*compiler, "-std=gnu17", "-D_GNU_SOURCE", "-O2", *flags, "-include", header, "-fsyntax-only",
                    probe.name])


def banned():
    with open(header, encoding="utf-8") as file:
        return re.findall(r"(\w+)\([^;]*\)\s+PL_BANNED", file.read())


@case
def system_headers_compile_under_the_ban():
    for flags in ((), ("-D_FORTIFY_SOURCE=2",)):
        done = compile_text(SYSTEM + "int main(void) { return 0; }\n", *flags)
        check(done.returncode == 0, done.stdout)


@case
def every_banned_function_is_an_error_where_it_is_used():
    names = banned()
    check({"strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "atoi", "atol", "localtime", "gmtime"} <=
          set(names), f"the list in banned.h is {names}")
    uses = "".join(f"void *use_{name}(void);\nvoid *use_{name}(void) {{ return (void *){name}; }}\n" for name in names)
    all_errors = "-ferror-limit=0" if "clang" in run([*compiler, "--version"]).stdout else "-fmax-errors=0"
    done = compile_text(SYSTEM + uses, all_errors)
    check(done.returncode != 0, "it compiles")
    for name in names:
        check(f"'{name}' is unavailable" in re.sub("[‘’]", "'", done.stdout), f"{name} can be used")


main()
