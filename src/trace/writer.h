/*
 * From rings to the file: chunks, with the texts and names that their events speak of. One thread's.
 *
 * What cannot be written to the file is lost, and counted; nothing waits for a disk to be made room on.
 */
#ifndef PL_TRACE_WRITER_H
#define PL_TRACE_WRITER_H

#include "trace/coding.h"
#include "trace/format.h"
#include "trace/ring.h"

/* Texts and their numbers, from 1 on. */
struct pl_trace_strings {
        char **texts;
        uint32_t *table; /* numbers by hash; 0: free */
        uint32_t n, room;
};

struct pl_trace_writer {
        int fd;
        uint32_t serial;
        const char *names; /* of the process' plait_trace_names */
        struct pl_trace_strings strings;
        uint32_t name_strings[PL_TRACE_NAMES_BYTES / 2]; /* the string of the name there; 0: not known yet */
        uint64_t *functions;                             /* known ones, by hash; 0: free */
        uint32_t n_functions, functions_room;
        /* What a function is called; false: nobody knows. NULL: nobody would know any. */
        bool (*function_name)(uint64_t address, char *buf, size_t n);
        bool (*object_name)(uint64_t address, char *buf, size_t n); /* the same for variables */
        uint64_t asked[PL_TRACE_RECENT];                            /* addresses of objects that were asked for last */

        uint8_t *out; /* packets to be written */
        size_t used;
        uint64_t unwritten; /* events in them */
        uint8_t *chunk;     /* in the making */
        size_t chunk_used;

        uint64_t events;  /* in the file, texts not counted */
        uint64_t dropped; /* told by them */
        int64_t alive;    /* tasks that are there, by them */
        uint64_t lost;    /* for which it had no room */
        uint64_t bytes;   /* in the file */
        int error;        /* the first one; 0: none */
};

/* *fd* is open for appending. 0 or -ENOMEM. */
PL_WARN_UNUSED int pl_trace_writer_init(struct pl_trace_writer *writer, int fd, uint32_t serial, const char *names);
void pl_trace_writer_done(struct pl_trace_writer *writer);

/* --- a chunk: begin it, put numbers and texts, end it --- */

void pl_trace_chunk_begin(struct pl_trace_writer *writer, enum pl_trace_chunk type);
void pl_trace_chunk_number(struct pl_trace_writer *writer, uint64_t value);
void pl_trace_chunk_signed(struct pl_trace_writer *writer, int64_t value);
void pl_trace_chunk_bytes(struct pl_trace_writer *writer, const void *data, size_t bytes);
void pl_trace_chunk_text(struct pl_trace_writer *writer, const char *text);
void pl_trace_chunk_end(struct pl_trace_writer *writer);

/* Who writes into *slot*. */
void pl_trace_write_lane(struct pl_trace_writer *writer, const struct pl_trace_slot *slot);

/*
 * The events from number *from* to before *to* of a ring with *events* slots, which stand at their number modulo that.
 * *last_ticks*: when the last one before was; changed.
 */
void pl_trace_write_events(struct pl_trace_writer *writer, uint32_t lane, const struct pl_trace_event *ring,
                           uint64_t events, uint64_t from, uint64_t to, uint64_t *last_ticks);

/* Write what there is to the file. */
void pl_trace_flush(struct pl_trace_writer *writer);

#endif
