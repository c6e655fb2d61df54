/*
 * A Perfetto trace, packet by packet: one sequence with its own clock, interned names, and packets that are written
 * compressed, many at a time.
 *
 * An event is put together in between event() and send(); so is a track between track() and send_track().
 */
#ifndef PL_TRACE_PACKETS_H
#define PL_TRACE_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/id_map.h"
#include "trace/proto.h"

enum pl_trace_event_type {
        PL_TRACE_SLICE_BEGIN = 1,
        PL_TRACE_SLICE_END = 2,
        PL_TRACE_INSTANT = 3,
        PL_TRACE_VALUE = 4,
};

/* The numbers of fields in TrackDescriptor and what is in it. */
enum pl_trace_track_field {
        PL_TRACE_TRACK_NAME = 2,
        PL_TRACE_TRACK_PROCESS = 3,
        PL_TRACE_TRACK_THREAD = 4,
        PL_TRACE_TRACK_COUNTER = 8,
        PL_TRACE_TRACK_CHILD_ORDER = 11,
        PL_TRACE_TRACK_RANK = 12,
        PL_TRACE_TRACK_MERGE = 15,
        PL_TRACE_PROCESS_PID = 1,
        PL_TRACE_PROCESS_COMMAND = 2,
        PL_TRACE_PROCESS_NAME = 6,
        PL_TRACE_THREAD_PID = 1,
        PL_TRACE_THREAD_TID = 2,
        PL_TRACE_THREAD_NAME = 5,
        PL_TRACE_COUNTER_UNIT = 3,
};

struct pl_trace_packets {
        int fd;
        int error;       /* the first failure, a negative errno */
        int64_t last_ns; /* of the last packet with a time */
        uint64_t n_tracks;
        struct pl_id_map interned[3];
        uint64_t n_interned[3];
        struct pl_trace_proto event, fresh, packet, part, track; /* in the making; fresh: interned data */
        struct pl_trace_proto batch;                             /* not yet written */
        struct pl_trace_proto compressed;
};

/* A trace whose time 0 is at *began_ns*, CLOCK_MONOTONIC, and *began_real_ns*, CLOCK_REALTIME. */
void pl_trace_packets_begin(struct pl_trace_packets *packets, int fd, int64_t began_ns, int64_t began_real_ns);

/* Writes what is left. 0, or the first failure. */
int pl_trace_packets_end(struct pl_trace_packets *packets);

/* A new track below *parent* (0: none); further fields go into packets->track. Returns its number. */
uint64_t pl_trace_packets_track(struct pl_trace_packets *packets, uint64_t parent);
void pl_trace_packets_send_track(struct pl_trace_packets *packets);

void pl_trace_packets_event(struct pl_trace_packets *packets, enum pl_trace_event_type type, uint64_t track);
/* Texts that are interned must stay where they are: they are known by their address. */
void pl_trace_packets_name(struct pl_trace_packets *packets, const char *name);
void pl_trace_packets_passing_name(struct pl_trace_packets *packets, const char *name); /* not interned */
void pl_trace_packets_note(struct pl_trace_packets *packets, const char *key, const char *value);
void pl_trace_packets_note_number(struct pl_trace_packets *packets, const char *key, int64_t value);
void pl_trace_packets_note_address(struct pl_trace_packets *packets, const char *key, uint64_t value);
void pl_trace_packets_note_double(struct pl_trace_packets *packets, const char *key, double value);
void pl_trace_packets_value(struct pl_trace_packets *packets, double value);
void pl_trace_packets_flow(struct pl_trace_packets *packets, uint64_t flow);
void pl_trace_packets_end_flow(struct pl_trace_packets *packets, uint64_t flow);
/* *time_ns*: since the trace's time 0; not before the last one's. */
void pl_trace_packets_send(struct pl_trace_packets *packets, int64_t time_ns);

#endif
