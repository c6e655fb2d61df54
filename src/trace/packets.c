/*
 * A Perfetto trace, packet by packet. The numbers are those of the public definitions of its messages.
 */
#include "trace/packets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "trace/format.h"

enum {
        BATCH_BYTES = 256 << 10, /* a packet of compressed ones has to stay below 512 KiB */
        SEQUENCE = 1,
        CLOCK = 64, /* the first number that a sequence may give to a clock of its own */
        CLOCK_REAL = 1,
        CLOCK_MONO = 3,
        STATE_CLEARED = 1,
        NEEDS_STATE = 2,
};

/* Fields. */
enum {
        TRACE_PACKET = 1,

        PACKET_CLOCK_SNAPSHOT = 6,
        PACKET_TIMESTAMP = 8,
        PACKET_SEQUENCE = 10,
        PACKET_TRACK_EVENT = 11,
        PACKET_INTERNED_DATA = 12,
        PACKET_SEQUENCE_FLAGS = 13,
        PACKET_COMPRESSED = PL_TRACE_COMPRESSED_FIELD,
        PACKET_DEFAULTS = 59,
        PACKET_TRACK = 60,
        PACKET_FIRST = 87,

        SNAPSHOT_CLOCK = 1,
        SNAPSHOT_PRIMARY = 2,
        CLOCK_ID = 1,
        CLOCK_TIMESTAMP = 2,
        CLOCK_INCREMENTAL = 3,
        DEFAULTS_CLOCK_ID = 58,

        TRACK_UUID = 1,
        TRACK_PARENT = 5,

        EVENT_NOTE = 4,
        EVENT_TYPE = 9,
        EVENT_NAME_IID = 10,
        EVENT_TRACK = 11,
        EVENT_NAME = 23,
        EVENT_DOUBLE_VALUE = 44,
        EVENT_FLOW = 47,
        EVENT_END_FLOW = 48,

        NOTE_NAME_IID = 1,
        NOTE_INT = 4,
        NOTE_DOUBLE = 5,
        NOTE_POINTER = 7,
        NOTE_TEXT_IID = 17,

        ENTRY_IID = 1,
        ENTRY_TEXT = 2,
};

/* What is interned, each with numbers of its own, and the field of InternedData that it is in. */
enum interned { EVENT_NAMES, NOTE_NAMES, NOTE_TEXTS };
static const uint32_t interned_fields[] = {[EVENT_NAMES] = 2, [NOTE_NAMES] = 3, [NOTE_TEXTS] = 29};

/* --- to the file --- */

static void fail(struct pl_trace_packets *packets, int error)
{
        if (packets->error == 0)
                packets->error = error;
}

static void write_all(struct pl_trace_packets *packets, const uint8_t *bytes, size_t n)
{
        while (n > 0 && packets->error == 0) {
                ssize_t written = write(packets->fd, bytes, n);

                if (written < 0 && errno != EINTR) {
                        fail(packets, -errno);
                } else if (written > 0) {
                        bytes += written;
                        n -= (size_t)written;
                }
        }
}

/* One write for the whole packet: others may append to the same file. */
static void write_batch(struct pl_trace_packets *packets)
{
        struct pl_trace_proto *to = &packets->compressed;
        uLongf n = compressBound(packets->batch.used);
        uint8_t *bytes = malloc(n);

        if (!bytes || packets->batch.failed ||
            compress2(bytes, &n, packets->batch.bytes, packets->batch.used, Z_BEST_SPEED) != Z_OK) {
                fail(packets, -ENOMEM);
                free(bytes);
                return;
        }
        pl_trace_proto_bytes(&packets->part, PACKET_COMPRESSED, bytes, n);
        free(bytes);
        pl_trace_proto_message(to, TRACE_PACKET, &packets->part);
        if (to->failed)
                fail(packets, -ENOMEM);
        else
                write_all(packets, to->bytes, to->used);
        to->used = 0;
        packets->batch.used = 0;
}

static void end_packet(struct pl_trace_packets *packets)
{
        pl_trace_proto_number(&packets->packet, PACKET_SEQUENCE, SEQUENCE);
        pl_trace_proto_message(&packets->batch, TRACE_PACKET, &packets->packet);
        if (packets->batch.used >= BATCH_BYTES)
                write_batch(packets);
}

static void put_clock(struct pl_trace_proto *snapshot, struct pl_trace_proto *part, uint32_t id, int64_t time_ns)
{
        pl_trace_proto_number(part, CLOCK_ID, id);
        pl_trace_proto_number(part, CLOCK_TIMESTAMP, (uint64_t)time_ns);
        if (id == CLOCK)
                pl_trace_proto_number(part, CLOCK_INCREMENTAL, 1);
        pl_trace_proto_message(snapshot, SNAPSHOT_CLOCK, part);
}

void pl_trace_packets_begin(struct pl_trace_packets *packets, int fd, int64_t began_ns, int64_t began_real_ns)
{
        struct pl_trace_proto *part = &packets->part, *snapshot = &packets->track;

        *packets = (struct pl_trace_packets){.fd = fd};
        put_clock(snapshot, part, CLOCK_MONO, began_ns);
        put_clock(snapshot, part, CLOCK_REAL, began_real_ns);
        put_clock(snapshot, part, CLOCK, began_ns);
        pl_trace_proto_number(snapshot, SNAPSHOT_PRIMARY, CLOCK_MONO);
        pl_trace_proto_number(&packets->packet, PACKET_FIRST, 1);
        pl_trace_proto_number(&packets->packet, PACKET_SEQUENCE_FLAGS, STATE_CLEARED);
        pl_trace_proto_message(&packets->packet, PACKET_CLOCK_SNAPSHOT, snapshot);
        pl_trace_proto_number(part, DEFAULTS_CLOCK_ID, CLOCK);
        pl_trace_proto_message(&packets->packet, PACKET_DEFAULTS, part);
        end_packet(packets);
}

int pl_trace_packets_end(struct pl_trace_packets *packets)
{
        if (packets->batch.used > 0)
                write_batch(packets);
        for (size_t i = 0; i < sizeof packets->interned / sizeof *packets->interned; i++)
                pl_id_map_done(&packets->interned[i]);
        pl_trace_proto_done(&packets->event);
        pl_trace_proto_done(&packets->fresh);
        pl_trace_proto_done(&packets->packet);
        pl_trace_proto_done(&packets->part);
        pl_trace_proto_done(&packets->track);
        pl_trace_proto_done(&packets->batch);
        pl_trace_proto_done(&packets->compressed);
        return packets->error;
}

/* --- tracks --- */

uint64_t pl_trace_packets_track(struct pl_trace_packets *packets, uint64_t parent)
{
        uint64_t uuid = ++packets->n_tracks;

        pl_trace_proto_number(&packets->track, TRACK_UUID, uuid);
        if (parent)
                pl_trace_proto_number(&packets->track, TRACK_PARENT, parent);
        return uuid;
}

void pl_trace_packets_send_track(struct pl_trace_packets *packets)
{
        pl_trace_proto_message(&packets->packet, PACKET_TRACK, &packets->track);
        end_packet(packets);
}

/* --- events --- */

/* The number of *text*; a new one is told in the packet in the making. */
static uint64_t intern(struct pl_trace_packets *packets, enum interned which, const char *text)
{
        uint64_t known = (uintptr_t)pl_id_map_get(&packets->interned[which], 0, (uintptr_t)text);

        if (known)
                return known;
        uint64_t iid = ++packets->n_interned[which];
        int r = pl_id_map_put(&packets->interned[which], 0, (uintptr_t)text, (void *)(uintptr_t)iid);
        if (r < 0)
                fail(packets, r);
        pl_trace_proto_number(&packets->part, ENTRY_IID, iid);
        pl_trace_proto_text(&packets->part, ENTRY_TEXT, text);
        pl_trace_proto_message(&packets->fresh, interned_fields[which], &packets->part);
        return iid;
}

void pl_trace_packets_event(struct pl_trace_packets *packets, enum pl_trace_event_type type, uint64_t track)
{
        pl_trace_proto_number(&packets->event, EVENT_TYPE, type);
        pl_trace_proto_number(&packets->event, EVENT_TRACK, track);
}

/* An event without a name would be no event for the UI. */
static const char *name_or_unnamed(const char *name)
{
        return *name ? name : "(unnamed)";
}

void pl_trace_packets_name(struct pl_trace_packets *packets, const char *name)
{
        uint64_t iid = intern(packets, EVENT_NAMES, name_or_unnamed(name));

        pl_trace_proto_number(&packets->event, EVENT_NAME_IID, iid);
}

void pl_trace_packets_passing_name(struct pl_trace_packets *packets, const char *name)
{
        pl_trace_proto_text(&packets->event, EVENT_NAME, name_or_unnamed(name));
}

/* The key is interned first: both use *part*. */
static void begin_note(struct pl_trace_packets *packets, const char *key)
{
        uint64_t iid = intern(packets, NOTE_NAMES, key);

        pl_trace_proto_number(&packets->part, NOTE_NAME_IID, iid);
}

static void end_note(struct pl_trace_packets *packets)
{
        pl_trace_proto_message(&packets->event, EVENT_NOTE, &packets->part);
}

void pl_trace_packets_note(struct pl_trace_packets *packets, const char *key, const char *value)
{
        uint64_t iid = intern(packets, NOTE_TEXTS, value);

        begin_note(packets, key);
        pl_trace_proto_number(&packets->part, NOTE_TEXT_IID, iid);
        end_note(packets);
}

void pl_trace_packets_note_number(struct pl_trace_packets *packets, const char *key, int64_t value)
{
        begin_note(packets, key);
        pl_trace_proto_number(&packets->part, NOTE_INT, (uint64_t)value);
        end_note(packets);
}

void pl_trace_packets_note_address(struct pl_trace_packets *packets, const char *key, uint64_t value)
{
        begin_note(packets, key);
        pl_trace_proto_number(&packets->part, NOTE_POINTER, value);
        end_note(packets);
}

void pl_trace_packets_note_double(struct pl_trace_packets *packets, const char *key, double value)
{
        begin_note(packets, key);
        pl_trace_proto_double(&packets->part, NOTE_DOUBLE, value);
        end_note(packets);
}

void pl_trace_packets_value(struct pl_trace_packets *packets, double value)
{
        pl_trace_proto_double(&packets->event, EVENT_DOUBLE_VALUE, value);
}

void pl_trace_packets_flow(struct pl_trace_packets *packets, uint64_t flow)
{
        pl_trace_proto_fixed64(&packets->event, EVENT_FLOW, flow);
}

void pl_trace_packets_end_flow(struct pl_trace_packets *packets, uint64_t flow)
{
        pl_trace_proto_fixed64(&packets->event, EVENT_END_FLOW, flow);
}

void pl_trace_packets_send(struct pl_trace_packets *packets, int64_t time_ns)
{
        int64_t delta_ns = time_ns > packets->last_ns ? time_ns - packets->last_ns : 0;

        packets->last_ns += delta_ns;
        pl_trace_proto_number(&packets->packet, PACKET_TIMESTAMP, (uint64_t)delta_ns);
        pl_trace_proto_number(&packets->packet, PACKET_SEQUENCE_FLAGS, NEEDS_STATE);
        if (packets->fresh.used)
                pl_trace_proto_message(&packets->packet, PACKET_INTERNED_DATA, &packets->fresh);
        pl_trace_proto_message(&packets->packet, PACKET_TRACK_EVENT, &packets->event);
        end_packet(packets);
}
