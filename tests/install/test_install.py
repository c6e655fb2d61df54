"""An installed plait can be used: a program outside the tree builds with pkg-config and runs.

usage: test_install.py SOURCE BUILD COMPILER...
"""

import glob
import os
import shlex
import shutil
import sys
import tempfile

from tap import Skip, case, check, main, must, run

source, build, *compiler = sys.argv[1:]
scratch = tempfile.TemporaryDirectory()
dest = os.path.join(scratch.name, "dest")

PROGRAM = r"""
#include <plait/plait.h>
#include <stdio.h>

static int add(void *sum)
{
        plait_yield();
        __atomic_add_fetch((int *)sum, 1, __ATOMIC_RELAXED);
        return 0;
}

static int app(void *sum)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        for (int i = 0; i < 100; i++)
                plait_scope_go(&scope, add, sum);
        return plait_scope_join(&scope);
}

int main(void)
{
        int sum = 0;
        const int result = plait_run(app, &sum, NULL);
        printf("%d %d\n", result, sum);
        return 0;
}
"""


def find(pattern):
    found = glob.glob(os.path.join(dest, "**", pattern), recursive=True)
    check(found, f"not installed: {pattern}")
    return found[0]


def pkg_config(*args):
    # pkgconf leaves out what it takes for a system's directory; here every directory is the test's own.
    env = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(find("plait.pc")), PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1",
               PKG_CONFIG_ALLOW_SYSTEM_LIBS="1")
    return shlex.split(must(["pkg-config", *args, "plait"], env=env))


def build_program(name, flags):
    folder = os.path.join(scratch.name, name)
    os.mkdir(folder)
    with open(os.path.join(folder, "program.c"), "w", encoding="utf-8") as file:
        file.write(PROGRAM)
    must([*compiler, "-Wall", "-Wextra", "-Werror", "program.c", "-o", "program", *flags], cwd=folder)
    return os.path.join(folder, "program")


@case
def install_fills_a_destination():
    must(["meson", "install", "-C", build, "--no-rebuild", "--destdir", dest])
    headers = {os.path.basename(path) for path in glob.glob(os.path.join(source, "include/plait/*.h"))}
    installed = set(os.listdir(os.path.dirname(find("include/plait/plait.h"))))
    check(headers == installed, f"headers {sorted(headers)}, installed {sorted(installed)}: "
                                "is each named in include/plait/meson.build?")
    for name in ("libplait.so", "libplait.so.0", "libplait.a"):
        find(name)


@case
def debugger_finds_the_script_of_the_library():
    """gdb looks for one that is called as the library's file is, links followed, and lies below a folder of the same path."""
    library = os.path.realpath(find("libplait.so"))
    script = find("*-gdb.py")
    check(os.path.basename(script) == os.path.basename(library) + "-gdb.py", f"{script} does not belong to {library}")
    below = os.path.dirname(script).split("auto-load", 1)[1]
    check(os.path.dirname(library).endswith(below), f"{script} is not below the path of {library}")


@case
def soname_carries_the_major_version():
    check("Library soname: [libplait.so.0]" in must(["readelf", "-d", find("libplait.so.0")]), "another soname")


@case
def program_outside_the_tree_uses_the_shared_library():
    program = build_program("shared", pkg_config("--cflags", "--libs"))
    env = dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(find("libplait.so.0")))
    check("libplait.so.0" in must(["readelf", "-d", program]), "the program does not need libplait.so.0")
    check(must([program], env=env) == "0 100\n", "wrong output")


@case
def program_outside_the_tree_uses_the_static_library():
    for path in glob.glob(os.path.join(dest, "**/libplait.so*"), recursive=True):
        os.unlink(path)
    program = build_program("static", pkg_config("--static", "--cflags", "--libs"))
    check("libplait" not in must(["readelf", "-d", program]), "the program needs libplait.so")
    check(must([program]) == "0 100\n", "wrong output")


@case
def installed_command_runs():
    if not os.path.exists(os.path.join(build, "plait")):
        raise Skip("the command is not built")
    shutil.rmtree(dest)
    must(["meson", "install", "-C", build, "--no-rebuild", "--destdir", dest])
    env = dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(find("libplait.so.0")))
    done = run([find("bin/plait"), "--version"], env=env)
    check(done.returncode == 0 and "0.1.0" in done.stdout, f"plait --version: {done.stdout}")


main()
