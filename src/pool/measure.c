/*
 * What a pool whose number of workers is found by measurement (width.h) tells its tuner. A worker counts as at work
 * while jobs are in its ring. Each result says when its job ended, by the worker's clock, which is the same one:
 * results may be taken late, and many at a time. What processor time jobs took, and for how long they were blocked, the
 * worker knows.
 *
 * Everything is told with the pool's lock, so the limit changes with it.
 */
#include "plat/sys.h"
#include "pool/process.h"
#include "pool/width.h"

#define SANE_NS INT64_C(86400000000000) /* a worker may write anything */

/* The tuner is to see time go on. */
static int64_t steady(struct pl_processes *pool, int64_t now_ns)
{
        if (pool->told_ns < now_ns)
                pool->told_ns = now_ns;
        return pool->told_ns;
}

static void begin(struct pl_process *worker, int64_t now_ns)
{
        struct pl_processes *pool = worker->pool;

        worker->metered = true;
        plait_tuner_begin(pool->executor.tuner, &worker->call, steady(pool, now_ns));
}

static void end(struct pl_process *worker, const struct plait_tuner_sample *sample, int64_t now_ns)
{
        struct pl_processes *pool = worker->pool;

        worker->metered = false;
        plait_tuner_end(pool->executor.tuner, &worker->call, sample, steady(pool, now_ns));
}

void pl_process_measure(struct pl_process *worker)
{
        const struct plait_tuner_sample nothing = {.outcome = PLAIT_TUNER_FAILED};

        if (PL_LIKELY(!worker->pool->executor.tuner) || worker->metered == (worker->n_in_flight > 0))
                return;
        if (worker->n_in_flight)
                begin(worker, pl_plat_now_ns());
        else
                end(worker, &nothing, pl_plat_now_ns());
}

/* What has been added to a sum that is the worker's. */
static int64_t added(const _Atomic int64_t *sum, int64_t *seen_ns)
{
        int64_t now_ns = atomic_load_explicit(sum, memory_order_relaxed);
        int64_t more_ns = now_ns > *seen_ns && now_ns < SANE_NS ? now_ns - *seen_ns : 0;

        *seen_ns += more_ns;
        return more_ns;
}

void pl_process_measure_result(struct pl_process *worker, int64_t ended_ns, int64_t took_ns, uint64_t items)
{
        struct plait_tuner_sample sample = {.outcome = PLAIT_TUNER_OK, .pieces = items};
        int64_t now_ns;

        if (PL_LIKELY(!worker->pool->executor.tuner) || !worker->metered)
                return;
        now_ns = pl_plat_now_ns();
        if (ended_ns > now_ns || ended_ns < worker->call.begin_ns)
                ended_ns = now_ns;
        if (took_ns >= 0 && took_ns < ended_ns - worker->call.begin_ns)
                worker->call.begin_ns = ended_ns - took_ns; /* before that it was on its way */
        sample.cpu_ns = added(&worker->share->used_ns, &worker->used_ns);
        sample.blocked_ns = added(&worker->share->blocked_ns, &worker->blocked_ns);
        end(worker, &sample, ended_ns);
        if (worker->n_in_flight)
                begin(worker, ended_ns);
}

/* --- the limit --- */

/* With the lock, as everything that tells the tuner. */
static void follow(void *arg, const struct plait_tuner_view *view)
{
        struct pl_processes *pool = arg;

        pool->limit = pl_width_of(view);
        pl_keeper_wake();
}

int pl_processes_begin_to_measure(struct pl_processes *pool)
{
        pool->setup->measures = true;
        return pl_width_begin(&pool->executor, &pool->setup->order, follow, pool, &pool->limit);
}

void pl_processes_look_at_processors(struct pl_processes *pool)
{
        unsigned processors = pl_width_look(&pool->executor);

        if (!processors)
                return;
        pl_lock_acquire(&pool->lock);
        (void)!plait_tuner_set_processors(pool->executor.tuner, processors, steady(pool, pl_plat_now_ns()));
        pl_lock_release(&pool->lock);
}
