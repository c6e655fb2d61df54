/*
 * The summary of a recording: where time went, who waited longest for what and because of whom.
 */
#ifndef TRACE_SUMMARY_H
#define TRACE_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/id_map.h"
#include "trace/model.h"

/* A wait. Names are those of the recording, NULL where there is none. */
struct summary_wait {
        uint32_t process;
        uint16_t cause;
        uint64_t flow, holder;
        const char *flow_name, *holder_name;
        uint64_t object;
        const char *object_name;
        int64_t value;
        int64_t start_ns, duration_ns;
};

/* Waits of tasks of one name for the same thing. */
struct summary_alike {
        struct summary_wait longest;
        uint64_t count;
        int64_t total_ns;
};

struct summary_lock {
        struct summary_wait longest;
        uint64_t count;
        int64_t total_ns;
};

struct summary_name {
        uint32_t process;
        uint64_t flow; /* of the first */
        const char *name;
        uint64_t count;
        int64_t busy_ns[MODEL_STATES];
};

struct summary {
        struct model model;
        size_t limit; /* rows of each table */

        struct summary_wait *waits; /* the longest; first the longest, once it is made */
        size_t n_waits;
        struct model_request *requests; /* the slowest, in the same way */
        size_t n_requests;
        uint64_t all_requests;

        struct pl_id_map alike, locks, names; /* struct summary_alike, _lock, _name */
        uint64_t not_alike;                   /* waits beyond what is kept in *alike* */

        /* Of the maps, once it is made: what leads, up to limit. */
        struct summary_alike **top_alike;
        struct summary_lock **top_locks;
        struct summary_name **top_names;
        size_t n_alike, n_locks, n_names;
};

/* Reads the recording at *path*. 0, or a negative errno, and *message* says what is wrong; done() is due in any case.
 */
int summary_make(struct summary *summary, const char *path, size_t limit, char *message, size_t size);
void summary_done(struct summary *summary);

void summary_text(const struct summary *summary, const char *path, FILE *to);
int summary_json(const struct summary *summary, FILE *to); /* 0, or -ENOMEM */

/* As model_wait_text(). */
const char *summary_wait_text(const struct summary *summary, const struct summary_wait *wait, char *buffer,
                              size_t size);

#endif
