#!/usr/bin/env python3
"""Makes one HTML file of the page's parts, and of that a C source that holds it.

usage: bundle.py --page OUT.html [--source OUT.c] [--charts auto|yes|no] [--work FOLDER]

The modules (web/*.js) become one, in the order in which they need each other, with their imports and exports taken out:
top-level names must therefore differ between modules, which the browser would refuse otherwise. uPlot is installed from npm
into FOLDER; without npm, or where it cannot be reached, the page is made without its charts of counters (and says so),
unless --charts=yes.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
IMPORT = re.compile(r"^import\s+\{[^}]*\}\s+from\s+'\./([\w.]+)';\n", re.MULTILINE)
DATA = "@DATA@"
NPM_SECONDS = 120


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def modules(name, seen, order):
    """Appends *name* to *order* after all that it imports."""
    if name in seen:
        return
    seen.add(name)
    for needed in IMPORT.findall(read(os.path.join(HERE, name))):
        modules(needed, seen, order)
    order.append(name)


def script():
    order = []
    modules("main.js", set(), order)
    parts = []
    declared = {}
    for name in order:
        text = IMPORT.sub("", read(os.path.join(HERE, name)))
        text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
        if re.search(r"^(import|export)\b", text, re.MULTILINE):
            sys.exit(f"bundle.py: {name}: an import or export in a form that is not understood")
        for word in re.findall(r"^(?:async )?(?:function|class|const|let|var) (\w+)", text, re.MULTILINE):
            if word in declared:
                sys.exit(f"bundle.py: {name} and {declared[word]} both declare {word}")
            declared[word] = name
        parts.append(text)
    return "".join(parts)


def style():
    """The style sheet; what holds for the dark theme is also what the system's preference for dark turns on."""
    text = read(os.path.join(HERE, "style.css"))
    dark = re.search(r':root\[data-theme="dark"\] \{\n(.*?)\n\}', text, re.DOTALL).group(1)
    return text.replace("@DARK@", dark)


def install(work):
    """Installs what package.json names into *work*; returns the folder of uPlot, or why there is none."""
    folder = os.path.join(work, "node_modules", "uplot", "dist")
    if os.path.exists(os.path.join(folder, "uPlot.iife.min.js")):
        return folder, None
    if not shutil.which("npm"):
        return None, "npm is not installed"
    os.makedirs(work, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(HERE, name), work)
    try:
        run = subprocess.run(["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=work, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=NPM_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    if run.returncode != 0:
        lines = [line for line in run.stdout.splitlines() if "error" in line.lower()]
        return None, lines[0] if lines else "npm failed"
    return folder, None


def charts(wanted, work):
    """uPlot's script and style, its licence in front; empty without it."""
    if wanted == "no":
        return "", ""
    folder, why = install(work)
    if not folder:
        if wanted == "yes":
            sys.exit(f"bundle.py: uPlot cannot be installed: {why}")
        print(f"The trace page is made without charts of counters: uPlot cannot be installed from npm ({why}).", file=sys.stderr)
        return "", ""
    licence = read(os.path.join(folder, "..", "LICENSE")).strip().replace("*/", "")
    return (f"/*! uPlot, {licence} */\n" + read(os.path.join(folder, "uPlot.iife.min.js")).strip(),
            read(os.path.join(folder, "uPlot.min.css")).strip())


def page(charts_script, charts_style):
    text = read(os.path.join(HERE, "index.html"))
    for code in (charts_script, script()):
        if "</script" in code.lower():
            sys.exit("bundle.py: a script contains the end of a script")
    for mark, part in (("@STYLE@", charts_style + "\n" + style()), ("@CHARTS@", charts_script), ("@SCRIPT@", script())):
        before, found, after = text.partition(mark)
        if not found:
            sys.exit(f"bundle.py: index.html has no {mark}")
        text = before + part.strip() + after
    return text


def source(text):
    """A C source with the page before and after the place of the data."""
    out = ["/* Made by web/bundle.py: the page of plait trace, before and after its data. */\n"]
    out.append('#include "trace/page_template.h"\n')
    head, _, tail = text.partition(DATA + "\n")
    for name, part in (("head", head), ("tail", tail)):
        data = part.encode()
        out.append(f"\nconst unsigned char page_template_{name}[] = {{\n")
        for at in range(0, len(data), 32):
            out.append(",".join(map(str, data[at:at + 32])) + ",\n")
        out.append(f"}};\nconst size_t page_template_{name}_bytes = {len(data)};\n")
    return "".join(out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--page", required=True)
    parser.add_argument("--source")
    parser.add_argument("--charts", choices=("auto", "yes", "no"), default="auto")
    parser.add_argument("--work", default="npm")
    arguments = parser.parse_args()
    text = page(*charts(arguments.charts, arguments.work))
    write(arguments.page, text)
    if arguments.source:
        write(arguments.source, source(text))


if __name__ == "__main__":
    main()
