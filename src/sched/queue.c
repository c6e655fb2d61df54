/*
 * Where a task that can run goes.
 *
 * To the worker that woke it, before all others: what it waited for is in that processor's cache, and two tasks that
 * talk to each other then take turns there instead of waking another processor, which costs 7 us here and 20 there.
 * But only one task at a time, and only three times in a row (PL_FRONT_WAKES), or such a pair would keep everybody else
 * waiting. A worker that is without work leaves a task that was just put to the front alone, too (see pick.c).
 *
 * What the poller or a timer woke goes ahead of those that had a turn before and wait for another (runq.h).
 */
#include "sched/quick.h"

/* News go ahead among those of their kind. *worker* is the caller's, or NULL. */
static void push(const struct pl_worker *worker, struct pl_runq *queue, struct plait_task *task)
{
        if (worker && worker->looking)
                pl_runq_push_ahead(queue, task);
        else
                pl_runq_push_back(queue, task);
}

/* PLAIT_DEBUG=migrate: to the next worker, whatever it does. */
static void enqueue_elsewhere(struct pl_worker *worker, struct plait_task *task)
{
        struct pl_worker *other = &pl_sched_the_run.workers[(worker->index + 1) % pl_sched_the_run.n_workers];

        push(worker, &other->ready, task);
        if (other != worker)
                pl_sched_the_run.poller->notify(other->poller);
        pl_sched_offer();
}

/* For whoever comes first. Workers that sleep come across neither of these queues, so one is woken. */
static void enqueue_by_priority(const struct pl_worker *worker, struct plait_task *task)
{
        struct pl_run *run = &pl_sched_the_run;

        push(worker, task->worker == PL_HIGH ? &run->high : &run->low, task);
        pl_sched_wake_any();
}

/* To the worker that the task is bound to: a compact task to where its stack is, a service to where it serves. */
static PL_NOINLINE void enqueue_bound(const struct pl_worker *worker, struct plait_task *task)
{
        if (task->worker >= PL_LOW) {
                enqueue_by_priority(worker, task);
                return;
        }

        struct pl_worker *own = &pl_sched_the_run.workers[task->worker];

        push(worker, &own->bound, task);
        if (own != worker)
                pl_sched_the_run.poller->notify(own->poller);
        pl_sched_offer(); /* not for this task: if all slept, somebody must look after its worker */
}

/* From a thread that is no worker. The task may run and end the run before this returns. */
static PL_NOINLINE void inject(struct plait_task *task)
{
        struct pl_run *run = &pl_sched_the_run;

        atomic_fetch_add(&run->n_injecting, 1);
        if (PL_UNLIKELY(task->bound)) {
                enqueue_bound(NULL, task);
        } else {
                pl_runq_push_back(&run->injector, task);
                pl_sched_wake_any();
        }
        atomic_fetch_sub_explicit(&run->n_injecting, 1, memory_order_release);
}

void pl_sched_enqueue(struct plait_task *task)
{
        struct pl_worker *worker = pl_sched_self_get();

        if (PL_UNLIKELY(!worker)) {
                inject(task);
                return;
        }
        if (PL_UNLIKELY(task->bound)) {
                enqueue_bound(worker, task);
                return;
        }
        if (PL_UNLIKELY(pl_sched_the_run.migrate)) {
                enqueue_elsewhere(worker, task);
                return;
        }
        if (worker->looking) {
                worker->front_wakes = 0;
                pl_runq_push_ahead(&worker->ready, task);
        } else if (worker->front_wakes == PL_FRONT_WAKES) {
                worker->front_wakes = 0;
                pl_runq_push_back(&worker->ready, task);
        } else {
                worker->front_wakes++;
                if (!pl_sched_put_next(worker, task))
                        pl_runq_push_back(&worker->ready, task);
        }
        pl_sched_offer();
}

void pl_sched_enqueue_on(struct plait_task *task, unsigned index)
{
        task->bound = 1;
        task->worker = (uint16_t)index;
        enqueue_bound(pl_sched_self_get(), task);
}

void pl_sched_enqueue_yielding(struct pl_worker *worker, struct plait_task *task)
{
        if (PL_UNLIKELY(task->bound))
                enqueue_bound(worker, task);
        else if (PL_UNLIKELY(pl_sched_the_run.migrate))
                enqueue_elsewhere(worker, task);
        else
                pl_runq_push_back(&worker->ready, task);
}
