/*
 * The executor whose workers are processes: opening it, and what struct pl_executor_kind asks of it. See
 * pool/process.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plat/panic.h"
#include "plat/sys.h"
#include "pool/process.h"

extern char **environ;

static struct pl_processes *of(struct plait_executor *executor)
{
        return PL_CONTAINER_OF(executor, struct pl_processes, executor);
}

/* --- a process that the program has forked: the pools that it finds are the program's, and it has no keeper --- */

static unsigned forks; /* how many there were on the way to this process */

static void on_fork(void)
{
        forks++;
        pl_keeper_forget();
}

static bool is_inherited(const struct pl_processes *pool)
{
        return pool->forks != forks;
}

static int notice_forks(void)
{
        static struct pl_lock lock;
        static bool done;
        int r = 0;

        pl_lock_acquire(&lock);
        if (!done)
                r = -pthread_atfork(NULL, NULL, on_fork);
        done = r == 0;
        pl_lock_release(&lock);
        return r;
}

/* --- jobs --- */

static int submit(struct plait_executor *executor, struct pl_job *job)
{
        struct pl_processes *pool = of(executor);
        struct pl_pool_code code;
        struct pl_list ended;
        int r = is_inherited(pool) ? -EPIPE : pl_pool_module_find((const void *)job->fn, &code);

        if (r < 0)
                return r;
        pl_list_init(&ended);
        pl_lock_acquire(&pool->lock);
        if (pool->draining) {
                pl_lock_release(&pool->lock);
                return -EPIPE;
        }
        if (job->future) {
                atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
                pl_sync_future_set_source(job->future, &pool->source);
        } else {
                pool->wanted = true;
        }
        job->end.exit_code = -1;
        bool more = pl_processes_place(pool, job, &ended);
        if (pool->queue.count)
                pl_processes_collect(pool, &ended);
        if (pool->wanted)
                pl_processes_arm(pool);
        pl_lock_release(&pool->lock);
        if (more)
                pl_keeper_wake();
        else
                pl_keeper_stir();
        pl_processes_finish(pool, &ended);
        return 0;
}

static bool cancel(struct plait_executor *executor, struct pl_job *job)
{
        struct pl_processes *pool = of(executor);
        bool taken;

        pl_lock_acquire(&pool->lock);
        struct pl_process *worker = job->place == PL_JOB_QUEUED ? NULL : job->of_kind;
        if (worker) {
                taken = pl_processes_revoke(worker, job);
                if (!taken)
                        (void)pl_process_kill(worker, job, PL_FATE_CANCELLED);
        } else {
                taken = pl_job_queue_remove(&pool->queue, job);
        }
        pl_lock_release(&pool->lock);
        if (taken)
                pl_keeper_stir();
        return taken;
}

/* --- the rest of the interface --- */

static void resize(struct plait_executor *executor, unsigned workers)
{
        struct pl_processes *pool = of(executor);

        pl_lock_acquire(&pool->lock);
        pool->limit = workers;
        pl_lock_release(&pool->lock);
        pl_keeper_wake();
}

/* Everything that can be taken back is cancelled; workers that are in a job are killed. With the lock. */
static void cancel_all(struct pl_processes *pool, struct pl_list *ended)
{
        struct pl_job *job;

        for (struct pl_list *link = pool->workers.next; link != &pool->workers; link = link->next) {
                struct pl_process *worker = PL_CONTAINER_OF(link, struct pl_process, link);

                (void)pl_processes_take_back(worker, 0);
                if (worker->n_in_flight)
                        (void)pl_process_kill(worker, PL_CONTAINER_OF(worker->in_flight.next, struct pl_job, link),
                                              PL_FATE_STOPPED);
        }
        while ((job = pl_job_queue_pop(&pool->queue)))
                pl_processes_end_job(job, PLAIT_JOB_CANCELLED, -ECANCELED, ended);
}

static void stop(struct plait_executor *executor, bool now)
{
        struct pl_processes *pool = of(executor);
        struct pl_list ended;

        if (is_inherited(pool)) {
                pl_executor_gone(executor);
                return;
        }
        pl_list_init(&ended);
        pl_lock_acquire(&pool->lock);
        pool->draining = true;
        pool->wanted = true;
        if (now) {
                pool->stopping = true;
                cancel_all(pool, &ended);
        }
        pl_lock_release(&pool->lock);
        pl_processes_finish(pool, &ended);
        pl_keeper_wake();
}

static void close_fd(int fd)
{
        if (fd >= 0)
                close(fd);
}

void pl_processes_unref(struct pl_processes *pool)
{
        if (atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) != 1)
                return;
        if (pool->bell)
                munmap(pool->bell, sizeof *pool->bell);
        free(pool);
}

static void close_pool(struct pl_processes *pool)
{
        close_fd(pool->bell_fd);
        close_fd(pool->event);
        close_fd(pool->setup_fd);
        close_fd(pool->cwd);
        if (pool->setup)
                munmap(pool->setup, pool->setup_bytes);
        free(pool->environment);
        plait_tuner_free(pool->executor.tuner);
        pl_executor_done(&pool->executor);
        pl_processes_unref(pool);
}

static void free_pool(struct plait_executor *executor)
{
        struct pl_processes *pool = of(executor);

        if (!is_inherited(pool)) { /* or else a thread that is not here may hold the lock */
                pl_lock_acquire(&pool->lock);
                pool->gone = true;
                pl_lock_release(&pool->lock);
                pl_keeper_remove();
        }
        close_pool(pool);
}

static void look(struct plait_executor *executor, struct plait_executor_stats *stats)
{
        struct pl_processes *pool = of(executor);

        pl_lock_acquire(&pool->lock);
        stats->limit = pool->limit;
        stats->workers = pool->n_workers;
        stats->running = 0;
        stats->queued = pool->queue.count;
        for (struct pl_list *link = pool->workers.next; link != &pool->workers; link = link->next) {
                unsigned n = PL_CONTAINER_OF(link, struct pl_process, link)->n_in_flight;

                stats->running += n > 0;
                stats->queued += n > 0 ? n - 1 : 0;
        }
        stats->retried = pool->retried;
        stats->started = pool->started;
        stats->busy_ns = pool->busy_ns;
        stats->busy_cpu_ns = pool->busy_cpu_ns;
        pl_lock_release(&pool->lock);
}

static unsigned width(struct plait_executor *executor)
{
        struct pl_processes *pool = of(executor);

        pl_lock_acquire(&pool->lock);
        unsigned limit = pool->limit;
        pl_lock_release(&pool->lock);
        return limit;
}

static const struct pl_executor_kind kind = {
        .name = "processes",
        .in_process = false,
        .outside = true,
        .has_timeout = true,
        .submit = submit,
        .cancel = cancel,
        .resize = resize,
        .stop = stop,
        .free = free_pool,
        .look = look,
        .width = width,
};

/* --- opening --- */

static size_t environment_bytes(uint32_t *ret_count)
{
        size_t bytes = 0;
        uint32_t n = 0;

        for (char **at = environ; at && *at; at++, n++)
                bytes += strlen(*at) + 1;
        *ret_count = n;
        return bytes;
}

/* The strings in the setup, for starting the server with them. */
static int copy_environment(struct pl_processes *pool)
{
        struct pl_setup *setup = pool->setup;
        char *to = (char *)setup + setup->environment_at;

        pool->environment = calloc(setup->n_environment + 1, sizeof *pool->environment);
        if (!pool->environment)
                return -ENOMEM;
        for (uint32_t i = 0; i < setup->n_environment && environ[i]; i++) {
                size_t bytes = strlen(environ[i]) + 1;

                if (to + bytes > (char *)setup + setup->bytes)
                        return -EAGAIN; /* it has just been changed by another thread */
                memcpy(to, environ[i], bytes);
                pool->environment[i] = to;
                to += bytes;
        }
        return 0;
}

static int describe_function(const void *fn, struct pl_pool_module *ret_module, uint64_t *ret_offset)
{
        struct pl_pool_code code;
        int r = pl_pool_module_find(fn, &code);

        if (r < 0)
                return r;
        pl_pool_module_describe(code.module, ret_module);
        *ret_offset = code.offset;
        return 0;
}

static int fill_in_setup(struct pl_setup *setup, const struct plait_executor_opts *opts, const char *name)
{
        int r = pl_plat_order_make(opts ? opts->threads : NULL, &setup->order);
        size_t bytes = strnlen(name, sizeof setup->name - 1);

        memcpy(setup->name, name, bytes);
        if (r < 0 || !opts)
                return r;
        setup->pin = (opts->flags & PLAIT_EXECUTOR_PIN) != 0;
        if (setup->pin && !setup->order.n_cpus) {
                if (sched_getaffinity(0, sizeof setup->order.cpus, &setup->order.cpus) < 0)
                        return -errno;
                setup->order.n_cpus = (unsigned)CPU_COUNT(&setup->order.cpus);
        }
        setup->rss_most = opts->rss_bytes;
        setup->has_initializer = opts->initializer != NULL;
        setup->has_finaliser = opts->finaliser != NULL;
        if (opts->initializer)
                r = describe_function((const void *)opts->initializer, &setup->modules[0], &setup->offsets[0]);
        if (r == 0 && opts->finaliser)
                r = describe_function((const void *)opts->finaliser, &setup->modules[1], &setup->offsets[1]);
        return r;
}

/* The error of the call that has just failed. */
static int failure(void)
{
        const int error = errno;

        return error > 0 ? -error : -EIO;
}

/* NULL: errno says why. */
static void *make_shared(const char *name, size_t bytes, int *ret_fd)
{
        *ret_fd = memfd_create(name, MFD_CLOEXEC);
        if (*ret_fd < 0 || ftruncate(*ret_fd, (off_t)bytes) < 0)
                return NULL;
        void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd, 0);
        return memory == MAP_FAILED ? NULL : memory;
}

static int make_setup(struct pl_processes *pool, const struct plait_executor_opts *opts)
{
        size_t arg_bytes = opts ? opts->arg_bytes : 0;
        uint32_t n_environment;
        size_t environment = environment_bytes(&n_environment);
        if (arg_bytes > SIZE_MAX / 4)
                return -ENOMEM;
        size_t bytes = pl_share_align(sizeof *pool->setup, 64) + pl_share_align(arg_bytes, 64) + environment;
        void *setup = make_shared("plait-setup", bytes, &pool->setup_fd);

        if (!setup)
                return failure();
        pool->setup = setup;
        pool->setup_bytes = bytes;
        pool->setup->bytes = bytes;
        pool->setup->n_environment = n_environment;
        pool->setup->arg_at = pl_share_align(sizeof *pool->setup, 64);
        pool->setup->arg_bytes = arg_bytes;
        pool->setup->environment_at = pool->setup->arg_at + pl_share_align(arg_bytes, 64);
        if (arg_bytes)
                memcpy((char *)setup + pool->setup->arg_at, opts->arg, arg_bytes);
        int r = fill_in_setup(pool->setup, opts, pool->executor.name);
        return r < 0 ? r : copy_environment(pool);
}

/* The worker has rung; that the keeper goes round is all it takes. */
static void on_bell(struct pl_keeper_source *source, uint32_t events)
{
        struct pl_processes *pool = PL_CONTAINER_OF(source, struct pl_processes, news);
        eventfd_t count;

        (void)events;
        (void)!eventfd_read(pool->event, &count);
}

static int open_pool(struct pl_processes *pool, const struct plait_executor_opts *opts)
{
        pool->bell = make_shared("plait-bell", sizeof *pool->bell, &pool->bell_fd);
        if (!pool->bell)
                return failure();
        int r = make_setup(pool, opts);
        if (r == 0 && pool->limit == PLAIT_AUTO)
                r = pl_processes_begin_to_measure(pool);
        if (r < 0)
                return r;
        pool->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        pool->cwd = pool->event < 0 ? -1 : open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (pool->event < 0 || pool->cwd < 0)
                return failure();
        r = notice_forks();
        return r < 0 ? r : pl_keeper_add(pool);
}

static void init_pool(struct pl_processes *pool, const struct plait_executor_opts *opts)
{
        pool->refs = 1;
        pool->forks = forks;
        pool->limit = opts && opts->workers ? opts->workers : (unsigned)pl_plat_cpu_count(); /* or PLAIT_AUTO */
        pool->jobs_per_worker = opts ? opts->jobs_per_worker : 0;
        pool->rss_most = opts ? opts->rss_bytes : 0;
        pool->exact_queue = opts && opts->queue_limit;
        pool->bell_fd = pool->event = pool->setup_fd = pool->cwd = -1;
        pool->news.ready = on_bell;
        pl_job_queue_init(&pool->queue);
        pl_list_init(&pool->workers);
        pl_list_init(&pool->bigs);
        pl_list_init(&pool->graves);
        pl_list_init(&pool->link);
        pl_processes_init_source(pool);
}

int plait_executor_processes(const struct plait_executor_opts *opts, struct plait_executor **ret_executor)
{
        int saved = errno;
        int r = pl_executor_check(opts, PL_CAN_INITIALIZE | PL_CAN_REPLACE | PL_CAN_RSS | PL_CAN_TIME_OUT |
                                                PL_CAN_RETRY | PL_CAN_SCHEDULE | PL_CAN_TUNE);

        if (r < 0)
                return r;
        struct pl_processes *pool = calloc(1, sizeof *pool);
        if (!pool)
                return -ENOMEM;
        r = pl_executor_init(&pool->executor, &kind, opts);
        if (r < 0) {
                free(pool);
                return r;
        }
        init_pool(pool, opts);
        r = open_pool(pool, opts);
        if (r < 0)
                close_pool(pool);
        else
                *ret_executor = &pool->executor;
        errno = saved;
        return r;
}
