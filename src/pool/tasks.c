/*
 * The executor whose jobs are tasks of the user's scope. Without a limit each job is a task of its own; with one, a
 * task that has made its job takes the next from the queue.
 *
 * A job runs in a scope of its own, which is how it is cancelled and how its time is limited; struct run, with that
 * scope, stands in the task's frame. From inside, it is found again by the scope's name, which no other scope has.
 *
 * Locking: the pool's lock guards everything in it. The job's lock, which is taken before, guards *of_kind*, the job's
 * struct run while its scope is open.
 */
#include "pool/tasks.h"

#include <errno.h>
#include <stdlib.h>

#include "plait/future.h"
#include "plait/run.h"
#include "plait/task.h"
#include "plait/time.h"
#include "plat/sys.h"
#include "pool/executor.h"
#include "sched/runtime.h"
#include "sched/scope.h"

struct pool {
        struct plait_executor base;
        struct plait_scope *scope;
        struct pl_lock lock;
        struct pl_job_queue queue;
        unsigned limit; /* 0: none */
        unsigned running;
        bool stopping, gone;
        size_t stack_bytes;
        uint64_t started;
};

struct run {
        struct plait_scope scope;
        struct pl_job_here here;
};

/* Of the scope of a job; its address tells it from others. */
static const char job_scope[] = "a job of an executor";

static const struct pl_executor_kind tasks_kind;

static struct pool *pool_of(struct plait_executor *executor)
{
        return PL_CONTAINER_OF(executor, struct pool, base);
}

struct pl_job_here *pl_tasks_here(void)
{
        const struct plait_task *self = plait_task_self();

        for (struct plait_scope *scope = self ? self->scope : NULL; scope; scope = scope->pl_parent)
                if (pl_scope_name(scope) == job_scope)
                        return &PL_CONTAINER_OF(scope, struct run, scope)->here;
        return NULL;
}

/* --- running --- */

static void publish(struct pl_job *job, struct run *run) PL_NO_LOCK_CHECK
{
        pl_job_lock(job);
        job->of_kind = run;
        pl_job_unlock(job);
}

static enum plait_job_status judge(const struct run *run, int result)
{
        if (result != -ECANCELED && result != -ETIMEDOUT)
                return PLAIT_JOB_RETURNED;
        if (result == -ECANCELED && plait_cancelled() == -ECANCELED)
                return PLAIT_JOB_CANCELLED;
        return run->scope.deadline_ns && run->scope.deadline_ns <= pl_plat_now_ns() ? PLAIT_JOB_TIMED_OUT
                                                                                    : PLAIT_JOB_RETURNED;
}

static enum plait_job_status run_in_scope(struct pl_job *job, int *result)
{
        struct run run = {.scope = {.pl_where = job_scope},
                          .here = {.executor = job->executor, .bytes = job->result_bytes, .most = job->result_bytes}};
        int64_t until_ns = job->deadline_ns;

        if (job->timeout_ns) {
                int64_t now_ns = pl_plat_now_ns();

                if (job->timeout_ns < until_ns - now_ns)
                        until_ns = now_ns + job->timeout_ns;
        }
        if (until_ns != PLAIT_NEVER)
                run.scope.deadline_ns = until_ns;
        int r = plait_scope_open(&run.scope);
        if (r < 0) {
                *result = r;
                return PLAIT_JOB_REFUSED;
        }
        publish(job, &run);
        enum plait_job_status status = pl_job_is_unwanted(job);
        if (status == PLAIT_JOB_RETURNED && plait_cancelled() == -ECANCELED)
                status = PLAIT_JOB_CANCELLED;
        if (status == PLAIT_JOB_RETURNED) {
                *result = pl_job_run(job);
                status = judge(&run, *result);
        }
        publish(job, NULL);
        (void)plait_scope_join(&run.scope);
        job->end.bytes = run.here.bytes;
        return status;
}

static bool is_last(struct pool *pool)
{
        if (!pool->stopping || pool->running || pool->queue.count || pool->gone)
                return false;
        pool->gone = true;
        return true;
}

/* Locked: the next job for a task that has made one; NULL: the task is to end. */
static struct pl_job *next_job(struct pool *pool)
{
        struct pl_job *job = NULL;

        if (!pool->limit || pool->running <= pool->limit)
                job = pl_job_queue_pop(&pool->queue);
        if (job)
                pl_job_queue_begin(&pool->queue, job);
        else
                pool->running--;
        return job;
}

static int serve(void *arg) PL_NO_LOCK_CHECK
{
        struct pl_job *job = arg;
        struct pool *pool = pool_of(job->executor);
        bool last = false;

        while (job) {
                int result = 0;

                pl_job_dequeued(job);
                enum plait_job_status status = run_in_scope(job, &result);
                pl_lock_acquire(&pool->lock);
                pl_job_queue_end(job);
                struct pl_job *next = next_job(pool);
                last = !next && is_last(pool);
                pl_lock_release(&pool->lock);
                pl_job_finish(job, status, result); /* without *next*, the pool may go with it, unless *last* */
                job = next;
                if (job)
                        plait_yield();
        }
        if (last)
                pl_executor_gone(&pool->base);
        return 0;
}

/* --- the kind --- */

/* A task for *job*, which is counted as running. 0 or -ENOMEM. */
static int start(struct pool *pool, struct pl_job *job)
{
        struct plait_task_opts opts = {.size = sizeof opts,
                                       .name = job->name,
                                       .stack_bytes = pool->stack_bytes,
                                       .flags = job->priority > 0   ? PLAIT_TASK_HIGH
                                                : job->priority < 0 ? PLAIT_TASK_LOW
                                                                    : 0};

        return plait_scope_start(pool->scope, serve, job, &opts, NULL);
}

/* No task could be made, and *running* is one less: jobs that wait for it are to be made by others, or not at all. */
static void mend(struct pool *pool, int error)
{
        pl_lock_acquire(&pool->lock);
        bool nobody = pool->running == 0;
        pl_lock_release(&pool->lock);
        if (!nobody)
                return;
        pl_job_queue_refuse_all(&pool->queue, &pool->lock, error);
        pl_lock_acquire(&pool->lock);
        bool last = is_last(pool);
        pl_lock_release(&pool->lock);
        if (last)
                pl_executor_gone(&pool->base);
}

/* It was begun, and no task could be made for it. */
static void take_back(struct pool *pool, struct pl_job *job)
{
        pl_lock_acquire(&pool->lock);
        pool->running--;
        pl_job_queue_end(job);
        pl_lock_release(&pool->lock);
}

static int tasks_submit(struct plait_executor *executor, struct pl_job *job)
{
        struct pool *pool = pool_of(executor);
        bool queued = false;
        int r = 0;

        pl_lock_acquire(&pool->lock);
        if (pool->stopping) {
                r = -EPIPE;
        } else if (plait_future_cancel_requested(job->future)) {
                r = -ECANCELED;
        } else if (pool->limit && pool->running >= pool->limit) {
                pl_job_queue_push(&pool->queue, job);
                queued = true;
        } else {
                pool->running++;
                pool->started++;
                pl_job_queue_begin(&pool->queue, job);
        }
        pl_lock_release(&pool->lock);
        if (r < 0 || queued)
                return r;
        r = start(pool, job);
        if (r < 0) {
                take_back(pool, job);
                mend(pool, r);
        }
        return r;
}

static bool tasks_cancel(struct plait_executor *executor, struct pl_job *job)
{
        struct pool *pool = pool_of(executor);

        pl_lock_acquire(&pool->lock);
        bool taken = pl_job_queue_remove(&pool->queue, job);
        pl_lock_release(&pool->lock);
        if (job->of_kind)
                job->following = pl_sched_scope_cancel_tasks(&((struct run *)job->of_kind)->scope, -ECANCELED,
                                                             "the job was cancelled");
        return taken;
}

/* Locked: a job from the queue that may have a task of its own; NULL: none. */
static struct pl_job *take_for_new(struct pool *pool)
{
        struct pl_job *job = pool->running < pool->limit ? pl_job_queue_pop(&pool->queue) : NULL;

        if (job) {
                pool->running++;
                pool->started++;
                pl_job_queue_begin(&pool->queue, job);
        }
        return job;
}

static void tasks_resize(struct plait_executor *executor, unsigned workers)
{
        struct pool *pool = pool_of(executor);
        int r = 0;

        pl_lock_acquire(&pool->lock);
        pool->limit = workers;
        pl_lock_release(&pool->lock);
        while (r == 0) {
                pl_lock_acquire(&pool->lock);
                struct pl_job *job = take_for_new(pool);
                pl_lock_release(&pool->lock);
                if (!job)
                        return;
                r = start(pool, job);
                if (r < 0) {
                        take_back(pool, job);
                        pl_job_finish(job, PLAIT_JOB_REFUSED, r);
                        mend(pool, r);
                }
        }
}

static void tasks_stop(struct plait_executor *executor, bool now)
{
        struct pool *pool = pool_of(executor);

        pl_lock_acquire(&pool->lock);
        pool->stopping = true;
        bool last = is_last(pool);
        pl_lock_release(&pool->lock);
        if (last)
                pl_executor_gone(executor);
        else if (now)
                pl_job_queue_cancel_all(&pool->queue, &pool->lock);
}

static void tasks_free(struct plait_executor *executor)
{
        struct pool *pool = pool_of(executor);

        pl_executor_done(executor);
        free(pool);
}

static void tasks_look(struct plait_executor *executor, struct plait_executor_stats *stats)
{
        struct pool *pool = pool_of(executor);

        pl_lock_acquire(&pool->lock);
        stats->limit = pool->limit;
        stats->workers = pool->running;
        stats->queued = pool->queue.count;
        stats->running = pool->running;
        stats->started = pool->started;
        pl_lock_release(&pool->lock);
}

static unsigned tasks_width(struct plait_executor *executor)
{
        struct pool *pool = pool_of(executor);
        unsigned workers = plait_workers();

        pl_lock_acquire(&pool->lock);
        unsigned limit = pool->limit;
        pl_lock_release(&pool->lock);
        return limit && limit < workers ? limit : workers ? workers : 1;
}

static const struct pl_executor_kind tasks_kind = {.name = "tasks",
                                                   .in_process = true,
                                                   .has_timeout = true,
                                                   .submit = tasks_submit,
                                                   .cancel = tasks_cancel,
                                                   .resize = tasks_resize,
                                                   .stop = tasks_stop,
                                                   .free = tasks_free,
                                                   .look = tasks_look,
                                                   .width = tasks_width};

int plait_executor_tasks(struct plait_scope *scope, const struct plait_executor_opts *opts,
                         struct plait_executor **ret_executor)
{
        int r = pl_executor_check(opts, PL_CAN_TIME_OUT | PL_CAN_STACK);

        if (r == 0 && opts)
                r = pl_mem_stack_class(opts->stack_bytes);
        if (r < 0)
                return r;
        struct pool *pool = calloc(1, sizeof *pool);
        r = pool ? pl_executor_init(&pool->base, &tasks_kind, opts) : -ENOMEM;
        if (r < 0) {
                free(pool);
                return r;
        }
        if (scope->pl_state == PL_SCOPE_CLOSED && (r = plait_scope_open(scope)) < 0) {
                tasks_free(&pool->base);
                return r;
        }
        pool->scope = scope;
        pool->limit = opts ? opts->workers : 0;
        pool->stack_bytes = opts ? opts->stack_bytes : 0;
        pl_job_queue_init(&pool->queue);
        *ret_executor = &pool->base;
        return 0;
}
