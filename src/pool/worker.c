/*
 * A worker process: it takes jobs from its ring, makes them, and puts their results into the other. One thread, no
 * lock. pool/share.h tells what is shared with the pool and in which order it is written.
 *
 * Waiting for a job, it spins a little before it sleeps, if that is likely to pay: if jobs have lately come soon, the
 * pool runs on another processor, no other worker spins, and nobody else wants this processor (then the spinning is
 * interrupted, which shows as a leap of the clock).
 */
#include "pool/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "plait/trace.h"
#include "plat/panic.h"
#include "plat/sys.h"
#include "pool/executor.h"
#include "pool/meter.h"
#include "sched/wait.h"
#include "trace/trace.h"

enum {
        SPIN_US = 50,
        LEAP_US = 10,   /* a spin's turn that took so long was interrupted */
        CALM_US = 5000, /* and for so long there is no more spinning then */
        SOON_MOST = 8,  /* how many gaps in a row count */
        RSS_LOOK_NS = 10 * 1000 * 1000,
        KEEP_MEMORIES = 16,
        KEEP_NS = 50 * 1000 * 1000,
};

extern char **environ;

static struct {
        struct pl_share *share;
        struct pl_bell *bell;
        const struct pl_setup *setup;
        int event;
        uint32_t index;
        struct pl_ring_end jobs, results;

        struct {
                uintptr_t base;
                int error;          /* why it cannot be had; 0: it can */
        } modules[PL_MODULES_MOST]; /* by their numbers in the pool's process */
        uint32_t n_modules;
        void (*finaliser)(void *arg);
        void *arg;

        uint64_t ticks_per_us;
        int32_t pool_cpu;    /* where the pool was when it sent the last job */
        unsigned soon;       /* how many of the last gaps between jobs were short */
        uint64_t calm_until; /* ticks */
        int64_t busy_ns;     /* when the last job ended, if nobody has waited since */
        bool rung;           /* somebody was woken for the last result */
        int64_t rss_looked_ns;
        struct pl_pool_usage usage;
        int64_t used_ns, blocked_ns;
        bool forked; /* this is a child that a job has forked */
} self;

/* --- telling the pool --- */

static void ring_bell(void)
{
        atomic_thread_fence(memory_order_seq_cst);
        self.rung = false;
        if (PL_LIKELY(!atomic_load_explicit(&self.bell->waiting, memory_order_relaxed)))
                return;
        uint32_t waiting = atomic_exchange(&self.bell->waiting, 0);
        self.rung = waiting != 0;
        if (waiting & PL_BELL_FUTEX)
                pl_plat_shared_wake(&self.bell->waiting, 1);
        if (waiting & PL_BELL_EVENT)
                pl_plat_eventfd_write(self.event);
}

/* Room for a message in the results' ring; waits for it. */
static struct pl_result_message *reserve(uint32_t bytes)
{
        struct pl_ring *ring = self.results.shared;

        for (;;) {
                struct pl_ring_message *message = pl_ring_reserve(&self.results, bytes);

                if (PL_LIKELY(message != NULL))
                        return (struct pl_result_message *)(void *)message;
                atomic_store(&ring->starved, 1);
                atomic_thread_fence(memory_order_seq_cst);
                message = pl_ring_reserve(&self.results, bytes);
                if (message) {
                        atomic_store(&ring->starved, 0);
                        return (struct pl_result_message *)(void *)message;
                }
                pl_plat_eventfd_write(self.event); /* whether anybody wants results or not */
                (void)pl_plat_shared_wait(&ring->starved, 1, PL_PLAT_NEVER);
        }
}

/* --- the beginning --- */

static PL_NORETURN void refuse(int error, const char *why)
{
        self.share->start_error = error;
        snprintf(self.share->why, sizeof self.share->why, "%s", why);
        atomic_store(&self.share->phase, PL_PHASE_REFUSED);
        fflush(NULL);
        _exit(EXIT_FAILURE);
}

static void *map(int fd, size_t bytes, int protection)
{
        void *memory = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);

        if (memory == MAP_FAILED)
                _exit(EXIT_FAILURE);
        return memory;
}

static const struct pl_setup *map_setup(int fd)
{
        off_t bytes = lseek(fd, 0, SEEK_END);

        if (bytes < (off_t)sizeof(struct pl_setup))
                _exit(EXIT_FAILURE);
        return mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
}

static void arrange_fds(const int fds[PL_SERVER_FDS])
{
        if (dup2(fds[PL_FD_OUT], STDOUT_FILENO) < 0 || dup2(fds[PL_FD_ERR], STDERR_FILENO) < 0 ||
            fchdir(fds[PL_FD_CWD]) < 0)
                _exit(EXIT_FAILURE);
        self.event = fds[PL_FD_EVENT];
        if (self.event != 3) {
                if (dup3(self.event, 3, O_CLOEXEC) < 0)
                        _exit(EXIT_FAILURE);
                self.event = 3;
        }
        close_range(4, ~0U, 0);
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* so that a crash loses no line */
}

static void arrange_environment(void)
{
        const struct pl_setup *setup = self.setup;
        char *text = (char *)(uintptr_t)setup + setup->environment_at;
        char **list = calloc(setup->n_environment + 1, sizeof *list);

        if (!list)
                refuse(-ENOMEM, "environment");
        for (uint32_t i = 0; i < setup->n_environment; i++, text += strlen(text) + 1)
                list[i] = text;
        environ = list;
}

static void arrange_scheduling(void)
{
        struct pl_order order = self.setup->order;

        if (self.setup->pin)
                pl_plat_order_narrow(&order, self.index);
        int r = pl_plat_order_apply(&order);
        if (r < 0)
                refuse(r, "niceness, policy or processors");
}

static uintptr_t start_function(unsigned which)
{
        char why[PL_WHY_BYTES];
        uintptr_t base;
        int r = pl_pool_module_load(&self.setup->modules[which], &base, why, sizeof why);

        if (r < 0)
                refuse(r, why);
        return base + self.setup->offsets[which];
}

static void on_fork(void)
{
        self.forked = true;
}

static void start(void)
{
        const struct pl_setup *setup = self.setup;

        self.arg = setup->arg_bytes ? (char *)(uintptr_t)setup + setup->arg_at : NULL;
        if (setup->has_finaliser)
                self.finaliser = (void (*)(void *arg))start_function(1);
        if (setup->has_initializer) {
                int (*initializer)(void *arg) = (int (*)(void *arg))start_function(0);
                atomic_store(&self.share->phase, PL_PHASE_INITIALIZING);
                int r = initializer(self.arg);
                if (r < 0)
                        refuse(r, "the initializer returned an error");
        }
}

/* --- memory --- */

static uint64_t private_pages(void)
{
        char text[128];
        unsigned long long resident, shared;
        char *at;
        int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

        if (fd >= 0)
                close(fd);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        (void)strtoull(text, &at, 10); /* the address space */
        resident = strtoull(at, &at, 10);
        shared = strtoull(at, &at, 10);
        return resident > shared ? resident - shared : 0;
}

/* Where there is a limit: after each job that was long enough, else now and then. */
static void look_at_memory(int64_t began_ns, int64_t now_ns)
{
        if (!self.setup->rss_most ||
            (now_ns - self.rss_looked_ns < RSS_LOOK_NS && now_ns - began_ns < RSS_LOOK_NS / 100))
                return;
        self.rss_looked_ns = now_ns;
        atomic_store_explicit(&self.share->rss_bytes, private_pages() * (uint64_t)sysconf(_SC_PAGESIZE),
                              memory_order_relaxed);
}

/* --- processor time --- */

/* Where the number of workers is found by measurement: after each job. */
static void look_at_usage(int64_t began_ns, int64_t now_ns)
{
        if (!self.setup->measures)
                return;
        pl_pool_usage_add(&self.usage, now_ns - began_ns, now_ns, &self.used_ns, &self.blocked_ns);
        atomic_store_explicit(&self.share->used_ns, self.used_ns, memory_order_relaxed);
        atomic_store_explicit(&self.share->blocked_ns, self.blocked_ns, memory_order_relaxed);
}

/* --- modules --- */

static void learn_module(const struct pl_module_message *message)
{
        char why[PL_WHY_BYTES];
        uint32_t number = self.n_modules;

        if (number == PL_MODULES_MOST)
                return;
        self.modules[number].error = pl_pool_module_load(&message->module, &self.modules[number].base, why, sizeof why);
        if (self.modules[number].error < 0)
                pl_warn("a worker process cannot use a library: %s", why);
        self.n_modules++;
}

/* --- jobs --- */

/* Where a job's bytes are. */
struct place {
        char *args, *results;
        int *codes;
        struct pl_pool_memory *memory; /* NULL: in the rings */
        struct pl_result_message *reply;
        uint32_t reply_bytes;
};

static uint32_t whole_reply(const struct pl_job_message *job)
{
        uint64_t bytes = sizeof(struct pl_result_message);

        if (!(job->head.flags & PL_JOB_IN_MEMORY)) {
                bytes += pl_share_align(job->count * job->result_bytes, 16);
                if (job->head.flags & PL_JOB_WANTS_CODES)
                        bytes += job->count * sizeof(int);
        }
        return pl_ring_round(bytes);
}

/* *place* has its reply. 0, or why the memory cannot be had. */
static int find_place(struct pl_job_message *job, struct place *place)
{
        uint64_t in = job->count * job->arg_bytes, out = job->count * job->result_bytes;
        bool codes = job->head.flags & PL_JOB_WANTS_CODES;

        if (!(job->head.flags & PL_JOB_IN_MEMORY)) {
                place->args = job->data;
                place->results = place->reply->data;
                place->codes = codes ? (int *)(void *)(place->results + pl_share_align(out, 16)) : NULL;
                return 0;
        }
        const struct pl_job_memory *where = (const void *)job->data;
        int r = pl_pool_memory_open(&where->id, &place->memory);
        if (r < 0)
                return r;
        place->args = place->memory->data;
        place->results = place->args + pl_share_align(in, 64);
        place->codes = codes ? (int *)(void *)(place->results + pl_share_align(out, 64)) : NULL;
        return 0;
}

static int64_t cpu_ns(void)
{
        struct timespec time;

        return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0 ? (int64_t)time.tv_sec * 1000000000 + time.tv_nsec
                                                                  : 0;
}

/* Make it; *reply* says what came of it, but for the times. */
static void make(struct pl_job_message *job, struct place *place, int found)
{
        struct pl_job_here here = {.bytes = job->result_bytes, .most = job->count == 1 ? job->result_bytes : 0};
        uint32_t module = job->fn.module;
        struct pl_result_message *reply = place->reply;

        if (found == 0)
                found = module < self.n_modules ? self.modules[module].error : -ELIBACC;
        int result = found;
        reply->head.flags = found < 0;
        if (found == 0) {
                int (*fn)(void *arg, void *result) = (int (*)(void *arg, void *result))(self.modules[module].base +
                                                                                        job->fn.offset);
                struct pl_job_here *before = pl_job_here_set(&here);

                if (job->trace_number)
                        pl_trace(PLAIT_RECORDING_JOB_BEGIN, 0, job->trace_number, 0);
                result = pl_job_run_items(fn, job->arg_bytes ? place->args : NULL, job->arg_bytes,
                                          job->result_bytes ? place->results : NULL, job->result_bytes, job->count,
                                          place->codes, job->head.flags & PL_JOB_STOPS, &self.share->progress);
                (void)pl_job_here_set(before);
        }
        if (PL_UNLIKELY(self.forked))
                _exit(EXIT_SUCCESS); /* a child that the job forked has come back from it */
        if (found == 0 && job->trace_number)
                pl_trace(PLAIT_RECORDING_JOB_END, 0, job->trace_number, (uint64_t)(int64_t)result);
        if (__fpending(stdout))
                fflush(stdout);
        reply->result = result;
        reply->bytes = here.bytes;
        reply->progress = atomic_load_explicit(&self.share->progress, memory_order_relaxed);
}

/* After the claim: whether the pool is about to kill this process for the job before. Then it does not begin. */
static void heed_hold(struct pl_job_message *job)
{
        atomic_thread_fence(memory_order_seq_cst);
        while (PL_UNLIKELY(atomic_load_explicit(&self.share->hold, memory_order_relaxed))) {
                atomic_store(&job->state, PL_SLOT_QUEUED);
                while (atomic_load(&self.share->hold))
                        (void)pl_plat_shared_wait(&self.share->hold, 1, PL_PLAT_NEVER);

                uint32_t queued = PL_SLOT_QUEUED;
                if (!atomic_compare_exchange_strong(&job->state, &queued, PL_SLOT_CLAIMED))
                        return; /* revoked in the meantime; the caller sees that */
                atomic_thread_fence(memory_order_seq_cst);
        }
}

static void do_job(struct pl_job_message *job)
{
        uint32_t queued = PL_SLOT_QUEUED;
        struct place place = {.reply_bytes = whole_reply(job)};

        self.pool_cpu = job->cpu;
        place.reply = reserve(place.reply_bytes);
        if (!atomic_compare_exchange_strong(&job->state, &queued, PL_SLOT_CLAIMED))
                return; /* revoked */
        heed_hold(job);
        if (atomic_load_explicit(&job->state, memory_order_relaxed) != PL_SLOT_CLAIMED)
                return;

        int64_t began_ns = self.busy_ns ? self.busy_ns : pl_plat_now_ns();
        int64_t cpu_began_ns = job->head.flags & PL_JOB_COUNT_CPU ? cpu_ns() : -1;
        atomic_store_explicit(&self.share->progress, 0, memory_order_relaxed);
        atomic_store_explicit(&self.share->claimed_ns, (uint64_t)began_ns, memory_order_release);
        int found = find_place(job, &place);
        atomic_store_explicit(&self.share->result_at, self.results.position, memory_order_release);
        make(job, &place, found);

        struct pl_result_message *reply = place.reply;
        int64_t now_ns = self.busy_ns = pl_plat_now_ns();
        reply->head.bytes = place.reply_bytes;
        reply->head.kind = PL_SAY_RESULT;
        reply->number = job->number;
        reply->cpu = sched_getcpu();
        reply->took_ns = (uint64_t)(now_ns - began_ns);
        reply->cpu_ns = cpu_began_ns >= 0 ? (uint64_t)(cpu_ns() - cpu_began_ns) : reply->took_ns;
        if (place.memory)
                pl_pool_memory_unref(place.memory);
        reply->ended_ns = now_ns;
        look_at_memory(began_ns, now_ns);
        look_at_usage(began_ns, now_ns);
        atomic_store_explicit(&self.share->result_at, UINT64_MAX, memory_order_relaxed);
        pl_ring_commit(&self.results, place.reply_bytes);
        atomic_store_explicit(&job->state, PL_SLOT_DONE, memory_order_release);
        atomic_store_explicit(&self.share->claimed_ns, 0, memory_order_release);
}

/* --- waiting for jobs --- */

static bool may_spin(void)
{
        uint32_t nobody = 0;

        return self.soon > 0 && self.pool_cpu != sched_getcpu() && pl_plat_ticks() >= self.calm_until &&
               atomic_load_explicit(&self.bell->spinner, memory_order_relaxed) == 0 &&
               atomic_compare_exchange_strong(&self.bell->spinner, &nobody, self.index + 1);
}

static bool spin(void)
{
        uint64_t began = pl_plat_ticks(), last = began, now;
        bool ready;

        while (!(ready = pl_ring_ready(&self.jobs))) {
                pl_cpu_relax();
                now = pl_plat_ticks();
                if (now - last > LEAP_US * self.ticks_per_us) {
                        self.calm_until = now + CALM_US * self.ticks_per_us;
                        break;
                }
                if (now - began > SPIN_US * self.ticks_per_us)
                        break;
                last = now;
        }
        atomic_store_explicit(&self.bell->spinner, 0, memory_order_release);
        return ready;
}

static void sleep_for_jobs(void)
{
        struct pl_ring *ring = self.jobs.shared;
        int64_t until_ns = pl_plat_now_ns() + KEEP_NS;

        pl_pool_memory_sweep(false);
        if (!self.rung && atomic_load_explicit(&self.bell->hungry, memory_order_relaxed))
                pl_plat_eventfd_write(self.event);
        pl_trace(PLAIT_RECORDING_WAITS, PL_WAIT_QUEUE_GET, (uint64_t)(uintptr_t)ring, 0);
        for (;;) {
                atomic_store(&ring->asleep, 1);
                atomic_thread_fence(memory_order_seq_cst);
                if (pl_ring_ready(&self.jobs))
                        break;
                if (pl_plat_shared_wait(&ring->asleep, 1, until_ns) == -ETIMEDOUT) {
                        pl_pool_memory_sweep(true); /* what others' memory is kept for the next job */
                        until_ns = PL_PLAT_NEVER;
                }
        }
        atomic_store(&ring->asleep, 0);
        pl_trace(PLAIT_RECORDING_RUNS, 0, PLAIT_RECORDING_THREAD | pl_plat_thread_id(), 0);
}

static void wait_for_jobs(void)
{
        uint64_t began = pl_plat_ticks();

        self.busy_ns = 0;
        if (!may_spin() || !spin())
                sleep_for_jobs();
        if (pl_plat_ticks() - began < SPIN_US * self.ticks_per_us)
                self.soon += self.soon < SOON_MOST;
        else
                self.soon -= self.soon > 0;
}

/* False: the end. */
static bool serve(void)
{
        struct pl_ring_message *message;
        uint32_t bytes;
        int r = pl_ring_peek(&self.jobs, sizeof *message, &message, &bytes);

        if (r < 0)
                _exit(EXIT_FAILURE); /* somebody has written into the ring; the pool knows what was to be done */
        if (r == 0) {
                wait_for_jobs();
                return true;
        }
        uint16_t kind = message->kind;
        if (kind == PL_SAY_JOB)
                do_job((struct pl_job_message *)(void *)message);
        else if (kind == PL_SAY_MODULE)
                learn_module((const struct pl_module_message *)(const void *)message);
        else if (kind == PL_SAY_FOLLOW)
                pl_trace_follow(&((const struct pl_follow_message *)(const void *)message)->lead);
        pl_ring_consume(&self.jobs, bytes);
        ring_bell();
        return kind != PL_SAY_END;
}

void pl_worker_main(const int fds[PL_SERVER_FDS], uint32_t index)
{
        (void)plait_trace_stop(NULL); /* it records what the pool's program does, or nothing */
        pl_trace_role("pool worker");
        self.index = index;
        self.soon = SOON_MOST / 2;
        self.pool_cpu = -1;
        self.share = map(fds[PL_FD_SHARE], sizeof *self.share, PROT_READ | PROT_WRITE);
        self.bell = map(fds[PL_FD_BELL], sizeof *self.bell, PROT_READ | PROT_WRITE);
        self.setup = map_setup(fds[PL_FD_SETUP]);
        self.ticks_per_us = pl_plat_ticks_per_ms() / 1000;
        pl_ring_attach(&self.jobs, &self.share->jobs, self.share->job_data, PL_RING_BYTES);
        pl_ring_attach(&self.results, &self.share->results, self.share->result_data, PL_RING_BYTES);
        atomic_store(&self.share->result_at, UINT64_MAX);
        arrange_fds(fds);
        prctl(PR_SET_NAME, self.setup->name);
        arrange_environment();
        if (pthread_atfork(NULL, NULL, on_fork) != 0 || pl_crash_catch(&self.share->crash) < 0)
                refuse(-ENOMEM, "no memory");
        arrange_scheduling();
        pl_pool_memory_keep(KEEP_MEMORIES);
        start();
        if (self.setup->measures)
                pl_pool_usage_init(&self.usage, pl_plat_thread_id());
        atomic_store(&self.share->phase, PL_PHASE_READY);
        while (serve())
                ;
        if (self.finaliser)
                self.finaliser(self.arg);
        (void)plait_trace_stop(NULL);
        fflush(NULL);
        atomic_store(&self.share->phase, PL_PHASE_ENDED);
        _exit(EXIT_SUCCESS);
}
