"""Programs for `plait ps` and the like to look at: tests/tools/inspected.c in one of its scenes."""

import os
import re
import resource
import select
import signal
import subprocess
import sys
import time

from tap import Skip, check

TIMEOUT = 600
PLAIT = next((argument for argument in sys.argv if os.path.basename(argument) == "plait"), None)


class Inspected:
    """The program in a scene, ready to be looked at; it ends with the block."""

    def __init__(self, program, *scene, **kwargs):
        self.scene = scene[0]
        self.said = ""
        self.process = subprocess.Popen([program, *map(str, scene)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        **kwargs)
        self.pid = self.process.pid

    def wait_until(self, pattern):
        end = time.monotonic() + TIMEOUT
        while not (found := re.search(pattern + "$", self.said, re.M)):
            check(select.select([self.process.stdout], [], [], end - time.monotonic())[0], f"it only said: {self.said}")
            more = os.read(self.process.stdout.fileno(), 4096).decode()
            check(more, f"it ended and had said: {self.said}")
            self.said += more
        return found

    def settle(self):
        """It says that it is ready when its tasks have come to the functions in which they wait; until they do."""
        summary = r"11 tasks: 10 waiting, 1 running; 1 waiting thread;"
        if self.scene in ("crowd", "compact", "remains"):
            told = f"{int(self.wait_until(r'^tasks (.+)').group(1)):,}"
            summary = f"{told} tasks: {told} waiting;"
        end = time.monotonic() + TIMEOUT
        while True:
            done = subprocess.run([PLAIT, "ps", "--no-stacks", "-n", "1", str(self.pid)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT, check=False)
            if re.search("^" + summary, done.stdout, re.M):
                return
            check(time.monotonic() < end, f"not all of its tasks wait: {done.stdout}")

    def __enter__(self):
        self.wait_until(r"^ready \d+")
        if self.scene in ("states", "crowd", "compact", "remains"):
            self.settle()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGCONT)
        self.process.stdin.close()
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()


def gcore(pid, folder):
    """A core file of a process that goes on."""
    done = subprocess.run(["gcore", "-o", os.path.join(folder, "core"), str(pid)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT, check=False)
    path = os.path.join(folder, f"core.{pid}")
    check(done.returncode == 0 and os.path.exists(path), f"gcore: {done.stdout}")
    return path


def need_plain_core_files():
    """Where the kernel puts core files must be a plain file name."""
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as file:
        pattern = file.read().strip()
    if not re.fullmatch(r"[\w.-]+", pattern):
        raise Skip(f"core files go to '{pattern}'")


def allow_core():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)


def only_file(folder):
    files = os.listdir(folder)
    if not files:
        raise Skip("the kernel wrote no core file")
    return os.path.join(folder, files[0])


def kernel_core(program, folder):
    """The core file that the kernel writes of the scene abort."""
    need_plain_core_files()
    process = subprocess.Popen([program, "abort"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=folder,
                               preexec_fn=allow_core)
    said, _ = process.communicate(timeout=TIMEOUT)
    check(process.returncode == -signal.SIGABRT, f"{process.returncode}: {said}")
    return only_file(folder), said
