/*
 * What a worker runs next.
 *
 * From its own queues it takes tasks that can go on and tasks that have not started by turns, so that neither kind
 * starves the other. (Who starts more than there is room for lets half of them run before he goes on, or SERVICE_US of
 * them, unless somebody else can go on, too.) Of the latter it takes the youngest (its data are in the cache, and a
 * tree of tasks is walked depth first, in little memory), and now and then the oldest. Every PL_SERVICE_TICKS tasks, if
 * SERVICE_US have passed, it looks at the timers, the poller and the injector; where tasks take long it asks for the
 * time more often.
 *
 * A worker without work takes it from others: the oldest of the tasks that have not started, or half of those that can
 * go on. The latter it leaves where they are if they will all have been run there within STEAL_AFTER_NS, judged by how
 * many tasks that worker has run since the thief last looked: their data are there, and where each task takes a few
 * microseconds, a second processor costs more than it helps. But tasks that yield are back at once, so where most turns
 * end that way there is work for two however short they are.
 *
 * Nothing takes a processor away from a task that computes. But what else its worker has to do is done by the others:
 * each looks after one of them whenever it looks at its own timers and poller, and serves the timers and the poller of
 * one that has been in the same task for LATE_NS, and its queues after STUCK_NS. (An io_uring can be served by its
 * owner only.) So it is with one whose thread has lost its processor. If all are held up, a spare one does that
 * (spare.c).
 */
#include "sched/fork.h"
#include "sched/quick.h"
#include "sched/runtime.h"
#include "trace/trace.h"

enum {
        SERVICE_US = 50,
        STEAL_MOST = 64,
        STEAL_MOST_YIELDING = 512,
        WORTH_US = 1,
        SPIN_MOST_US = 8,
        PAUSE_MOST_US = 100,
        STEAL_AFTER_NS = 500 * 1000,
        SIGHTING_NS = 50 * 1000,
        SIGHTING_MOST_NS = 20 * 1000 * 1000,
        INJECTED_MOST = 32,
        LATE_NS = 250 * 1000,
        STUCK_NS = 2 * 1000 * 1000,
        RESCUED_MOST = 2,
        RESCUE_NS = 1000 * 1000,
        DIG_NS = 50 * 1000 * 1000,
        FORK_US = 1000,
};

/* Our part of what other threads have handed over. */
static void take_injected(struct pl_worker *worker)
{
        struct pl_run *run = &pl_sched_the_run;
        uint32_t waiting = pl_runq_count(&run->injector);

        if (!waiting)
                return;
        uint32_t most = waiting / run->n_workers + 1;
        struct pl_list taken;

        pl_list_init(&taken);
        pl_runq_lock(&run->injector);
        uint32_t n = 0;
        for (struct plait_task *task; n < most && n < INJECTED_MOST; n++) {
                task = pl_runq_take_front(&run->injector);
                if (!task)
                        break;
                pl_list_push_back(&taken, &task->link);
        }
        pl_runq_unlock(&run->injector);
        pl_runq_append(&worker->ready, &taken, n);
}

static inline struct plait_task *task_of(struct pl_worker *worker, void *work)
{
        return work ? pl_sched_task_of(worker, work) : NULL;
}

/* How long *victim* has been in one task, as far as *worker* has seen. */
static int64_t held_up_ns(struct pl_worker *worker, const struct pl_worker *victim, int64_t now_ns)
{
        struct pl_sighting *seen = &worker->sightings[victim->index];
        uint32_t ticks = atomic_load_explicit(&victim->ticks, memory_order_relaxed);

        if (seen->ticks != ticks || atomic_load_explicit(&victim->idle, memory_order_relaxed)) {
                seen->ticks = ticks;
                seen->since_ns = now_ns;
        }
        return now_ns - seen->since_ns;
}

/* A spare worker where tasks compute on all processors. It is there for others than those. */
static bool is_guest(const struct pl_worker *worker)
{
        return worker->spare && atomic_load_explicit(&pl_sched_the_run.crowded, memory_order_relaxed);
}

static void guest_done(struct pl_worker *worker)
{
        worker->has_guest_fork = false;
        atomic_store_explicit(&pl_sched_the_run.guest_fork, false, memory_order_relaxed);
}

/* Of what has been split up a guest takes no part but one that its task sleeps for, and of all guests one at a time. */
static bool may_take(struct pl_worker *worker, void *work)
{
        const struct plait_fork *fork = pl_work_as_fork(work);

        if (!fork || !is_guest(worker))
                return true;
        if (!pl_fork_is_awaited(fork) || atomic_exchange(&pl_sched_the_run.guest_fork, true))
                return false;
        worker->has_guest_fork = true;
        return true;
}

/*
 * How many of *victim*'s to go through: all, if there is a task among them. A fork may be one that its task sleeps for,
 * but only who has taken it can tell, and mostly it is best left where its task will find it: one in DIG_NS.
 */
static int64_t how_deep(struct pl_worker *worker, struct pl_worker *victim)
{
        int64_t length = pl_deque_length(&victim->fresh);

        if (!length || pl_deque_any(&victim->fresh, pl_work_is_task))
                return length;
        int64_t now_ns = pl_plat_now_ns(), due_ns = worker->dig_ns;
        if (now_ns < due_ns)
                return 0;
        worker->dig_ns = now_ns + DIG_NS;
        return due_ns ? 1 : 0; /* not the first time */
}

/* One of the *most* oldest of *victim*'s tasks that have not started. What a guest does not take it lays aside in its
 * own deque, since others may wait behind it. */
static void *take_oldest(struct pl_worker *worker, struct pl_worker *victim, int64_t most)
{
        for (; most > 0; most--) {
                void *work = pl_deque_steal(&victim->fresh);

                if (!work || may_take(worker, work) || !pl_deque_push(&worker->fresh, work))
                        return work;
        }
        return NULL;
}

static void *steal_fresh(struct pl_worker *worker, struct pl_worker *victim)
{
        return take_oldest(worker, victim, PL_LIKELY(!is_guest(worker)) ? 1 : how_deep(worker, victim));
}

/* Up to *most* of *victim*'s tasks that can go on: the last of its queue, and at last the one that would be next. */
static uint32_t steal_ready(struct pl_worker *victim, uint32_t most, struct pl_list *ret)
{
        uint32_t n = pl_runq_steal(&victim->ready, most, ret);
        struct plait_task *next = n < most ? pl_sched_take_next(victim) : NULL;

        if (!next)
                return n;
        pl_list_push_front(ret, &next->link);
        return n + 1;
}

/* Take over what waits behind a task that computes: timers and news from the kernel; */
static void take_news(struct pl_worker *victim, int64_t now_ns)
{
        if (pl_timers_due(&victim->timers, now_ns))
                pl_timers_fire(&victim->timers, now_ns);
        if (pl_sched_the_run.poller->look_for)
                pl_sched_the_run.poller->look_for(victim->poller);
}

/*
 * Of those that have not started, which may be trees of more: if fewer than RESCUED_MOST wait here, or one in
 * RESCUE_NS. Each would have turns beside the others, and they would be in each other's way in the deque.
 */
static struct plait_task *rescue_fresh(struct pl_worker *worker, struct pl_worker *victim, int64_t now_ns)
{
        if (pl_sched_ready_count(worker) >= RESCUED_MOST && now_ns - worker->rescued_ns < RESCUE_NS)
                return NULL;
        struct plait_task *task = task_of(worker, take_oldest(worker, victim, how_deep(worker, victim)));
        if (task)
                worker->rescued_ns = now_ns;
        return task;
}

/* and tasks. */
static void take_tasks(struct pl_worker *worker, struct pl_worker *victim, int64_t now_ns)
{
        struct pl_list loot;

        pl_list_init(&loot);
        uint32_t n = steal_ready(victim, STEAL_MOST, &loot);
        if (n)
                pl_runq_append(&worker->ready, &loot, n);
        struct plait_task *fresh = rescue_fresh(worker, victim, now_ns);

        if (fresh)
                pl_runq_push_back(&worker->ready, fresh);
        if (n || fresh)
                pl_trace(PLAIT_RECORDING_RESCUED, n + (fresh != NULL), 0, victim->index);
}

/* A spare worker that rests has left forks. */
static bool has_left_forks(const struct pl_worker *worker)
{
        return worker->spare && !atomic_load_explicit(&worker->wanted, memory_order_relaxed) &&
               !pl_deque_empty(&worker->fresh);
}

static bool rescue(struct pl_worker *worker, unsigned index, int64_t now_ns)
{
        struct pl_worker *victim = &pl_sched_the_run.workers[index];

        if (PL_UNLIKELY(has_left_forks(victim)))
                take_tasks(worker, victim, now_ns);

        int64_t held_up = victim != worker ? held_up_ns(worker, victim, now_ns) : 0;

        if (held_up >= LATE_NS)
                take_news(victim, now_ns);
        if (held_up >= STUCK_NS)
                take_tasks(worker, victim, now_ns);
        return held_up >= LATE_NS;
}

/* Look after the other workers, one each time, and always after the one that was stuck last. */
static void look_after(struct pl_worker *worker, int64_t now_ns)
{
        unsigned n = atomic_load_explicit(&pl_sched_the_run.n_serving, memory_order_acquire);
        unsigned last = worker->rescued;

        if (n == 1)
                return;
        worker->watched = (worker->watched + 1) % n;
        if (worker->watched == worker->index)
                worker->watched = (worker->watched + 1) % n;
        if (rescue(worker, worker->watched, now_ns))
                worker->rescued = worker->watched;
        if (last != worker->watched)
                (void)rescue(worker, last, now_ns);
}

void pl_sched_serve(struct pl_worker *worker)
{
        take_injected(worker);
        pl_sched_fetch_next(); /* meanwhile */

        int64_t now_ns = pl_plat_now_ns();

        pl_sched_tell_time(now_ns);
        worker->last_service = pl_plat_ticks();
        worker->looking = true;
        if (pl_timers_due(&worker->timers, now_ns))
                pl_timers_fire(&worker->timers, now_ns);
        look_after(worker, now_ns);
        worker->looking = false;
        pl_trace_look();
}

/* See what the kernel has, and serve everything else. */
static void look(struct pl_worker *worker)
{
        const struct pl_poller_ops *poller = pl_sched_the_run.poller;

        worker->looking = true;
        if (poller->watching(worker->poller))
                poller->wait(worker->poller, 0);
        worker->looking = false;
        pl_sched_serve(worker);
}

/* *passed* since it looked last: let it be SERVICE_US, whether tasks take nanoseconds or milliseconds. */
static void plan_service(struct pl_worker *worker, uint64_t passed, uint64_t wanted)
{
        uint32_t ticks = atomic_load_explicit(&worker->ticks, memory_order_relaxed);
        uint32_t most = PL_SERVICE_TICKS - ticks % PL_SERVICE_TICKS; /* then it is the turn of others, too */

        if (passed > 2 * wanted)
                worker->service_turns = (uint32_t)(worker->service_turns * wanted / passed) | 1;
        else if (passed < wanted && worker->service_turns < PL_SERVICE_TICKS)
                worker->service_turns *= 2;
        worker->service_at = ticks + (worker->service_turns < most ? worker->service_turns : most);
}

void pl_sched_look_if_time(struct pl_worker *worker)
{
        uint64_t wanted = SERVICE_US * pl_sched_the_run.ticks_per_us;
        uint64_t passed = pl_plat_ticks() - worker->last_service;

        worker->to_drain = 0;
        if (passed > wanted)
                look(worker);
        plan_service(worker, passed, wanted);
}

/*
 * While tasks can go on, a fork is taken once in FORK_US at most, and the oldest. The others are parts of tasks that
 * are on their way here, and as tasks they would fork again: a tree of forks would be run breadth first.
 */
static bool is_turn_of_forks(struct pl_worker *worker)
{
        uint64_t now = pl_plat_ticks();

        if (pl_sched_ready_count(worker) && now - worker->fork_at < FORK_US * pl_sched_the_run.ticks_per_us)
                return false;
        worker->fork_at = now;
        return true;
}

static PL_NOINLINE struct plait_task *service(struct pl_worker *worker)
{
        pl_sched_look_if_time(worker);
        if (PL_UNLIKELY(worker->spare) && !atomic_load_explicit(&worker->wanted, memory_order_relaxed))
                pl_sched_spare_hand_over(worker);
        if (atomic_load_explicit(&worker->ticks, memory_order_relaxed) % PL_SERVICE_TICKS)
                return NULL;
        struct plait_task *low = pl_runq_pop_front(&pl_sched_the_run.low);
        if (PL_UNLIKELY(low != NULL))
                return low;
        if (pl_deque_empty(&worker->fresh) ||
            (pl_work_as_fork(pl_deque_oldest(&worker->fresh)) && !is_turn_of_forks(worker)))
                return NULL;
        return task_of(worker, steal_fresh(worker, worker));
}

static inline struct plait_task *pop_fresh(struct pl_worker *worker)
{
        if (pl_deque_empty(&worker->fresh))
                return NULL;
        if (PL_UNLIKELY(is_guest(worker)))
                return task_of(worker, steal_fresh(worker, worker));
        if (PL_LIKELY(!pl_work_as_fork(pl_deque_youngest(&worker->fresh)) || !pl_sched_ready_count(worker)))
                return task_of(worker, pl_deque_pop(&worker->fresh));
        return is_turn_of_forks(worker) ? task_of(worker, pl_deque_steal(&worker->fresh)) : NULL;
}

/* The only one that can go on has filled *fresh*: it is to be run before him. */
static inline bool drains(struct pl_worker *worker)
{
        if (PL_LIKELY(!worker->to_drain))
                return false;
        worker->to_drain = pl_sched_ready_count(worker) == 1 ? worker->to_drain - 1 : 0;
        return worker->to_drain != 0;
}

/* There is nothing ordinary to run. */
static struct plait_task *pick_rest(struct pl_worker *worker)
{
        struct plait_task *task = pl_runq_pop_front(&worker->bound);

        if (!task)
                task = pl_runq_pop_front(&pl_sched_the_run.high); /* it was not its turn */
        return task;
}

struct plait_task *pl_sched_pick(struct pl_worker *worker)
{
        uint32_t ticks = atomic_load_explicit(&worker->ticks, memory_order_relaxed) + 1;
        struct plait_task *task;

        if (PL_UNLIKELY(worker->has_guest_fork))
                guest_done(worker);

        atomic_store_explicit(&worker->ticks, ticks, memory_order_relaxed);
        if (PL_UNLIKELY(ticks == worker->service_at) && (task = service(worker)))
                return task;
        if (PL_UNLIKELY(pl_runq_count(&pl_sched_the_run.high)) && ticks % PL_ORDINARY_TICKS &&
            (task = pl_runq_pop_front(&pl_sched_the_run.high)))
                return task;
        if (PL_UNLIKELY(pl_runq_count(&worker->bound)) && ticks % 3 == 0)
                return pl_runq_pop_front(&worker->bound);
        if (!drains(worker) && ticks % 2) {
                task = pl_sched_take_ready(worker);
                if (!task)
                        task = pop_fresh(worker);
        } else {
                task = pop_fresh(worker);
                if (!task)
                        task = pl_sched_take_ready(worker);
        }
        return task ? task : pick_rest(worker);
}

static uint64_t next_random(struct pl_worker *worker)
{
        uint64_t x = worker->random; /* xorshift64 (Marsaglia 2003) */

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        return worker->random = x;
}

/* How many of *victim*'s tasks that can go on are to be had. */
static uint32_t stealable(struct pl_worker *worker, struct pl_worker *victim)
{
        struct pl_sighting *seen = &worker->sightings[victim->index];
        uint32_t n = pl_sched_ready_count(victim);

        if (!n)
                return 0;
        int64_t now_ns = pl_plat_now_ns();
        uint32_t ticks = atomic_load_explicit(&victim->ticks, memory_order_relaxed);
        uint32_t yields = atomic_load_explicit(&victim->yields, memory_order_relaxed);
        int64_t ran = (int64_t)(ticks - seen->thief_ticks);
        int64_t yielded = (int64_t)(yields - seen->thief_yields);
        int64_t since_ns = now_ns - seen->thief_ns;

        if (since_ns < SIGHTING_NS)
                return 0; /* too short to judge by */
        seen->thief_ticks = ticks;
        seen->thief_yields = yields;
        seen->thief_ns = now_ns;
        bool back_at_once = yielded > ran / 2;
        uint32_t most = back_at_once ? STEAL_MOST_YIELDING : STEAL_MOST;

        if (since_ns > SIGHTING_MOST_NS || (!back_at_once && (int64_t)n * since_ns < ran * STEAL_AFTER_NS))
                return 0;
        return n / 2 < most ? (n + 1) / 2 : most;
}

static struct plait_task *steal_from(struct pl_worker *worker, struct pl_worker *victim)
{
        struct plait_task *task = task_of(worker, steal_fresh(worker, victim));

        if (task) {
                pl_trace(PLAIT_RECORDING_STOLE, 1, task->id, victim->index);
                return task;
        }
        uint32_t most = stealable(worker, victim);
        if (!most)
                return NULL;
        struct pl_list loot;

        pl_list_init(&loot);
        uint32_t n = steal_ready(victim, most, &loot);
        if (!n)
                return NULL;
        task = PL_CONTAINER_OF(pl_list_pop_front(&loot), struct plait_task, link);
        pl_trace(PLAIT_RECORDING_STOLE, n, task->id, victim->index);
        if (n > 1)
                pl_runq_append(&worker->ready, &loot, n - 1);
        return task;
}

static struct plait_task *steal(struct pl_worker *worker)
{
        struct pl_run *run = &pl_sched_the_run;
        unsigned n = atomic_load_explicit(&run->n_serving, memory_order_acquire);
        unsigned start = (unsigned)(next_random(worker) % n);

        for (unsigned i = 0; i < n; i++) {
                struct pl_worker *victim = &run->workers[(start + i) % n];
                struct plait_task *task = victim == worker ? NULL : steal_from(worker, victim);

                if (task)
                        return task;
        }
        return NULL;
}

/*
 * What was stolen last was hardly worth it: hold back. A thief that comes back at once for each tiny task takes the
 * cache lines that the tasks' starter works on, and makes it several times slower than it would be alone.
 */
static void hold_back(struct pl_worker *worker)
{
        struct pl_run *run = &pl_sched_the_run;
        uint64_t now = pl_plat_ticks();

        if (now - worker->stolen_at > WORTH_US * run->ticks_per_us) {
                worker->pause_us = 0;
                return;
        }
        worker->pause_us = worker->pause_us * 2 < PAUSE_MOST_US ? worker->pause_us * 2 + 1 : PAUSE_MOST_US;
        if (worker->pause_us > SPIN_MOST_US) {
                run->poller->wait(worker->poller, pl_plat_now_ns() + worker->pause_us * 1000);
                return;
        }
        while (pl_plat_ticks() - now < worker->pause_us * run->ticks_per_us)
                pl_cpu_relax();
}

struct plait_task *pl_sched_steal(struct pl_worker *worker)
{
        hold_back(worker);
        struct plait_task *task = steal(worker);
        if (task)
                worker->stolen_at = pl_plat_ticks();
        return task;
}

struct plait_task *pl_sched_find(struct pl_worker *worker)
{
        struct plait_task *task;
        bool slept = false;

        while (!atomic_load_explicit(&pl_sched_the_run.stopping, memory_order_acquire)) {
                task = pl_sched_pick(worker);
                if (!task)
                        task = pl_sched_steal(worker);
                if (!task)
                        task = pl_runq_pop_front(&pl_sched_the_run.low);
                if (task) {
                        pl_sched_stop_searching(worker);
                        if (slept && !pl_sched_watch_is_quick())
                                pl_sched_wake_a_watcher();
                        return task;
                }
                pl_sched_park(worker);
                slept = true;
        }
        return NULL;
}
