"""The layer rule holds: what a layer must not use does not compile there.

usage: test_layers.py SOURCE BUILD LAYER...
The commands are the build's own, from compile_commands.json, with a probe in place of the source file.
"""

import json
import os
import re
import shlex
import sys
import tempfile

from tap import Skip, case, check, main, run

source, build, *layers = sys.argv[1:]

with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
    commands = json.load(file)


def command_of(folder):
    """The build's command for some C file in the folder, without its input and outputs; None if it builds none."""
    prefix = os.path.join(source, folder, "")
    for entry in commands:
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        if not (path.startswith(prefix) and path.endswith(".c")):
            continue
        words = shlex.split(entry["command"])
        kept, drop = [], False
        for word in words:
            if drop or word in ("-c", "-MD") or word == entry["file"]:
                drop = False
            elif word in ("-o", "-MF", "-MQ"):
                drop = True
            else:
                kept.append(word)
        return kept
    return None


def preprocess(command, text):
    with tempfile.NamedTemporaryFile("w", suffix=".c") as probe:
        probe.write(text)
        probe.flush()
        return run([*command, "-E", "-o", "/dev/null", probe.name], cwd=build)


def header_of(layer):
    folder = os.path.join(source, "src", layer)
    headers = sorted(name for name in os.listdir(folder) if name.endswith(".h"))
    return f"{layer}/{headers[0]}" if headers else None


def sources(folder):
    for path, _, names in os.walk(os.path.join(source, folder)):
        for name in sorted(names):
            if name.endswith((".c", ".h", ".S")):
                with open(os.path.join(path, name), encoding="utf-8") as file:
                    yield os.path.relpath(os.path.join(path, name), source), file.read()


@case
def a_layer_may_include_itself_and_those_before_it():
    tried = 0
    for i, layer in enumerate(layers):
        command = command_of(f"src/{layer}")
        for header in filter(None, map(header_of, layers[:i + 1] if command else [])):
            done = preprocess(command, f'#include "{header}"\n')
            check(done.returncode == 0, f"{layer} cannot include {header}:\n{done.stdout}")
            tried += 1
    check(tried > 0, "no layer has both a source and a header")


@case
def an_include_of_a_later_layer_does_not_compile():
    tried = 0
    for i, layer in enumerate(layers):
        command = command_of(f"src/{layer}")
        for header in filter(None, map(header_of, layers[i + 1:] if command else [])):
            done = preprocess(command, f'#include "{header}"\n')
            check(done.returncode != 0 and header in done.stdout, f"{layer} can include {header}")
            tried += 1
    check(tried > 0, "no two layers to try")


@case
def the_command_can_include_what_is_common_and_no_other_layer():
    command = command_of("tools")
    if not command:
        raise Skip("the command is not built")
    for layer in layers:
        header = header_of(layer)
        if header:
            can = preprocess(command, f'#include "{header}"\n').returncode == 0
            check(can == (layer == "common"), f"tools can{'' if can else 'not'} include {header}")


@case
def no_include_goes_round_the_rule_by_a_path():
    for folder in ("src", "tools", "include"):
        for path, text in sources(folder):
            for match in re.finditer(r'^\s*#\s*include\s+["<]([^">]*)', text, re.MULTILINE):
                check(".." not in match.group(1).split("/"), f"{path} includes {match.group(1)}")


@case
def no_source_includes_a_source():
    for folder in ("src", "tools", "include"):
        for path, text in sources(folder):
            match = re.search(r'^\s*#\s*include\s+["<]([^">]*\.c)[">]', text, re.MULTILINE)
            check(not match, f"{path} includes {match and match.group(1)}")


@case
def public_headers_include_public_headers_only():
    for path, text in sources("include"):
        for match in re.finditer(r'^\s*#\s*include\s+"([^"]*)', text, re.MULTILINE):
            check(False, f'{path} includes "{match.group(1)}": write <plait/...>')


main()
