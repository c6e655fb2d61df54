/*
 * Drivers: service tasks that each own a libcurl multi handle and do all the work on it. Easy handles never move
 * between them while they are live, and no other task touches the multi handle.
 */
#ifndef PL_HTTP_DRIVER_H
#define PL_HTTP_DRIVER_H

#include <stdint.h>

#include "base/list.h"
#include "http/names.h"
#include "http/sockets.h"
#include "http/transfer.h"
#include "io/watch.h"
#include "plat/lock.h"

enum { PL_HTTP_BUCKETS = 256 };

struct pl_http_driver {
        struct pl_lock lock;
        struct pl_list orders;   /* of transfers; guarded by *lock* */
        struct pl_wait *sleeper; /* guarded by *lock* */
        bool sockets_ready;      /* guarded by *lock* */

        unsigned index;
        struct pl_http_names *names; /* shared by the drivers of the run */

        /* The driver task's own. */
        CURLM *multi;
        struct pl_http_sockets sockets;
        struct pl_io_watch watch;
        int64_t timer_ns; /* when libcurl wants to be called */
        struct pl_list round;
        unsigned in_flight;
        unsigned connections_kept;
        struct pl_http_transfer *by_easy[PL_HTTP_BUCKETS];
};

/*
 * The driver for *origin* (a hash of scheme, host and port) in the run that is under way; the first call starts them.
 * 0 or -errno. Tasks only; never suspends.
 */
PL_WARN_UNUSED int pl_http_driver_for(struct pl_http_driver **ret, uint32_t origin);

/* Give the driver an order about a transfer: PL_HTTP_ORDER_... */
enum { PL_HTTP_ORDER_ADD = 1, PL_HTTP_ORDER_CONTINUE = 2, PL_HTTP_ORDER_REMOVE = 4 };
void pl_http_driver_order(struct pl_http_driver *driver, struct pl_http_transfer *transfer, unsigned order);

/* The body of a driver's task; returns when the run ends. driver.c starts it, loop.c is it. */
int pl_http_driver_loop(void *arg);

#endif
