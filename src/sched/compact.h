/*
 * Compact tasks: they share one stack per worker, and while they wait and another one needs it, what they have on it is
 * kept elsewhere, in as many bytes as that is. A task that sleeps in a function or two then costs some 650 bytes
 * instead of a page and more, and its first wait touches no fresh page. (libaco and others before it call this copying
 * stack; here it is one kind of task among others, and lazy.)
 *
 * What has been copied out works only at the address it was copied from, so a compact task is bound to the worker that
 * started it: it is never stolen, and who wakes it queues it there. And nobody may hold a pointer into its stack while
 * it waits; the library lends none (see pl_compact_check()), and the user is told not to.
 *
 * Sanitizers keep books about every stack frame, which copying would upset: with them, compact tasks are ordinary ones.
 */
#ifndef PL_SCHED_COMPACT_H
#define PL_SCHED_COMPACT_H

#include <stdbool.h>

#include "sched/worker.h"

/* Frames that have been copied out: the last *bytes* below the top of the stack. */
struct saved {
        uint32_t bytes;
        uint32_t size; /* index of the pool in compact.c; beyond the last: from malloc */
        char data[];
};

/*
 * From a flow that is not on the shared stack: put *task*, which is bound to this worker or starts, onto it. Aborts
 * when there is no memory.
 */
void pl_compact_enter(struct pl_worker *worker, struct plait_task *task, pl_context_entry flow);

/* *next* goes on where the task that just ended on the shared stack was. */
void pl_compact_follow(struct pl_worker *worker, struct plait_task *next);

/* The task on the shared stack has ended. */
void pl_compact_end(struct pl_worker *worker);

/* A compact task is about to wait: abort if anything on its stack is lent to others. *flags* as for wait_finish(). */
void pl_compact_check(const struct plait_task *task, unsigned flags);

/* Whether *stack* is the worker's shared one. */
bool pl_compact_is_shared(const struct pl_worker *worker, const struct pl_stack *stack);

/* The worker stops. */
void pl_compact_done(struct pl_worker *worker);

#endif
