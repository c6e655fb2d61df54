/*
 * The executor with threads of its own. A job goes to a thread that is idle, the last to become so first, or to a new
 * one, or into the queue. A thread that has nothing to do looks for a job for a moment, if that is worth it, then
 * sleeps on a word of its own.
 *
 * Locking: the pool's lock guards everything in it and in its workers but *called*. Jobs, initializers and finalisers
 * run without it, and jobs are finished without it.
 *
 * *serving* counts the threads that take jobs; one that will not take more is off it at once, and *alive* until its
 * last access to the pool but being joined. While a job is queued, somebody serves: who stops serving starts another
 * one, or, when that cannot be done, refuses the jobs that wait.
 */
#include <errno.h>
#include <stdlib.h>

#include "plait/future.h"
#include "plat/order.h"
#include "plat/sys.h"
#include "pool/executor.h"
#include "pool/meter.h"
#include "pool/width.h"

enum {
        SPIN_US = 50, /* how long an idle thread looks for a job before it sleeps, and what is a short wait */
        SHORT_JOB_NS = 20000,
};

/* worker.called */
enum { SLEEPS, CALLED, LOOKS };

struct pool {
        struct plait_executor base;
        struct pl_lock lock;
        struct pl_job_queue queue;
        struct pl_list idle;  /* workers; last come first served */
        struct pl_list all;   /* workers that are alive */
        struct pl_list ended; /* workers to be joined */
        unsigned alive, serving, limit, looking;
        unsigned jobs_per_worker;
        bool stopping, gone;
        bool pinned;
        bool many_cpus;
        int (*initializer)(void *arg);
        void (*finaliser)(void *arg);
        void *arg;
        size_t stack_bytes;
        struct pl_order order;
        uint64_t started, running;
        int64_t busy_ns, cpu_ns; /* cpu: of threads that have ended */
};

struct worker {
        struct pl_list link; /* in idle, or ended */
        struct pl_list all_link;
        struct pool *pool;
        struct pl_thread thread;
        struct pl_job *job; /* handed over while it was idle */
        unsigned index;
        unsigned jobs;
        bool leave;
        bool quick;                 /* its last wait for a job was short */
        struct pl_pool_meter meter; /* its own: with PLAIT_AUTO */
        _Atomic uint32_t tid;
        _Atomic uint32_t called;
};

static struct pool *pool_of(struct plait_executor *executor)
{
        return PL_CONTAINER_OF(executor, struct pool, base);
}

static const struct pl_executor_kind threads_kind;

/* --- calling idle threads --- */

/* Locked. Returns whose futex is to be woken when the lock has been released; NULL: nobody's. */
static _Atomic uint32_t *call(struct worker *worker)
{
        return atomic_exchange_explicit(&worker->called, CALLED, memory_order_acq_rel) == SLEEPS ? &worker->called
                                                                                                 : NULL;
}

/* The thread may be gone by now: nothing is read or written there. */
static void wake(_Atomic uint32_t *word)
{
        if (word)
                pl_plat_futex_wake(word, 1);
}

static struct worker *pop_idle(struct pool *pool)
{
        struct pl_list *link = pl_list_pop_front(&pool->idle);

        return link ? PL_CONTAINER_OF(link, struct worker, link) : NULL;
}

static bool is_called(struct worker *worker)
{
        return atomic_load_explicit(&worker->called, memory_order_acquire) == CALLED;
}

/* False: it has not been called yet, and may sleep. */
static bool look(struct worker *worker, int64_t start_ns)
{
        uint32_t looks = LOOKS;

        do {
                for (int i = 0; i < 32 && !is_called(worker); i++)
                        pl_cpu_relax();
        } while (!is_called(worker) && pl_plat_now_ns() - start_ns < SPIN_US * 1000);
        return !atomic_compare_exchange_strong(&worker->called, &looks, SLEEPS);
}

/* Locked on entry and return: wait until called. One thread at a time looks, the others sleep at once. */
static void wait_for_call(struct worker *worker) PL_NO_LOCK_CHECK
{
        struct pool *pool = worker->pool;
        bool looks = worker->quick && pool->many_cpus && pool->looking == 0;
        int64_t start_ns = pl_plat_now_ns();

        pool->looking += looks;
        atomic_store_explicit(&worker->called, looks ? LOOKS : SLEEPS, memory_order_relaxed);
        pl_list_push_front(&pool->idle, &worker->link);
        pl_lock_release(&pool->lock);
        if (!looks || !look(worker, start_ns))
                while (!is_called(worker))
                        (void)pl_plat_futex_wait(&worker->called, SLEEPS, PL_PLAT_NEVER);
        worker->quick = pl_plat_now_ns() - start_ns < 2 * SPIN_US * 1000;
        pl_lock_acquire(&pool->lock);
        pool->looking -= looks;
}

/* --- threads that come and go --- */

static void *serve(void *arg);

/* Locked: threads that have ended, or are about to, and will not ask for the lock any more. */
static void join_ended(struct pool *pool)
{
        struct pl_list *link;

        while ((link = pl_list_pop_front(&pool->ended))) {
                struct worker *worker = PL_CONTAINER_OF(link, struct worker, link);

                pl_plat_thread_join(&worker->thread);
                free(worker);
        }
}

/* Locked. 0 or -EAGAIN. */
static int start(struct pool *pool)
{
        struct worker *worker = calloc(1, sizeof *worker);

        join_ended(pool);
        if (!worker)
                return -EAGAIN;
        worker->pool = pool;
        worker->index = (unsigned)pool->started;
        worker->quick = true;
        pl_list_init(&worker->link);
        if (pl_plat_thread_start(&worker->thread, serve, worker, pool->stack_bytes, pool->base.name) < 0) {
                free(worker);
                return -EAGAIN;
        }
        pl_list_push_back(&pool->all, &worker->all_link);
        pool->started++;
        pool->alive++;
        pool->serving++;
        return 0;
}

/* Locked on entry and return: the worker takes no more jobs, because of *error* if that is not 0. */
static void retire(struct pool *pool, int error) PL_NO_LOCK_CHECK
{
        pool->serving--;
        if (error == 0) {
                if (!pool->queue.count || pool->serving >= pool->limit)
                        return;
                error = start(pool);
        }
        if (error < 0 && pool->serving == 0) {
                pl_lock_release(&pool->lock);
                pl_job_queue_refuse_all(&pool->queue, &pool->lock, error);
                pl_lock_acquire(&pool->lock);
        }
}

/* Locked: whether the caller is to say that all workers are gone. */
static bool is_last(struct pool *pool)
{
        if (!pool->stopping || pool->alive || pool->queue.count || pool->gone)
                return false;
        pool->gone = true;
        return true;
}

/* --- jobs --- */

static bool is_unwanted(void *arg)
{
        return pl_job_is_unwanted(arg) != PLAIT_JOB_RETURNED;
}

static enum plait_job_status run(struct pl_job *job, int *result)
{
        enum plait_job_status status = pl_job_is_unwanted(job);
        struct pl_job_here here = {.executor = job->executor,
                                   .cancelled = is_unwanted,
                                   .arg = job,
                                   .bytes = job->result_bytes,
                                   .most = job->result_bytes};

        if (status != PLAIT_JOB_RETURNED)
                return status;
        struct pl_job_here *before = pl_job_here_set(&here);
        *result = pl_job_run(job);
        pl_job_here_set(before);
        job->end.bytes = here.bytes;
        return *result == -ECANCELED ? pl_job_is_unwanted(job) : PLAIT_JOB_RETURNED;
}

/* Whether to look for the result of the next job instead of sleeping. */
static void judge(struct pool *pool, const struct pl_job *job)
{
        bool is_short = pool->many_cpus && job->took_ns < SHORT_JOB_NS;

        if (atomic_load_explicit(&pool->base.spins, memory_order_relaxed) != is_short)
                atomic_store_explicit(&pool->base.spins, is_short, memory_order_relaxed);
}

static void follow_processors(struct pool *pool)
{
        unsigned processors = pl_width_look(&pool->base);

        if (processors)
                (void)!plait_tuner_set_processors(pool->base.tuner, processors, pl_plat_now_ns());
}

/* Locked on entry and return. */
static void make(struct worker *worker, struct pl_job *job) PL_NO_LOCK_CHECK
{
        struct pool *pool = worker->pool;
        int result = 0;

        pool->running++;
        worker->jobs++;
        pl_lock_release(&pool->lock);
        pl_job_dequeued(job);
        pl_pool_meter_begin(&worker->meter);
        enum plait_job_status status = run(job, &result);
        pl_pool_meter_end(&worker->meter, job->progress);
        follow_processors(pool);
        pl_lock_acquire(&pool->lock);
        pool->running--;
        pool->busy_ns += job->took_ns;
        pl_job_queue_end(job);
        judge(pool, job);
        pl_lock_release(&pool->lock);
        pl_job_finish(job, status, result);
        pl_lock_acquire(&pool->lock);
}

/* Locked: the next job, which is then under way; NULL: the worker is to retire. */
static struct pl_job *next_job(struct worker *worker)
{
        struct pool *pool = worker->pool;

        for (;;) {
                struct pl_job *job = worker->job;

                worker->job = NULL;
                if (job)
                        return job;
                if (worker->leave || pool->serving > pool->limit ||
                    (pool->jobs_per_worker && worker->jobs >= pool->jobs_per_worker))
                        return NULL;
                job = pl_job_queue_pop(&pool->queue);
                if (job) {
                        pl_job_queue_begin(&pool->queue, job);
                        return job;
                }
                if (pool->stopping)
                        return NULL;
                wait_for_call(worker);
        }
}

static int prepare(const struct worker *worker)
{
        const struct pool *pool = worker->pool;
        struct pl_order order = pool->order;

        if (pool->pinned)
                pl_plat_order_narrow(&order, worker->index);
        int r = pl_plat_order_apply(&order);
        if (r == 0 && pool->initializer)
                r = pool->initializer(pool->arg);
        return r < 0 ? r : 0;
}

static void *serve(void *arg)
{
        struct worker *worker = arg;
        struct pool *pool = worker->pool;
        struct pl_job *job;
        uint32_t tid = pl_plat_thread_id();

        atomic_store_explicit(&worker->tid, tid, memory_order_relaxed);
        int r = prepare(worker);
        pl_pool_meter_init(&worker->meter, pool->base.tuner, tid);
        pl_lock_acquire(&pool->lock);
        while (r == 0 && (job = next_job(worker)))
                make(worker, job);
        retire(pool, r);
        if (r == 0 && pool->finaliser) {
                pl_lock_release(&pool->lock);
                pool->finaliser(pool->arg);
                pl_lock_acquire(&pool->lock);
        }
        pool->cpu_ns += pl_plat_thread_cpu_ns(tid);
        pool->alive--;
        pl_list_remove(&worker->all_link);
        pl_list_push_back(&pool->ended, &worker->link);
        bool last = is_last(pool);
        pl_lock_release(&pool->lock);
        if (last)
                pl_executor_gone(&pool->base);
        return NULL;
}

/* --- the kind --- */

/* Locked: put it where a worker will find it. */
static int queue_job(struct pool *pool, struct pl_job *job)
{
        pl_job_queue_push(&pool->queue, job);
        if (pool->serving >= pool->limit || start(pool) == 0 || pool->serving > 0)
                return 0;
        pl_job_queue_remove(&pool->queue, job);
        return -EAGAIN;
}

static int threads_submit(struct plait_executor *executor, struct pl_job *job)
{
        struct pool *pool = pool_of(executor);
        _Atomic uint32_t *sleeper = NULL;
        int r = 0;

        pl_lock_acquire(&pool->lock);
        struct worker *worker = NULL;
        if (pool->stopping) {
                r = -EPIPE;
        } else if (plait_future_cancel_requested(job->future)) {
                r = -ECANCELED;
        } else if ((worker = pop_idle(pool))) {
                worker->job = job;
                pl_job_queue_begin(&pool->queue, job);
                sleeper = call(worker);
        } else {
                r = queue_job(pool, job);
        }
        pl_lock_release(&pool->lock);
        wake(sleeper);
        return r;
}

static bool threads_cancel(struct plait_executor *executor, struct pl_job *job)
{
        struct pool *pool = pool_of(executor);

        pl_lock_acquire(&pool->lock);
        bool taken = pl_job_queue_remove(&pool->queue, job);
        pl_lock_release(&pool->lock);
        return taken;
}

/* Locked: have idle workers retire, all or those above the limit. */
static void dismiss_idle(struct pool *pool, bool all)
{
        unsigned above = pool->serving > pool->limit ? pool->serving - pool->limit : 0;
        struct worker *worker;

        while ((all || above-- > 0) && (worker = pop_idle(pool))) {
                worker->leave = true;
                wake(call(worker));
        }
}

static void threads_resize(struct plait_executor *executor, unsigned workers)
{
        struct pool *pool = pool_of(executor);

        pl_lock_acquire(&pool->lock);
        pool->limit = workers;
        dismiss_idle(pool, false);
        size_t wanted = pool->queue.count;
        while (wanted-- > 0 && pool->serving < pool->limit && start(pool) == 0)
                ;
        pl_lock_release(&pool->lock);
}

static void threads_stop(struct plait_executor *executor, bool now)
{
        struct pool *pool = pool_of(executor);

        pl_lock_acquire(&pool->lock);
        pool->stopping = true;
        dismiss_idle(pool, true);
        bool last = is_last(pool);
        pl_lock_release(&pool->lock);
        if (last)
                pl_executor_gone(executor);
        else if (now)
                pl_job_queue_cancel_all(&pool->queue, &pool->lock);
}

static void threads_free(struct plait_executor *executor)
{
        struct pool *pool = pool_of(executor);

        pl_lock_acquire(&pool->lock); /* the last worker may be about to release it */
        join_ended(pool);
        pl_lock_release(&pool->lock);
        plait_tuner_free(executor->tuner);
        pl_executor_done(executor);
        free(pool);
}

static void threads_look(struct plait_executor *executor, struct plait_executor_stats *stats)
{
        struct pool *pool = pool_of(executor);

        pl_lock_acquire(&pool->lock);
        stats->limit = pool->limit;
        stats->workers = pool->alive;
        stats->queued = pool->queue.count;
        stats->running = pool->running;
        stats->started = pool->started;
        stats->busy_ns = pool->busy_ns;
        stats->busy_cpu_ns = pool->cpu_ns;
        for (struct pl_list *link = pool->all.next; link != &pool->all; link = link->next) {
                uint32_t tid = atomic_load_explicit(&PL_CONTAINER_OF(link, struct worker, all_link)->tid,
                                                    memory_order_relaxed);

                stats->busy_cpu_ns += tid ? pl_plat_thread_cpu_ns(tid) : 0;
        }
        pl_lock_release(&pool->lock);
}

static unsigned threads_width(struct plait_executor *executor)
{
        struct pool *pool = pool_of(executor);

        pl_lock_acquire(&pool->lock);
        unsigned width = pool->limit;
        pl_lock_release(&pool->lock);
        return width;
}

static const struct pl_executor_kind threads_kind = {.name = "threads",
                                                     .in_process = true,
                                                     .outside = true,
                                                     .submit = threads_submit,
                                                     .cancel = threads_cancel,
                                                     .resize = threads_resize,
                                                     .stop = threads_stop,
                                                     .free = threads_free,
                                                     .look = threads_look,
                                                     .width = threads_width};

/* How many threads by default: as many as there are processors for them. */
static unsigned default_limit(const struct pl_order *order)
{
        unsigned cpus = (unsigned)pl_plat_cpu_count();

        return order->n_cpus && order->n_cpus < cpus ? order->n_cpus : cpus;
}

static void take_opts(struct pool *pool, const struct plait_executor_opts *opts)
{
        struct pl_order now;

        pool->limit = opts->workers;
        pool->jobs_per_worker = opts->jobs_per_worker;
        pool->initializer = opts->initializer;
        pool->finaliser = opts->finaliser;
        pool->arg = opts->arg;
        pool->stack_bytes = opts->stack_bytes;
        pool->pinned = opts->flags & PLAIT_EXECUTOR_PIN;
        if (pool->pinned && !pool->order.n_cpus) {
                pl_plat_order_save(&now);
                pool->order.cpus = now.cpus;
                pool->order.n_cpus = now.n_cpus;
        }
}

static void follow_tuner(void *arg, const struct plait_tuner_view *view)
{
        threads_resize(arg, pl_width_of(view));
}

int plait_executor_threads(const struct plait_executor_opts *opts, struct plait_executor **ret_executor)
{
        static const struct plait_executor_opts defaults = {0};
        int r = pl_executor_check(opts,
                                  PL_CAN_INITIALIZE | PL_CAN_REPLACE | PL_CAN_SCHEDULE | PL_CAN_STACK | PL_CAN_TUNE);

        if (r < 0)
                return r;
        struct pool *pool = calloc(1, sizeof *pool);
        r = pool ? pl_executor_init(&pool->base, &threads_kind, opts) : -ENOMEM;
        if (r < 0) {
                free(pool);
                return r;
        }
        if (!opts)
                opts = &defaults;
        (void)!pl_plat_order_make(opts->threads, &pool->order); /* it has been checked */
        take_opts(pool, opts);
        if (!pool->limit)
                pool->limit = default_limit(&pool->order);
        pool->many_cpus = pl_plat_cpu_count() > 1;
        pl_job_queue_init(&pool->queue);
        pl_list_init(&pool->idle);
        pl_list_init(&pool->all);
        pl_list_init(&pool->ended);
        if (opts->workers == PLAIT_AUTO)
                r = pl_width_begin(&pool->base, &pool->order, follow_tuner, &pool->base, &pool->limit);
        if (r < 0) {
                pl_executor_done(&pool->base);
                free(pool);
                return r;
        }
        *ret_executor = &pool->base;
        return 0;
}
