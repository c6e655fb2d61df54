/*
 * Giving jobs to workers. Everything here is done with the pool's lock.
 *
 * A sleeping worker costs 7 us to wake and begins 20 us later; a job that goes into the ring of one that works, or has
 * just stopped working, costs next to nothing and begins when those before it have ended. So short jobs (usual_ns) are
 * put behind each other as long as that makes none wait for more than BACKLOG_NS, and long ones go to idle workers,
 * with one at most behind the one that runs, so that there is no gap between them. What turns out to have been unwise
 * is evened out later: jobs that have not begun can be taken back.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "plat/sys.h"
#include "pool/process.h"

enum {
        BACKLOG_NS = 30 * 1000, /* jobs may wait so long where waking another worker would cost about as much */
        AHEAD_NS = 200 * 1000,  /* so much work is given to a worker at a time */
        AHEAD_MOST = 1024,
        LONG_NS = 20 * 1000, /* a job that is worth asking for its processor time */
};

/* --- memory for big jobs --- */

static bool is_inline(const struct pl_job *job)
{
        uint64_t in = job->count * job->arg_bytes;
        uint64_t out = pl_share_align(job->count * job->result_bytes, 16) + (job->codes ? job->count * sizeof(int) : 0);

        return in <= PL_INLINE_MOST - sizeof(struct pl_job_message) &&
               out <= PL_INLINE_MOST - sizeof(struct pl_result_message);
}

struct pl_big_job *pl_processes_big(struct pl_processes *pool, const struct pl_job *job)
{
        for (struct pl_list *link = pool->bigs.next; link != &pool->bigs; link = link->next) {
                struct pl_big_job *big = PL_CONTAINER_OF(link, struct pl_big_job, link);

                if (big->job == job)
                        return big;
        }
        return NULL;
}

void pl_processes_forget_big(struct pl_processes *pool, const struct pl_job *job)
{
        struct pl_big_job *big = pl_processes_big(pool, job);

        if (!big)
                return;
        pl_list_remove(&big->link);
        pl_pool_memory_unref(big->memory);
        free(big);
}

/* Memory with the argument in it; made anew when the job is begun again, as the argument may have been written to. */
static int make_big(struct pl_processes *pool, const struct pl_job *job, struct pl_pool_memory_id *ret)
{
        uint64_t in = job->count * job->arg_bytes, out = job->count * job->result_bytes;
        uint64_t bytes = pl_share_align(in, 64) + pl_share_align(out, 64) + (job->codes ? job->count * sizeof(int) : 0);
        struct pl_big_job *big = calloc(1, sizeof *big);

        if (!big)
                return -ENOMEM;
        int r = pl_pool_memory_new(bytes, 0, "plait-job", &big->memory);
        if (r < 0) {
                free(big);
                return r;
        }
        if (in)
                memcpy(big->memory->data, job->arg, in);
        big->job = job;
        pl_list_init(&big->link);
        pl_list_push_back(&pool->bigs, &big->link);
        pl_pool_memory_id(big->memory, ret);
        return 0;
}

/* --- into a ring --- */

static void wake(struct pl_process *worker)
{
        struct pl_ring *ring = worker->jobs.shared;

        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load_explicit(&ring->asleep, memory_order_relaxed) && atomic_exchange(&ring->asleep, 0))
                pl_plat_shared_wake(&ring->asleep, 1);
}

static bool is_asleep(const struct pl_process *worker)
{
        return atomic_load_explicit(&worker->jobs.shared->asleep, memory_order_relaxed);
}

/* Have the worker know of modules up to *module*. -EAGAIN: its ring is full. */
static int introduce(struct pl_process *worker, uint32_t module)
{
        while (worker->n_modules <= module) {
                uint32_t bytes = pl_ring_round(sizeof(struct pl_module_message));
                struct pl_module_message *message = (void *)pl_ring_reserve(&worker->jobs, bytes);

                if (!message)
                        return -EAGAIN;
                message->head = (struct pl_ring_message){.bytes = bytes, .kind = PL_SAY_MODULE};
                pl_pool_module_describe(worker->n_modules++, &message->module);
                pl_ring_commit(&worker->jobs, bytes);
        }
        return 0;
}

/* Have the worker join the recording that the job is in. -EAGAIN: its ring is full. */
static int introduce_recording(struct pl_process *worker)
{
        uint32_t bytes = pl_ring_round(sizeof(struct pl_follow_message));
        struct pl_trace_lead lead;

        if (!pl_trace_lead(worker->recording, &lead))
                return 0;
        struct pl_follow_message *message = (void *)pl_ring_reserve(&worker->jobs, bytes);
        if (!message)
                return -EAGAIN;
        message->head = (struct pl_ring_message){.bytes = bytes, .kind = PL_SAY_FOLLOW};
        message->lead = lead;
        pl_ring_commit(&worker->jobs, bytes);
        worker->recording = lead.number;
        return 0;
}

static void fill_in(struct pl_job_message *message, const struct pl_job *job, uint32_t bytes)
{
        message->head.bytes = bytes;
        message->head.kind = PL_SAY_JOB;
        message->head.flags = (uint16_t)((job->codes ? PL_JOB_WANTS_CODES : 0) |
                                         (job->stop_at_error ? PL_JOB_STOPS : 0));
        message->cpu = sched_getcpu();
        message->trace_number = job->number;
        message->count = job->count;
        message->arg_bytes = job->arg_bytes;
        message->result_bytes = job->result_bytes;
}

/* 0; -EAGAIN: the ring is full; or why it cannot be made at all. */
static int send(struct pl_process *worker, struct pl_job *job)
{
        struct pl_processes *pool = worker->pool;
        bool inside = is_inline(job);
        uint32_t bytes = pl_ring_round(sizeof(struct pl_job_message) +
                                       (inside ? job->count * job->arg_bytes : sizeof(struct pl_job_memory)));
        struct pl_pool_code code;
        int r = pl_pool_module_find((const void *)job->fn, &code);

        if (r == 0)
                r = introduce(worker, code.module);
        if (r == 0 && job->number)
                r = introduce_recording(worker);
        if (r < 0)
                return r;
        struct pl_job_message *message = (void *)pl_ring_reserve(&worker->jobs, bytes);
        if (!message)
                return -EAGAIN;
        fill_in(message, job, bytes);
        message->fn = code;
        message->number = job->of_kind_number = worker->jobs.position;
        if (pool->usual_ns > LONG_NS)
                message->head.flags |= PL_JOB_COUNT_CPU;
        if (inside) {
                if (message->arg_bytes)
                        memcpy(message->data, job->arg, job->count * job->arg_bytes);
        } else {
                r = make_big(pool, job, &((struct pl_job_memory *)(void *)message->data)->id);
                if (r < 0)
                        return r;
                message->head.flags |= PL_JOB_IN_MEMORY;
        }
        atomic_store_explicit(&message->state, PL_SLOT_QUEUED, memory_order_relaxed);
        pl_ring_commit(&worker->jobs, bytes);
        return 0;
}

/* Take it out of what it can be taken out of: the worker has it. */
static int assign(struct pl_process *worker, struct pl_job *job)
{
        struct pl_processes *pool = worker->pool;
        int r = send(worker, job);

        if (r < 0)
                return r;
        job->of_kind = worker;
        job->end.tries++;
        pl_list_push_back(&worker->in_flight, &job->link);
        worker->n_in_flight++;
        pool->n_in_flight++;
        pl_process_measure(worker);
        pl_list_remove(&worker->link);
        pl_list_push_front(&pool->workers, &worker->link);
        if (pool->jobs_per_worker && ++worker->n_assigned >= pool->jobs_per_worker)
                pl_processes_dismiss(worker);
        wake(worker);
        return 0;
}

void pl_processes_dismiss(struct pl_process *worker)
{
        struct pl_ring_message *message;

        if (worker->state == PL_PROCESS_LEAVING)
                return;
        message = pl_ring_reserve(&worker->jobs, PL_RING_GRAIN);
        if (!message) /* full of jobs: again when there is room */
                return;
        *message = (struct pl_ring_message){.bytes = PL_RING_GRAIN, .kind = PL_SAY_END};
        pl_ring_commit(&worker->jobs, PL_RING_GRAIN);
        worker->state = PL_PROCESS_LEAVING;
        worker->pool->n_leaving++;
        wake(worker);
        pl_keeper_wake();
}

/* --- taking back --- */

_Atomic uint32_t *pl_process_state_of(const struct pl_process *worker, const struct pl_job *job)
{
        struct pl_job_message *message = pl_ring_at(&worker->jobs, job->of_kind_number);

        /* Only the pool writes behind the worker's head, and that with the lock. */
        if (atomic_load_explicit(&worker->jobs.shared->head, memory_order_acquire) > job->of_kind_number)
                return NULL;
        return &message->state;
}

bool pl_processes_revoke(struct pl_process *worker, struct pl_job *job)
{
        _Atomic uint32_t *state = pl_process_state_of(worker, job);
        uint32_t queued = PL_SLOT_QUEUED;

        if (!state || !atomic_compare_exchange_strong(state, &queued, PL_SLOT_REVOKED))
                return false;
        pl_list_remove(&job->link);
        job->of_kind = NULL;
        job->end.tries--;
        worker->n_in_flight--;
        worker->pool->n_in_flight--;
        pl_process_measure(worker);
        pl_processes_forget_big(worker->pool, job);
        return true;
}

unsigned pl_processes_take_back(struct pl_process *worker, unsigned keep)
{
        unsigned taken = 0;

        while (worker->n_in_flight > keep) {
                struct pl_job *job = PL_CONTAINER_OF(worker->in_flight.prev, struct pl_job, link);

                if (!pl_processes_revoke(worker, job))
                        break;
                pl_job_queue_push_front(&worker->pool->queue, job);
                taken++;
        }
        return taken;
}

void pl_processes_even_out(struct pl_processes *pool, struct pl_list *ended)
{
        struct pl_process *most = NULL;
        unsigned idle = 0;

        for (struct pl_list *link = pool->workers.next; link != &pool->workers; link = link->next) {
                struct pl_process *worker = PL_CONTAINER_OF(link, struct pl_process, link);

                if (worker->n_in_flight == 0 && worker->state != PL_PROCESS_LEAVING)
                        idle++;
                if (worker->n_in_flight > 1 && (!most || worker->n_in_flight > most->n_in_flight))
                        most = worker;
        }
        if (pool->n_workers - pool->n_leaving < pool->limit)
                idle++;
        if (!most || !idle || pool->queue.count)
                return;
        if (pl_processes_take_back(most, 1 + most->n_in_flight / 2) && pl_processes_dispatch(pool, ended))
                pl_keeper_wake();
}

/* --- choosing --- */

static unsigned most_ahead(const struct pl_processes *pool)
{
        int64_t n;

        if (pool->exact_queue)
                return 1;
        if (!pool->usual_ns)
                return 2;
        n = AHEAD_NS / pool->usual_ns;
        return n < 2 ? 2 : n > AHEAD_MOST ? AHEAD_MOST : (unsigned)n;
}

static bool takes_jobs(const struct pl_process *worker)
{
        return worker->state != PL_PROCESS_LEAVING && !worker->killed;
}

/* The one that gets the next job; NULL: none. *ret_more*: another one would be better. */
static struct pl_process *choose(struct pl_processes *pool, bool *ret_more)
{
        struct pl_process *sleeper = NULL, *least = NULL;
        unsigned most = most_ahead(pool);

        *ret_more = false;
        for (struct pl_list *link = pool->workers.next; link != &pool->workers; link = link->next) {
                struct pl_process *worker = PL_CONTAINER_OF(link, struct pl_process, link);

                if (!takes_jobs(worker))
                        continue;
                if (worker->n_in_flight == 0) {
                        if (!is_asleep(worker))
                                return worker;
                        if (!sleeper)
                                sleeper = worker;
                } else if (!least || worker->n_in_flight < least->n_in_flight) {
                        least = worker;
                }
        }
        if (least && !pool->exact_queue && pool->usual_ns && least->n_in_flight < most &&
            least->n_in_flight * pool->usual_ns < BACKLOG_NS)
                return least;
        if (sleeper)
                return sleeper;
        *ret_more = pool->n_workers - pool->n_leaving < pool->limit;
        return least && least->n_in_flight < most && !*ret_more ? least : NULL;
}

/* One that must not begin any more, or cannot, ends. True: it has. */
static bool end_if_unwanted(struct pl_job *job, struct pl_list *ended)
{
        enum plait_job_status status = pl_job_is_unwanted(job);

        if (status == PLAIT_JOB_RETURNED)
                return false;
        pl_processes_end_job(job, status, 0, ended);
        return true;
}

/* 0: done with; 1: nobody can take it now. */
static int give(struct pl_processes *pool, struct pl_job *job, struct pl_list *ended, bool *ret_more)
{
        struct pl_process *worker = choose(pool, ret_more);

        if (!worker)
                return 1;
        int r = assign(worker, job);
        if (r == -EAGAIN)
                return 1;
        if (r < 0)
                pl_processes_end_job(job, PLAIT_JOB_REFUSED, r, ended);
        else
                pl_job_dequeued(job);
        return 0;
}

bool pl_processes_place(struct pl_processes *pool, struct pl_job *job, struct pl_list *ended)
{
        bool more = false;

        if (end_if_unwanted(job, ended))
                return false;
        if (!pool->queue.count && give(pool, job, ended, &more) == 0)
                return false;
        pl_job_queue_push(&pool->queue, job);
        return more || pool->n_workers - pool->n_leaving < pool->limit;
}

bool pl_processes_dispatch(struct pl_processes *pool, struct pl_list *ended)
{
        bool more = false;
        struct pl_job *job;

        while ((job = pl_job_queue_pop(&pool->queue))) {
                if (end_if_unwanted(job, ended))
                        continue;
                if (give(pool, job, ended, &more) == 0)
                        continue;
                pl_job_queue_push_front(&pool->queue, job);
                break;
        }
        return more;
}
