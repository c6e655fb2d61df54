/*
 * Workers without work, and how they are woken.
 *
 * To wake a sleeping processor costs the waker about 7 us, and the sleeper runs 20 us later. For most tasks that is
 * more than running them takes. So:
 *
 * - Only one worker at a time is woken to look for work (n_searching); when it finds some, it wakes the next.
 * - A worker that has just run out of work naps first (PL_IDLE_LIGHT, NAP_NS, doubling up to NAP_MOST_NS as long as it
 *   finds nothing when it looks). It cannot be woken for ordinary work then, so a pair of tasks that exchange messages
 *   does not pay for a wake-up each time, only for one per nap.
 * - Then it announces itself (n_idle): from then on whoever queues work wakes it. Queueing costs no fence, so a worker
 *   may read n_idle == 0 just before the announcement while what it queued is not yet visible to the sleeper. That is
 *   made good by the next look: as long as another worker is awake, a sleeper looks around every WATCH_NS (it looks
 *   after those that are held up, too, see pick.c); the last one awake finds what it queued itself. Once all sleep,
 *   nobody looks: in a process where nothing happens, nothing wakes up.
 *
 * Work from threads that are no workers is not come across by anybody who is awake, so it wakes a worker in whatever
 * stage (wake_any). There the order matters: the thread queues, then looks at n_parked; the sleeper adds to n_parked,
 * then looks at the injector. Both handle n_parked by read-modify-write operations: if the thread's comes first, the
 * sleeper's synchronises with it and sees what was queued; if it comes second, it sees the sleeper.
 *
 * A worker sleeps inside its poller, so news from the kernel and timers wake it, too; one that waits for no news sleeps
 * there on a futex (io/backend.h).
 */
#include "mem/trim.h"
#include "plait/time.h"
#include "sched/quick.h"
#include "sched/runtime.h"
#include "sched/tie.h"
#include "trace/trace.h"

enum {
        NAP_NS = 100 * 1000,
        NAP_MOST_NS = 1600 * 1000,
        WATCH_NS = 5 * 1000 * 1000,
};

/* Under the lock: no longer parked. */
static void get_up(struct pl_run *run, struct pl_worker *worker)
{
        pl_list_remove(&worker->parked_link);
        atomic_fetch_sub(&run->n_parked, 1);
        if (atomic_load_explicit(&worker->idle, memory_order_relaxed) == PL_IDLE_DEEP)
                atomic_fetch_sub(&run->n_idle, 1);
        atomic_store_explicit(&worker->idle, PL_IDLE_AWAKE, memory_order_relaxed);
}

/* After somebody has got up. */
static void see_to_the_watch(struct pl_run *run)
{
        if (PL_UNLIKELY(atomic_load(&run->unwatched)))
                pl_sched_watch_again();
}

static void lie_down(struct pl_run *run, struct pl_worker *worker, enum pl_idle_stage stage)
{
        pl_lock_acquire(&run->idle_lock);
        pl_list_push_front(&run->parked, &worker->parked_link);
        atomic_store_explicit(&worker->idle, stage, memory_order_relaxed);
        if (stage == PL_IDLE_DEEP)
                atomic_fetch_add(&run->n_idle, 1);
        atomic_fetch_add(&run->n_parked, 1);
        pl_lock_release(&run->idle_lock);
        if (stage == PL_IDLE_DEEP) /* from now on forks are to be told of, too */
                for (unsigned i = 0; i < atomic_load(&run->n_serving); i++)
                        pl_deque_close(&run->workers[i].fresh);
}

/* Wake one that sleeps at least as soundly as *stage*. */
static void wake(enum pl_idle_stage stage)
{
        struct pl_run *run = &pl_sched_the_run;
        struct pl_worker *woken = NULL;

        pl_lock_acquire(&run->idle_lock);
        for (struct pl_list *link = run->parked.next; link != &run->parked && !woken; link = link->next) {
                struct pl_worker *worker = PL_CONTAINER_OF(link, struct pl_worker, parked_link);

                if (atomic_load_explicit(&worker->idle, memory_order_relaxed) >= stage)
                        woken = worker;
        }
        if (woken) {
                get_up(run, woken);
                woken->searching = true;
                atomic_fetch_add(&run->n_searching, 1);
        }
        pl_lock_release(&run->idle_lock);
        if (!woken)
                return;
        run->poller->notify(woken->poller);
        see_to_the_watch(run); /* afterwards: that takes a system call, too */
}

void pl_sched_wake_one(void)
{
        if (!atomic_load_explicit(&pl_sched_the_run.n_searching, memory_order_relaxed))
                wake(PL_IDLE_DEEP);
}

/*
 * A worker that got up may leave all others in a sleep that they began when it slept, too, without a time to look
 * around. It has taken itself out of n_parked before; a sleeper adds itself to n_idle, then reads n_parked: so either
 * that one sees that somebody is awake, or it is seen here. Where there is a watch, that one does this a few ms later,
 * if it is still needed then: mostly the worker will have gone to sleep again.
 */
void pl_sched_wake_a_watcher(void)
{
        if (PL_UNLIKELY(atomic_load(&pl_sched_the_run.n_idle)))
                pl_sched_wake_one();
}

bool pl_sched_nobody_looks(void)
{
        const struct pl_run *run = &pl_sched_the_run;
        uint32_t parked = atomic_load(&run->n_parked);

        return parked && parked < run->n_workers && parked == atomic_load(&run->n_endless);
}

void pl_sched_wake_any(void)
{
        /* Adding nothing is ordered before or after the sleeper's addition, as no load would be. */
        if (atomic_fetch_add(&pl_sched_the_run.n_parked, 0))
                wake(PL_IDLE_LIGHT);
}

void pl_sched_wake_all(void)
{
        struct pl_run *run = &pl_sched_the_run;

        for (unsigned i = 0; i < atomic_load(&run->n_serving); i++)
                run->poller->notify(run->workers[i].poller);
}

/* There is something that this worker could take. Exact for the injector and its own queue. */
static bool work_in_sight(struct pl_run *run, const struct pl_worker *worker)
{
        if (atomic_load(&run->injector.n) || atomic_load(&run->high.n) || atomic_load(&run->low.n) ||
            pl_sched_ready_count(worker) || pl_runq_count(&worker->bound) || atomic_load(&run->stopping))
                return true;
        for (unsigned i = 0; i < atomic_load(&run->n_serving); i++)
                if (!pl_deque_empty(&run->workers[i].fresh))
                        return true;
        return false;
}

/* The same, for others than *worker*, who has just taken something: no more than a hint. */
static bool work_for_others(const struct pl_run *run)
{
        if (pl_runq_count(&run->injector) || pl_runq_count(&run->high) || pl_runq_count(&run->low))
                return true;
        for (unsigned i = 0; i < atomic_load(&run->n_serving); i++)
                if (pl_sched_ready_count(&run->workers[i]) || !pl_deque_empty(&run->workers[i].fresh))
                        return true;
        return false;
}

bool pl_sched_work_in_sight(void)
{
        struct pl_worker *worker = pl_sched_self_get();

        return worker && work_in_sight(&pl_sched_the_run, worker);
}

static bool somebody_works(const struct pl_run *run)
{
        return atomic_load(&run->n_parked) < run->n_workers || atomic_load(&run->n_relief);
}

/* How long to sleep in *stage*. *endless*: nobody works. While somebody does, he may get stuck in a task. */
static int64_t sleep_until(struct pl_worker *worker, enum pl_idle_stage stage, bool endless)
{
        int64_t until = atomic_load_explicit(&worker->timers.next_ns, memory_order_relaxed);
        int64_t now_ns = pl_plat_now_ns();
        int64_t trim_ns = pl_mem_trim(now_ns);

        if (trim_ns < until)
                until = trim_ns;
        if (stage == PL_IDLE_LIGHT && until > now_ns + worker->nap_ns)
                until = now_ns + worker->nap_ns;
        if (!endless && until > now_ns + WATCH_NS)
                until = now_ns + WATCH_NS;
        return until;
}

static void give_up_search(struct pl_run *run, struct pl_worker *worker)
{
        if (!worker->searching)
                return;
        worker->searching = false;
        atomic_fetch_sub(&run->n_searching, 1);
        worker->nap_ns = worker->nap_ns * 2 < NAP_MOST_NS ? worker->nap_ns * 2 : NAP_MOST_NS;
        worker->next_stage = PL_IDLE_LIGHT;
}

/* When all others sleep, nobody offers work that a nap would be disturbed by, and a time to wake up costs a timer. */
static bool is_last_awake(const struct pl_run *run)
{
        return atomic_load_explicit(&run->n_parked, memory_order_relaxed) + 1 >= run->n_workers &&
               !atomic_load_explicit(&run->n_relief, memory_order_relaxed);
}

void pl_sched_park(struct pl_worker *worker)
{
        struct pl_run *run = &pl_sched_the_run;

        give_up_search(run, worker);
        enum pl_idle_stage stage = is_last_awake(run) ? PL_IDLE_DEEP : worker->next_stage;
        lie_down(run, worker, stage);
        if (!work_in_sight(run, worker)) {
                bool endless = !somebody_works(run);
                int64_t until = sleep_until(worker, stage, endless);

                if (stage == PL_IDLE_DEEP && atomic_load(&run->n_parked) >= run->n_workers)
                        until = pl_sched_all_asleep(until);
                worker->looking = true;
                pl_trace(PLAIT_RECORDING_IDLE, stage, 0, 0);
                endless = endless && stage == PL_IDLE_DEEP;
                if (endless)
                        atomic_fetch_add(&run->n_endless, 1);
                run->poller->wait(worker->poller, until);
                if (endless)
                        atomic_fetch_sub(&run->n_endless, 1);
                pl_trace(PLAIT_RECORDING_AWAKE, 0, 0, 0);
                worker->looking = false;
        }
        pl_lock_acquire(&run->idle_lock);
        bool got_up = atomic_load_explicit(&worker->idle, memory_order_relaxed) != PL_IDLE_AWAKE;
        if (got_up)
                get_up(run, worker);
        pl_lock_release(&run->idle_lock);
        if (got_up)
                see_to_the_watch(run);
        worker->next_stage = PL_IDLE_DEEP;
        pl_sched_serve(worker);
}

void pl_sched_stop_searching(struct pl_worker *worker)
{
        struct pl_run *run = &pl_sched_the_run;

        worker->next_stage = PL_IDLE_LIGHT;
        if (!worker->searching)
                return;
        worker->searching = false;
        worker->nap_ns = NAP_NS;
        if (atomic_fetch_sub(&run->n_searching, 1) == 1 && work_for_others(run))
                pl_sched_offer();
}
