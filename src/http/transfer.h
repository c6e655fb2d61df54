/*
 * A transfer: a libcurl easy handle on its way through a driver, and the task that waits for it.
 *
 * The task begins it, waits for news of it, and ends it: by PL_HTTP_DONE, or by abandoning it. In between the easy
 * handle and what its callbacks use belong to the driver. What both touch is guarded by *lock*, or atomic.
 */
#ifndef PL_HTTP_TRANSFER_H
#define PL_HTTP_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "http/libcurl.h"
#include "plat/lock.h"
#include "sched/wait.h"

struct pl_http_driver;

/* What the driver tells the task. */
enum {
        PL_HTTP_NEWS = 1,      /* a callback has something for the task: pl_http_transfer_tell() */
        PL_HTTP_DONE = 2,      /* it has ended, with *result*, and is out of its multi handle */
        PL_HTTP_ABANDONED = 4, /* the driver has forgotten it */
};

struct pl_http_transfer {
        CURL *easy;
        struct pl_http_driver *driver;
        CURLcode result;
        bool continued; /* the task has called transfer_continue(): an order can be on its way still */

        /* The driver's own. */
        struct pl_http_transfer *same_bucket;
        struct pl_list round_link;
        unsigned fresh; /* news to be told at the end of the round */
        bool added;

        /* Guarded by the driver's lock. */
        struct pl_list order_link;
        unsigned orders;

        struct pl_lock lock;
        unsigned news;          /* guarded by *lock* */
        struct pl_wait *waiter; /* guarded by *lock* */
};

/* Prepare *transfer* for *easy*. */
void pl_http_transfer_init(struct pl_http_transfer *transfer, CURL *easy);

/* Hand it to *driver*. */
void pl_http_transfer_begin(struct pl_http_transfer *transfer, struct pl_http_driver *driver);

/*
 * Wait for news. Returns the bits that have come since, at least one; -ETIMEDOUT or -ECANCELED as
 * pl_sched_wait_finish(): the transfer runs on, wait again or abandon it.
 */
PL_WARN_UNUSED int pl_http_transfer_wait(struct pl_http_transfer *transfer, int64_t deadline_ns, unsigned flags);

/* Go on after a callback returned CURL_WRITEFUNC_PAUSE. */
void pl_http_transfer_continue(struct pl_http_transfer *transfer);

/*
 * Take it away from the driver, whatever its state; waits until the driver has let go of it, which nothing interrupts.
 * True: it had ended by itself, and *result* is its own.
 */
bool pl_http_transfer_abandon(struct pl_http_transfer *transfer);

/* In a callback: tell the task PL_HTTP_NEWS once the driver has finished its round. */
void pl_http_transfer_tell(struct pl_http_transfer *transfer);

#endif
