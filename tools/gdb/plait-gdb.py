"""gdb commands for programs that use plait, live or in core files:

plait tasks [STATE]   lists the tasks (only those that are new, ready, running or waiting)
plait bt TASK         the stack of the task with that number

They read plait_registry (plait/registry.h) and need no debug information. gdb loads this file by itself for an installed
libplait.so if its place is a trusted one (`info auto-load`, `add-auto-load-safe-path`); else `source` it.
"""

import struct

import gdb
from gdb.unwinder import Unwinder, register_unwinder

VERSION = 1
STATE_MASK, BEGUN, WAITING = 7, 1, 2
NAME_MOST = 32

# The structures of plait/registry.h in the order of struct plait_registry, each after its two words of 32 bits.
PARTS = {
    "run": ["id", "workers", "n_workers", "clock_ms", "injector", "started_ns", "started_real_ns", "root", "n_stuck"],
    "worker": ["tid", "current", "ticks", "idle", "ready", "bound", "fresh_top", "fresh_bottom", "spare"],
    "task": ["fn", "arg", "saved", "id", "name", "sp", "fp", "pc", "stack", "scope", "home", "on_cpu", "compact", "bound",
             "worker", "deadline_ns", "wheel", "state", "cause", "object", "since_ms"],
    "thread": ["tid", "state", "cause", "object", "since_ms", "sp", "fp", "pc"],
    "scope": ["deadline_ns", "flags", "state", "parent", "owner", "opened_at", "owed", "pending", "error", "cancelled"],
}
SLAB = ["object_bytes", "n_slabs", "chunks", "carved"]
STACK = ["top", "owner", "bytes"]


def read(address, size):
    return gdb.selected_inferior().read_memory(address, size).tobytes()


def number(data):
    return int.from_bytes(data, "little")


class Field:
    """Where a member stands in its structure."""

    def __init__(self, data, at):
        self.offset, self.size = struct.unpack_from("<HH", data, at)

    def of(self, copy):
        return number(copy[self.offset:self.offset + self.size])

    def at(self, address):
        return number(read(address + self.offset, self.size))


def text_at(address, most):
    """A string that may end just before memory does."""
    text = b""
    while len(text) < most:
        byte = read(address + len(text), 1)
        if byte == b"\0":
            break
        text += byte
    return "".join(c if c.isprintable() else "?" for c in text.decode("utf-8", "replace"))


def symbol_of(address):
    text = gdb.execute(f"info symbol {address:#x}", to_string=True)
    return text.split(" in section")[0].replace(" ", "") if " in section" in text else hex(address)


class Registry:
    """plait_registry of the program that is being debugged."""

    def __init__(self):
        try:
            self.address = int(gdb.parse_and_eval("(unsigned long)&plait_registry"))
            head = read(self.address, 80)
        except gdb.error as error:
            raise gdb.GdbError(f"this program does not use plait, or does not run yet: {error}") from error
        if head[:15] != b"plait registry\0":
            raise gdb.GdbError("the program's plait_registry is damaged, or it does not run yet")
        version, size = struct.unpack_from("<II", head, 16)
        if version != VERSION:
            raise gdb.GdbError(f"the program has registry {version}, and this script reads {VERSION}: use the one that "
                               "came with the program's libplait")
        self.run_at, self.pool, _, self.causes, self.n_causes = struct.unpack_from("<QQQQI", head, 40)
        self.read_layout(read(self.address, size))

    def read_layout(self, data):
        self.slab_bytes, self.header_bytes, self.slabs_per_chunk = struct.unpack_from("<III", data, 80)
        at = 96
        self.slab = {name: Field(data, at + 4 * i) for i, name in enumerate(SLAB)}
        at += 4 * len(SLAB)
        self.parts, self.bytes = {}, {}
        for part, names in PARTS.items():
            self.bytes[part] = struct.unpack_from("<I", data, at)[0]
            self.parts[part] = {name: Field(data, at + 8 + 4 * i) for i, name in enumerate(names)}
            at += 8 + 4 * len(names)
        self.stack = {name: Field(data, at + 4 * i) for i, name in enumerate(STACK)}
        self.task = self.parts["task"]

    def tasks(self):
        """The address of each task, and a copy of its control block."""
        size = self.slab["object_bytes"].at(self.pool)
        for index in range(self.slab["n_slabs"].at(self.pool)):
            chunk = self.pool + self.slab["chunks"].offset + index // self.slabs_per_chunk * 8
            slab = number(read(chunk, 8)) + index % self.slabs_per_chunk * self.slab_bytes
            carved = self.slab["carved"].at(slab)
            first = slab + self.header_bytes
            copies = read(first, carved * size) if carved else b""
            for i in range(carved):
                copy = copies[i * size:(i + 1) * size]
                if self.task["fn"].of(copy):
                    yield first + i * size, copy

    def running(self):
        """What the workers run: address of the task -> index of the worker and number of its thread."""
        run, worker = self.parts["run"], self.parts["worker"]
        if not run["id"].at(self.run_at):
            return {}
        first = run["workers"].at(self.run_at)
        places = [first + i * self.bytes["worker"] for i in range(run["n_workers"].at(self.run_at))]
        return {worker["current"].at(at): (i, worker["tid"].at(at)) for i, at in enumerate(places)}

    def cause(self, copy):
        index = self.task["cause"].of(copy)
        return text_at(number(read(self.causes + 8 * index, 8)), NAME_MOST) if index < self.n_causes else "unknown"

    def name(self, copy):
        address = self.task["name"].of(copy)
        return text_at(address, NAME_MOST) if address else symbol_of(self.task["fn"].of(copy)) + "()"

    def state(self, address, copy, running):
        """One of plait ps's states, and what stands beside it."""
        if address in running:
            return "running", f"on worker {running[address][0]}, thread {running[address][1]}"
        if not self.task["stack"].of(copy):
            return "new", ""
        if self.task["state"].of(copy) & STATE_MASK in (BEGUN, WAITING):
            thing = self.task["object"].of(copy)
            return "waiting", "for " + self.cause(copy) + (" " + symbol_of(thing) if thing else "")
        if self.task["on_cpu"].of(copy):
            return "waiting", "for the tasks that run on its stack"
        return "ready", ""


class TaskUnwinder(Unwinder):
    """Makes a suspended task the caller of the innermost frame, as long as one is chosen: no register is written, so it
    works on core files, too."""

    def __init__(self):
        super().__init__("plait task")
        self.registers = None

    def __call__(self, frame):
        if self.registers is None or frame.level() != 0:
            return None
        names = {"i386:x86-64": ("rsp", "rbp", "rip"), "aarch64": ("sp", "x29", "pc")}
        arch = frame.architecture().name()
        if arch not in names:
            return None
        sp, fp, pc = self.registers
        inner = gdb.Value(sp - 16), gdb.Value(pc)
        info = frame.create_unwind_info(type("Id", (), {"sp": inner[0], "pc": inner[1]})())
        for name, value in zip(names[arch], (sp, fp, pc)):
            info.add_saved_register(name, gdb.Value(value).cast(gdb.lookup_type("unsigned long")))
        return info


UNWINDER = TaskUnwinder()
register_unwinder(None, UNWINDER, replace=True)


def print_frame(index, frame):
    name = frame.name() or "??"
    line = frame.find_sal()
    where = f" at {line.symtab.filename}:{line.line}" if line.symtab else ""
    print(f"#{index:<3} {frame.pc():#018x} in {name} (){where}")


def print_stack(registers):
    UNWINDER.registers = registers
    gdb.invalidate_cached_frames()
    try:
        frame, index = gdb.newest_frame().older(), 0
        while frame is not None and index < 1000:
            print_frame(index, frame)
            frame, index = frame.older(), index + 1
    finally:
        UNWINDER.registers = None
        gdb.invalidate_cached_frames()


class Plait(gdb.Command):
    """Commands for programs that use plait: plait tasks, plait bt."""

    def __init__(self):
        super().__init__("plait", gdb.COMMAND_USER, prefix=True)


class Tasks(gdb.Command):
    """List the tasks of a program that uses plait.
Usage: plait tasks [new|ready|running|waiting]"""

    def __init__(self):
        super().__init__("plait tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted = argument.strip()
        if wanted not in ("", "new", "ready", "running", "waiting"):
            raise gdb.GdbError(f"there is no state '{wanted}': there are new, ready, running and waiting")
        registry = Registry()
        running = registry.running()
        total = 0
        print(f"{'ID':>8}  {'NAME':<24}  {'STATE':<8}")
        for address, copy in registry.tasks():
            state, beside = registry.state(address, copy, running)
            if wanted in ("", state):
                print(f"{registry.task['id'].of(copy):>8}  {registry.name(copy):<24}  {state:<8}  {beside}".rstrip())
                total += 1
        print(f"{total} task{'' if total == 1 else 's'}")


class Backtrace(gdb.Command):
    """Show the stack of a task of a program that uses plait.
Usage: plait bt TASK     (its number, see plait tasks)"""

    def __init__(self):
        super().__init__("plait bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        if not argument.strip().isdigit():
            raise gdb.GdbError("usage: plait bt TASK, where TASK is a number that `plait tasks` shows")
        wanted = int(argument)
        registry = Registry()
        running = registry.running()
        for address, copy in registry.tasks():
            if registry.task["id"].of(copy) == wanted:
                self.show(registry, address, copy, running)
                return
        raise gdb.GdbError(f"there is no task {wanted}")

    def show(self, registry, address, copy, running):
        task = registry.task
        state, beside = registry.state(address, copy, running)
        print(f"task {task['id'].of(copy)}, {registry.name(copy)}: {state} {beside}".rstrip())
        if address in running:
            self.show_thread(running[address][1])
        elif state == "new":
            print("It has no stack yet.")
        elif task["on_cpu"].of(copy):
            print("Its stack is that of the task that runs on it.")
        elif task["compact"].of(copy) and registry.stack["owner"].at(task["stack"].of(copy)) != address:
            print("It is a compact task, and its frames are not on a stack at the moment: `plait ps` shows them.")
        else:
            print_stack(tuple(task[name].of(copy) for name in ("sp", "fp", "pc")))

    def show_thread(self, tid):
        for thread in gdb.selected_inferior().threads():
            if thread.ptid[1] == tid:
                before = gdb.selected_thread()
                thread.switch()
                gdb.execute("backtrace")
                before.switch()
                return
        print(f"Thread {tid} is not known.")


Plait()
Tasks()
Backtrace()
