/*
 * The short ways, inline: what a wake-up and a switch do when nothing else is to be done just then.
 *
 * A worker has a place for one task, *next*, that goes before all others that can go on: the one it woke last, since
 * what that waited for is in this processor's cache. Only the owner puts a task there. The owner and thieves take it by
 * an exchange; so two tasks that wake each other by turns touch neither the queue nor its lock, and a task that stands
 * behind one that computes can be rescued like any other.
 */
#ifndef PL_SCHED_QUICK_H
#define PL_SCHED_QUICK_H

#include "sched/worker.h"

/* How often in a row a task that is woken goes before those that wait in the queue, or they might wait for ever. */
enum { PL_FRONT_WAKES = 3 };

/* Owner. False: there is one already. */
static PL_ALWAYS_INLINE bool pl_sched_put_next(struct pl_worker *worker, struct plait_task *task)
{
        if (atomic_load_explicit(&worker->next, memory_order_relaxed))
                return false;
        atomic_store_explicit(&worker->next, task, memory_order_release);
        return true;
}

/* Anybody. NULL: there is none. */
static PL_ALWAYS_INLINE struct plait_task *pl_sched_take_next(struct pl_worker *worker)
{
        struct plait_task *task = atomic_load_explicit(&worker->next, memory_order_relaxed);

        if (!task)
                return NULL;
        if (worker->ready.shared)
                return atomic_exchange_explicit(&worker->next, NULL, memory_order_acquire);
        atomic_store_explicit(&worker->next, NULL, memory_order_relaxed);
        return task;
}

/* Owner: the first of those that can go on. */
static PL_ALWAYS_INLINE struct plait_task *pl_sched_take_ready(struct pl_worker *worker)
{
        struct plait_task *task = pl_sched_take_next(worker);

        return task ? task : pl_runq_pop_front(&worker->ready);
}

/* How many can go on there. */
static inline uint32_t pl_sched_ready_count(const struct pl_worker *worker)
{
        return pl_runq_count(&worker->ready) + (atomic_load_explicit(&worker->next, memory_order_relaxed) != NULL);
}

/* pl_sched_pick(). */
static PL_ALWAYS_INLINE struct plait_task *pl_sched_pick_quickly(struct pl_worker *worker)
{
        uint32_t ticks = atomic_load_explicit(&worker->ticks, memory_order_relaxed) + 1;

        if (PL_UNLIKELY(!atomic_load_explicit(&worker->next, memory_order_relaxed) || ticks == worker->service_at ||
                        !pl_deque_empty(&worker->fresh) || pl_runq_count(&worker->bound) ||
                        pl_runq_count(&pl_sched_the_run.high)))
                return pl_sched_pick(worker);
        atomic_store_explicit(&worker->ticks, ticks, memory_order_relaxed);
        struct plait_task *task = pl_sched_take_next(worker);
        return PL_LIKELY(task != NULL) ? task : pl_sched_pick(worker);
}

/* pl_sched_enqueue(). Where nobody waits in the queue, its front and its back are the same. */
static PL_ALWAYS_INLINE void pl_sched_enqueue_quickly(struct plait_task *task)
{
        struct pl_worker *worker = pl_sched_self_get();

        if (PL_UNLIKELY(!worker || task->bound || worker->looking || pl_sched_the_run.migrate ||
                        pl_runq_count(&worker->ready) || !pl_sched_put_next(worker, task))) {
                pl_sched_enqueue(task);
                return;
        }
        worker->front_wakes = 0;
        pl_sched_offer();
}

#endif
