/* What a worker has: made before it runs, opened and closed in its thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sched/compact.h"
#include "sched/worker.h"

enum { FIRST_NAP_NS = 100 * 1000 };

PL_TLS_DEFINE(struct pl_worker, pl_sched_self);

/* Of all threads that are no workers; it never opens. */
static struct plait_deque no_deque;

__attribute__((used, tls_model("initial-exec"))) __thread struct plait_deque *plait_deque_tls = &no_deque;

void pl_sched_worker_become(struct pl_worker *worker)
{
        struct plait_deque *deque = worker ? &worker->fresh : &no_deque;

        pl_sched_self_set(worker);
        PL_TLS_STORE(deque, "plait_deque_tls");
}

int pl_sched_worker_init(struct pl_worker *worker, unsigned index)
{
        const struct pl_run *run = &pl_sched_the_run;
        bool shared = run->n_workers > 1;

        memset(worker, 0, sizeof *worker);
        worker->sightings = calloc(run->n_slots, sizeof *worker->sightings);
        if (!worker->sightings)
                return -ENOMEM;
        worker->index = index;
        worker->random = pl_plat_random_u64() | 1;
        worker->next_stage = PL_IDLE_LIGHT;
        worker->nap_ns = FIRST_NAP_NS;
        worker->service_at = worker->service_turns = PL_SERVICE_TICKS;
        pl_mem_slab_cache_init(&worker->tasks, &pl_sched_task_pool);
        pl_list_init(&worker->parked_link);
        pl_runq_init(&worker->ready, shared);
        pl_runq_init(&worker->bound, shared);
        if (run->migrate)
                pl_runq_never_rotate(&worker->ready);
        pl_sched_clock_init(&worker->clock);
        pl_timers_init(&worker->timers, pl_plat_now_ns());
        return 0;
}

void pl_sched_worker_done(struct pl_worker *worker)
{
        free(worker->sightings);
        worker->sightings = NULL;
}

/* In the worker's thread. */
static int apply_order(const struct pl_worker *worker)
{
        const struct pl_run *run = &pl_sched_the_run;
        struct pl_order order = run->order;

        if (!run->ordered)
                return 0;
        if (run->pinned)
                pl_plat_order_narrow(&order, worker->index);
        return pl_plat_order_apply(&order);
}

int pl_sched_worker_open(struct pl_worker *worker)
{
        worker->tid = pl_plat_thread_id();
        pl_fiber_init_thread(&worker->root_fiber);

        int r = apply_order(worker);

        if (worker->index && !worker->spare)
                pl_plat_thread_scatter(pl_sched_the_run.home, worker->index);
        if (r == 0)
                r = pl_mem_overflow_thread_init(&worker->overflow);
        if (r < 0)
                return r;
        r = pl_sched_the_run.poller->open(&worker->poller, worker->index);
        if (r < 0)
                pl_mem_overflow_thread_done(&worker->overflow);
        return r;
}

void pl_sched_worker_close(struct pl_worker *worker)
{
        pl_sched_the_run.poller->close(worker->poller);
        worker->poller = NULL;
        pl_compact_done(worker);
        pl_mem_stack_cache_flush(&worker->stacks);
        pl_mem_slab_cache_flush(&worker->tasks);
        pl_mem_overflow_thread_done(&worker->overflow);
}
