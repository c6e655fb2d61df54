/*
 * Forks: a call that another worker may take over. The record stands in the frame of the task that forks, and in its
 * worker's deque among the tasks that have not started, told from them by the lowest bit. If nobody takes it, the task
 * itself takes it back and makes the call: that costs a push and a pop. If somebody does, it becomes a task there.
 *
 * What a forked call returns is for whoever joins; it fails no scope. It is in the scope that the task was in.
 */
#ifndef PL_SCHED_FORK_H
#define PL_SCHED_FORK_H

#include <stdatomic.h>
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

struct pl_fork {
        int (*fn)(void *arg);
        void *arg;
        _Atomic uintptr_t parent;  /* struct plait_task, and enum pl_fork_state */
        struct plait_scope *scope; /* the parent's at the time */
        int result;
};

enum { PL_FORK_BIT = 1 };

static inline struct plait_task *pl_fork_parent(struct pl_fork *fork)
{
        uintptr_t word = atomic_load_explicit(&fork->parent, memory_order_relaxed);

        return (struct plait_task *)(word & ~(uintptr_t)PL_FORK_STATE_MASK);
}

static inline void *pl_fork_as_work(struct pl_fork *fork)
{
        return (char *)fork + PL_FORK_BIT;
}

static inline struct pl_fork *pl_work_as_fork(void *work)
{
        return (uintptr_t)work & PL_FORK_BIT ? (struct pl_fork *)(void *)((char *)work - PL_FORK_BIT) : NULL;
}

/* Offer the call to others. False: the deque is full, and the fork must not be joined. */
static PL_ALWAYS_INLINE bool pl_fork_push(struct pl_worker *worker, struct pl_fork *fork, int (*fn)(void *), void *arg)
{
        fork->fn = fn;
        fork->arg = arg;
        fork->scope = worker->current->scope;
        atomic_store_explicit(&fork->parent, (uintptr_t)worker->current | PL_FORK_PENDING, memory_order_relaxed);
        if (PL_UNLIKELY(!pl_deque_push(&worker->fresh, pl_fork_as_work(fork))))
                return false;
        pl_sched_offer();
        return true;
}

/* What *work*, which was not the caller's fork, keeps it from: put it back and wait until the fork is done. */
int pl_fork_await(struct pl_worker *worker, struct pl_fork *fork, void *work);

/* The result of the call, made here and now if nobody else has taken it. */
static PL_ALWAYS_INLINE int pl_fork_join(struct pl_fork *fork)
{
        struct pl_worker *worker = pl_sched_self_get();
        void *work = pl_deque_pop(&worker->fresh);

        if (PL_LIKELY(work == pl_fork_as_work(fork)))
                return fork->fn(fork->arg);
        return pl_fork_await(worker, fork, work);
}

#endif
