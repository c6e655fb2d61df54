/*
 * The hosts of a dispatcher: one for each "name:port" of which something is queued or under way, or of which a limit
 * was learnt.
 */
#ifndef FETCH_HOST_H
#define FETCH_HOST_H

#include "fetch/dispatch.h"

struct dispatch_host {
        struct dispatch_host *next_hash;
        struct dispatch_host *next_ready;
        bool is_ready;             /* linked by next_ready */
        unsigned holds;            /* jobs that hold it up */
        uint64_t in_flight;        /* jobs that were taken and are not done, waiting ones included */
        uint64_t running;          /* of those, the ones that do not wait */
        bool is_busy;              /* something is queued or under way */
        struct plait_tuner *tuner; /* NULL: the limit is fixed */
        struct job *retries;       /* due */
        uint64_t retry_count;
        uint64_t counted; /* its part of dispatch.startable */
        struct backlog backlog;
        char name[URL_HOST_SIZE];
};

/* The host called *name*, made when it is not there; NULL: no memory. */
struct dispatch_host *host_get(struct dispatch *dispatch, const char *name);

/* To be called after every change: counts what can be begun, queues the host for its turn, or frees it when idle. */
void host_changed(struct dispatch *dispatch, struct dispatch_host *host);

/* Takes the host whose turn it is out of the queue; NULL: there is none. */
struct dispatch_host *host_next(struct dispatch *dispatch);

/* Frees all. */
void host_free_all(struct dispatch *dispatch);

#endif
