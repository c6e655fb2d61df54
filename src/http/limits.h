/*
 * How many transfers a session has in flight, in all and to one origin; further ones wait their turn, first come first
 * served within an origin, the origins by turns. (libcurl's own limits search all its pending transfers each time.)
 */
#ifndef PL_HTTP_LIMITS_H
#define PL_HTTP_LIMITS_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"
#include "http/origin.h"
#include "plat/lock.h"

enum { PL_HTTP_LIMIT_BUCKETS = 1024 };

/* An origin with transfers in flight or waiting; goes when there are none. */
struct pl_http_limit {
        struct pl_http_limit *same_bucket;
        struct pl_list waiters; /* of pl_wait_node */
        struct pl_list turn;    /* in pl_http_limits.turns while somebody waits and may go as far as the origin goes */
        unsigned active;
        struct pl_http_origin origin;
};

struct pl_http_limits {
        struct pl_lock lock; /* guards all of it */
        unsigned total;
        unsigned per_origin;
        unsigned active;
        struct pl_list turns;
        struct pl_http_limit *bucket[PL_HTTP_LIMIT_BUCKETS];
};

void pl_http_limits_init(struct pl_http_limits *limits, unsigned total, unsigned per_origin);

/*
 * Wait for a turn to make a transfer to *origin*. 0: *ret_limit* is to be given back with leave(). -ENOMEM, or as
 * pl_sched_wait_finish().
 */
PL_WARN_UNUSED int pl_http_limits_enter(struct pl_http_limits *limits, const struct pl_http_origin *origin,
                                        int64_t deadline_ns, struct pl_http_limit **ret_limit);
void pl_http_limits_leave(struct pl_http_limits *limits, struct pl_http_limit *limit);

#endif
