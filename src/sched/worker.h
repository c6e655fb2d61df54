/* Workers, and the run they belong to. Only src/sched includes this. */
#ifndef PL_SCHED_WORKER_H
#define PL_SCHED_WORKER_H

#include "base/attributes.h"
#include "mem/overflow.h"
#include "mem/slab.h"
#include "mem/stack.h"
#include "plait/run.h"
#include "plat/fiber.h"
#include "plat/order.h"
#include "plat/sys.h"
#include "plat/tls.h"
#include "sched/clock.h"
#include "sched/deque.h"
#include "sched/flow.h"
#include "sched/poller.h"
#include "sched/runq.h"
#include "sched/task.h"
#include "sched/timer.h"
#include "trace/trace.h"

enum {
        PL_MAX_WORKERS = 1024,
        PL_ORDINARY_TICKS = 16, /* one in so many choices is not of high priority */
        PL_SERVICE_TICKS = 64,  /* how many tasks run between two looks at the clock, at most */
};

/* How soundly a worker without work sleeps. See park.c. */
enum pl_idle_stage {
        PL_IDLE_AWAKE,
        PL_IDLE_LIGHT, /* a nap, not disturbed for work that somebody will come to anyway */
        PL_IDLE_DEEP,  /* is woken for any work */
};

/* What one worker remembers of another. */
struct pl_sighting {
        uint32_t thief_ticks;  /* its tick count when this one last looked for work there, */
        uint32_t thief_yields; /* how many of them had been yields, */
        int64_t thief_ns;      /* and when that was */
        uint32_t ticks;        /* its tick count when this one last looked after it ... */
        int64_t since_ns;      /* ... and since when it has been that */
};

struct pl_worker {
        /* The owner's. */
        struct plait_task *current;   /* NULL: the scheduler's own loop */
        struct plait_task *left;      /* who was switched away from, until its on_cpu is cleared */
        struct pl_stack *left_stack;  /* whose flow ended in this switch */
        void *calling;                /* the timer whose function it is in */
        struct plait_task *handoff;   /* picked while it was still on another processor */
        uint32_t front_wakes;         /* wake-ups that went before others since one went to the back */
        struct plait_scope *ended_in; /* tasks of this scope have ended here ... */
        int64_t ended;                /* ... which it has not been told yet: so many */
        uint64_t next_id, end_id;     /* task numbers it may give out */
        struct pl_context root;       /* the scheduler's loop, on the thread's own stack */
        struct pl_fiber root_fiber;
        struct pl_stack_cache stacks;
        struct pl_compact *compact; /* NULL until a compact task runs here */
        uint64_t random;
        struct pl_clock clock;
        uint32_t service_at;    /* the tick at which it looks at the clock next: a multiple of PL_SERVICE_TICKS, ... */
        uint32_t service_turns; /* ... or sooner, when tasks take long: after so many */
        uint64_t last_service;  /* in ticks of the counter, as are those below */
        uint32_t to_drain;      /* so many of *fresh* go before the only task that can go on (pick.c) */
        uint64_t turn_began;    /* when a long turn last ended (turn.h), */
        uint64_t turn_looked;   /* and when that was last asked */
        uint32_t turn_rest;     /* so many children more before it is asked again */
        struct pl_poller *poller;
        unsigned index;
        bool spare;          /* works only while others are stuck (spare.c) */
        bool has_guest_fork; /* *guest_fork* of the run is by this one */
        bool searching;      /* awake to look for work; counted in n_searching */
        bool looking;        /* inside the poller or the timers: who is woken there goes ahead (runq.h) */
        unsigned next_stage; /* enum pl_idle_stage to park in */
        int64_t nap_ns;
        struct pl_sighting *sightings; /* of each worker */
        unsigned watched;              /* whom it looked after last, */
        unsigned rescued;              /* and who was stuck last then; */
        uint64_t fork_at;              /* when it last took a fork while tasks could go on, in ticks of the counter */
        int64_t dig_ns;                /* when it may take a fork from one that is held up */
        int64_t rescued_ns;            /* when it took a task from there that had not started */
        uint64_t stolen_at;            /* when it last stole */
        uint32_t pause_us;             /* how long it waits before it steals again */
        uint32_t tid;                  /* of its thread */
        struct pl_thread thread;
        struct pl_overflow_thread overflow;
        struct pl_slab_cache tasks;

        /* Others look at these. */
        PL_LINE_ALIGNED _Atomic uint32_t ticks; /* tasks it has switched to, */
        _Atomic uint32_t yields;                /* and how often because the one before had yielded */
        _Atomic bool wanted;                    /* a spare worker that is to work (spare.c) */
        _Atomic uint32_t idle;                  /* enum pl_idle_stage; written under idle_lock */
        struct plait_task *_Atomic next;        /* before all in *ready* (quick.h) */
        struct pl_list parked_link;
        struct pl_runq ready;
        struct pl_runq bound;     /* tasks that run here only; they are not stolen */
        struct plait_deque fresh; /* tasks and forks that have not started */
        struct pl_timers timers;
};

/* The run. There is one at a time; static, so that tools find it. */
struct pl_run {
        const struct pl_poller_ops *poller;
        struct pl_worker *workers;
        unsigned n_workers;         /* without the spare ones */
        unsigned n_slots;           /* with all there may ever be */
        _Atomic uint32_t n_serving; /* those in use: workers, then spare ones */
        unsigned default_class;     /* enum pl_stack_class */
        uint64_t id;
        uint64_t ticks_per_us;
        bool migrate;
        _Atomic bool stopping;
        _Atomic uint64_t disturbances; /* cancellations so far, plus 1 */
        _Atomic uint64_t next_id;
        _Atomic uint32_t clock_ms; /* CLOCK_MONOTONIC, modulo 2^32, when a worker last looked at it */
        int64_t started_ns;        /* CLOCK_MONOTONIC */
        int64_t started_real_ns;   /* CLOCK_REALTIME */
        struct plait_scope *root;  /* of the first task */
        struct pl_order order;     /* how the workers are to be scheduled, if *ordered* */
        bool ordered;
        bool pinned; /* each to one of the processors */
        int home;    /* the processor where worker 0 began */

        /* Those that sleep. */
        PL_LINE_ALIGNED _Atomic uint32_t n_idle; /* workers that an offer of work wakes */
        _Atomic uint32_t n_parked;               /* those, and the ones in PL_IDLE_LIGHT */
        _Atomic uint32_t n_searching;
        _Atomic uint32_t n_endless; /* of those in n_idle who will not look around by themselves */
        _Atomic uint32_t n_relief;  /* spare workers at work */
        _Atomic bool guest_fork;    /* a spare worker is at a fork although the run is crowded */
        _Atomic bool crowded;       /* each processor has a thread that computes, or one that is free to */
        _Atomic bool unwatched;     /* the watch (spare.c) sleeps until somebody gets up */
        _Atomic uint64_t n_stuck;   /* how often a worker was found stuck */
        struct pl_lock idle_lock;   /* guards the list and each worker's idle */
        struct pl_list parked;      /* last to park first */

        /* Tasks made runnable by threads that are no workers. */
        PL_LINE_ALIGNED struct pl_runq injector;

        /* Tasks of another priority than the ordinary one, for whoever comes first. */
        PL_LINE_ALIGNED struct pl_runq high;
        PL_LINE_ALIGNED struct pl_runq low;
        _Atomic uint32_t n_injecting; /* such threads that are at it; the run does not end under them */
};

extern struct pl_run pl_sched_the_run;
extern struct pl_slab_pool pl_sched_task_pool;

PL_TLS_DECLARE(struct pl_worker, pl_sched_self);

/* *now_ns* has been read: waits that begin are dated with it. A line that all workers read is written once a ms. */
static inline void pl_sched_tell_time(int64_t now_ns)
{
        uint32_t ms = (uint32_t)(now_ns / 1000000);

        if (atomic_load_explicit(&pl_sched_the_run.clock_ms, memory_order_relaxed) != ms)
                atomic_store_explicit(&pl_sched_the_run.clock_ms, ms, memory_order_relaxed);
}

/* *task* (or, NULL, none) runs on this worker from now on. */
static PL_ALWAYS_INLINE void pl_sched_current_set(struct pl_worker *worker, struct plait_task *task)
{
        worker->current = task;
        pl_sched_flow_set(task ? &task->wait : &pl_sched_nobody);
}

/* --- worker.c --- */

/* A worker that has no thread yet. 0 or -ENOMEM. */
int pl_sched_worker_init(struct pl_worker *worker, unsigned index);
void pl_sched_worker_done(struct pl_worker *worker);

/* The calling thread runs as *worker* from now on; NULL: as none any more. */
void pl_sched_worker_become(struct pl_worker *worker);

/* What its thread needs; called in that thread. 0 or a negative errno. */
int pl_sched_worker_open(struct pl_worker *worker);
void pl_sched_worker_close(struct pl_worker *worker);

/* --- switch.c --- */

/* The caller cannot go on: run something else until it is resumed. How its wait has ended. */
int pl_sched_suspend(struct plait_task *self);

/* From the scheduler's loop: run *task* and whatever follows, until nothing is left to run. */
void pl_sched_resume(struct pl_worker *worker, struct plait_task *task);

/* Leave *self* at once for *next*. */
void pl_sched_switch_to(struct pl_worker *worker, struct plait_task *self, struct plait_task *next);

/* --- pick.c --- */

/* The next task from this worker's own queues; NULL: none. May fire timers and look at the poller. */
struct plait_task *pl_sched_pick(struct pl_worker *worker);

/* Fire this worker's timers, take what other threads have queued, look after the other workers. */
void pl_sched_serve(struct pl_worker *worker);

/* A task has been run without pick(): now and then (true), pl_sched_look_if_time() is to do what that does besides. */
static inline bool pl_sched_tick(struct pl_worker *worker)
{
        uint32_t ticks = atomic_load_explicit(&worker->ticks, memory_order_relaxed) + 1;

        atomic_store_explicit(&worker->ticks, ticks, memory_order_relaxed);
        return ticks == worker->service_at;
}

void pl_sched_look_if_time(struct pl_worker *worker);

/* A task from another worker; NULL: none, or none that would be worth it. Only from the scheduler's loop. */
struct plait_task *pl_sched_steal(struct pl_worker *worker);

/* The next task from anywhere, parking until there is one; NULL: the run is over. Only from the scheduler's loop. */
struct plait_task *pl_sched_find(struct pl_worker *worker);

/* --- queue.c --- */

/* *task* can run: queue it for the calling worker, or, from another thread, for any. */
void pl_sched_enqueue(struct plait_task *task);

/* Bind a task that has not started to worker *index*, and queue it there. */
void pl_sched_enqueue_on(struct plait_task *task, unsigned index);

/* Queue the calling task, which yields. */
void pl_sched_enqueue_yielding(struct pl_worker *worker, struct plait_task *task);

/* --- park.c --- */

/* Sleep in the poller until there may be something to run, and serve the rest. */
void pl_sched_park(struct pl_worker *worker);

/* There is work for one more: wake a worker that sleeps soundly, unless one is looking for work anyway. */
void pl_sched_wake_one(void);

/* Somebody works: see to it that somebody else looks after him. */
void pl_sched_wake_a_watcher(void);

/* Whether somebody works, and all who sleep do so until they are woken. */
bool pl_sched_nobody_looks(void);

/* The same, for work that no worker will come across by itself: wake one however it sleeps. */
void pl_sched_wake_any(void);

/* After queueing work where the owner or a nap will find it. */
static inline void pl_sched_offer(void)
{
        atomic_signal_fence(memory_order_seq_cst); /* the compiler is not to look first and queue then */
        if (PL_UNLIKELY(atomic_load_explicit(&pl_sched_the_run.n_idle, memory_order_relaxed)))
                pl_sched_wake_one();
}

/* Wake everybody, to see that the run is over. */
void pl_sched_wake_all(void);

/* The worker has found something. */
void pl_sched_stop_searching(struct pl_worker *worker);

/* --- spare.c --- */

/* How many spare workers there may be. */
unsigned pl_sched_spares_most(unsigned n_workers);

/*
 * Watch the workers, once all are up; once *stopping* is set, end that and the spare workers. open() makes what takes a
 * descriptor, before a worker runs; close() frees that and what spare workers had, when no worker looks into another
 * one's any more.
 */
void pl_sched_watch_open(void);
void pl_sched_watch_start(void);
bool pl_sched_is_watch(void);

/* Whether it looks often enough to wake one who looks after the others, should that be needed. */
bool pl_sched_watch_is_quick(void);
void pl_sched_watch_stop(void);
void pl_sched_spares_close(void);

/* A worker gets up while nobody watches. */
void pl_sched_watch_again(void);

/* A spare worker that is not wanted any more: leave its tasks to the others. */
void pl_sched_spare_hand_over(struct pl_worker *worker);

/* --- stuck.c --- */

/* Whether to say anything: PLAIT_STUCK_MS is set. Before workers start; and in each worker's thread. */
void pl_sched_stuck_init(void);
void pl_sched_stuck_thread_init(void);

/* Say that *worker* has been in one task for *ns*, and show its stack. One thread. */
void pl_sched_stuck_tell(const struct pl_worker *worker, int64_t ns, bool blocked);

/* --- task.c --- */

/* What is not set here is zero in a task that has ended. The wait's number goes on. */
static PL_ALWAYS_INLINE void pl_sched_task_init(struct plait_task *task, uint64_t id, int (*fn)(void *), void *arg)
{
        task->stack = NULL;
        __atomic_store_n(&task->marks, pl_sched_the_run.default_class, __ATOMIC_RELAXED);
        task->arg = arg;
        __atomic_store_n(&task->wait.of_task, 1, __ATOMIC_RELAXED); /* the registry's readers may look at it */
        task->calm = 0;
        __atomic_store_n(&task->id, id, __ATOMIC_RELAXED);
        atomic_store_explicit(&task->refs, 1, memory_order_relaxed);
        __atomic_store_n(&task->fn, fn, __ATOMIC_RELEASE);
}

/* A task with one reference, not in a scope yet; NULL: no memory. *worker* is the caller's, or NULL. */
struct plait_task *pl_sched_task_new(struct pl_worker *worker, int (*fn)(void *), void *arg);

/* Whether *opts*, which may be NULL, are in range: 0 or -EINVAL. */
int pl_sched_task_check_opts(const struct plait_task_opts *opts);

/* Give a new task its options, and a second reference if there is to be a handle. 0 or -ENOMEM. */
int pl_sched_task_apply_opts(struct plait_task *task, const struct plait_task_opts *opts, bool handle);

/* Of pl_sched_task_end(), for a task that anything has to be done for. */
struct pl_worker *pl_sched_task_end_uncommon(struct plait_task *task, int result);

/*
 * The current task has returned *result*: clean up after it, tell its scope and who waits for it, let go of it. Returns
 * the worker where this happened to end.
 */
static PL_ALWAYS_INLINE struct pl_worker *pl_sched_task_end(struct plait_task *task, int result)
{
        struct pl_worker *worker = pl_sched_self_get();

        uintptr_t unusual = (uintptr_t)task->local | (uintptr_t)task->name |
                            (task->flags & (PL_TASK_HANDLE | PL_TASK_LINKED | PL_TASK_WATCHED)) |
                            (atomic_load_explicit(&task->refs, memory_order_acquire) ^ 1);

        if (PL_UNLIKELY(unusual || result < 0 || task->scope != task->home || pl_trace_is_on()))
                return pl_sched_task_end_uncommon(task, result);
        __atomic_store_n(&task->fn, NULL, __ATOMIC_RELEASE); /* it is no task that is alive any more */
        pl_mem_slab_put(&worker->tasks, task);
        return worker;
}

/* --- fork.c --- */

/*
 * Let the current task, which is not compact, push without pl_sched_offer(), unless that has to wake somebody. A worker
 * that goes to sleep counts itself in n_idle, then closes the deques: it is seen here, or it closes what has been
 * opened.
 */
void pl_sched_deque_open(struct pl_worker *worker);

/* What a deque held, as a task that *worker* can run; NULL: no memory (it has been put back). */
struct plait_task *pl_sched_task_of(struct pl_worker *worker, void *work);

/* --- scope.c --- */

/* plait_scope_start() without a handle, on worker *index* for good. By a task that is not the opener. */
int pl_sched_scope_start_on(struct plait_scope *scope, int (*fn)(void *arg), void *arg,
                            const struct plait_task_opts *opts, unsigned index);

/* Put *task*, which no scope counts yet, into *scope*, which another task keeps open. */
void pl_sched_scope_adopt(struct plait_scope *scope, struct plait_task *task);

/* The long way of pl_sched_scope_enter_wait(). */
int pl_sched_scope_ask(struct plait_task *task, int64_t *deadline_ns);

/* Whether nothing has been cancelled since *task* last asked its scopes, so that there is no need to ask them. */
static inline bool pl_sched_scope_is_calm(const struct plait_task *task)
{
        return PL_LIKELY(task->calm == atomic_load_explicit(&pl_sched_the_run.disturbances, memory_order_seq_cst));
}

/*
 * Before *task* waits: make it findable by a cancellation, and see what its scopes say: 0 or -ECANCELED. Lowers
 * *deadline_ns* to theirs.
 */
static inline int pl_sched_scope_enter_wait(struct plait_task *task, int64_t *deadline_ns)
{
        if (pl_sched_scope_is_calm(task))
                return 0;
        return pl_sched_scope_ask(task, deadline_ns);
}

/* *task* ends with *result*: take it off its scope's list, and cancel the scope if it failed. */
void pl_sched_scope_ending(struct plait_task *task, int result);

/*
 * A task of *scope* has ended on this worker. The scope is told at once, or together with others of its tasks that run
 * here right afterwards: before this worker runs anything else, pl_sched_scope_tell() must be called.
 */
void pl_sched_scope_ended(struct pl_worker *worker, struct plait_scope *scope);
void pl_sched_scope_tell_ended(struct pl_worker *worker);

static inline void pl_sched_scope_tell(struct pl_worker *worker)
{
        if (PL_UNLIKELY(worker->ended_in != NULL))
                pl_sched_scope_tell_ended(worker);
}

#endif
