/*
 * Forks: a call that another worker may take over. The record stands in the frame of the task that forks, and in its
 * worker's deque among the tasks that have not started, told from them by the lowest bit. If nobody takes it, the task
 * itself takes it back and makes the call: that costs a push and a pop. If somebody does, it becomes a task there.
 *
 * What a forked call returns is for whoever joins; it fails no scope. It is in the scope that the task was in.
 */
#ifndef PL_SCHED_FORK_H
#define PL_SCHED_FORK_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/worker.h"

/*
 * What has become of a fork that somebody has taken, in the lowest bits of its parent's address (one word, because each
 * store before the deque's pop makes that dearer).
 */
enum pl_fork_state {
        PL_FORK_PENDING, /* not made, or being made elsewhere */
        PL_FORK_AWAITED, /* and its task sleeps until it is done */
        PL_FORK_DONE,
        PL_FORK_STATE_MASK = 3,
};

enum { PL_FORK_BIT = 1 };

static inline struct plait_task *pl_fork_parent(const struct plait_fork *fork)
{
        uintptr_t word = __atomic_load_n(&fork->pl_parent, __ATOMIC_RELAXED);
        struct pl_wait *flow = (struct pl_wait *)(word & ~(uintptr_t)PL_FORK_STATE_MASK);

        return PL_CONTAINER_OF(flow, struct plait_task, wait);
}

/* Its task sleeps for it. Of a fork that the caller has taken. */
static inline bool pl_fork_is_awaited(const struct plait_fork *fork)
{
        return __atomic_load_n(&fork->pl_parent, __ATOMIC_RELAXED) & PL_FORK_AWAITED;
}

static inline void *pl_fork_as_work(struct plait_fork *fork)
{
        return (char *)fork + PL_FORK_BIT;
}

static inline struct plait_fork *pl_work_as_fork(void *work)
{
        return (uintptr_t)work & PL_FORK_BIT ? (struct plait_fork *)(void *)((char *)work - PL_FORK_BIT) : NULL;
}

static inline bool pl_work_is_task(void *work)
{
        return work && !pl_work_as_fork(work);
}

/* Offer the call to others. False: the deque is full, and the fork must not be joined. */
bool pl_fork_push(struct pl_worker *worker, struct plait_fork *fork, int (*fn)(void *), void *arg);

/* The result of the call, made here and now if nobody else has taken it. */
int pl_fork_join(struct plait_fork *fork);

#endif
