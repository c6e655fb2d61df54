/*
 * A standing watch over a descriptor that a library (libcurl) reads and writes by itself: a callback tells when it is
 * ready, again and again for as long as it is (level-triggered), on both pollers.
 *
 * The callback runs on the thread of the worker that looked, which is usually the one whose task started or last
 * changed the watch, between two tasks, and under the descriptor's lock. It must be short: note what is ready, wake a
 * task (pl_sched_wake_claim(), pl_sched_wake_ready()). It must not wait, nor call any function below, nor plait_read()
 * and the like. It is called at most once per look, and only while the descriptor is ready for something of *events* or
 * has failed (POLLERR, POLLHUP); so do what is due, change the events or stop the watch, or it will be called for ever.
 *
 * A watch lives in the caller's storage from start to stop. Its functions are for tasks, one at a time per watch; the
 * calling task may have moved to another worker since the last call. A descriptor has at most one watch, and no task
 * may wait for it in other ways at the same time. Stop the watch before the descriptor is closed.
 */
#ifndef PL_IO_WATCH_H
#define PL_IO_WATCH_H

#include <poll.h>

#include "base/attributes.h"

struct pl_io_watch {
        int fd;          /* -1: not started */
        unsigned events; /* POLLIN | POLLOUT, or 0: errors only, where the poller reports them */
        void (*ready)(struct pl_io_watch *watch, unsigned events);
};

/*
 * Watch *fd* for *events*. 0, -EBUSY (the descriptor has a watch, or a task waits for it), -EBADF, -EPERM (a regular
 * file: it is always ready), -ENOMEM or -ENOSPC (too many watches for this user). Never suspends.
 */
PL_WARN_UNUSED int pl_io_watch_start(struct pl_io_watch *watch, int fd, unsigned events,
                                     void (*ready)(struct pl_io_watch *watch, unsigned events));

/*
 * End the watch: *ready* neither runs nor will be called when this returns, and *watch* can go away. Harmless when it
 * is not started and *fd* is -1. May suspend, without regard to cancellation.
 */
void pl_io_watch_stop(struct pl_io_watch *watch);

#endif
