"""An independent reader of Perfetto traces: it knows protobuf's encoding and the numbers of the fields from Perfetto's
public definitions, nothing of plait's code. It is as strict as trace_processor and its UI together: what they would
leave out, count as an error or draw wrongly is a failure here.
"""

import struct
import zlib
from collections import defaultdict

from tap import check

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
SLICE_BEGIN, SLICE_END, INSTANT, COUNTER = 1, 2, 3, 4
CLEARED, NEEDS_STATE = 1, 2


def varint(data, at):
    value = shift = 0
    while True:
        check(at < len(data), "a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        check(shift < 70, "a number has more than ten bytes")


def fields(data):
    """The (field, wire type, value) of a message."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        check(number > 0, "field 0")
        if wire == VARINT:
            value, at = varint(data, at)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
            value, at = data[at:at + size], at + size
        else:
            check(wire == BYTES, f"wire type {wire}")
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            check(len(value) == size, "a message is cut off")
        check(at <= len(data), "a message is cut off")
        yield number, wire, value


def message(data, **known):
    """A message as a dictionary of its fields by name; those that are not in *known* are left out. known: name=(number,
    kind), kind one of "number", "signed", "text", "bytes", "double", "fixed64"; a kind in a list may come repeatedly."""
    by_number = {number: (name, kind) for name, (number, kind) in known.items()}
    found = {}
    for number, wire, value in fields(data):
        if number not in by_number:
            continue
        name, kind = by_number[number]
        repeated = isinstance(kind, list)
        kind = kind[0] if repeated else kind
        wanted = {"number": VARINT, "signed": VARINT, "double": FIXED64, "fixed64": FIXED64}.get(kind, BYTES)
        check(wire == wanted, f"field {number} ({name}) has wire type {wire}")
        if kind == "signed":
            value -= (value >> 63) << 64
        elif kind == "text":
            value = value.decode("utf-8")  # raises when it is none
        elif kind == "double":
            value = struct.unpack("<d", value)[0]
        elif kind == "fixed64":
            value = struct.unpack("<Q", value)[0]
        if repeated:
            found.setdefault(name, []).append(value)
        else:
            check(name not in found, f"field {number} ({name}) comes twice")
            found[name] = value
    return found


PACKET = {
    "clock_snapshot": (6, "bytes"), "timestamp": (8, "number"), "sequence": (10, "number"), "event": (11, "bytes"),
    "interned": (12, "bytes"), "flags": (13, "number"), "compressed": (50, "bytes"), "clock": (58, "number"),
    "defaults": (59, "bytes"), "track": (60, "bytes"),
}


def packets_of(data):
    """All packets, those that are compressed, too; what else is in the file is passed over, as Perfetto does."""
    check(data[:1] == b"\x0a", "Perfetto would not take it for a trace: the first field is no packet")
    for number, wire, value in fields(data):
        if number != 1 or wire != BYTES:
            continue
        packet = message(value, **PACKET)
        if "compressed" not in packet:
            yield packet
            continue
        check(len(value) < 512 << 10, "a packet of compressed packets has 512 KiB or more")
        check(set(packet) == {"compressed"}, f"beside compressed packets there is {set(packet)}")
        inner = zlib.decompress(packet["compressed"])
        for number, wire, value in fields(inner):
            check(number == 1 and wire == BYTES, "what is compressed is no packet")
            inside = message(value, **PACKET)
            check("compressed" not in inside, "compressed within compressed")
            yield inside


class Track:
    def __init__(self, data):
        found = message(data, uuid=(1, "number"), name=(2, "text"), process=(3, "bytes"), thread=(4, "bytes"),
                        parent=(5, "number"), counter=(8, "bytes"))
        self.uuid, self.parent = found["uuid"], found.get("parent")
        self.name = found.get("name")
        self.process = self.thread = None
        self.counter = "counter" in found
        self.open, self.slices, self.instants, self.values = [], [], [], []
        if "process" in found:
            self.process = message(found["process"], pid=(1, "number"), command=(2, ["text"]), name=(6, "text"))
            self.name = self.process.get("name")
        if "thread" in found:
            self.thread = message(found["thread"], pid=(1, "number"), tid=(2, "number"), name=(5, "text"))
            self.name = self.thread.get("name")


class Slice:
    def __init__(self, track, name, begin, notes):
        self.track, self.name, self.begin, self.end, self.notes = track, name, begin, None, notes


class Sequence:
    def __init__(self):
        self.valid = False
        self.clock = None
        self.incremental = {}  # clocks that count from the packet before: the time
        self.names, self.keys, self.texts = {}, {}, {}


class Trace:
    """Reads the file and checks all that can be checked of any trace."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.tracks = {}
        self.sequences = defaultdict(Sequence)
        self.flows = {}  # open ones: id -> the slice or instant that it leaves from
        self.arrows = []  # (from, to)
        self.last = {}
        self.packets = 0
        for packet in packets_of(data):
            self.packets += 1
            self.take(packet)
        for track in self.tracks.values():
            check(not track.open, f"on track '{track.name}' {len(track.open)} slices have no end: {track.open[-1:]}")
            check(track.parent is None or track.parent in self.tracks, f"track '{track.name}' has no parent")

    def take(self, packet):
        if not set(packet) & {"event", "track", "clock_snapshot", "defaults", "interned"}:
            return
        check(packet.get("sequence"), "a packet belongs to no sequence")
        sequence = self.sequences[packet["sequence"]]
        if packet.get("flags", 0) & CLEARED:
            sequence.__init__()
            sequence.valid = True
        if "clock_snapshot" in packet:
            self.take_clocks(sequence, packet["clock_snapshot"])
        if "defaults" in packet:
            sequence.clock = message(packet["defaults"], clock=(58, "number")).get("clock")
        if "interned" in packet:
            self.intern(sequence, packet["interned"])
        if "track" in packet:
            track = Track(packet["track"])
            check(track.uuid not in self.tracks, f"track {track.uuid} is told twice")
            check(track.parent is None or track.parent in self.tracks, f"track '{track.name}' comes before its parent")
            self.tracks[track.uuid] = track
        if "event" in packet:
            check(packet.get("flags", 0) & NEEDS_STATE and sequence.valid, "names before there is a state for them")
            self.take_event(sequence, packet["event"], self.time_of(packet, sequence))

    @staticmethod
    def take_clocks(sequence, data):
        snapshot = message(data, clocks=(1, ["bytes"]), primary=(2, "number"))
        ids = set()
        for data in snapshot["clocks"]:
            clock = message(data, id=(1, "number"), timestamp=(2, "number"), incremental=(3, "number"))
            ids.add(clock["id"])
            if clock["id"] >= 64:
                check(clock["id"] < 128, f"clock {clock['id']} is neither Perfetto's nor a sequence's own")
                check(clock.get("incremental"), "the sequence's own clock does not count from packet to packet")
                sequence.incremental[clock["id"]] = clock["timestamp"]
        check(snapshot.get("primary") in ids and len(ids) >= 2, f"the clocks {ids} are not tied to the trace's")

    def time_of(self, packet, sequence):
        clock = packet.get("clock", sequence.clock)
        check("timestamp" in packet, "an event has no time")
        check(clock in sequence.incremental, f"clock {clock} is not known")
        sequence.incremental[clock] += packet["timestamp"]
        time = sequence.incremental[clock]
        check(time >= self.last.get(packet["sequence"], 0), "time goes backwards")
        check(time < 1 << 62, f"time {time}")
        self.last[packet["sequence"]] = time
        return time

    @staticmethod
    def intern(sequence, data):
        found = message(data, names=(2, ["bytes"]), keys=(3, ["bytes"]), texts=(29, ["bytes"]))
        for kind, table in (("names", sequence.names), ("keys", sequence.keys), ("texts", sequence.texts)):
            for entry in found.get(kind, []):
                entry = message(entry, iid=(1, "number"), text=(2, "text"))
                check(entry["iid"] > 0, "0 is no number of a name")
                check(entry["iid"] not in table, f"'{entry['text']}' takes the number of '{table.get(entry['iid'])}'")
                table[entry["iid"]] = entry["text"]

    @staticmethod
    def note_of(sequence, data):
        note = message(data, key_iid=(1, "number"), int=(4, "signed"), double=(5, "double"), text=(6, "text"),
                       pointer=(7, "number"), key=(10, "text"), text_iid=(17, "number"))
        if "key_iid" in note:
            check(note["key_iid"] in sequence.keys, f"note {note['key_iid']} has no name")
        if "text_iid" in note:
            check(note["text_iid"] in sequence.texts, f"text {note['text_iid']} is not told")
            note["text"] = sequence.texts[note["text_iid"]]
        values = [note[kind] for kind in ("int", "double", "text", "pointer") if kind in note]
        check(len(values) == 1, f"a note with {len(values)} values")
        return note.get("key") or sequence.keys[note["key_iid"]], values[0]

    def take_event(self, sequence, data, time):
        event = message(data, notes=(4, ["bytes"]), type=(9, "number"), name_iid=(10, "number"), track=(11, "number"),
                        name=(23, "text"), value=(30, "signed"), double=(44, "double"), flows=(47, ["fixed64"]),
                        ends=(48, ["fixed64"]))
        check(event.get("track") in self.tracks, f"an event on track {event.get('track')}, which is not told")
        track = self.tracks[event["track"]]
        notes = dict(self.note_of(sequence, data) for data in event.get("notes", []))
        name = event.get("name")
        if "name_iid" in event:
            check(event["name_iid"] in sequence.names, f"name {event['name_iid']} is not told before it is used")
            name = sequence.names[event["name_iid"]]
        check(track.counter == (event["type"] == COUNTER), f"event of type {event['type']} on track '{track.name}'")
        if event["type"] == COUNTER:
            check("double" in event or "value" in event, "a counter without a value")
            track.values.append((time, event.get("double", event.get("value"))))
            return
        if event["type"] == SLICE_END:
            check(track.open, f"on track '{track.name}' a slice ends that has not begun, at {time}")
            check("flows" not in event and "ends" not in event, "an arrow at the end of a slice leads nowhere")
            done = track.open.pop()
            done.end = time
            done.notes.update(notes)
            return
        check(name, f"an event without a name on track '{track.name}'")
        made = Slice(track, name, time, notes)
        if event["type"] == SLICE_BEGIN:
            track.open.append(made)
            track.slices.append(made)
        else:
            check(event["type"] == INSTANT, f"event of type {event['type']}")
            made.end = time
            track.instants.append(made)
        for flow in event.get("flows", []):
            check(flow not in self.flows, f"arrow {flow} begins twice")
            self.flows[flow] = made
        for flow in event.get("ends", []):
            check(flow in self.flows, f"arrow {flow} ends at '{name}' of '{track.name}' without having begun")
            self.arrows.append((self.flows.pop(flow), made))

    def path(self, track):
        names = [track.name]
        while track.parent is not None:
            track = self.tracks[track.parent]
            names.append(track.name)
        return names[::-1]
