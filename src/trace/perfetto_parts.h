/*
 * The inside of the Perfetto encoder, shared by its files.
 */
#ifndef PL_TRACE_PERFETTO_PARTS_H
#define PL_TRACE_PERFETTO_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/id_map.h"
#include "plait/recording.h"
#include "trace/packets.h"

enum pl_trace_strand_state { PL_TRACE_UNKNOWN, PL_TRACE_RUNNING, PL_TRACE_RUNNABLE, PL_TRACE_WAITING };

struct pl_trace_span {
        const char *name;
        struct pl_trace_span *outer;
};

/* A task, or a thread that waits. Unless its state is not known, a slice is open on its track. */
struct pl_trace_strand {
        uint64_t id;
        uint32_t process;
        uint32_t lane; /* while it runs */
        enum pl_trace_strand_state state;
        bool joins; /* while it waits: for the tasks of a scope, some of which it may run itself */
        const char *name;
        uint64_t track, spans_track; /* 0: not yet made */
        int64_t unwoken_ns;          /* it last ran without having been woken; then */
        struct pl_trace_span *spans; /* open ones, the innermost first */
};

enum { PL_TRACE_ENDED = 4096 };

struct pl_trace_ended {
        uint64_t id;
        uint32_t process;
};

struct pl_trace_line {
        uint64_t track;                 /* 0: not yet made */
        struct pl_trace_strand *strand; /* runs, and has a slice; NULL: none */
        bool asleep;                    /* and has a slice */
};

/* What goes on beside tasks, any number at a time: each takes a track that is free. */
enum pl_trace_kind { PL_TRACE_REQUESTS, PL_TRACE_CALLS, PL_TRACE_JOBS, PL_TRACE_COUNTERS, PL_TRACE_KINDS };

struct pl_trace_slot {
        uint64_t track;
        uint32_t process;
        enum pl_trace_kind kind;
        bool open; /* a slice is */
        struct pl_trace_slot *next;
};

struct pl_trace_home {
        uint64_t track, tasks_track; /* 0: not yet made */
        bool ended;
        struct pl_trace_slot *free_slots[PL_TRACE_KINDS];
};

struct pl_trace_encoder {
        struct plait_recording *recording;
        struct plait_recording_info info;
        struct pl_trace_packets packets;
        struct pl_id_map strands;
        struct pl_id_map names;    /* of tasks, told at any time of their lives */
        struct pl_id_map objects;  /* names of what is waited for */
        struct pl_id_map arrows;   /* those of jobs and of the program that have begun and not ended: this */
        struct pl_id_map waitings; /* by a cause's name: what the slice is called, allocated */
        struct pl_id_map used[PL_TRACE_KINDS]; /* slots, by what they are used for */
        struct pl_trace_home *homes;           /* of processes */
        struct pl_trace_line *lines;           /* of lanes */
        int64_t next_end_ns;                   /* when the next process ends that does not say so */
        uint64_t n_flows;
        struct pl_trace_ended ended[PL_TRACE_ENDED]; /* the last tasks that have */
};

/* The event into packets. 0, or -ENOMEM. */
int pl_trace_put(struct pl_trace_encoder *encoder, const struct plait_recording_event *event);
/* Everything of a process that is open ends. */
void pl_trace_end_process(struct pl_trace_encoder *encoder, uint32_t process, int64_t now_ns);

/* Tracks, made when they are first asked for. 0: out of memory, or no such lane. */
uint64_t pl_trace_line_track(struct pl_trace_encoder *encoder, uint32_t lane);
void pl_trace_make_strand_track(struct pl_trace_encoder *encoder, struct pl_trace_strand *strand, uint32_t lane);
uint64_t pl_trace_spans_track(struct pl_trace_encoder *encoder, struct pl_trace_strand *strand);

/* A slot for what *id* is in *space*; NULL: out of memory. */
struct pl_trace_slot *pl_trace_take_slot(struct pl_trace_encoder *encoder, enum pl_trace_kind kind, uint32_t process,
                                         uint32_t space, uint64_t id, const char *name);
void pl_trace_free_slot(struct pl_trace_encoder *encoder, struct pl_trace_slot *slot, uint32_t space, uint64_t id);

/* Beside the tasks: requests, calls, jobs, counters. 0, or -ENOMEM. */
int pl_trace_put_aside(struct pl_trace_encoder *encoder, const struct plait_recording_event *event);
/* An arrow leaves from the event in the making, or leads to it; one that has not begun leads nowhere. */
void pl_trace_begin_arrow(struct pl_trace_encoder *encoder, uint64_t id);
void pl_trace_end_arrow(struct pl_trace_encoder *encoder, uint64_t id);

/* Ends the slices of a process that are open on its slots. */
void pl_trace_end_slots(struct pl_trace_encoder *encoder, uint32_t process, int64_t now_ns);

#endif
