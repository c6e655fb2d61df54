/*
 * Threads for calls that block. A pool starts a thread when a job finds none idle, up to its limit; jobs beyond that
 * queue. An idle thread sleeps on a word of its own, the last to become idle is the first to be used, and one that has
 * had nothing to do for five seconds ends. At the end of a run the idle ones end at once. A pool that is not used has
 * none.
 *
 * Locking: a pool's lock guards everything in it, the state and wait of its jobs included. Jobs run without it.
 */
#include "io/offload.h"

#include <errno.h>
#include <stdatomic.h>

#include "plat/lock.h"
#include "plat/sys.h"
#include "sched/flow.h"
#include "sched/runtime.h"
#include "trace/trace.h"

#define IDLE_NS INT64_C(5000000000)

struct pool {
        const char *name;
        unsigned limit;
        struct pl_lock lock;
        unsigned threads;
        struct pl_list jobs; /* waiting for a thread, first come first served; zero until first used */
        struct pl_list idle; /* threads; last come first served */
        uint64_t run_id;     /* of the run whose end will be heard of */
        _Atomic uint32_t leaving;
};

/* In the thread's frame. */
struct idler {
        struct pl_list link;
        struct pl_io_job *job;
        bool leave;
        _Atomic uint32_t called;
};

_Static_assert((int)PL_IO_POOL_CALLS == (int)PL_TRACE_CALL && (int)PL_IO_POOL_FILES == (int)PL_TRACE_FILE &&
                       (int)PL_IO_POOL_NAMES == (int)PL_TRACE_HOST,
               "a recording calls the pools so");

static struct pool pools[PL_IO_POOLS] = {
        [PL_IO_POOL_CALLS] = {.name = "plait-call", .limit = 64},
        [PL_IO_POOL_FILES] = {.name = "plait-file", .limit = 16},
        [PL_IO_POOL_NAMES] = {.name = "plait-name", .limit = 16},
        [PL_IO_POOL_SHARED] = {.name = "plait-shared", .limit = 16},
};

static void lock(struct pool *pool) PL_ACQUIRE(pool->lock) PL_NO_LOCK_CHECK
{
        pl_lock_acquire(&pool->lock);
        if (!pool->jobs.next) {
                pl_list_init(&pool->jobs);
                pl_list_init(&pool->idle);
        }
}

static void call(struct idler *idler)
{
        atomic_store_explicit(&idler->called, 1, memory_order_release);
        pl_plat_futex_wake(&idler->called, 1);
}

/* Sleep until called or the time is up. Locked on entry and return; the job, or NULL: the thread is to end. */
static struct pl_io_job *idle(struct pool *pool) PL_REQUIRES(pool->lock)
{
        struct idler self = {0};
        int64_t until = pl_plat_now_ns() + IDLE_NS;
        int r = 0;

        pl_list_push_front(&pool->idle, &self.link);
        pl_lock_release(&pool->lock);
        while (!atomic_load_explicit(&self.called, memory_order_acquire) && r != -ETIMEDOUT)
                r = pl_plat_futex_wait(&self.called, 0, until);
        lock(pool);
        if (pl_list_linked(&self.link))
                pl_list_remove(&self.link);
        if (self.leave && atomic_fetch_sub(&pool->leaving, 1) == 1)
                pl_plat_futex_wake(&pool->leaving, 1);
        return self.job;
}

static struct pl_io_job *next_job(struct pool *pool) PL_REQUIRES(pool->lock)
{
        struct pl_list *link = pl_list_pop_front(&pool->jobs);

        if (!link)
                return idle(pool); /* running since it was handed over, and perhaps abandoned since */
        struct pl_io_job *job = PL_CONTAINER_OF(link, struct pl_io_job, link);

        job->state = PL_IO_JOB_RUNNING;
        return job;
}

/* Locked. The job may be gone afterwards. */
static void finish(struct pl_io_job *job)
{
        if (job->state == PL_IO_JOB_ABANDONED) {
                job->release(job);
                return;
        }
        job->state = PL_IO_JOB_DONE;
        if (pl_sched_wake_claim(job->wait))
                pl_sched_wake_ready(job->wait);
}

static void *serve(void *arg)
{
        struct pool *pool = arg;
        struct pl_io_job *job;

        lock(pool);
        while ((job = next_job(pool))) {
                uint64_t caller = pl_trace_is_on() ? pl_sched_flow_id(job->wait) : 0;
                pl_lock_release(&pool->lock);
                pl_trace(PLAIT_RECORDING_CALL_BEGIN, (unsigned)(pool - pools), (uint64_t)(uintptr_t)job, caller);
                job->run(job);
                pl_trace(PLAIT_RECORDING_CALL_END, 0, (uint64_t)(uintptr_t)job, 0);
                lock(pool);
                finish(job);
        }
        pool->threads--;
        pl_lock_release(&pool->lock);
        return NULL;
}

/* The run ends: so do the idle threads, while those that are still in an abandoned call are left alone. */
static void on_stop(void *arg)
{
        struct pool *pool = arg;
        struct pl_list *link;
        uint32_t left;

        lock(pool);
        while ((link = pl_list_pop_front(&pool->idle))) {
                struct idler *idler = PL_CONTAINER_OF(link, struct idler, link);

                idler->leave = true;
                atomic_fetch_add(&pool->leaving, 1);
                call(idler);
        }
        pl_lock_release(&pool->lock);
        while ((left = atomic_load(&pool->leaving)))
                (void)pl_plat_futex_wait(&pool->leaving, left, PL_PLAT_NEVER);
}

static int start_thread(struct pool *pool) PL_REQUIRES(pool->lock)
{
        struct pl_thread thread;
        int r = pl_plat_thread_start(&thread, serve, pool, 0, pool->name);

        if (r < 0)
                return -EAGAIN;
        pthread_detach(thread.id);
        pool->threads++;
        return 0;
}

/* Locked: find a thread for *job*, or queue it for one. */
static int hand_over(struct pool *pool, struct pl_io_job *job) PL_REQUIRES(pool->lock)
{
        uint64_t run_id = pl_sched_run_id();
        struct pl_list *link;

        if (pool->run_id != run_id) {
                int r = pl_sched_at_stop(on_stop, pool);

                if (r < 0)
                        return r;
                pool->run_id = run_id;
        }
        pl_list_init(&job->link);
        job->state = PL_IO_JOB_QUEUED;
        link = pl_list_pop_front(&pool->idle);
        if (link) {
                struct idler *idler = PL_CONTAINER_OF(link, struct idler, link);

                job->state = PL_IO_JOB_RUNNING;
                idler->job = job;
                call(idler);
                return 0;
        }
        if (pool->threads < pool->limit && start_thread(pool) < 0 && pool->threads == 0)
                return -EAGAIN;
        pl_list_push_back(&pool->jobs, &job->link);
        return 0;
}

static void release(struct pl_io_job *job)
{
        if (job->release)
                job->release(job);
}

/* Locked; the wait has ended with *r* before the job did. Unlocks. */
static int leave(struct pool *pool, struct pl_io_job *job, int r) PL_RELEASE(pool->lock)
{
        if (job->state == PL_IO_JOB_DONE) {
                pl_lock_release(&pool->lock);
                return 0;
        }
        if (job->state == PL_IO_JOB_QUEUED) {
                pl_list_remove(&job->link);
                pl_lock_release(&pool->lock);
                release(job);
                return r;
        }
        if (job->release) {
                job->state = PL_IO_JOB_ABANDONED;
                pl_lock_release(&pool->lock);
                return r;
        }
        /* It uses the caller's memory: there is no leaving before it ends. */
        job->wait = pl_sched_wait_begin(PL_WAIT_BLOCKING_CALL, pool);
        pl_lock_release(&pool->lock);
        r = pl_sched_wait_finish(job->wait, PL_PLAT_NEVER, PL_WAIT_UNINTERRUPTIBLE | PL_WAIT_LENDS);
        (void)r; /* nothing but its end ends this wait */
        return 0;
}

int pl_io_offload(enum pl_io_pool index, struct pl_io_job *job, int64_t deadline_ns)
{
        struct pool *pool = &pools[index];
        int r = pl_sched_wait_check();

        if (r < 0) {
                release(job);
                return r;
        }
        lock(pool);
        r = hand_over(pool, job);
        if (r < 0) {
                pl_lock_release(&pool->lock);
                release(job);
                return r;
        }

        struct pl_wait *wait = job->wait = pl_sched_wait_begin(PL_WAIT_BLOCKING_CALL, pool);

        pl_lock_release(&pool->lock);
        r = pl_sched_wait_finish(wait, deadline_ns, PL_WAIT_LENDS);
        if (r == 0)
                return 0;
        lock(pool);
        return leave(pool, job, r);
}
