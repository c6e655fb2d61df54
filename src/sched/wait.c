/* Waiting and waking, for tasks and for plain threads. The protocol is described in wait.h. */
#include "sched/wait.h"

#include "plait/time.h"
#include "sched/compact.h"
#include "sched/registry.h"
#include "sched/tell.h"
#include "sched/tie.h"
#include "sched/worker.h"

static struct pl_wait *own_wait(void)
{
        struct pl_worker *worker = pl_sched_self_get();

        if (PL_LIKELY(worker && worker->current))
                return &worker->current->wait;
        if (PL_UNLIKELY(worker && worker->calling))
                pl_panic("a timer's function waits, which would hold up the worker that calls it: let it start a task "
                         "or set an event instead");
        return pl_registry_thread_wait();
}

static uint32_t with_state(uint32_t word, enum pl_wait_state state)
{
        return (word & ~(uint32_t)PL_WAIT_STATE_MASK) | state;
}

/* Atomically, since the registry's readers do not ask. */
static void describe(struct pl_wait *wait, enum pl_wait_cause cause, const void *object)
{
        __atomic_store_n(&wait->cause, (uint16_t)cause, __ATOMIC_RELAXED);
        __atomic_store_n(&wait->object, object, __ATOMIC_RELAXED);
}

/* A task takes the time that a worker has looked at anyway: reading a clock would cost more than the wait does. */
static void date(struct pl_wait *wait)
{
        struct plait_task *task = pl_sched_wait_task(wait);

        if (PL_LIKELY(task != NULL))
                __atomic_store_n(&task->since_ms,
                                 atomic_load_explicit(&pl_sched_the_run.clock_ms, memory_order_relaxed),
                                 __ATOMIC_RELAXED);
        else
                atomic_store_explicit(&PL_CONTAINER_OF(wait, struct pl_thread_record, wait)->since_ms,
                                      (uint32_t)(pl_plat_now_ns() / 1000000), memory_order_relaxed);
}

struct pl_wait *pl_sched_wait_begin(enum pl_wait_cause cause, const void *object)
{
        struct pl_wait *wait = own_wait();
        uint32_t word = atomic_load_explicit(&wait->state, memory_order_relaxed) + (1U << PL_WAIT_STATE_BITS);

        describe(wait, cause, object);
        __atomic_store_n(&wait->endless, 0, __ATOMIC_RELAXED);
        date(wait);
        wait->node.wait = wait;
        wait->node.slot = NULL;
        atomic_store_explicit(&wait->state, with_state(word, PL_WAIT_BEGUN), memory_order_release);
        return wait;
}

/* Only the flow itself: it is not waiting any more. */
static void end(struct pl_wait *wait)
{
        uint32_t word = atomic_load_explicit(&wait->state, memory_order_relaxed);

        atomic_store_explicit(&wait->state, with_state(word, PL_WAIT_IDLE), memory_order_relaxed);
        describe(wait, PL_WAIT_NONE, NULL);
}

void pl_sched_wait_abandon(struct pl_wait *wait)
{
        end(wait);
}

/* The flow itself, or a deadline: end the wait with *state* unless somebody was faster. */
static bool resolve(struct pl_wait *wait, enum pl_wait_state state)
{
        uint32_t word = atomic_load_explicit(&wait->state, memory_order_relaxed);

        while (pl_sched_wait_claimable(word))
                if (atomic_compare_exchange_weak_explicit(&wait->state, &word, with_state(word, state),
                                                          memory_order_acq_rel, memory_order_relaxed))
                        return true;
        return false;
}

static int result(struct pl_wait *wait)
{
        uint32_t state = atomic_load_explicit(&wait->state, memory_order_acquire) & PL_WAIT_STATE_MASK;

        end(wait);
        return state == PL_WAIT_TIMED_OUT ? -ETIMEDOUT : state == PL_WAIT_CANCELED ? -ECANCELED : 0;
}

/* A thread that is awake sees itself claimed; it may go on only when its waker has done with it. */
static int finish_thread(struct pl_wait *wait, int64_t deadline_ns)
{
        pl_context_here(&pl_registry_thread(wait)->place);
        if (deadline_ns == PLAIT_NEVER && pl_sched_may_tie(wait->cause))
                pl_sched_tie(wait);
        if (pl_trace_is_on())
                pl_tell_waits(wait, deadline_ns);
        for (;;) {
                uint32_t word = atomic_load_explicit(&wait->state, memory_order_acquire);
                bool woken = (word & PL_WAIT_STATE_MASK) == PL_WAIT_WOKEN;

                if (!woken && !pl_sched_wait_claimable(word))
                        break;
                if (pl_plat_futex_wait(&wait->state, word, woken ? PL_PLAT_NEVER : deadline_ns) == -ETIMEDOUT)
                        resolve(wait, PL_WAIT_TIMED_OUT);
        }
        if (pl_trace_is_on())
                pl_tell_thread_runs(wait);
        return result(wait);
}

/* It ends before the task has slept. */
static PL_NOINLINE int refuse(struct pl_wait *wait)
{
        if (pl_trace_is_on())
                pl_tell_refused(wait, (atomic_load_explicit(&wait->state, memory_order_relaxed) & PL_WAIT_STATE_MASK) ==
                                                      PL_WAIT_CANCELED
                                              ? -ECANCELED
                                              : -ETIMEDOUT);
        return result(wait);
}

static bool deadline_due(struct pl_timer *timer)
{
        struct plait_task *task = PL_CONTAINER_OF(timer, struct plait_task, timer);

        return resolve(&task->wait, PL_WAIT_TIMED_OUT);
}

static void deadline_fire(struct pl_timer *timer)
{
        struct plait_task *task = PL_CONTAINER_OF(timer, struct plait_task, timer);

        if (pl_trace_is_on())
                pl_tell_wakes(&task->wait, PLAIT_RECORDING_BY_DEADLINE);
        pl_sched_enqueue(task);
}

static const struct pl_timer_kind deadline_kind = {.due = deadline_due, .fire = deadline_fire};

static void set_timer(struct plait_task *task, int64_t deadline_ns)
{
        task->timer.deadline_ns = deadline_ns;
        task->timer.kind = &deadline_kind;
        pl_timers_insert(&pl_sched_self_get()->timers, &task->timer);
}

/*
 * Let deadlines and cancellations end the wait, and see if one does so now. The order matters: the word says WAITING,
 * then the scopes are looked at; plait_scope_cancel() marks the scope, then looks at the words. Both sides use
 * sequentially consistent operations, so one of them sees the other.
 */
static int open_to_interruption(struct pl_wait *wait, int64_t *deadline_ns)
{
        uint32_t word = atomic_load_explicit(&wait->state, memory_order_relaxed);

        if ((word & PL_WAIT_STATE_MASK) == PL_WAIT_BEGUN)
                atomic_compare_exchange_strong(&wait->state, &word, with_state(word, PL_WAIT_WAITING));
        return pl_sched_scope_enter_wait(pl_sched_wait_task(wait), deadline_ns);
}

int pl_sched_wait_finish(struct pl_wait *wait, int64_t deadline_ns, unsigned flags)
{
        struct plait_task *task = pl_sched_wait_task(wait);

        if (!task)
                return finish_thread(wait, deadline_ns);
        if (PL_UNLIKELY(task->compact))
                pl_compact_check(task, flags);
        if (!(flags & PL_WAIT_UNINTERRUPTIBLE) && open_to_interruption(wait, &deadline_ns) < 0 &&
            resolve(wait, PL_WAIT_CANCELED))
                return refuse(wait);
        if (deadline_ns != PLAIT_NEVER) {
                if ((deadline_ns <= 0 || deadline_ns <= pl_sched_clock_at_least(&pl_sched_self_get()->clock)) &&
                    resolve(wait, PL_WAIT_TIMED_OUT))
                        return refuse(wait);
                set_timer(task, deadline_ns);
        } else if (pl_sched_may_tie(wait->cause)) {
                pl_sched_tie(wait);
        }
        if (pl_trace_is_on())
                pl_tell_waits(wait, deadline_ns);
        pl_sched_suspend(task);
        if (deadline_ns != PLAIT_NEVER)
                pl_timers_remove(&task->timer);
        return result(wait);
}

void pl_sched_wake_ready(struct pl_wait *wait)
{
        if (pl_trace_is_on())
                pl_tell_wakes(wait, PLAIT_RECORDING_BY_WAKER);
        if (PL_LIKELY(wait->of_task)) {
                pl_sched_enqueue(pl_sched_wait_task(wait));
                return;
        }
        if (PL_UNLIKELY((wait->cause == PL_WAIT_SELECT || wait->cause == PL_WAIT_SIGNAL) &&
                        wait->node.slot)) /* pl_sched_wait_notify() */
                pl_plat_eventfd_write((int)((uintptr_t)wait->node.slot - 1));

        uint32_t word = atomic_load_explicit(&wait->state, memory_order_relaxed);

        atomic_store_explicit(&wait->state, with_state(word, PL_WAIT_READY), memory_order_release);
        pl_plat_futex_wake(&wait->state, 1); /* the thread may be gone: nothing is read or written there */
}

int pl_sched_wait_check(void)
{
        int64_t deadline_ns = PLAIT_NEVER;
        struct pl_worker *worker = pl_sched_self_get();

        if (!worker || !worker->current)
                return 0;
        int r = pl_sched_scope_enter_wait(worker->current, &deadline_ns);
        if (r < 0)
                return r;
        return deadline_ns != PLAIT_NEVER && deadline_ns <= pl_plat_now_ns() ? -ETIMEDOUT : 0;
}

int plait_cancelled(void)
{
        return pl_sched_wait_check();
}

/* Nobody knows of this wait, so a time-out is what it is for, unless a scope's deadline comes first. */
int plait_sleep(int64_t deadline_ns)
{
        int64_t scope_deadline_ns = deadline_ns;
        struct pl_wait *wait = own_wait();

        if (wait->of_task && pl_sched_scope_enter_wait(pl_sched_wait_task(wait), &scope_deadline_ns) < 0)
                return -ECANCELED;
        int64_t now_ns = wait->of_task ? pl_sched_clock_at_least(&pl_sched_self_get()->clock) : pl_plat_now_ns();
        if (scope_deadline_ns < deadline_ns && scope_deadline_ns <= now_ns)
                return -ETIMEDOUT;
        if (deadline_ns <= now_ns) {
                plait_yield(); /* who is behind his schedule is not to keep others from running */
                return 0;
        }
        wait = pl_sched_wait_begin(PL_WAIT_SLEEP, NULL);
        int r = pl_sched_wait_finish(wait, deadline_ns, 0);
        return r == -ETIMEDOUT && scope_deadline_ns >= deadline_ns ? 0 : r;
}
