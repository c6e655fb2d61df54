/*
 * The life of worker processes, as the keeper sees it: they are asked for when jobs wait, and looked after while they
 * work; burial.c sees to what they leave behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "plait/errno.h"
#include "plat/sys.h"
#include "pool/process.h"

#define SECOND_NS INT64_C(1000000000)

enum {
        AGAIN_NS = 5 * 1000 * 1000, /* after the first failure; doubles each time */
        UNEVEN_NS = 5 * 1000 * 1000,
        SWEEP_NS = 500 * 1000 * 1000,
};

static _Atomic uint64_t last_number; /* of workers, in all pools */

/* --- making one --- */

static int make_share(struct pl_share **ret, int *ret_fd)
{
        int fd = memfd_create("plait-worker", MFD_CLOEXEC);

        if (fd < 0)
                return -errno;
        void *share = MAP_FAILED;
        if (ftruncate(fd, sizeof(struct pl_share)) == 0)
                share = mmap(NULL, sizeof(struct pl_share), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (share == MAP_FAILED) {
                int r = -errno;

                close(fd);
                return r;
        }
        *ret = share;
        *ret_fd = fd;
        return 0;
}

void pl_process_free(struct pl_process *worker)
{
        pl_output_close(&worker->out);
        pl_output_close(&worker->err);
        if (worker->pidfd >= 0) {
                pl_keeper_unwatch(worker->pidfd);
                close(worker->pidfd);
        }
        if (worker->share)
                munmap(worker->share, sizeof *worker->share);
        free(worker);
}

static unsigned lowest_index(struct pl_processes *pool)
{
        for (unsigned i = 0; i < 64; i++)
                if (!(pool->indices & UINT64_C(1) << i))
                        return i;
        return pool->n_workers;
}

static void on_death(struct pl_keeper_source *source, uint32_t events)
{
        struct pl_process *worker = PL_CONTAINER_OF(source, struct pl_process, death);

        (void)events;
        worker->dead = true;
        worker->dead_ns = pl_plat_now_ns();
        pl_keeper_unwatch(worker->pidfd);
}

static int open_worker(struct pl_processes *pool, struct pl_process *worker, int fds[PL_SERVER_FDS])
{
        int r = make_share(&worker->share, &fds[PL_FD_SHARE]);

        if (r == 0)
                r = pl_output_open(&worker->out, STDOUT_FILENO, &fds[PL_FD_OUT]);
        if (r == 0)
                r = pl_output_open(&worker->err, STDERR_FILENO, &fds[PL_FD_ERR]);
        if (r == 0)
                r = pl_output_start(&worker->out);
        if (r == 0)
                r = pl_output_start(&worker->err);
        fds[PL_FD_BELL] = pool->bell_fd;
        fds[PL_FD_SETUP] = pool->setup_fd;
        fds[PL_FD_EVENT] = pool->event;
        fds[PL_FD_CWD] = pool->cwd;
        return r;
}

static struct pl_process *new_worker(struct pl_processes *pool)
{
        struct pl_process *worker = calloc(1, sizeof *worker);

        if (!worker)
                return NULL;
        worker->pool = pool;
        worker->pidfd = -1;
        worker->out.from = worker->err.from = -1;
        worker->cpu = -1;
        worker->watched = UINT64_MAX;
        worker->death.ready = on_death;
        pl_list_init(&worker->link);
        pl_list_init(&worker->in_flight);
        return worker;
}

/* Have one more made. Without the lock. */
static int ask(struct pl_processes *pool)
{
        int fds[PL_SERVER_FDS] = {-1, -1, -1, -1, -1, -1, -1};
        struct pl_process *worker = new_worker(pool);

        if (!worker)
                return -ENOMEM;
        int r = open_worker(pool, worker, fds);
        worker->number = atomic_fetch_add(&last_number, 1) + 1;
        worker->index = lowest_index(pool);
        if (r == 0) {
                struct pl_server_request request = {.number = worker->number, .index = worker->index};

                pl_ring_attach(&worker->jobs, &worker->share->jobs, worker->share->job_data, PL_RING_BYTES);
                pl_ring_attach(&worker->results, &worker->share->results, worker->share->result_data, PL_RING_BYTES);
                r = pl_keeper_ask(&request, fds, pool->environment);
        }
        for (unsigned i = 0; i < PL_SERVER_FDS; i++)
                if ((i == PL_FD_SHARE || i == PL_FD_OUT || i == PL_FD_ERR) && fds[i] >= 0)
                        close(fds[i]);
        if (r < 0) {
                pl_process_free(worker);
                return r;
        }
        if (worker->index < 64)
                pool->indices |= UINT64_C(1) << worker->index;
        pl_lock_acquire(&pool->lock);
        pl_list_push_front(&pool->workers, &worker->link);
        pool->n_workers++;
        pool->started++;
        pl_lock_release(&pool->lock);
        return 0;
}

void pl_processes_refuse(struct pl_processes *pool, int error, int64_t now_ns)
{
        int64_t pause_ns = (int64_t)AGAIN_NS << (pool->refusals < PL_REFUSALS_MOST ? pool->refusals : PL_REFUSALS_MOST);

        pool->refusals++;
        pool->refusal = error;
        pool->ask_again_ns = now_ns + pause_ns;
}

/* Without this, no worker will ever come. */
static bool is_hopeless(int error)
{
        return error == -EPERM || error == -ENOEXEC || error == -ENOENT || error == -EPIPE;
}

static void ask_for_workers(struct pl_processes *pool, int64_t now_ns, struct pl_list *ended)
{
        for (;;) {
                pl_lock_acquire(&pool->lock);
                bool wanted = pool->queue.count && pool->n_workers - pool->n_leaving < pool->limit &&
                              pool->n_workers < 2 * pool->limit + 1 && now_ns >= pool->ask_again_ns;
                pl_lock_release(&pool->lock);
                if (!wanted)
                        return;

                int r = ask(pool);
                pl_lock_acquire(&pool->lock);
                if (r < 0) {
                        pl_processes_refuse(pool, r, now_ns);
                        if (is_hopeless(r))
                                pool->refusals += PL_REFUSALS_MOST;
                }
                (void)pl_processes_dispatch(pool, ended);
                pl_lock_release(&pool->lock);
        }
}

/* Jobs that wait for a worker that will not come end. With the lock. */
static void give_up(struct pl_processes *pool, struct pl_list *ended)
{
        struct pl_job *job;

        if (pool->refusals < PL_REFUSALS_MOST || pool->n_workers > pool->n_leaving)
                return;
        while ((job = pl_job_queue_pop(&pool->queue)))
                pl_processes_end_job(job, PLAIT_JOB_REFUSED, pool->refusal, ended);
        pool->refusals = 0;
        pool->ask_again_ns = 0;
}

/* --- killing --- */

static void send_kill(struct pl_process *worker)
{
        if (worker->pidfd >= 0)
                pidfd_send_signal(worker->pidfd, SIGKILL, NULL, 0);
}

static bool is_claimed(const struct pl_process *worker, const struct pl_job *job)
{
        const _Atomic uint32_t *state = pl_process_state_of(worker, job);

        return state && atomic_load(state) == PL_SLOT_CLAIMED;
}

/* Keep the worker from beginning another job, unless it has done so or has ended this one. */
static bool hold(struct pl_process *worker, const struct pl_job *job)
{
        struct pl_share *share = worker->share;

        atomic_store(&share->hold, 1);
        atomic_thread_fence(memory_order_seq_cst);
        if (is_claimed(worker, job)) {
                const struct pl_list *link = job->link.next;

                if (link == &worker->in_flight || !is_claimed(worker, PL_CONTAINER_OF(link, const struct pl_job, link)))
                        return true;
        }
        atomic_store(&share->hold, 0);
        pl_plat_shared_wake(&share->hold, 1);
        return false;
}

bool pl_process_kill(struct pl_process *worker, const struct pl_job *job, enum pl_process_fate fate)
{
        if (worker->killed)
                return false;
        if (job && !hold(worker, job))
                return false;
        worker->killed = true;
        worker->fate = fate;
        worker->fated = job ? job->of_kind_number : UINT64_MAX;
        if (worker->pidfd >= 0)
                send_kill(worker);
        else
                pl_keeper_wake(); /* it is killed when it is known */
        return true;
}

/* When the job that *worker* makes has to be looked at again; it is killed if it has taken too long. */
static int64_t watch_time(struct pl_process *worker, int64_t now_ns)
{
        struct pl_job *job = PL_CONTAINER_OF(worker->in_flight.next, struct pl_job, link);
        int64_t began_ns, due_ns;

        if (!worker->n_in_flight || worker->killed || (!job->timeout_ns && job->deadline_ns >= PLAIT_NEVER))
                return PL_PLAT_NEVER;
        began_ns = (int64_t)atomic_load(&worker->share->claimed_ns);
        if (!is_claimed(worker, job) || !began_ns || began_ns > now_ns)
                began_ns = now_ns; /* it may be about to begin */
        if (job->count > 1) {      /* the time is that of an item */
                uint64_t progress = atomic_load(&worker->share->progress);

                if (worker->watched != job->of_kind_number || worker->watched_progress != progress) {
                        worker->watched_ns = progress ? now_ns : began_ns;
                        worker->watched = job->of_kind_number;
                        worker->watched_progress = progress;
                }
                began_ns = worker->watched_ns;
        }
        due_ns = job->timeout_ns ? began_ns + job->timeout_ns : PL_PLAT_NEVER;
        if (job->deadline_ns < due_ns)
                due_ns = job->deadline_ns;
        if (now_ns >= due_ns) {
                (void)pl_process_kill(worker, job, PL_FATE_TIMED_OUT);
                return now_ns + PL_OUTPUT_NS;
        }
        return due_ns;
}

/* --- news of the server's --- */

bool pl_processes_hear(struct pl_processes *pool, const struct pl_server_reply *reply, int pidfd)
{
        struct pl_process *worker = NULL;

        pl_lock_acquire(&pool->lock);
        for (struct pl_list *link = pool->workers.next; link != &pool->workers && !worker; link = link->next) {
                worker = PL_CONTAINER_OF(link, struct pl_process, link);
                if (worker->number != reply->number)
                        worker = NULL;
        }
        if (worker && reply->news == PL_SERVER_SPAWNED) {
                worker->pid = reply->pid;
                worker->pidfd = pidfd;
                if (worker->state == PL_PROCESS_ASKED)
                        worker->state = PL_PROCESS_LIVE;
                if (worker->killed)
                        send_kill(worker);
                if (pidfd < 0 || pl_keeper_watch(pidfd, &worker->death, EPOLLIN) < 0)
                        worker->pidfd = worker->pidfd < 0 ? -1 : worker->pidfd; /* the server will say so, too */
        } else if (worker && reply->news == PL_SERVER_FAILED) {
                worker->lost = true;
                worker->last_news = *reply;
                pl_processes_refuse(pool, reply->error, pl_plat_now_ns());
        } else if (worker && reply->news == PL_SERVER_EXITED) {
                worker->buried = true;
                worker->last_news = *reply;
        }
        pl_lock_release(&pool->lock);
        return worker != NULL;
}

void pl_processes_lose_server(struct pl_processes *pool)
{
        pl_lock_acquire(&pool->lock);
        for (struct pl_list *link = pool->workers.next; link != &pool->workers; link = link->next) {
                struct pl_process *worker = PL_CONTAINER_OF(link, struct pl_process, link);

                if (worker->buried)
                        continue;
                send_kill(worker); /* the kernel does that, too */
                worker->orphan = true;
                worker->lost |= worker->pidfd < 0;
        }
        pl_lock_release(&pool->lock);
        pl_keeper_wake();
}

/* --- everything that is due --- */

/* With the lock: look after each worker. Returns when to do that again. */
static int64_t look_at_the_living(struct pl_processes *pool, int64_t now_ns)
{
        int64_t until_ns = PL_PLAT_NEVER;
        unsigned surplus = pool->n_workers - pool->n_leaving > pool->limit
                                   ? pool->n_workers - pool->n_leaving - pool->limit
                                   : 0;
        bool done = pool->draining && !pool->queue.count && !pool->n_in_flight;

        for (struct pl_list *link = pool->workers.prev; link != &pool->workers; link = link->prev) {
                struct pl_process *worker = PL_CONTAINER_OF(link, struct pl_process, link);
                int64_t due_ns = watch_time(worker, now_ns);

                if (due_ns < until_ns)
                        until_ns = due_ns;
                if (worker->state != PL_PROCESS_LEAVING && (done || surplus)) {
                        surplus -= surplus > 0;
                        pl_processes_dismiss(worker);
                }
                if (worker->state == PL_PROCESS_LEAVING && !worker->leaving_ns)
                        worker->leaving_ns = now_ns;
                if (pool->stopping && !worker->n_in_flight && !worker->killed && worker->leaving_ns) {
                        if (atomic_load(&worker->share->phase) < PL_PHASE_READY ||
                            now_ns - worker->leaving_ns > 5 * SECOND_NS)
                                (void)pl_process_kill(worker, NULL, PL_FATE_STOPPED);
                        else if (until_ns > worker->leaving_ns + 5 * SECOND_NS)
                                until_ns = worker->leaving_ns + 5 * SECOND_NS;
                }
                if (worker->dead && !worker->buried && until_ns > now_ns + PL_OUTPUT_NS)
                        until_ns = now_ns + PL_OUTPUT_NS;
        }
        return until_ns;
}

/* With the lock. */
static int64_t next_look(const struct pl_processes *pool, int64_t now_ns)
{
        if (pool->queue.count && pool->ask_again_ns > now_ns)
                return pool->ask_again_ns;
        if (pool->n_in_flight > pool->n_workers && pool->n_workers < pool->limit)
                return now_ns + UNEVEN_NS;
        for (const struct pl_list *link = pool->workers.next; link != &pool->workers; link = link->next) {
                const struct pl_process *worker = PL_CONTAINER_OF(link, const struct pl_process, link);

                if (worker->n_in_flight > 1)
                        return now_ns + UNEVEN_NS;
        }
        return pool->n_in_flight ? now_ns + SWEEP_NS : PL_PLAT_NEVER;
}

int64_t pl_processes_serve(struct pl_processes *pool, int64_t now_ns, bool *ret_gone)
{
        int64_t until_ns, other_ns;
        struct pl_list ended;

        pl_list_init(&ended);
        pl_processes_bury(pool, now_ns, &ended);
        pl_processes_look_at_processors(pool);
        ask_for_workers(pool, now_ns, &ended);
        pl_lock_acquire(&pool->lock);
        pl_processes_collect(pool, &ended);
        pl_processes_even_out(pool, &ended);
        give_up(pool, &ended);
        until_ns = look_at_the_living(pool, now_ns);
        other_ns = next_look(pool, now_ns);
        if (pool->wanted && (pool->n_in_flight || pool->queue.count))
                pl_processes_arm(pool);
        bool done = pool->draining && !pool->queue.count && !pool->n_in_flight && !pool->n_workers;
        pl_lock_release(&pool->lock);
        pl_processes_finish(pool, &ended);
        if (other_ns < until_ns)
                until_ns = other_ns;
        other_ns = pl_processes_clear_graves(pool, now_ns);
        if (done && pl_list_empty(&pool->graves)) {
                pl_keeper_unwatch(pool->event);
                *ret_gone = true;
        }
        return other_ns < until_ns ? other_ns : until_ns;
}
