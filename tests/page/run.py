#!/usr/bin/env python3
"""Runs a test of the page with node, after installing what it needs from npm into the build directory.

usage: run.py TEST.mjs --work FOLDER [argument of the test...]

What is missing of this machine (node, npm, Chromium: scripts/install-deps test) skips the test, with a word why.
"""

import fcntl
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
WEB = os.path.join(HERE, "..", "..", "web")
NPM_SECONDS = 180


def skip(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


def install(folder):
    """Installs what web/package.json names, once for all tests of the build directory."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(os.path.join(folder, "node_modules", "playwright-core", "package.json")):
            return
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(WEB, name), folder)
        run = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=NPM_SECONDS)
        if run.returncode != 0:
            print("\n".join("# " + line for line in run.stdout.splitlines()[-20:]))
            skip("npm could not install what the test needs")


def bundle(page, charts, work):
    if subprocess.run([sys.executable, os.path.join(WEB, "bundle.py"), "--page", page, "--charts", charts, "--work", work],
                      check=False).returncode != 0:
        sys.exit(f"web/bundle.py could not make {page}")


def main():
    test, _, work, *rest = sys.argv[1:]
    for program in ("node", "npm"):
        if not shutil.which(program):
            skip(f"there is no {program}: scripts/install-deps test")
    arguments = ["node", os.path.join(HERE, test)]
    if test != "test_model.mjs":
        chromium = shutil.which("chromium")
        if not chromium:
            skip("there is no chromium: scripts/install-deps test")
        modules = os.path.join(work, "npm")
        install(modules)
        template, plain = (os.path.join(work, name) for name in ("page.html", "page-plain.html"))
        bundle(template, "yes", modules)
        bundle(plain, "no", modules)
        arguments += ["--modules", modules, "--chromium", chromium, "--template", template, "--plain", plain, "--folder", work]
    os.execvp("node", arguments + rest)


if __name__ == "__main__":
    main()
