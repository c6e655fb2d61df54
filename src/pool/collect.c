/*
 * Taking results from the workers' rings, and waiting for them.
 *
 * Nobody is woken in between if that can be avoided: who waits for a job looks into the rings himself. A thread first
 * spins for a little, then sleeps on the bell, which the worker rings after its result: so it is woken by the worker
 * itself. It is the pool's leader then; there is one at a time, and it collects for all. Where somebody waits in
 * another way (a second thread, a task, plait_select(), a callback), results are wanted: the keeper collects them when
 * nobody leads. Where nobody waits, results stay in their rings until somebody looks, a ring is full, or a worker has
 * no jobs left while others are in the queue (*hungry*).
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "plait/errno.h"
#include "plat/sys.h"
#include "pool/process.h"
#include "sched/runtime.h"

enum {
        SPIN_US = 50,
        LEAP_US = 10,
        CALM_US = 5000,
        SOON_MOST = 8,
        PAUSES = 6,
        SHORT_NS = 50 * 1000,           /* jobs that are usually longer are not worth spinning */
        FIRST_NAP_NS = 1000 * 1000,     /* a leader looks whether work is spread well, after so long, */
        LAST_NAP_NS = 500 * 1000 * 1000 /* and doubles that; at last it is only caution */
};

static struct pl_processes *of_source(struct pl_future_source *source)
{
        return PL_CONTAINER_OF(source, struct pl_processes, source);
}

/* --- what a result says --- */

void pl_processes_end_job(struct pl_job *job, enum plait_job_status status, int result, struct pl_list *ended)
{
        job->end.status = status;
        job->end.result = result;
        job->of_kind = NULL;
        pl_list_push_back(ended, &job->link);
}

static void drop_bytes(struct pl_job *job)
{
        free(job->end.data);
}

static void drop_memory(struct pl_job *job)
{
        pl_pool_memory_unref((struct pl_pool_memory *)job->of_kind);
}

/* Whether the bytes are where the job's submitter wants them. */
static bool deliver(struct pl_job *job, const char *results, const int *codes, size_t bytes, size_t progress,
                    struct pl_big_job *big)
{
        if (job->codes)
                memcpy(job->codes, codes, progress * sizeof *codes);
        if (!bytes)
                return true;
        if (job->result) {
                memcpy(job->result, results, bytes);
        } else if (big) { /* no copy: the memory is the future's */
                job->end.data = (void *)(uintptr_t)results;
                job->of_kind = big->memory;
                job->drop = drop_memory;
                pl_pool_memory_ref(big->memory);
        } else {
                job->end.data = malloc(bytes);
                if (!job->end.data)
                        return false;
                memcpy(job->end.data, results, bytes);
                job->drop = drop_bytes;
        }
        return true;
}

static const char *results_of(const struct pl_job *job, struct pl_big_job *big, const char *inside)
{
        return big ? (const char *)big->memory->data + pl_share_align(job->count * job->arg_bytes, 64) : inside;
}

static const int *codes_of(const struct pl_job *job, const char *results, bool in_memory)
{
        return (const int *)(const void *)(results +
                                           pl_share_align(job->count * job->result_bytes, in_memory ? 64 : 16));
}

static void learn(struct pl_processes *pool, int64_t took_ns, int64_t cpu_ns)
{
        pool->usual_ns = pool->usual_ns ? pool->usual_ns + (took_ns - pool->usual_ns) / 8 : took_ns;
        if (pool->usual_ns < 1)
                pool->usual_ns = 1;
        pool->busy_ns += took_ns;
        pool->busy_cpu_ns += cpu_ns;
}

/* The first job in flight has ended with *message*. False: it is nonsense. */
static bool take_result(struct pl_process *worker, const struct pl_result_message *message, uint32_t bytes,
                        struct pl_list *ended)
{
        struct pl_processes *pool = worker->pool;
        struct pl_job *job = PL_CONTAINER_OF(worker->in_flight.next, struct pl_job, link);
        uint64_t progress = message->progress, result_bytes = message->bytes;

        if (message->head.kind != PL_SAY_RESULT || !worker->n_in_flight || message->number != job->of_kind_number ||
            progress > job->count)
                return false;
        struct pl_big_job *big = pl_processes_big(pool, job);
        const char *results = results_of(job, big, message->data);
        if (!big && bytes < sizeof *message + pl_share_align(job->count * job->result_bytes, 16) +
                                    (job->codes ? job->count * sizeof(int) : 0))
                return false;
        if (job->count > 1 || result_bytes > job->result_bytes)
                result_bytes = job->result_bytes * (job->count > 1 ? progress : 1);

        enum plait_job_status status = message->head.flags ? PLAIT_JOB_REFUSED : PLAIT_JOB_RETURNED;
        int result = message->result;
        pl_list_remove(&job->link);
        worker->n_in_flight--;
        worker->n_returned++;
        pool->n_in_flight--;
        job->of_kind = NULL;
        job->progress = progress;
        job->took_ns = (int64_t)message->took_ns;
        job->end.bytes = result_bytes;
        if (status == PLAIT_JOB_RETURNED &&
            !deliver(job, results, codes_of(job, results, big), result_bytes, progress, big)) {
                status = PLAIT_JOB_REFUSED;
                result = -ENOMEM;
        }
        worker->cpu = pool->worker_cpu = message->cpu;
        learn(pool, job->took_ns, (int64_t)message->cpu_ns);
        pl_process_measure_result(worker, message->ended_ns, job->took_ns, progress);
        pl_processes_forget_big(pool, job);
        job->end.status = status;
        job->end.result = result;
        pl_list_push_back(ended, &job->link);
        return true;
}

/* The worker may wait for room in the ring. */
static void feed(struct pl_process *worker)
{
        struct pl_ring *ring = worker->results.shared;

        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load_explicit(&ring->starved, memory_order_relaxed) && atomic_exchange(&ring->starved, 0))
                pl_plat_shared_wake(&ring->starved, 1);
}

void pl_processes_collect_from(struct pl_process *worker, struct pl_list *ended)
{
        struct pl_ring_message *message;
        bool some = false;
        uint32_t bytes;
        int r;

        if (worker->fate == PL_FATE_CORRUPT)
                return;
        while ((r = pl_ring_peek(&worker->results, sizeof(struct pl_result_message), &message, &bytes)) == 1) {
                if (!take_result(worker, (const void *)message, bytes, ended)) {
                        r = -EBADMSG;
                        break;
                }
                pl_ring_consume(&worker->results, bytes);
                some = true;
        }
        if (some)
                feed(worker);
        if (r < 0)
                (void)pl_process_kill(worker, NULL, PL_FATE_CORRUPT);
}

/* With the lock. */
static void look_at_worker(struct pl_process *worker)
{
        struct pl_processes *pool = worker->pool;

        if (pool->rss_most && atomic_load_explicit(&worker->share->rss_bytes, memory_order_relaxed) > pool->rss_most)
                pl_processes_dismiss(worker);
}

static bool something_there(const struct pl_processes *pool)
{
        for (const struct pl_list *link = pool->workers.next; link != &pool->workers; link = link->next) {
                const struct pl_process *worker = PL_CONTAINER_OF(link, const struct pl_process, link);

                if (worker->n_in_flight && pl_ring_ready(&worker->results))
                        return true;
        }
        return false;
}

/*
 * Say whether jobs wait in the queue. True: they do, and a worker has just had its last result ready, so that it may
 * not have seen that.
 */
static bool tell_hunger(struct pl_processes *pool)
{
        uint32_t hungry = pool->queue.count > 0;

        if (atomic_load_explicit(&pool->bell->hungry, memory_order_relaxed) == hungry)
                return false;
        atomic_store(&pool->bell->hungry, hungry);
        atomic_thread_fence(memory_order_seq_cst);
        return hungry && something_there(pool);
}

static void collect_once(struct pl_processes *pool, struct pl_list *ended)
{
        struct pl_list *next;

        for (struct pl_list *link = pool->workers.next; link != &pool->workers; link = next) {
                struct pl_process *worker = PL_CONTAINER_OF(link, struct pl_process, link);

                next = link->next;
                if (!worker->n_in_flight)
                        continue;
                pl_processes_collect_from(worker, ended);
                look_at_worker(worker);
        }
        if (pool->queue.count && pl_processes_dispatch(pool, ended))
                pl_keeper_wake();
}

void pl_processes_collect(struct pl_processes *pool, struct pl_list *ended)
{
        do
                collect_once(pool, ended);
        while (tell_hunger(pool));
        if (!pool->n_in_flight && !pool->queue.count)
                pool->wanted = false;
}

/* --- waking --- */

void pl_processes_arm(struct pl_processes *pool)
{
        if (pool->leader)
                return;
        atomic_store(&pool->bell->waiting, PL_BELL_EVENT);
        atomic_thread_fence(memory_order_seq_cst);
        if (something_there(pool) && atomic_exchange(&pool->bell->waiting, 0))
                pl_plat_eventfd_write(pool->event);
}

/* A job has ended otherwise than by a result: the leader may wait for it. */
static void wake_leader(struct pl_processes *pool)
{
        pl_lock_acquire(&pool->lock);
        bool wake = pool->leader && atomic_exchange(&pool->bell->waiting, 0) & PL_BELL_FUTEX;
        pl_lock_release(&pool->lock);
        if (wake)
                pl_plat_shared_wake(&pool->bell->waiting, 1);
}

void pl_processes_finish(struct pl_processes *pool, struct pl_list *ended)
{
        struct pl_list *link;

        if (pl_list_empty(ended))
                return;
        atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed); /* with the last job, it may be freed */
        while ((link = pl_list_pop_front(ended))) {
                struct pl_job *job = PL_CONTAINER_OF(link, struct pl_job, link);

                pl_job_finish(job, job->end.status, job->end.result);
        }
        wake_leader(pool);
        pl_processes_unref(pool);
}

/* --- waiting --- */

static void bring(struct pl_processes *pool)
{
        struct pl_list ended;

        pl_list_init(&ended);
        pl_lock_acquire(&pool->lock);
        pl_processes_collect(pool, &ended);
        pl_lock_release(&pool->lock);
        pl_processes_finish(pool, &ended);
}

static void look(struct pl_future_source *source)
{
        bring(of_source(source));
}

static void want(struct pl_future_source *source)
{
        struct pl_processes *pool = of_source(source);

        pl_lock_acquire(&pool->lock);
        if (!pool->gone) {
                pool->wanted = true;
                pl_processes_arm(pool);
        }
        pl_lock_release(&pool->lock);
}

static bool may_spin(struct pl_processes *pool)
{
        pl_lock_acquire(&pool->lock);
        bool may = pool->soon > 0 && pool->usual_ns < SHORT_NS && pool->worker_cpu != sched_getcpu() &&
                   pl_plat_ticks() >= pool->calm_until && pool->n_in_flight;
        pl_lock_release(&pool->lock);
        return may;
}

/* Look again and again for a little while. True: *future* is set. */
static bool spin(struct pl_processes *pool, const struct plait_future *future)
{
        uint64_t per_us = pl_plat_ticks_per_ms() / 1000;
        uint64_t began = pl_plat_ticks(), last = began, now;

        for (;;) {
                bool ready = false;

                for (int i = 0; i < PAUSES; i++)
                        pl_cpu_relax();
                if (pl_lock_try(&pool->lock)) {
                        ready = something_there(pool);
                        pl_lock_release(&pool->lock);
                }
                if (ready)
                        bring(pool);
                if (pl_sync_future_is_set(future))
                        return true;
                now = pl_plat_ticks();
                if (now - began > SPIN_US * per_us)
                        return false;
                if (!ready && now - last > LEAP_US * per_us) {
                        pl_lock_acquire(&pool->lock);
                        pool->calm_until = now + CALM_US * per_us;
                        pl_lock_release(&pool->lock);
                        return false;
                }
                last = pl_plat_ticks();
                if (pl_sched_work_in_sight())
                        return false;
        }
}

/* Sleep on the bell, as the leader. False: there is one. */
static bool lead(struct pl_processes *pool, const struct plait_future *future, int64_t until_ns)
{
        pl_lock_acquire(&pool->lock);
        if (pool->leader || pool->gone) {
                pl_lock_release(&pool->lock);
                return false;
        }
        pool->leader = true;
        atomic_store(&pool->bell->waiting, PL_BELL_FUTEX);
        atomic_thread_fence(memory_order_seq_cst);
        bool ready = something_there(pool) || pl_sync_future_is_set(future);
        pl_lock_release(&pool->lock);
        if (!ready)
                (void)pl_plat_shared_wait(&pool->bell->waiting, PL_BELL_FUTEX, until_ns);

        struct pl_list ended;
        pl_list_init(&ended);
        pl_lock_acquire(&pool->lock);
        pool->leader = false;
        atomic_store(&pool->bell->waiting, 0);
        pl_processes_collect(pool, &ended);
        if (!ready && pl_plat_now_ns() >= until_ns)
                pl_processes_even_out(pool, &ended);
        if (pool->wanted)
                pl_processes_arm(pool);
        pl_lock_release(&pool->lock);
        pl_processes_finish(pool, &ended);
        return true;
}

static void count_gap(struct pl_processes *pool, uint64_t began)
{
        bool soon = pl_plat_ticks() - began < SPIN_US * (pl_plat_ticks_per_ms() / 1000);

        pl_lock_acquire(&pool->lock);
        if (soon)
                pool->soon += pool->soon < SOON_MOST;
        else
                pool->soon -= pool->soon > 0;
        pl_lock_release(&pool->lock);
}

static void wait_for(struct pl_future_source *source, const struct plait_future *future, int64_t deadline_ns)
{
        struct pl_processes *pool = of_source(source);
        int64_t nap_ns = FIRST_NAP_NS;
        uint64_t began = pl_plat_ticks();

        bring(pool);
        if (pl_sync_future_is_set(future))
                return;
        if (may_spin(pool) && spin(pool, future)) {
                count_gap(pool, began);
                return;
        }
        while (!pl_sched_in_task()) {
                int64_t now_ns = pl_plat_now_ns();
                int64_t until_ns = deadline_ns - now_ns > nap_ns ? now_ns + nap_ns : deadline_ns;

                if (pl_sync_future_is_set(future) || now_ns >= deadline_ns)
                        break;
                if (!lead(pool, future, until_ns))
                        break;
                if (nap_ns < LAST_NAP_NS)
                        nap_ns *= 2;
        }
        count_gap(pool, began);
        if (!pl_sync_future_is_set(future))
                want(source);
}

static void release(struct pl_future_source *source)
{
        pl_processes_unref(of_source(source));
}

void pl_processes_init_source(struct pl_processes *pool)
{
        pool->source = (struct pl_future_source){.look = look, .want = want, .wait = wait_for, .release = release};
        pool->soon = SOON_MOST / 2;
        pool->worker_cpu = -1;
}
