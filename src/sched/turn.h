/*
 * Turns of a task that could keep its worker to itself: it runs its children inline, starts one task after the other,
 * or goes through a loop.
 */
#ifndef PL_SCHED_TURN_H
#define PL_SCHED_TURN_H

#include "sched/quick.h"

PL_NOINLINE bool pl_sched_turn_took_long(struct pl_worker *worker);

/* Others can go on here, and the task that runs has had a long turn. */
static PL_ALWAYS_INLINE bool pl_sched_turn_is_over(struct pl_worker *worker)
{
        return PL_UNLIKELY(pl_sched_ready_count(worker)) && pl_sched_turn_took_long(worker);
}

/* From a task: let one that can go on have a turn. The worker where the task goes on. */
struct pl_worker *pl_sched_let_ready_on(struct pl_worker *worker);

/* From a task: whether others could have a turn here. Forks do not count: they are parts of tasks that have theirs. */
bool pl_sched_others_wait(struct pl_worker *worker);

/* From a task: let them have it. What the task has left in the deque may be taken meanwhile. */
void pl_sched_end_turn(void);

#endif
