/*
 * A recording that is read: what recording.c, which scans the file, chunk.c, which reads what it finds there, and
 * cursor.c, which goes from event to event, have in common. One thread's. Nothing in the file is trusted: each number
 * is checked before it counts or points.
 */
#ifndef PL_TRACE_RECORDING_H
#define PL_TRACE_RECORDING_H

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

struct plait_recording {
        int fd;
        char *path;
        uint64_t at, bytes;  /* how far it has been scanned, and how far there is something */
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

/* --- chunk.c --- */

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

/* --- rest.c: what a process left in its rings --- */

/* 0, also when there is nothing; or -ENOMEM. */
PL_WARN_UNUSED int pl_trace_read_rings(struct plait_recording *recording, uint32_t index);

#endif
