/* Starting and stopping the runtime. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem/trim.h"
#include "plait/time.h"
#include "sched/compact.h"
#include "sched/held.h"
#include "sched/local.h"
#include "sched/runtime.h"
#include "sched/scope.h"
#include "sched/tell.h"
#include "sched/worker.h"

/* The first task may expect what a program's main() has. */
static const enum pl_stack_class main_stack = PL_STACK_8M;

struct stop_hook {
        void (*hook)(void *arg);
        void *arg;
        struct stop_hook *next;
};

/* What lasts as long as the run, and is of interest only to those who start and stop it. */
static struct {
        struct pl_lock lock; /* guards busy and hooks */
        bool busy;
        struct stop_hook *end_hooks;  /* for when the user's tasks have ended, ... */
        struct stop_hook *stop_hooks; /* ... and for when the services have */
        _Atomic uint32_t n_up;        /* workers that have come up, or failed to */
        _Atomic uint32_t n_down;      /* workers that have left their loop */
        _Atomic int start_error;      /* the first failure */
        struct plait_scope root;      /* of the first task; never joined */
        struct plait_scope services;
        int (*fn)(void *);
        void *arg;
        int64_t deadline_ns;
        struct pl_order order_before; /* how the calling thread was scheduled */
        int result;
        unsigned n_started;         /* threads to be joined */
        _Atomic uint32_t n_missing; /* workers whose thread could not be started */
} control;

struct pl_run pl_sched_the_run;

/* --- the first task --- */

static void run_hooks(struct stop_hook **hooks)
{
        struct stop_hook *hook;

        while ((hook = *hooks)) {
                *hooks = hook->next;
                hook->hook(hook->arg);
                free(hook);
        }
}

/* The user's function has a scope to itself; the services outlive that. */
static int run_user(void)
{
        struct plait_scope scope = {.deadline_ns = control.deadline_ns, .pl_where = "plait_run()"};

        int r = plait_scope_open(&scope);
        if (r < 0)
                return r;
        pl_sched_cancel_arm(&scope);
        r = control.fn(control.arg);
        const struct plait_task *self = plait_task_self();
        if (self->scope != &scope) {
                char where[PLAIT_REASON_BYTES * 2];

                pl_panic("the first task returned while a scope that it opened is open, that of %s: call "
                         "plait_scope_join() before returning",
                         pl_sched_scope_where(self->scope, self, where, sizeof where));
        }
        int joined = plait_scope_join(&scope);
        pl_sched_cancel_disarm();
        return r ? r : joined;
}

static int first_task(void *unused)
{
        (void)unused;
        control.services = (struct plait_scope){.flags = PLAIT_SCOPE_SHIELD, .pl_where = "the library's services"};
        control.result = plait_scope_open(&control.services);
        if (control.result == 0)
                control.result = run_user();
        run_hooks(&control.end_hooks);
        plait_scope_cancel(&control.services);
        (void)!plait_scope_join(&control.services);
        run_hooks(&control.stop_hooks);
        atomic_store_explicit(&pl_sched_the_run.stopping, true, memory_order_seq_cst);
        pl_sched_wake_all();
        return 0;
}

/* Whether there is a stack for the first task. When it starts is too late to say no. */
static int find_stack(void)
{
        struct pl_stack_cache cache = {0};
        struct pl_stack *stack = pl_mem_stack_get(&cache, main_stack);

        if (!stack)
                return -ENOMEM;
        pl_mem_stack_put(&cache, stack);
        pl_mem_stack_cache_flush(&cache);
        return 0;
}

static int start_first_task(struct pl_worker *worker, const char *name)
{
        struct plait_task_opts opts = {.size = sizeof opts, .name = name ? name : "main"};
        int r = find_stack();

        if (r < 0)
                return r;
        struct plait_task *task = pl_sched_task_new(worker, first_task, NULL);
        if (!task)
                return -ENOMEM;
        r = pl_sched_task_apply_opts(task, &opts, false);
        if (r < 0) {
                plait_task_unref(task);
                return r;
        }
        if (pl_trace_is_on())
                pl_tell_spawned(task, control.fn);
        task->stack_class = main_stack;
        task->home = &control.root;
        task->scope = &control.root;
        pl_runq_push_back(&worker->ready, task);
        return 0;
}

/* --- workers --- */

static int describe_overflow(const struct pl_stack *stack, char *buf, size_t n)
{
        const struct pl_worker *worker = pl_sched_self_get();
        const struct plait_task *task = worker ? worker->current : NULL;

        /* In the guard of another stack than the one it runs on: a stray pointer, not an overflow. */
        if (!task || task->stack != stack)
                return 0;
        return snprintf(buf, n, "task '%s' (#%llu)", task->name ? task->name : "", (unsigned long long)task->id);
}

static void worker_loop(struct pl_worker *worker)
{
        struct plait_task *task;

        while ((task = pl_sched_find(worker)))
                pl_sched_resume(worker, task);
}

/* Wait until *expected* workers have come here. A thread that could not be started counts as having come. */
static void meet(_Atomic uint32_t *arrived, unsigned expected)
{
        atomic_fetch_add(arrived, 1);
        pl_plat_futex_wake(arrived, INT32_MAX);
        for (;;) {
                uint32_t n = atomic_load(arrived);

                if (n + control.n_missing >= expected)
                        break;
                (void)!pl_plat_futex_wait(arrived, n, PL_PLAT_NEVER);
        }
}

/*
 * All pollers are there before the first worker runs, and stay until the last has left its loop, since anybody may be
 * notified by anybody. So are the watch's descriptors: a number that a task closes is not plait's a moment later.
 */
static void run_worker(struct pl_worker *worker)
{
        int r = pl_sched_worker_open(worker);

        pl_sched_stuck_thread_init();
        if (worker->index == 0)
                pl_sched_watch_open();
        if (r < 0)
                atomic_store(&control.start_error, r);
        meet(&control.n_up, pl_sched_the_run.n_workers);
        if (!atomic_load(&control.start_error)) {
                if (worker->index == 0)
                        pl_sched_watch_start();
                pl_trace_worker(worker->index);
                pl_sched_worker_become(worker);
                worker_loop(worker);
                pl_sched_worker_become(NULL);
                pl_sched_flow_set(&pl_sched_nobody);
                pl_sched_held_thread_end();
        }
        if (worker->index == 0)
                pl_sched_watch_stop(); /* with the spare workers: they look into the others' pollers */
        meet(&control.n_down, pl_sched_the_run.n_workers);
        while (atomic_load_explicit(&pl_sched_the_run.n_injecting, memory_order_acquire))
                sched_yield(); /* the thread that made the last task go on is still about to notify somebody */
        if (worker->index == 0)
                pl_sched_spares_close();
        if (r == 0)
                pl_sched_worker_close(worker);
}

static void *worker_thread(void *arg)
{
        run_worker(arg);
        return NULL;
}

/* --- the run --- */

static int check_opts(const struct plait_run_opts *opts)
{
        if (!opts)
                return 0;
        if (opts->size != sizeof *opts || opts->workers > PL_MAX_WORKERS || (opts->flags & ~PLAIT_RUN_PIN))
                return -EINVAL;
        int class = pl_mem_stack_class(opts->stack_bytes);
        return class < 0 ? class : 0;
}

static unsigned worker_count(const struct plait_run_opts *opts)
{
        uint64_t n;

        if (pl_plat_env_u64("PLAIT_WORKERS", 1, PL_MAX_WORKERS, &n))
                return (unsigned)n;
        if (opts && opts->workers)
                return opts->workers;
        n = (uint64_t)pl_plat_cpu_count();
        if (pl_sched_the_run.ordered && pl_sched_the_run.order.n_cpus && pl_sched_the_run.order.n_cpus < n)
                n = pl_sched_the_run.order.n_cpus;
        return n < PL_MAX_WORKERS ? (unsigned)n : PL_MAX_WORKERS;
}

static void free_workers(struct pl_run *run)
{
        for (unsigned i = 0; run->workers && i < atomic_load(&run->n_serving); i++)
                pl_sched_worker_done(&run->workers[i]);
        free(run->workers);
        run->workers = NULL;
}

static int make_workers(struct pl_run *run)
{
        run->n_slots = pl_sched_spares_most(run->n_workers) + run->n_workers;
        run->workers = aligned_alloc(PL_CACHE_LINE, run->n_slots * sizeof *run->workers);
        if (!run->workers)
                return -ENOMEM;
        for (unsigned i = 0; i < run->n_workers; i++) {
                if (pl_sched_worker_init(&run->workers[i], i) < 0) {
                        free_workers(run);
                        return -ENOMEM;
                }
                atomic_store(&run->n_serving, i + 1);
        }
        return 0;
}

/* How the workers are to be scheduled. */
static int take_order(struct pl_run *run, const struct plait_run_opts *opts)
{
        if (!opts || (!opts->threads && !opts->flags))
                return 0;

        int r = pl_plat_order_make(opts->threads, &run->order);

        if (r < 0)
                return r;
        pl_plat_order_save(&control.order_before);
        run->ordered = true;
        run->pinned = opts->flags & PLAIT_RUN_PIN;
        if (run->pinned && !run->order.n_cpus) {
                run->order.cpus = control.order_before.cpus;
                run->order.n_cpus = control.order_before.n_cpus;
        }
        return 0;
}

static int make_run(const struct plait_run_opts *opts, const struct pl_poller_ops *poller)
{
        static uint64_t runs;
        struct pl_run *run = &pl_sched_the_run;
        uint64_t next_id = run->next_id;

        memset(run, 0, sizeof *run);
        run->next_id = next_id ? next_id : 1;
        run->disturbances = 1;
        run->home = pl_plat_cpu_here();
        run->poller = poller;

        int r = take_order(run, opts);

        if (r < 0)
                return r;
        run->n_workers = worker_count(opts);
        run->default_class = (unsigned)pl_mem_stack_class(opts ? opts->stack_bytes : 0);
        run->ticks_per_us = pl_plat_ticks_per_ms() / 1000 + 1;
        run->started_ns = pl_plat_now_ns();
        run->started_real_ns = pl_plat_real_ns();
        run->root = &control.root;
        pl_sched_tell_time(run->started_ns);
        run->migrate = pl_plat_debug("migrate", NULL, 0) && run->n_workers > 1;
        pl_sched_stuck_init();
        pl_list_init(&run->parked);
        pl_runq_init(&run->injector, true);
        pl_runq_init(&run->high, true);
        pl_runq_init(&run->low, true);
        r = make_workers(run);
        if (r == 0) {
                run->id = ++runs;
                pl_tell_workers(true);
        }
        return r;
}

/* The calling thread is worker 0. A thread that cannot be started counts as a worker that failed to come up. */
static void run_threads(struct pl_run *run)
{
        for (unsigned i = 1; i < run->n_workers; i++) {
                char name[24];

                snprintf(name, sizeof name, "plait-%u", i);
                int r = pl_plat_thread_start(&run->workers[i].thread, worker_thread, &run->workers[i], 0, name);
                if (r < 0) {
                        control.n_missing = run->n_workers - i;
                        atomic_store(&control.start_error, r);
                        break;
                }
                control.n_started++;
        }
        run_worker(&run->workers[0]);
        for (unsigned i = 1; i <= control.n_started; i++)
                pl_plat_thread_join(&run->workers[i].thread);
}

static int run_all(const struct plait_run_opts *opts, const struct pl_poller_ops *poller)
{
        struct pl_run *run = &pl_sched_the_run;
        pl_tell_run_begins();

        int r = make_run(opts, poller);

        if (r < 0) {
                pl_tell_run_ends();
                return r;
        }
        pl_mem_overflow_describe(describe_overflow);
        r = pl_mem_overflow_install();
        if (r == 0) {
                r = start_first_task(&run->workers[0], opts ? opts->name : NULL);
                if (r == 0) {
                        if (run->pinned)
                                pl_plat_thread_spread(&run->order.cpus);
                        run_threads(run);
                        pl_plat_thread_spread(NULL);
                        if (run->ordered)
                                pl_plat_order_restore(&control.order_before);
                        r = atomic_load(&control.start_error);
                        if (r == 0)
                                r = control.result;
                        else
                                plait_task_unref(pl_runq_pop_front(&run->workers[0].ready));
                }
                pl_mem_overflow_uninstall();
        }
        run->id = 0;
        pl_tell_workers(false);
        pl_tell_run_ends();
        free_workers(run);
        for (int64_t when_ns = pl_plat_now_ns(); when_ns != PL_PLAT_NEVER;)
                when_ns = pl_mem_trim(when_ns); /* as if time passed */
        return r;
}

int pl_sched_run(int (*fn)(void *), void *arg, const struct plait_run_opts *opts, const struct pl_poller_ops *poller)
{
        int r = fn ? check_opts(opts) : -EINVAL;

        if (r < 0)
                return r;
        pl_lock_acquire(&control.lock);
        bool busy = control.busy;
        control.busy = true;
        pl_lock_release(&control.lock);
        if (busy)
                return -EBUSY;

        control.fn = fn;
        control.arg = arg;
        control.deadline_ns = opts ? opts->deadline_ns : 0;
        control.root = (struct plait_scope){0};
        control.start_error = 0;
        control.n_up = 0;
        control.n_down = 0;
        control.n_started = 0;
        control.n_missing = 0;
        r = run_all(opts, poller);

        pl_lock_acquire(&control.lock);
        control.busy = false;
        pl_lock_release(&control.lock);
        return r;
}

/* --- for other layers --- */

int pl_sched_start_service(int (*fn)(void *), void *arg, const struct plait_task_opts *opts, unsigned index)
{
        return pl_sched_scope_start_on(&control.services, fn, arg, opts, index);
}

static int add_hook(struct stop_hook **hooks, void (*hook)(void *arg), void *arg)
{
        struct stop_hook *entry = malloc(sizeof *entry);

        if (!entry)
                return -ENOMEM;
        *entry = (struct stop_hook){.hook = hook, .arg = arg};
        pl_lock_acquire(&control.lock);
        entry->next = *hooks;
        *hooks = entry;
        pl_lock_release(&control.lock);
        return 0;
}

int pl_sched_at_end(void (*hook)(void *arg), void *arg)
{
        return add_hook(&control.end_hooks, hook, arg);
}

int pl_sched_at_stop(void (*hook)(void *arg), void *arg)
{
        return add_hook(&control.stop_hooks, hook, arg);
}

uint64_t pl_sched_run_id(void)
{
        return pl_sched_the_run.id;
}

unsigned plait_workers(void)
{
        return pl_sched_the_run.id ? pl_sched_the_run.n_workers : 0;
}

bool pl_sched_in_task(void)
{
        return plait_task_self() != NULL;
}

unsigned pl_sched_worker_index(void)
{
        return pl_sched_self_get()->index;
}

struct pl_poller *pl_sched_poller(void)
{
        return pl_sched_self_get()->poller;
}
