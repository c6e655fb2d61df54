/*
 * A recording that is read: what recording.c, scan.c, which finds chunks in the file, chunk.c, which reads them, and
 * cursor.c, which goes from event to event, have in common. One thread's. Nothing in the file is trusted: each number
 * is checked before it counts or points.
 */
#ifndef PL_TRACE_RECORDING_H
#define PL_TRACE_RECORDING_H

#include <sys/types.h>

#include "plait/recording.h"
#include "trace/coding.h"
#include "trace/format.h"
#include "trace/image.h"

/* A chunk of events. */
struct pl_trace_piece {
        uint64_t at;    /* in the file: where the events begin */
        uint32_t bytes; /* of them */
        uint64_t first; /* slots of the ring before them, */
        uint64_t count; /* and in them */
        uint64_t ticks; /* when it begins */
};

/* What is left of a ring. */
struct pl_trace_rest {
        struct pl_trace_event *events;
        uint64_t first; /* the number of the first of them */
        uint64_t n;
};

struct pl_trace_function {
        uint64_t address;
        const char *name;
};

struct pl_trace_process {
        struct plait_recording_process shown;
        uint32_t serial;
        uint8_t id[PL_TRACE_ID_BYTES];
        enum pl_trace_place place;
        unsigned flags;
        struct pl_trace_instant begin, latest;
        int64_t begin_real_ns;
        uint64_t rate;
        unsigned unit_shift;
        const char **causes;
        uint8_t *cause_has_other; /* b of WAITS is a flow, not a number */
        uint32_t n_causes;
        const char **strings; /* number - 1 */
        uint32_t n_strings, strings_room;
        struct pl_trace_function *functions; /* by hash */
        uint32_t n_functions, functions_room;
        char *names;         /* from its image; NULL: there is none */
        uint64_t last_ticks; /* of its last event in a ring; 0: none */
        bool live;
};

struct pl_trace_track {
        struct plait_recording_lane shown;
        uint32_t number; /* in its process */
        struct pl_trace_piece *pieces;
        size_t n_pieces, pieces_room;
        struct pl_trace_rest rest;

        /* Where reading is. */
        size_t piece;
        bool in_rest;
        uint64_t next; /* number of the slot that comes next; of the rest: how many have been read */
        bool begun;    /* *next* is known */
        uint8_t *data;
        size_t data_bytes, data_room, data_at;
        struct pl_trace_coder coder;
        struct pl_trace_event event; /* that comes next */
        uint64_t ticks;
        const char *text;

        /* What the events before said. */
        uint64_t flow;     /* that runs here; 0: none */
        uint64_t finished; /* the one that ran before, if it has ended */
        uint64_t existing;
        uint64_t waited_ns;
        const char *reason;
};

/* Of the file: what a write began that was cut short, as by SIGKILL; or a packet of those that export.c made. */
struct pl_trace_gap {
        uint64_t at, bytes;
        bool for_perfetto;
};

struct plait_recording {
        int fd;
        char *path;
        uint64_t at, bytes; /* how far it has been scanned, and how far there is something */
        struct pl_trace_gap *gaps;
        uint32_t n_gaps, gaps_room;
        uint64_t file_bytes; /* of chunks */
        bool torn;
        struct pl_trace_process *processes;
        uint32_t n_processes, processes_room;
        struct pl_trace_track *tracks;
        uint32_t n_tracks, tracks_room;
        char **texts; /* each once, by hash */
        uint32_t n_texts, texts_room;

        struct pl_trace_instant base;
        double ns_per_tick;
        int64_t duration_ns;

        /* Reading. */
        bool started;
        uint32_t *heap; /* tracks by the time of their next event */
        uint32_t n_heap;
        int64_t time_ns; /* of the last event */
        struct plait_recording_event pending;
        bool has_pending;
        int error;
};

/* --- scan.c --- */

/* How much of the file is there at *at*, up to *bytes*; the rest is not touched. Or a negative errno. */
ssize_t pl_trace_read_at(const struct plait_recording *recording, uint64_t at, void *buf, size_t bytes);

/* Read the chunks that have been written since the last time. What is not whole at the end is left for the next time.
 */
PL_WARN_UNUSED int pl_trace_scan(struct plait_recording *recording);

/* --- chunk.c --- */

/* Room for one more in an array of *n*, a pointer to which is at *array*. What is new is zero. */
PL_WARN_UNUSED bool pl_trace_grow(void *array, uint32_t n, uint32_t *room, size_t bytes);

/* The one copy of *bytes* of text; NULL: no memory. */
const char *pl_trace_keep(struct plait_recording *recording, const char *text, size_t bytes);

/* What the function at *address* is called; NULL: not known. */
const char *pl_trace_function_name(const struct pl_trace_process *process, uint64_t address);

/* The track of lane *number* of a process, made if it is new; NULL: no memory. */
struct pl_trace_track *pl_trace_track(struct plait_recording *recording, uint32_t process, uint32_t number);

/*
 * A chunk of *bytes*, of which the first *n* are at *data*, and which begins at *at* in the file. False: it is damaged,
 * or recording->error says what is wrong.
 */
bool pl_trace_read_chunk(struct plait_recording *recording, const uint8_t *data, size_t n, uint64_t at, size_t bytes);

/* Whether the *n* bytes at *data* begin a chunk of a process that is known. */
bool pl_trace_begins_chunk(const struct plait_recording *recording, const uint8_t *data, size_t n);

/* --- rest.c: what a process left in its rings --- */

/* 0, also when there is nothing; or -ENOMEM. */
PL_WARN_UNUSED int pl_trace_read_rings(struct plait_recording *recording, uint32_t index);

#endif
