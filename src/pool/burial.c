/*
 * The end of worker processes, as the keeper sees it: what they leave behind is sorted out. Results that they had
 * finished are delivered, the job that they were in is lost (or begun again), the others go back to the queue. A worker
 * that died at its start is told of, and counts as a refusal.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "plait/errno.h"
#include "plat/panic.h"
#include "pool/process.h"

#define SECOND_NS INT64_C(1000000000)
#define NEWS_NS (2 * SECOND_NS) /* so long may the server take to tell of a death */

/* --- one --- */

static bool is_over(const struct pl_process *worker, int64_t now_ns)
{
        if (worker->buried || worker->lost)
                return true;
        return worker->dead && (worker->orphan || now_ns - worker->dead_ns >= NEWS_NS ||
                                atomic_load(&worker->share->phase) == PL_PHASE_ENDED);
}

/* What was made of a job before it was lost. */
static void save_progress(struct pl_process *worker, struct pl_job *job)
{
        uint64_t progress = atomic_load(&worker->share->progress), at = atomic_load(&worker->share->result_at);
        struct pl_big_job *big = pl_processes_big(worker->pool, job);
        uint64_t bytes = pl_share_align(job->count * job->result_bytes, 16) +
                         (job->codes ? job->count * sizeof(int) : 0);
        const char *results;

        job->progress = 0;
        if (job->count < 2 || progress > job->count || at == UINT64_MAX || worker->fate == PL_FATE_CORRUPT)
                return;
        if (big) {
                results = (const char *)big->memory->data + pl_share_align(job->count * job->arg_bytes, 64);
        } else {
                results = (const char *)pl_ring_at(&worker->results, at) + sizeof(struct pl_result_message);
                if (results + bytes > worker->share->result_data + PL_RING_BYTES)
                        return;
        }
        if (job->result && progress)
                memcpy(job->result, results, progress * job->result_bytes);
        if (job->codes)
                memcpy(job->codes, results + pl_share_align(job->count * job->result_bytes, big ? 64 : 16),
                       progress * sizeof(int));
        job->progress = progress;
}

/* The job that it was in. */
static void lose_job(struct pl_process *worker, struct pl_job *job, struct pl_list *ended)
{
        struct pl_processes *pool = worker->pool;
        enum pl_process_fate fate = worker->fate;

        if (worker->fated != UINT64_MAX && worker->fated != job->of_kind_number)
                fate = PL_FATE_NONE;
        save_progress(worker, job);
        pl_processes_forget_big(pool, job);
        job->end.exit_code = -1;
        if (fate == PL_FATE_TIMED_OUT) {
                pl_processes_end_job(job, PLAIT_JOB_TIMED_OUT, -ETIMEDOUT, ended);
                return;
        }
        if (fate == PL_FATE_CANCELLED || fate == PL_FATE_STOPPED) {
                pl_processes_end_job(job, PLAIT_JOB_CANCELLED, -ECANCELED, ended);
                return;
        }
        if (job->count == 1 && job->end.tries <= pool->executor.retries && !pool->stopping) {
                pool->retried++;
                job->of_kind = NULL;
                pl_job_queue_push_front(&pool->queue, job);
                return;
        }
        if (worker->buried && fate == PL_FATE_NONE) {
                job->end.signal = worker->last_news.signal;
                job->end.exit_code = worker->last_news.signal ? -1 : worker->last_news.exit_code;
        } else {
                job->end.signal = SIGKILL;
        }
        free(job->report);
        job->report = pl_process_report(worker, job);
        pl_processes_end_job(job, PLAIT_JOB_CRASHED, -EOWNERDEAD, ended);
}

/* It has begun if its state says so, or is past and there is no result. */
static bool has_begun(const struct pl_process *worker, const struct pl_job *job)
{
        const _Atomic uint32_t *state = pl_process_state_of(worker, job);

        return !state || atomic_load(state) != PL_SLOT_QUEUED;
}

/* The jobs that are still in flight. With the lock. */
static void sort_out(struct pl_process *worker, struct pl_list *ended)
{
        struct pl_processes *pool = worker->pool;
        struct pl_list *link;
        struct pl_job *lost = NULL;

        while (!pl_list_empty(&worker->in_flight)) { /* the last first, so that they come to the front in order */
                link = worker->in_flight.prev;
                struct pl_job *job = PL_CONTAINER_OF(link, struct pl_job, link);

                pl_list_remove(link);
                worker->n_in_flight--;
                pool->n_in_flight--;
                bool first = pl_list_empty(&worker->in_flight);
                if (first && (has_begun(worker, job) || worker->fate == PL_FATE_CORRUPT)) {
                        lost = job;
                        continue;
                }
                job->of_kind = NULL;
                job->end.tries--;
                pl_processes_forget_big(pool, job);
                if (pool->stopping)
                        pl_processes_end_job(job, PLAIT_JOB_CANCELLED, -ECANCELED, ended);
                else
                        pl_job_queue_push_front(&pool->queue, job);
        }
        pl_process_measure(worker);
        if (lost)
                lose_job(worker, lost, ended);
}

/* --- death outside of jobs: there is nobody but the user to be told --- */

/* Whether any of the pool's workers has ever come so far that it could do jobs. With the lock. */
static bool has_started_any(struct pl_processes *pool)
{
        for (struct pl_list *link = pool->workers.next; link != &pool->workers && !pool->proved; link = link->next) {
                struct pl_process *worker = PL_CONTAINER_OF(link, struct pl_process, link);
                uint32_t phase = atomic_load(&worker->share->phase);

                pool->proved = phase == PL_PHASE_READY || phase == PL_PHASE_ENDED;
        }
        return pool->proved;
}

/* Whether this has not been said of the pool's last worker that could not start. With the lock. */
static bool is_news(struct pl_process *worker, uint32_t phase)
{
        struct pl_processes *pool = worker->pool;
        const struct pl_server_reply *news = &worker->last_news;
        int how = news->signal ? news->signal : -1 - news->exit_code;

        if (phase == PL_PHASE_REFUSED)
                how = worker->share->start_error;
        bool known = pool->told.any && pool->told.phase == phase && pool->told.how == how;

        pool->told.any = true;
        pool->told.phase = phase;
        pool->told.how = how;
        return !known;
}

/* Its initializer has returned an error, or something that it needs at its start is not to be had. */
static void tell_of_refusal(struct pl_process *worker, int64_t now_ns)
{
        struct pl_processes *pool = worker->pool;
        int error = worker->share->start_error < 0 ? worker->share->start_error : -EOWNERDEAD;

        worker->share->why[PL_WHY_BYTES - 1] = '\0';
        if (is_news(worker, PL_PHASE_REFUSED))
                pl_warn("%s: a worker process could not start: %s (%s)", pool->executor.name, worker->share->why,
                        strerrordesc_np(-worker->share->start_error));
        pl_processes_refuse(pool, error, now_ns);
        pool->refusals += PL_REFUSALS_MOST; /* it will not be better next time */
}

/* A crash, or exit(), in the initializer or before it. One that has never worked would fail again and again. */
static void tell_of_crash(struct pl_process *worker, uint32_t phase, int64_t now_ns)
{
        static const char again[] = "it is tried again before jobs are refused";
        struct pl_processes *pool = worker->pool;
        bool initializing = phase == PL_PHASE_INITIALIZING;
        bool hopeless = initializing && worker->last_news.signal != SIGKILL && !has_started_any(pool);

        if (is_news(worker, phase)) {
                char *report = pl_process_start_report(worker);

                pl_warn("%s: %s: %s\n%s", pool->executor.name,
                        initializing ? "the initializer has ended its worker process"
                                     : "a worker process died at its start, before it could call any initializer",
                        hopeless ? "jobs are refused. Call it in the program itself, with a debugger, to see why"
                                 : again,
                        report ? report : "there is no memory to say more");
                free(report);
        }
        if (hopeless)
                pool->refusals += PL_REFUSALS_MOST;
        pl_processes_refuse(pool, -EOWNERDEAD, now_ns);
}

/* With the lock. */
static void tell_of_death(struct pl_process *worker, int64_t now_ns)
{
        struct pl_processes *pool = worker->pool;
        uint32_t phase = atomic_load(&worker->share->phase);

        if (phase == PL_PHASE_READY || phase == PL_PHASE_ENDED) {
                pool->proved = true;
                pool->told.any = false;
        }
        if (worker->orphan && phase < PL_PHASE_READY)
                pl_processes_refuse(pool, -EOWNERDEAD, now_ns); /* lest servers that die are started without a pause */
        if (worker->lost || worker->killed || worker->orphan)
                return;
        if (phase == PL_PHASE_REFUSED)
                tell_of_refusal(worker, now_ns);
        else if (phase < PL_PHASE_READY && worker->buried)
                tell_of_crash(worker, phase, now_ns);
}

/* --- one --- */

static void bury(struct pl_process *worker, int64_t now_ns, struct pl_list *ended)
{
        struct pl_processes *pool = worker->pool;
        uint32_t spinner = worker->index + 1;

        pl_lock_acquire(&pool->lock);
        pl_processes_collect_from(worker, ended);
        sort_out(worker, ended);
        tell_of_death(worker, now_ns);
        if (worker->n_returned)
                pool->refusals = 0;
        atomic_compare_exchange_strong(&pool->bell->spinner, &spinner, 0);
        pl_list_remove(&worker->link);
        pool->n_workers--;
        if (worker->state == PL_PROCESS_LEAVING)
                pool->n_leaving--;
        pl_lock_release(&pool->lock);
        if (worker->index < 64)
                pool->indices &= ~(UINT64_C(1) << worker->index);
        pl_list_push_back(&pool->graves, &worker->link);
}

/* --- all --- */

static struct pl_process *next_dead(struct pl_processes *pool, int64_t now_ns)
{
        for (struct pl_list *link = pool->workers.next; link != &pool->workers; link = link->next) {
                struct pl_process *worker = PL_CONTAINER_OF(link, struct pl_process, link);

                if (is_over(worker, now_ns))
                        return worker;
        }
        return NULL;
}

void pl_processes_bury(struct pl_processes *pool, int64_t now_ns, struct pl_list *ended)
{
        struct pl_process *worker;

        for (;;) {
                pl_lock_acquire(&pool->lock);
                worker = next_dead(pool, now_ns);
                pl_lock_release(&pool->lock);
                if (!worker)
                        return;
                /* Its last words come before the end of its job. */
                (void)pl_output_finish(&worker->err);
                (void)pl_output_finish(&worker->out);
                bury(worker, now_ns, ended);
        }
}

/* Those that no event can be under way of, and whose output has been passed on. */
int64_t pl_processes_clear_graves(struct pl_processes *pool, int64_t now_ns)
{
        struct pl_list *next;
        int64_t again_ns = PL_PLAT_NEVER;

        for (struct pl_list *link = pool->graves.next; link != &pool->graves; link = next) {
                struct pl_process *worker = PL_CONTAINER_OF(link, struct pl_process, link);

                next = link->next;
                if (!worker->dead_ns)
                        worker->dead_ns = now_ns;
                bool written = pl_output_finish(&worker->err) && pl_output_finish(&worker->out);
                if (!written && now_ns - worker->dead_ns < 5 * SECOND_NS) {
                        again_ns = now_ns + PL_OUTPUT_NS;
                        continue;
                }
                pl_list_remove(link);
                pl_process_free(worker);
        }
        return again_ns;
}
