/*
 * Jobs: a future with what is to be done, and what becomes of it.
 *
 * A job has two references to its future: the submitter's, and its own, until pl_job_finish(). Its lock guards
 * *finished*, and is held while a kind is told of a cancellation, so that neither the job is finished meanwhile nor its
 * executor freed. It is taken before locks of kinds.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "plait/time.h"
#include "plat/sys.h"
#include "plat/tls.h"
#include "pool/executor.h"
#include "pool/tasks.h"
#include "sched/runtime.h"
#include "sync/future.h"
#include "trace/trace.h"

/* --- making and submitting --- */

static struct pl_job *job_of_end(void *end)
{
        return PL_CONTAINER_OF((struct plait_job_end *)end, struct pl_job, end);
}

static void destroy(void *value)
{
        struct pl_job *job = job_of_end(value);

        if (job->drop)
                job->drop(job);
        free(job->report);
}

static void follower_hold(struct pl_follower *follower)
{
        plait_future_ref(PL_CONTAINER_OF(follower, struct pl_job, follower)->future);
}

static void follower_cancel(struct pl_follower *follower)
{
        struct plait_future *future = PL_CONTAINER_OF(follower, struct pl_job, follower)->future;

        plait_future_cancel(future);
        plait_future_unref(future);
}

static void on_cancel(struct plait_future_callback *callback, void *arg)
{
        struct pl_job *job = arg;
        bool taken = false;

        (void)callback;
        pl_lock_acquire(&job->lock);
        if (!job->finished)
                taken = job->executor->kind->cancel(job->executor, job);
        struct pl_following *following = job->following;
        pl_lock_release(&job->lock);
        pl_sched_following_cancel(following); /* the user's functions among it may wait */
        if (taken)
                pl_job_finish(job, PLAIT_JOB_CANCELLED, 0);
}

int pl_job_new(struct plait_executor *executor, size_t room, struct pl_job **ret_job)
{
        struct plait_future *future;
        int r = room > SIZE_MAX / 2 ? -ENOMEM : pl_sync_future_new(sizeof(struct pl_job) + room, destroy, &future);

        if (r < 0)
                return r;
        struct pl_job *job = pl_sync_future_room(future);
        pl_list_init(&job->link);
        job->executor = executor;
        job->future = future;
        job->count = 1;
        job->deadline_ns = PLAIT_NEVER;
        job->end.exit_code = -1;
        job->follower = (struct pl_follower){.hold = follower_hold, .cancel = follower_cancel};
        *ret_job = job;
        return 0;
}

char *pl_job_room(struct pl_job *job)
{
        return (char *)(job + 1);
}

static int find_place(struct pl_job *job, bool wait)
{
        struct plait_executor *executor = job->executor;
        int r = 0;

        if (executor->limited) {
                r = plait_semaphore_try_acquire(&executor->room);
                if (r == -EAGAIN && wait)
                        r = plait_semaphore_acquire(&executor->room, job->deadline_ns);
                job->holds_place = r == 0;
        }
        return r;
}

static void hold(struct plait_executor *executor)
{
        atomic_fetch_add_explicit(&executor->holds, 1, memory_order_relaxed);
}

/* Once the last one has let go, it may be freed at any moment. */
static void let_go(struct plait_executor *executor)
{
        struct plait_future *stopped = executor->stopped;

        /* Of the last one: there is nobody else to free it, until this has been set. */
        if (atomic_fetch_sub_explicit(&executor->holds, 1, memory_order_acq_rel) != 1)
                return;
        plait_future_ref(stopped);
        (void)!plait_future_set(stopped, 0, NULL);
        plait_future_unref(stopped);
}

void pl_executor_gone(struct plait_executor *executor)
{
        let_go(executor);
}

static void give_place_back(struct pl_job *job)
{
        if (!job->holds_place)
                return;
        job->holds_place = false;
        (void)plait_semaphore_release(&job->executor->room, 1);
}

/* Before a worker can begin it. */
static PL_NOINLINE void tell_submitted(struct pl_job *job)
{
        job->number = pl_trace_number();
        pl_trace_record_text(PLAIT_RECORDING_JOB_SUBMITTED, job->number, 0,
                             job->name ? job->name : job->executor->name);
}

int pl_job_submit(struct pl_job *job, bool wait)
{
        struct plait_executor *executor = job->executor;
        int r = find_place(job, wait);

        if (r < 0)
                return r;
        r = pl_sched_follow(&job->follower, &job->deadline_ns);
        if (r < 0) {
                give_place_back(job);
                return r;
        }
        hold(executor);
        plait_future_ref(job->future);
        (void)!plait_future_on_cancel(job->future, &job->on_cancel, on_cancel, job);
        if (pl_trace_is_on())
                tell_submitted(job);
        r = executor->kind->submit(executor, job);
        if (r == 0) {
                atomic_fetch_add_explicit(&executor->submitted, 1, memory_order_relaxed);
                return 0;
        }
        pl_lock_acquire(&job->lock);
        job->finished = true; /* a cancellation that is under way has nobody to tell */
        pl_lock_release(&job->lock);
        (void)plait_future_remove(job->future, &job->on_cancel);
        pl_sched_unfollow(&job->follower);
        give_place_back(job);
        plait_future_unref(job->future);
        let_go(executor);
        return r;
}

/* --- under way --- */

void pl_job_lock(struct pl_job *job) PL_NO_LOCK_CHECK
{
        pl_lock_acquire(&job->lock);
}

void pl_job_unlock(struct pl_job *job) PL_NO_LOCK_CHECK
{
        pl_lock_release(&job->lock);
}

void pl_job_dequeued(struct pl_job *job)
{
        give_place_back(job);
}

enum plait_job_status pl_job_is_unwanted(const struct pl_job *job)
{
        if (plait_future_cancel_requested(job->future))
                return PLAIT_JOB_CANCELLED;
        if (job->deadline_ns != PLAIT_NEVER && job->deadline_ns <= pl_plat_now_ns())
                return PLAIT_JOB_TIMED_OUT;
        return PLAIT_JOB_RETURNED;
}

/* NOLINTNEXTLINE(readability-function-size): what a worker process reads out of its ring, one by one */
int pl_job_run_items(int (*fn)(void *arg, void *result), char *arg, size_t arg_bytes, char *result, size_t result_bytes,
                     size_t count, int *codes, bool stop_at_error, _Atomic size_t *progress)
{
        int first = 0, last = 0;

        for (size_t i = 0; i < count; i++) {
                last = fn(arg ? arg + i * arg_bytes : NULL, result ? result + i * result_bytes : NULL);
                if (codes)
                        codes[i] = last;
                atomic_store_explicit(progress, i + 1, memory_order_release);
                if (PL_UNLIKELY(last < 0) && first == 0)
                        first = last;
                if (first < 0 && stop_at_error)
                        break;
        }
        return first < 0 ? first : last;
}

int pl_job_run(struct pl_job *job)
{
        _Atomic size_t progress = 0;
        int64_t start_ns = pl_plat_now_ns();

        job->end.tries++;
        pl_trace(PLAIT_RECORDING_JOB_BEGIN, 0, job->number, 0);
        int r = pl_job_run_items(job->fn, job->arg, job->arg_bytes, job->result, job->result_bytes, job->count,
                                 job->codes, job->stop_at_error, &progress);
        job->progress = atomic_load_explicit(&progress, memory_order_relaxed);
        job->took_ns = pl_plat_now_ns() - start_ns;
        pl_trace(PLAIT_RECORDING_JOB_END, 0, job->number, (uint64_t)(int64_t)r);
        return r;
}

static int result_of(enum plait_job_status status, int result)
{
        switch (status) {
        case PLAIT_JOB_CRASHED: return -EOWNERDEAD;
        case PLAIT_JOB_TIMED_OUT: return -ETIMEDOUT;
        case PLAIT_JOB_CANCELLED: return -ECANCELED;
        default: return result;
        }
}

void pl_job_finish(struct pl_job *job, enum plait_job_status status, int result)
{
        struct plait_executor *executor = job->executor;
        struct plait_future *future = job->future;

        pl_sched_unfollow(&job->follower);
        pl_lock_acquire(&job->lock);
        job->finished = true;
        pl_lock_release(&job->lock);
        give_place_back(job);
        job->end.status = status;
        job->end.result = result_of(status, result);
        if (!job->end.data)
                job->end.data = job->result;
        job->end.report = job->report;
        atomic_fetch_add_explicit(&executor->ended[status], 1, memory_order_relaxed);
        (void)!plait_future_set(future, job->end.result, &job->end);
        plait_future_unref(future);
        let_go(executor);
}

/* --- from inside --- */

PL_TLS_DECLARE(struct pl_job_here, pl_pool_here);
PL_TLS_DEFINE(struct pl_job_here, pl_pool_here);

struct pl_job_here *pl_job_here_set(struct pl_job_here *here)
{
        struct pl_job_here *before = pl_pool_here_get();

        pl_pool_here_set(here);
        return before;
}

struct pl_job_here *pl_job_here(void)
{
        return pl_sched_in_task() ? pl_tasks_here() : pl_pool_here_get();
}

bool pl_job_is_inside(const struct plait_executor *executor)
{
        const struct pl_job_here *here = pl_job_here();

        return here && here->executor == executor;
}

bool plait_job_cancelled(void)
{
        if (pl_sched_in_task())
                return plait_cancelled() < 0;

        const struct pl_job_here *here = pl_pool_here_get();

        return here && here->cancelled && here->cancelled(here->arg);
}

void plait_job_set_bytes(size_t bytes)
{
        struct pl_job_here *here = pl_job_here();

        if (here)
                here->bytes = bytes < here->most ? bytes : here->most;
}
