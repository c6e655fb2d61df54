/* Who is told of waits that can be part of a deadlock: src/sync, which knows locks and their holders. */
#ifndef PL_SCHED_TIE_H
#define PL_SCHED_TIE_H

#include <stdbool.h>

#include "sched/wait.h"

/* pl_wait.endless */
enum { PL_WAIT_ENDLESS = 1, PL_WAIT_TIED = 2 /* and for a scope with a task that is tied up */ };

/*
 * Call *look* with each wait without a deadline for a lock, a task or a scope, when it has begun and before its flow
 * sleeps; *tied_child*: for a scope in which somebody waits like that.
 */
void pl_sched_on_tie(void (*look)(struct pl_wait *wait, bool tied_child));

/* Call *asleep* when all workers are about to sleep, and no timer, descriptor or queued task is there to wake them. */
void pl_sched_on_asleep(void (*asleep)(void));

/* --- for src/sched --- */

static inline bool pl_sched_may_tie(unsigned cause)
{
        const unsigned causes = 1U << PL_WAIT_JOIN | 1U << PL_WAIT_TASK | 1U << PL_WAIT_MUTEX |
                                1U << PL_WAIT_RWLOCK_READ | 1U << PL_WAIT_RWLOCK_WRITE;

        return causes >> cause & 1;
}

/* *wait*, the caller's, is one of those, and has no deadline. */
PL_NOINLINE void pl_sched_tie(struct pl_wait *wait);

/* The last worker awake is about to sleep until *until_ns*. Returns until when it may. */
int64_t pl_sched_all_asleep(int64_t until_ns);

#endif
