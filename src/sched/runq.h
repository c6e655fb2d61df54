/*
 * A worker's tasks that have started and can go on: a list under a spinlock. The owner takes from the front, thieves
 * from the back. Sections are a few instructions long, and thieves only try, so the lock is practically the owner's;
 * an uncontended round costs 2.4 ns, and unlike a lock-free ring it has no capacity and splits at once.
 *
 * What news from the poller or a timer woke goes ahead of the others, but for one turn in PL_AHEAD_TURNS + 1: it stands
 * in a list of its own. Where a thousand tasks yield all the time it would wait for all of them to have their turns,
 * and it rarely takes long, since it waits for the next news soon.
 *
 * With one worker there are no thieves (others hand tasks over through the injector) and no lock.
 */
#ifndef PL_SCHED_RUNQ_H
#define PL_SCHED_RUNQ_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "plat/sys.h"
#include "sched/task.h"

enum { PL_AHEAD_TURNS = 4 };

struct pl_runq {
        _Atomic uint32_t locked;
        _Atomic uint32_t n;       /* written under the lock, read by thieves without it */
        _Atomic uint32_t n_ahead; /* the same: of them, those in *ahead*; and one more for pl_runq_never_rotate() */
        bool shared;
        uint8_t ahead_row; /* how many of *ahead* have been taken since one of *tasks* was, PL_AHEAD_TURNS at most */
        struct pl_list tasks;
        struct pl_list ahead;
};

static inline void pl_runq_init(struct pl_runq *queue, bool shared)
{
        *queue = (struct pl_runq){.shared = shared};
        pl_list_init(&queue->tasks);
        pl_list_init(&queue->ahead);
}

static inline bool pl_runq_try_lock(struct pl_runq *queue)
{
        return !queue->shared || !atomic_exchange_explicit(&queue->locked, 1, memory_order_acquire);
}

static inline void pl_runq_lock(struct pl_runq *queue)
{
        for (int spins = 0; PL_UNLIKELY(!pl_runq_try_lock(queue)); spins++) {
                if (spins < 64)
                        pl_cpu_relax();
                else
                        sched_yield(); /* its holder has lost its processor */
        }
}

static inline void pl_runq_unlock(struct pl_runq *queue)
{
        if (queue->shared)
                atomic_store_explicit(&queue->locked, 0, memory_order_release);
}

static inline uint32_t pl_runq_count(const struct pl_runq *queue)
{
        return atomic_load_explicit(&queue->n, memory_order_relaxed);
}

/* Before it is used: let pl_runq_has_ahead() be true always. */
static inline void pl_runq_never_rotate(struct pl_runq *queue)
{
        atomic_init(&queue->n_ahead, 1);
}

/* Whether a yield must not simply rotate(). Exact for the owner when false: nobody else puts tasks ahead. */
static inline bool pl_runq_has_ahead(const struct pl_runq *queue)
{
        return atomic_load_explicit(&queue->n_ahead, memory_order_relaxed) != 0;
}

/* Under the lock, as are the next four. */
static inline void pl_runq_add_count(struct pl_runq *queue, int32_t by)
{
        atomic_store_explicit(&queue->n, pl_runq_count(queue) + (uint32_t)by, memory_order_relaxed);
}

static inline void pl_runq_add_ahead(struct pl_runq *queue, int32_t by)
{
        uint32_t n = atomic_load_explicit(&queue->n_ahead, memory_order_relaxed);

        atomic_store_explicit(&queue->n_ahead, n + (uint32_t)by, memory_order_relaxed);
}

/* One of those ahead, if it is their turn. */
static inline struct pl_list *pl_runq_take_ahead(struct pl_runq *queue)
{
        if (pl_list_empty(&queue->ahead))
                return NULL;
        if (queue->ahead_row < PL_AHEAD_TURNS)
                queue->ahead_row++;
        else if (!pl_list_empty(&queue->tasks))
                return NULL;
        pl_runq_add_ahead(queue, -1);
        return pl_list_pop_front(&queue->ahead);
}

static inline struct plait_task *pl_runq_take_front(struct pl_runq *queue)
{
        struct pl_list *link = pl_runq_has_ahead(queue) ? pl_runq_take_ahead(queue) : NULL;

        if (!link) {
                link = pl_list_pop_front(&queue->tasks);
                queue->ahead_row = 0;
        }
        if (!link)
                return NULL;
        pl_runq_add_count(queue, -1);
        return PL_CONTAINER_OF(link, struct plait_task, link);
}

static inline void pl_runq_push_back(struct pl_runq *queue, struct plait_task *task)
{
        pl_runq_lock(queue);
        pl_list_push_back(&queue->tasks, &task->link);
        pl_runq_add_count(queue, 1);
        pl_runq_unlock(queue);
}

/* It was running just now, and is to go on soon. */
static inline void pl_runq_push_front(struct pl_runq *queue, struct plait_task *task)
{
        pl_runq_lock(queue);
        pl_list_push_front(&queue->tasks, &task->link);
        pl_runq_add_count(queue, 1);
        pl_runq_unlock(queue);
}

/* Ahead of what merely waits for its turn. */
static inline void pl_runq_push_ahead(struct pl_runq *queue, struct plait_task *task)
{
        pl_runq_lock(queue);
        pl_list_push_back(&queue->ahead, &task->link);
        pl_runq_add_ahead(queue, 1);
        pl_runq_add_count(queue, 1);
        pl_runq_unlock(queue);
}

static inline struct plait_task *pl_runq_pop_front(struct pl_runq *queue)
{
        if (!pl_runq_count(queue))
                return NULL;
        pl_runq_lock(queue);
        struct plait_task *task = pl_runq_take_front(queue);
        pl_runq_unlock(queue);
        return task;
}

/* Put *task* at the back and take the front, which may be *task* itself. Nobody is ahead. */
static inline struct plait_task *pl_runq_rotate(struct pl_runq *queue, struct plait_task *task)
{
        pl_runq_lock(queue);
        pl_list_push_back(&queue->tasks, &task->link);
        struct plait_task *front = PL_CONTAINER_OF(queue->tasks.next, struct plait_task, link);
        pl_list_remove(&front->link);
        pl_runq_unlock(queue);
        return front;
}

/* Move up to *most* tasks from the back of *victim* to *ret*. 0 when it is locked. */
static inline uint32_t pl_runq_steal(struct pl_runq *victim, uint32_t most, struct pl_list *ret)
{
        uint32_t n = 0;

        if (!pl_runq_try_lock(victim))
                return 0;
        while (n < most && !pl_list_empty(&victim->tasks)) {
                struct pl_list *last = victim->tasks.prev;

                pl_list_remove(last);
                pl_list_push_front(ret, last);
                n++;
        }
        while (n < most && !pl_list_empty(&victim->ahead)) {
                struct pl_list *last = victim->ahead.prev;

                pl_list_remove(last);
                pl_list_push_front(ret, last);
                pl_runq_add_ahead(victim, -1);
                n++;
        }
        pl_runq_add_count(victim, -(int32_t)n);
        pl_runq_unlock(victim);
        return n;
}

/* Add *n* tasks at the back. */
static inline void pl_runq_append(struct pl_runq *queue, struct pl_list *tasks, uint32_t n)
{
        pl_runq_lock(queue);
        pl_list_splice_back(&queue->tasks, tasks);
        pl_runq_add_count(queue, (int32_t)n);
        pl_runq_unlock(queue);
}

#endif
