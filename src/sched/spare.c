/*
 * Spare workers, and the watch that calls for them.
 *
 * A task that computes for long, or blocks in a system call, holds up its worker. The others serve what waits there
 * (pick.c), unless all of them are held up. So a thread, the watch, looks at the workers every half of PLAIT_STUCK_MS:
 *
 * - One that has been in the same task for PLAIT_STUCK_MS is stuck: it computes if its thread's processor time goes on,
 *   or would if it got a processor, else it is blocked.
 * - There should be as many that are free of that as there are workers, less one for each that computes (it has a
 *   processor), but one at least; and no more than there are if no task waits to be run. Where they are fewer, a spare
 *   worker is called, a new one if none rests; one a look. Where they are more, one is sent to rest.
 *
 * Unless others are blocked, a spare worker takes no forks: they are parts of what computes already, not somebody who
 * waits behind it. A fork that its task sleeps for may be either, so one at a time is taken.
 *
 * A spare worker is a worker in a slot behind the others, with queues, timers and a poller of its own, which others
 * steal from and look after like any. What is left in its timers and its poller when it is sent to rest stays there: it
 * sleeps in its poller, and what wakes there it hands to the others. It does not count as parked, so no work is offered
 * to it; n_relief stands for it, so that sleepers look around while it works (park.c).
 *
 * The watch itself sleeps once all workers have slept for a few looks; the first that gets up then sets it an alarm. It
 * writes *unwatched*, then reads n_parked; who gets up writes n_parked, then reads *unwatched*: one of them sees the
 * other. It sleeps on an eventfd, too, so that another process can wake it to have this one recorded (trace/mailbox.c).
 *
 * With one worker there is no watch and no spare: such a run never runs two tasks at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sched/fork.h"
#include "sched/quick.h"
#include "trace/trace.h"

enum {
        SPARES_MOST = 64,
        STUCK_MS = 10,
        STUCK_MS_MOST = 3600 * 1000,
        QUIET_LOOKS = 4,
        SPARE_LOOK_NS = 1000 * 1000,
        REST_NS = 1000 * 1000,
};

/* What the watch knows of a worker. */
struct watched {
        uint32_t ticks;
        bool stuck, blocked;
        int64_t since_ns; /* it has these ticks */
        int64_t cpu_ns;   /* its thread's processor time at its last look */
};

static struct {
        struct pl_thread thread;
        bool started;
        _Atomic bool quick;
        bool no_more; /* a spare worker could not be started */
        int64_t limit_ns;
        int bell;                /* an eventfd: the watch sleeps on it, and `plait trace --pid` rings it */
        int alarm;               /* it sleeps on that, too */
        _Atomic uint32_t opened; /* workers that have come up, or failed to: so does it on this one */
        _Atomic int open_error;
        struct watched *workers;
} watch = {.bell = -1, .alarm = -1};

unsigned pl_sched_spares_most(unsigned n_workers)
{
        return n_workers > 1 ? SPARES_MOST : 0;
}

/* --- a spare worker --- */

void pl_sched_spare_hand_over(struct pl_worker *worker)
{
        struct pl_run *run = &pl_sched_the_run;
        struct pl_list tasks;
        uint32_t n = 0;

        pl_list_init(&tasks);
        for (struct plait_task *task; (task = pl_sched_take_ready(worker)); n++)
                pl_list_push_back(&tasks, &task->link);
        for (int64_t left = pl_deque_length(&worker->fresh); left > 0; left--) {
                void *work = pl_deque_steal(&worker->fresh);

                if (!work || (pl_work_as_fork(work) && pl_deque_push(&worker->fresh, work)))
                        continue; /* a thief was faster; forks are left to thieves, and to those who look around
                                     (pick.c) */
                struct plait_task *task = pl_sched_task_of(worker, work);
                if (!task)
                        break;
                pl_list_push_back(&tasks, &task->link);
                n++;
        }
        if (!n)
                return;
        pl_runq_append(&run->injector, &tasks, n);
        pl_sched_wake_any();
}

static void sleep_in_poller(struct pl_worker *worker, int64_t most_ns)
{
        int64_t until = atomic_load_explicit(&worker->timers.next_ns, memory_order_relaxed);

        worker->looking = true;
        pl_trace(PLAIT_RECORDING_IDLE, PL_IDLE_LIGHT, 0, 0);
        pl_sched_the_run.poller->wait(worker->poller, until < most_ns ? until : most_ns);
        pl_trace(PLAIT_RECORDING_AWAKE, 0, 0, 0);
        worker->looking = false;
}

/* Work in place of one that is stuck. */
static void relieve(struct pl_worker *worker)
{
        struct pl_run *run = &pl_sched_the_run;

        atomic_fetch_add(&run->n_relief, 1);
        atomic_store(&worker->idle, PL_IDLE_AWAKE);
        pl_sched_wake_a_watcher();
        while (atomic_load(&worker->wanted) && !atomic_load(&run->stopping)) {
                struct plait_task *task = pl_sched_pick(worker);

                if (!task)
                        task = pl_sched_steal(worker);
                if (task) {
                        pl_sched_resume(worker, task);
                        continue;
                }
                sleep_in_poller(worker, pl_plat_now_ns() + SPARE_LOOK_NS);
                pl_sched_serve(worker);
        }
        pl_sched_spare_hand_over(worker);
        atomic_fetch_sub(&run->n_relief, 1);
}

/* Until it is wanted again, serve what only this worker can: its timers, its poller, tasks that are bound to it. */
static void rest(struct pl_worker *worker)
{
        struct plait_task *task;

        if (!pl_runq_count(&worker->bound)) {
                atomic_store(&worker->idle, PL_IDLE_DEEP);
                if (!atomic_load(&worker->wanted) && !atomic_load(&pl_sched_the_run.stopping))
                        sleep_in_poller(worker, PL_PLAT_NEVER);
                atomic_store(&worker->idle, PL_IDLE_AWAKE);
        }

        int64_t now_ns = pl_plat_now_ns();

        worker->looking = true;
        if (pl_timers_due(&worker->timers, now_ns))
                pl_timers_fire(&worker->timers, now_ns);
        worker->looking = false;
        while ((task = pl_runq_pop_front(&worker->bound)))
                pl_sched_resume(worker, task);
        pl_sched_spare_hand_over(worker);
}

static void say_opened(int r)
{
        if (r < 0)
                atomic_store(&watch.open_error, r);
        atomic_fetch_add(&watch.opened, 1);
        pl_plat_futex_wake(&watch.opened, 1);
}

static void *spare_thread(void *arg)
{
        struct pl_worker *worker = arg;
        struct pl_run *run = &pl_sched_the_run;
        int r = pl_sched_worker_open(worker);

        if (r < 0) {
                say_opened(r);
                return NULL;
        }
        atomic_store(&run->n_serving, worker->index + 1);
        say_opened(0);
        pl_sched_stuck_thread_init();
        pl_sched_worker_become(worker);
        while (!atomic_load(&run->stopping)) {
                if (atomic_load(&worker->wanted))
                        relieve(worker);
                else
                        rest(worker);
        }
        pl_sched_worker_become(NULL);
        return NULL;
}

/* A new spare worker, at work. It is not tried again after a failure. */
static void start_spare(struct pl_run *run)
{
        unsigned index = atomic_load(&run->n_serving);
        struct pl_worker *worker = &run->workers[index];
        uint32_t opened = atomic_load(&watch.opened);
        char name[24];

        if (watch.no_more || index == run->n_slots)
                return;
        watch.no_more = true;
        if (pl_sched_worker_init(worker, index) < 0)
                return;
        worker->spare = true;
        worker->wanted = true;
        snprintf(name, sizeof name, "plait-spare-%u", index - run->n_workers);

        int r = pl_plat_thread_start(&worker->thread, spare_thread, worker, 0, name);
        if (r == 0) {
                while (atomic_load(&watch.opened) == opened)
                        (void)!pl_plat_futex_wait(&watch.opened, opened, PL_PLAT_NEVER);
                r = atomic_load(&watch.open_error);
                if (r < 0)
                        pl_plat_thread_join(&worker->thread);
        }
        if (r < 0) {
                pl_sched_worker_done(worker);
                pl_warn("all workers are held up by tasks that compute or block, and a spare one cannot be started "
                        "(error %d): raise the limits on threads and descriptors",
                        -r);
                return;
        }
        watch.no_more = false;
}

/* --- the watch --- */

/* Which task it is in is known to who reads the recording. */
static void tell_stuck(const struct pl_worker *worker, int64_t for_ns, bool blocked)
{
        pl_trace_record(PLAIT_RECORDING_STUCK | (blocked ? 1U << PL_TRACE_SMALL_SHIFT : 0U), 0,
                        (uint64_t)(for_ns / 1000000) << PL_TRACE_WORKER_BITS | worker->index);
}

/* See whether *worker* is stuck. */
static void look_at(struct pl_run *run, struct pl_worker *worker, int64_t now_ns)
{
        struct watched *seen = &watch.workers[worker->index];
        uint32_t ticks = atomic_load_explicit(&worker->ticks, memory_order_relaxed);
        bool was_stuck = seen->stuck;

        if (ticks != seen->ticks || atomic_load_explicit(&worker->idle, memory_order_relaxed) != PL_IDLE_AWAKE) {
                *seen = (struct watched){.ticks = ticks, .since_ns = now_ns};
                return;
        }
        int64_t for_ns = now_ns - seen->since_ns;
        if (for_ns < watch.limit_ns / 2)
                return;
        int64_t cpu_ns = pl_plat_thread_cpu_ns(worker->tid);
        seen->blocked = cpu_ns == seen->cpu_ns && !pl_plat_thread_is_runnable(worker->tid);
        seen->cpu_ns = cpu_ns;
        seen->stuck = for_ns >= watch.limit_ns;
        if (!seen->stuck || was_stuck)
                return;
        atomic_fetch_add_explicit(&run->n_stuck, 1, memory_order_relaxed);
        if (pl_trace_is_on())
                tell_stuck(worker, for_ns, seen->blocked);
        pl_sched_stuck_tell(worker, for_ns, seen->blocked);
}

static void call_spare(struct pl_run *run)
{
        for (unsigned i = run->n_workers; i < atomic_load(&run->n_serving); i++) {
                struct pl_worker *worker = &run->workers[i];

                if (!atomic_load(&worker->wanted)) {
                        atomic_store(&worker->wanted, true);
                        run->poller->notify(worker->poller);
                        return;
                }
        }
        start_spare(run);
}

static void send_to_rest(struct pl_run *run)
{
        for (unsigned i = atomic_load(&run->n_serving); i-- > run->n_workers;) {
                struct pl_worker *worker = &run->workers[i];

                if (atomic_load(&worker->wanted) && !watch.workers[i].stuck) {
                        atomic_store(&worker->wanted, false);
                        run->poller->notify(worker->poller);
                        return;
                }
        }
}

static bool work_waits(const struct pl_run *run)
{
        if (pl_runq_count(&run->injector) || pl_runq_count(&run->high) || pl_runq_count(&run->low))
                return true;
        for (unsigned i = 0; i < atomic_load(&run->n_serving); i++)
                if (pl_sched_ready_count(&run->workers[i]) || !pl_deque_empty(&run->workers[i].fresh))
                        return true;
        return false;
}

static void look(struct pl_run *run)
{
        int64_t now_ns = pl_plat_now_ns();
        unsigned regular = 0, relief = 0,
                 computing = 0; /* regular ones and spares that are free, and any that compute */

        if (pl_sched_nobody_looks())
                pl_sched_wake_a_watcher();
        for (unsigned i = 0; i < atomic_load(&run->n_serving); i++) {
                struct pl_worker *worker = &run->workers[i];
                const struct watched *seen = &watch.workers[i];

                look_at(run, worker, now_ns);
                if (seen->stuck)
                        computing += !seen->blocked;
                else if (!worker->spare)
                        regular++;
                else
                        relief += atomic_load(&worker->wanted);
        }
        unsigned wanted = computing < run->n_workers ? run->n_workers - computing : 1;
        atomic_store_explicit(&run->crowded, regular + computing >= run->n_workers, memory_order_relaxed);
        if (regular && regular < wanted && !work_waits(run))
                wanted = regular;
        if (regular + relief < wanted)
                call_spare(run);
        else if (relief && regular + relief > wanted)
                send_to_rest(run);
}

/* What was seen is too old to judge by. */
static void forget(struct pl_run *run)
{
        for (unsigned i = 0; i < atomic_load(&run->n_serving); i++)
                watch.workers[i] = (struct watched){.since_ns = pl_plat_now_ns()};
}

/* Sleep until the bell rings, the alarm goes off, or the time has come. A question from outside is for a worker, no
 * matter which. */
static void listen(struct pl_run *run, int64_t until_ns)
{
        if (pl_plat_eventfd_wait(watch.bell, watch.alarm, until_ns) && pl_trace_is_asked())
                run->poller->notify(run->workers[0].poller);
}

/* Sleep until the next look is due; with PL_PLAT_NEVER, until somebody gets up. */
static void pause_until(struct pl_run *run, int64_t until_ns)
{
        if (until_ns == PL_PLAT_NEVER) {
                atomic_store(&run->unwatched, true);
                if (atomic_load(&run->n_parked) < run->n_workers || atomic_load(&run->stopping)) {
                        atomic_store(&run->unwatched, false);
                        return;
                }
        } else if (atomic_load(&run->stopping)) {
                return;
        }
        listen(run, until_ns);
}

static __thread bool is_watch;

bool pl_sched_is_watch(void)
{
        return is_watch;
}

bool pl_sched_watch_is_quick(void)
{
        return atomic_load_explicit(&watch.quick, memory_order_relaxed);
}

static void *watch_thread(void *arg)
{
        struct pl_run *run = arg;
        unsigned quiet = 0;

        is_watch = true;

        while (!atomic_load(&run->stopping)) {
                quiet = atomic_load(&run->n_parked) < run->n_workers || atomic_load(&run->n_relief) ? 0 : quiet + 1;
                if (quiet > QUIET_LOOKS) {
                        pause_until(run, PL_PLAT_NEVER);
                        forget(run);
                        quiet = 0;
                }
                pause_until(run, pl_plat_now_ns() + watch.limit_ns / 2);
                look(run);
        }
        return NULL;
}

/* A moment later: at once it would take a processor from who got up, and there is nothing to be seen yet. */
void pl_sched_watch_again(void)
{
        if (atomic_exchange(&pl_sched_the_run.unwatched, false))
                pl_plat_alarm_set(watch.alarm, watch.limit_ns / 2 < REST_NS ? watch.limit_ns / 2 : REST_NS);
}

void pl_sched_watch_open(void)
{
        uint64_t ms = STUCK_MS;

        (void)pl_plat_env_u64("PLAIT_STUCK_MS", 0, STUCK_MS_MOST, &ms);
        watch.limit_ns = pl_sched_the_run.n_workers > 1 ? (int64_t)ms * 1000000 : 0;
        watch.bell = watch.limit_ns ? pl_plat_eventfd_open() : -1;
        watch.alarm = watch.limit_ns ? pl_plat_alarm_open() : -1;
}

static bool start_watch(struct pl_run *run)
{
        if (!watch.limit_ns)
                return false;
        watch.workers = calloc(run->n_slots, sizeof *watch.workers);
        if (watch.workers && watch.bell >= 0 && watch.alarm >= 0 &&
            pl_plat_thread_start(&watch.thread, watch_thread, run, 0, "plait-watch") == 0)
                return true;
        free(watch.workers);
        pl_warn("no memory, no descriptor or no thread to watch for tasks that hold up all workers: they will hold up "
                "all others");
        return false;
}

void pl_sched_watch_start(void)
{
        struct pl_run *run = &pl_sched_the_run;

        watch.no_more = false;
        watch.open_error = 0;
        watch.started = start_watch(run);
        atomic_store(&watch.quick, watch.started && watch.limit_ns <= STUCK_MS * INT64_C(1000000));
        pl_trace_wake_by(watch.started ? watch.bell : run->poller->bell(run->workers[0].poller));
}

void pl_sched_watch_stop(void)
{
        struct pl_run *run = &pl_sched_the_run;

        pl_trace_wake_by(-1);
        if (!watch.started)
                return;
        atomic_store(&watch.quick, false);
        pl_plat_eventfd_write(watch.bell);
        pl_plat_thread_join(&watch.thread);
        free(watch.workers);
        watch.started = false;
        for (unsigned i = run->n_workers; i < atomic_load(&run->n_serving); i++) {
                run->poller->notify(run->workers[i].poller);
                pl_plat_thread_join(&run->workers[i].thread);
        }
}

void pl_sched_spares_close(void)
{
        struct pl_run *run = &pl_sched_the_run;

        for (unsigned i = run->n_workers; i < atomic_load(&run->n_serving); i++)
                pl_sched_worker_close(&run->workers[i]);
        if (watch.bell >= 0)
                close(watch.bell);
        if (watch.alarm >= 0)
                close(watch.alarm);
        watch.bell = watch.alarm = -1;
}
