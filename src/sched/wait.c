/* Waiting and waking, for tasks and for plain threads. The protocol is described in wait.h. */
#include "sched/wait.h"

#include "plait/time.h"
#include "sched/compact.h"
#include "sched/quick.h"
#include "sched/registry.h"
#include "sched/tell.h"
#include "sched/tie.h"

/* Of whoever is no task. */
static PL_COLD struct pl_wait *other_wait(void)
{
        struct pl_worker *worker = pl_sched_self_get();

        if (worker && worker->calling)
                pl_panic("a timer's function waits, which would hold up the worker that calls it: let it start a task "
                         "or set an event instead");
        return pl_registry_thread_wait();
}

static PL_ALWAYS_INLINE uint32_t with_state(uint32_t word, enum pl_wait_state state)
{
        return (word & ~(uint32_t)PL_WAIT_STATE_MASK) | state;
}

struct pl_wait *pl_sched_wait_begin(enum pl_wait_cause cause, const void *object)
{
        struct pl_wait *wait = pl_sched_flow_noted();

        if (PL_UNLIKELY(!wait->of_task)) {
                wait = other_wait();
                atomic_store_explicit(&pl_registry_thread(wait)->since_ms, (uint32_t)(pl_plat_now_ns() / 1000000),
                                      memory_order_relaxed);
        }
        pl_sched_wait_begin_own(wait, cause, object, NULL);
        return wait;
}

void pl_sched_wait_abandon(struct pl_wait *wait)
{
        uint32_t word = atomic_load_explicit(&wait->state, memory_order_relaxed);

        atomic_store_explicit(&wait->state, with_state(word, PL_WAIT_IDLE), memory_order_relaxed);
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

/* A thread that is awake sees itself claimed; it may go on only when its waker has done with it. */
static PL_NOINLINE int finish_thread(struct pl_wait *wait, int64_t deadline_ns)
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
        return pl_sched_wait_end(wait);
}

/* A task takes the time that a worker has looked at anyway: reading a clock would cost more than the wait does. */
static PL_ALWAYS_INLINE void date(struct plait_task *task)
{
        __atomic_store_n(&task->since_ms, atomic_load_explicit(&pl_sched_the_run.clock_ms, memory_order_relaxed),
                         __ATOMIC_RELAXED);
}

/* It ends before the task has slept. */
static PL_NOINLINE int refuse(struct pl_wait *wait)
{
        if (pl_trace_is_on())
                pl_tell_refused(wait, (atomic_load_explicit(&wait->state, memory_order_relaxed) & PL_WAIT_STATE_MASK) ==
                                                      PL_WAIT_CANCELED
                                              ? -ECANCELED
                                              : -ETIMEDOUT);
        return pl_sched_wait_end(wait);
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
 * Let deadlines and cancellations end the wait; then see if one does so now. The order matters: the word says WAITING,
 * then the scopes are looked at; plait_scope_cancel() marks the scope, then looks at the words. Both sides use
 * sequentially consistent operations, so one of them sees the other.
 */
static PL_ALWAYS_INLINE void open_to_interruption(struct pl_wait *wait)
{
        uint32_t word = atomic_load_explicit(&wait->state, memory_order_relaxed);

        if (PL_LIKELY((word & PL_WAIT_STATE_MASK) == PL_WAIT_BEGUN))
                atomic_compare_exchange_strong(&wait->state, &word, with_state(word, PL_WAIT_WAITING));
}

/* With a deadline, or a scope that has something to say, or somebody to be told of the wait. */
static PL_NOINLINE int finish_specially(struct plait_task *task, int64_t deadline_ns, unsigned flags)
{
        struct pl_wait *wait = &task->wait;

        if (task->compact)
                pl_compact_check(task, flags);
        if (!(flags & PL_WAIT_UNINTERRUPTIBLE) && pl_sched_scope_enter_wait(task, &deadline_ns) < 0 &&
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

        int r = pl_sched_suspend(task);

        if (deadline_ns != PLAIT_NEVER)
                pl_timers_remove(&task->timer);
        return r;
}

int pl_sched_wait_finish(struct pl_wait *wait, int64_t deadline_ns, unsigned flags)
{
        struct plait_task *task = PL_CONTAINER_OF(wait, struct plait_task, wait);

        if (PL_UNLIKELY(!wait->of_task))
                return finish_thread(wait, deadline_ns);
        date(task);
        if (PL_LIKELY(!(flags & PL_WAIT_UNINTERRUPTIBLE)))
                open_to_interruption(wait);
        if (PL_UNLIKELY(!pl_sched_scope_is_calm(task) || deadline_ns != PLAIT_NEVER || pl_sched_may_tie(wait->cause) ||
                        task->compact || pl_trace_is_on()))
                return finish_specially(task, deadline_ns, flags);
        return pl_sched_suspend(task);
}

/* A thread sleeps on the word, or in poll(2). */
static PL_NOINLINE void wake_thread(struct pl_wait *wait)
{
        if ((wait->cause == PL_WAIT_SELECT || wait->cause == PL_WAIT_SIGNAL) &&
            wait->node.slot) /* pl_sched_wait_notify() */
                pl_plat_eventfd_write((int)((uintptr_t)wait->node.slot - 1));

        uint32_t word = atomic_load_explicit(&wait->state, memory_order_relaxed);

        atomic_store_explicit(&wait->state, with_state(word, PL_WAIT_READY), memory_order_release);
        pl_plat_futex_wake(&wait->state, 1); /* the thread may be gone: nothing is read or written there */
}

static PL_NOINLINE void wake_specially(struct pl_wait *wait)
{
        if (pl_trace_is_on())
                pl_tell_wakes(wait, PLAIT_RECORDING_BY_WAKER);
        if (wait->of_task)
                pl_sched_enqueue(pl_sched_wait_task(wait));
        else
                wake_thread(wait);
}

void pl_sched_wake_ready(struct pl_wait *wait)
{
        if (PL_UNLIKELY(pl_trace_is_on() || !wait->of_task))
                wake_specially(wait);
        else
                pl_sched_enqueue_quickly(PL_CONTAINER_OF(wait, struct plait_task, wait));
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
        struct pl_wait *wait = pl_sched_flow_noted();

        if (!wait->of_task)
                wait = other_wait();
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
