/*
 * The poller, as the scheduler sees it. src/io implements it (epoll, io_uring); pl_sched_run() is given one.
 *
 * Each worker opens a poller of its own. It asks it for news between tasks, and parks inside it when there is nothing
 * to run. News become runnable tasks by pl_sched_wake_ready() from inside wait(), on the worker's thread.
 */
#ifndef PL_SCHED_POLLER_H
#define PL_SCHED_POLLER_H

#include <stdbool.h>
#include <stdint.h>

struct pl_poller; /* the implementation's own */

struct pl_poller_ops {
        const char *name;
        /* A poller for worker *index*. 0 or -errno. Called in the thread that will call wait(). */
        int (*open)(struct pl_poller **ret, unsigned index);
        void (*close)(struct pl_poller *poller);
        /*
         * Look for news and wake who waited for them. Blocks until there are some, notify() is called or *deadline_ns*
         * has come; a deadline that has passed only looks. Only the owner calls it.
         */
        void (*wait)(struct pl_poller *poller, int64_t deadline_ns);
        /* Make the owner's wait(), this or the next one, return. Any thread. */
        void (*notify)(struct pl_poller *poller);
        /* Whether anything is being waited for, so that looking makes sense. Only the owner calls it. */
        bool (*watching)(const struct pl_poller *poller);
        /*
         * Look for news in the poller of a worker that is held up; called by another worker. NULL where only the owner
         * can look.
         */
        void (*look_for)(struct pl_poller *poller);
        /*
         * A descriptor by which another process can make the owner's wait() return, if it writes 8 bytes, a 1. Only the
         * owner calls it; from then on it takes longer to wake.
         */
        int (*bell)(struct pl_poller *poller);
};

/* The calling worker's poller. Only in a task or a worker. */
struct pl_poller *pl_sched_poller(void);

#endif
