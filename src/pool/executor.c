/*
 * Executors, as their users see them: what all kinds have in common. See executor.h.
 *
 * Locking: stop_lock guards how far a shutdown has got, all_lock the list of executors, nothing else.
 */
#include "pool/executor.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "plait/time.h"
#include "plait/within.h"
#include "plat/order.h"
#include "plat/panic.h"
#include "plat/sys.h"
#include "sched/runtime.h"
#include "sync/deadlock.h"
#include "sync/future.h"

enum {
        PRIORITY_LEAST = -128,
        PRIORITY_MOST = 127,
        SPIN_US = 20, /* how long a plain thread looks for the result of a call before it sleeps */
};

/* --- all of them --- */

static struct pl_lock all_lock;
static struct pl_list all = {&all, &all};

/* Whether a job is under way that may wake a task. */
static bool may_wake(void)
{
        bool found = false;

        pl_lock_acquire(&all_lock);
        for (const struct pl_list *link = all.next; link != &all && !found; link = link->next) {
                const struct plait_executor *executor = PL_CONTAINER_OF(link, const struct plait_executor, all);

                found = executor->kind->outside && atomic_load(&executor->holds) > 1;
        }
        pl_lock_release(&all_lock);
        return found;
}

static void enlist(struct plait_executor *executor)
{
        pl_deadlock_ask(may_wake);
        pl_lock_acquire(&all_lock);
        pl_list_push_back(&all, &executor->all);
        pl_lock_release(&all_lock);
}

static void strike_off(struct plait_executor *executor)
{
        pl_lock_acquire(&all_lock);
        pl_list_remove(&executor->all);
        pl_lock_release(&all_lock);
}

/* --- opening --- */

static unsigned needs(const struct plait_executor_opts *opts)
{
        return (opts->initializer || opts->finaliser ? PL_CAN_INITIALIZE : 0U) |
               (opts->jobs_per_worker ? PL_CAN_REPLACE : 0U) | (opts->rss_bytes ? PL_CAN_RSS : 0U) |
               (opts->job_timeout_ns ? PL_CAN_TIME_OUT : 0U) | (opts->retries ? PL_CAN_RETRY : 0U) |
               (opts->threads || (opts->flags & PLAIT_EXECUTOR_PIN) ? PL_CAN_SCHEDULE : 0U) |
               (opts->stack_bytes ? PL_CAN_STACK : 0U) | (opts->workers == PLAIT_AUTO ? PL_CAN_TUNE : 0U);
}

int pl_executor_check(const struct plait_executor_opts *opts, unsigned can)
{
        struct pl_order order;

        if (!opts)
                return 0;
        if (opts->size != sizeof *opts || (opts->workers > PL_WORKERS_MOST && opts->workers != PLAIT_AUTO) ||
            (opts->flags & ~PLAIT_EXECUTOR_PIN) || opts->queue_limit > PLAIT_SEMAPHORE_MAX / 2 ||
            opts->job_timeout_ns < 0 || (opts->arg_bytes && !opts->arg))
                return -EINVAL;
        if (needs(opts) & ~can)
                return -ENOTSUP;
        return pl_plat_order_make(opts->threads, &order);
}

int pl_executor_init(struct plait_executor *executor, const struct pl_executor_kind *kind,
                     const struct plait_executor_opts *opts)
{
        static const struct plait_executor_opts defaults = {0};

        if (!opts)
                opts = &defaults;
        executor->kind = kind;
        executor->holds = 1;
        executor->job_timeout_ns = opts->job_timeout_ns;
        executor->retries = opts->retries;
        executor->limited = opts->queue_limit > 0;
        (void)!plait_semaphore_init(&executor->room, opts->queue_limit);
        executor->name = strdup(opts->name ? opts->name : kind->name);
        if (!executor->name)
                return -ENOMEM;
        int r = plait_future_new(NULL, &executor->stopped);
        if (r < 0)
                free(executor->name);
        else
                enlist(executor);
        return r;
}

void pl_executor_done(struct plait_executor *executor)
{
        strike_off(executor);
        plait_future_unref(executor->stopped);
        free(executor->name);
}

/* --- closing --- */

/* Go on to *stage*, unless it has got there. */
static void stop(struct plait_executor *executor, enum pl_executor_stage stage)
{
        pl_lock_acquire(&executor->stop_lock);
        enum pl_executor_stage before = executor->stage;
        if (before < stage)
                executor->stage = stage;
        pl_lock_release(&executor->stop_lock);
        if (before >= stage)
                return;
        executor->kind->stop(executor, stage == PL_EXECUTOR_STOPPING);
        if (before == PL_EXECUTOR_OPEN && executor->limited) /* who waits for a place is to hear of it */
                (void)plait_semaphore_release(&executor->room, PLAIT_SEMAPHORE_MAX / 2);
}

int plait_executor_shutdown(struct plait_executor *executor, unsigned how, int64_t deadline_ns)
{
        if (how > PLAIT_SHUTDOWN_NOW)
                return -EINVAL;
        if (pl_job_is_inside(executor))
                return -EDEADLK;
        stop(executor, how == PLAIT_SHUTDOWN_NOW ? PL_EXECUTOR_STOPPING : PL_EXECUTOR_DRAINING);
        return plait_future_wait(executor->stopped, deadline_ns, NULL, NULL);
}

void plait_executor_free(struct plait_executor *executor)
{
        if (!executor)
                return;
        if (pl_job_is_inside(executor))
                pl_panic("plait_executor_free() of executor '%s' by one of its jobs, which it would wait for: free it "
                         "where it was opened",
                         executor->name);
        stop(executor, PL_EXECUTOR_STOPPING);
        pl_sync_future_await(executor->stopped);
        executor->kind->free(executor);
}

/* --- submitting --- */

static int check(const struct plait_executor *executor, const struct plait_job *job)
{
        if (!job->fn || (job->flags & ~PLAIT_JOB_COPY) || job->priority < PRIORITY_LEAST ||
            job->priority > PRIORITY_MOST || job->timeout_ns < 0 || (job->arg_bytes && !job->arg))
                return -EINVAL;
        return job->timeout_ns && !executor->kind->has_timeout ? -ENOTSUP : 0;
}

static size_t rounded(size_t bytes)
{
        const size_t align = _Alignof(max_align_t);

        return (bytes + align - 1) / align * align;
}

/* A job as *job* says, with room for what it does not bring. */
static int make(struct plait_executor *executor, const struct plait_job *job, struct pl_job **ret_job)
{
        bool copy = (job->flags & PLAIT_JOB_COPY) && job->arg_bytes;
        bool place = !job->result && job->result_bytes && executor->kind->in_process;
        struct pl_job *made;

        if (job->arg_bytes > SIZE_MAX / 4 || job->result_bytes > SIZE_MAX / 4)
                return -ENOMEM;
        int r = pl_job_new(executor, (copy ? rounded(job->arg_bytes) : 0) + (place ? job->result_bytes : 0), &made);
        if (r < 0)
                return r;
        made->fn = job->fn;
        made->arg = job->arg;
        made->arg_bytes = job->arg_bytes;
        made->result = job->result;
        made->result_bytes = job->result_bytes;
        made->end.bytes = job->result_bytes;
        made->name = job->name;
        made->priority = job->priority;
        made->timeout_ns = job->timeout_ns ? job->timeout_ns : executor->job_timeout_ns;
        if (copy)
                made->arg = memcpy(pl_job_room(made), job->arg, job->arg_bytes);
        if (place)
                made->result = pl_job_room(made) + (copy ? rounded(job->arg_bytes) : 0);
        *ret_job = made;
        return 0;
}

static int submit(struct plait_executor *executor, const struct plait_job *job, int64_t deadline_ns,
                  struct plait_future **ret_future)
{
        struct pl_job *made;
        int r = check(executor, job);

        if (r == 0)
                r = make(executor, job, &made);
        if (r < 0)
                return r;
        struct plait_future *future = made->future;
        made->deadline_ns = deadline_ns;
        r = pl_job_submit(made, true);
        if (r < 0 || !ret_future)
                plait_future_unref(future);
        else
                *ret_future = future;
        return r;
}

int plait_executor_submit(struct plait_executor *executor, const struct plait_job *job,
                          struct plait_future **ret_future)
{
        return submit(executor, job, PLAIT_NEVER, ret_future);
}

/* A call that a job makes itself. */
struct nested {
        const struct plait_job *job;
        void *result;
        struct pl_job_here outer;
        int64_t deadline_ns;
};

static bool nested_is_unwanted(void *arg)
{
        const struct nested *self = arg;

        return self->deadline_ns <= pl_plat_now_ns() ||
               (self->outer.cancelled && self->outer.cancelled(self->outer.arg));
}

static int run_nested(void *arg)
{
        const struct nested *self = arg;

        return self->job->fn(self->job->arg, self->result);
}

/* In a task the deadline ends all waits; a thread is told when it asks. */
static int run_until(struct nested *self)
{
        if (self->deadline_ns == PLAIT_NEVER)
                return run_nested(self);
        if (self->deadline_ns <= pl_plat_now_ns())
                return -ETIMEDOUT;
        int r = pl_sched_in_task() ? plait_call_within(self->deadline_ns, run_nested, self) : run_nested(self);
        return r == -ECANCELED && self->deadline_ns <= pl_plat_now_ns() ? -ETIMEDOUT : r;
}

static int64_t earlier(int64_t deadline_ns, int64_t timeout_ns)
{
        int64_t now_ns = timeout_ns ? pl_plat_now_ns() : 0;

        return timeout_ns && timeout_ns < deadline_ns - now_ns ? now_ns + timeout_ns : deadline_ns;
}

/* In a job of the same executor, whose workers may all be doing this. */
static int call_here(const struct plait_executor *executor, const struct plait_job *job, int64_t deadline_ns,
                     struct plait_job_end *ret_end)
{
        int64_t timeout_ns = job->timeout_ns ? job->timeout_ns : executor->job_timeout_ns;
        struct nested self = {.job = job, .result = job->result, .deadline_ns = earlier(deadline_ns, timeout_ns)};
        struct pl_job_here *here = pl_job_here();
        int r = check(executor, job);

        if (r < 0)
                return r;
        if (!job->result && job->result_bytes && !(self.result = malloc(job->result_bytes)))
                return -ENOMEM;
        self.outer = *here;
        here->bytes = here->most = job->result_bytes;
        here->cancelled = nested_is_unwanted;
        here->arg = &self;
        r = run_until(&self);
        if (ret_end)
                *ret_end = (struct plait_job_end){.status = r == -ETIMEDOUT && self.deadline_ns <= pl_plat_now_ns()
                                                                    ? PLAIT_JOB_TIMED_OUT
                                                                    : PLAIT_JOB_RETURNED,
                                                  .result = r,
                                                  .exit_code = -1,
                                                  .tries = 1,
                                                  .data = job->result,
                                                  .bytes = here->bytes};
        *here = self.outer;
        if (!job->result)
                free(self.result);
        return r;
}

/*
 * To sleep and to be woken takes a plain thread longer than a short job does. Only while the last jobs were that short:
 * else the processor is better left to the worker.
 */
static void spin(const struct plait_future *future)
{
        int64_t until_ns = pl_plat_now_ns() + SPIN_US * 1000;

        while (!plait_future_is_set(future)) {
                for (int i = 0; i < 16; i++)
                        pl_cpu_relax();
                if (pl_plat_now_ns() > until_ns)
                        return;
        }
}

static int call(struct plait_executor *executor, const struct plait_job *job, int64_t deadline_ns,
                struct plait_job_end *ret_end)
{
        struct plait_future *future;
        void *value;
        int result;
        int r = submit(executor, job, deadline_ns, &future);

        if ((r == -ETIMEDOUT || r == -ECANCELED) && ret_end)
                *ret_end = (struct plait_job_end){
                        .status = r == -ETIMEDOUT ? PLAIT_JOB_TIMED_OUT : PLAIT_JOB_CANCELLED,
                        .result = r,
                        .exit_code = -1,
                        .data = job->result,
                };
        if (r < 0)
                return r;
        if (executor->spins && !pl_sched_in_task())
                spin(future);
        int waited = plait_future_wait(future, deadline_ns, &result, &value);
        if (waited < 0) {
                plait_future_cancel(future);
                pl_sync_future_await(future);
                (void)!plait_future_wait(future, 0, &result, &value);
        }
        const struct plait_job_end *end = value;
        bool late = waited == -ETIMEDOUT && end->status == PLAIT_JOB_CANCELLED;
        if (late)
                result = -ETIMEDOUT;
        if (ret_end) {
                *ret_end = *end;
                ret_end->result = result;
                if (late)
                        ret_end->status = PLAIT_JOB_TIMED_OUT;
                ret_end->report = NULL;
                if (!job->result)
                        ret_end->data = NULL;
        }
        plait_future_unref(future);
        return result;
}

int plait_executor_call(struct plait_executor *executor, const struct plait_job *job, int64_t deadline_ns,
                        struct plait_job_end *ret_end)
{
        return pl_job_is_inside(executor) ? call_here(executor, job, deadline_ns, ret_end)
                                          : call(executor, job, deadline_ns, ret_end);
}

/* --- looking --- */

int plait_executor_get_stats(struct plait_executor *executor, struct plait_executor_stats *ret_stats)
{
        struct plait_executor_stats stats = {.size = sizeof stats, .kind = executor->kind->name};

        if (!ret_stats || ret_stats->size != sizeof stats)
                return -EINVAL;
        stats.returned = atomic_load_explicit(&executor->ended[PLAIT_JOB_RETURNED], memory_order_relaxed);
        stats.crashed = atomic_load_explicit(&executor->ended[PLAIT_JOB_CRASHED], memory_order_relaxed);
        stats.timed_out = atomic_load_explicit(&executor->ended[PLAIT_JOB_TIMED_OUT], memory_order_relaxed);
        stats.cancelled = atomic_load_explicit(&executor->ended[PLAIT_JOB_CANCELLED], memory_order_relaxed);
        stats.refused = atomic_load_explicit(&executor->ended[PLAIT_JOB_REFUSED], memory_order_relaxed);
        executor->kind->look(executor, &stats);
        stats.submitted = atomic_load_explicit(&executor->submitted, memory_order_relaxed);
        *ret_stats = stats;
        return 0;
}

struct plait_tuner *plait_executor_get_tuner(const struct plait_executor *executor)
{
        return executor->tuner;
}

int plait_executor_resize(struct plait_executor *executor, unsigned workers)
{
        if (workers < 1 || workers > PL_WORKERS_MOST)
                return -EINVAL;
        if (executor->tuner)
                return -ENOTSUP;
        executor->kind->resize(executor, workers);
        return 0;
}
