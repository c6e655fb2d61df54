/*
 * The public timers, on the wheels.
 *
 * A timer's word: whether it is SET, and how many workers are in its function (more than one only if the function sets
 * it again and takes long). due() counts one more call under the wheel's lock, as removal takes SET away, so one of
 * them wins; SET goes when that call begins, since until then nobody else may write to the timer. Cancelling waits
 * until nobody is in the function; called from the function itself it ends that call's share instead, and
 * worker->calling is cleared, so that nothing touches the timer afterwards: it may be freed then.
 */
#include <errno.h>

#include "plait/timer.h"
#include "sched/worker.h"

enum {
        SET = 1,
        ONE_CALL = 2,
};

struct alarm {
        struct pl_timer timer;
        void (*fn)(void *arg);
        void *arg;
        _Atomic uint32_t word;
        _Atomic uint32_t touched; /* written only */
};

_Static_assert(sizeof(struct alarm) == sizeof(struct plait_timer), "the public timer has room for this one");
_Static_assert(_Alignof(struct alarm) == _Alignof(struct plait_timer), "and it is placed as this one must be");

static bool alarm_due(struct pl_timer *timer)
{
        struct alarm *alarm = PL_CONTAINER_OF(timer, struct alarm, timer);

        atomic_fetch_add_explicit(&alarm->word, ONE_CALL, memory_order_relaxed);
        return true;
}

/* The function is no part of the task that this worker is about to leave. */
static void alarm_fire(struct pl_timer *timer)
{
        struct alarm *alarm = PL_CONTAINER_OF(timer, struct alarm, timer);
        struct pl_worker *worker = pl_sched_self_get();
        struct plait_task *current = worker->current;
        void (*fn)(void *arg) = alarm->fn;
        void *arg = alarm->arg;

        worker->current = NULL;
        pl_deque_close(&worker->fresh); /* what it forks is not the task's */
        pl_sched_flow_set(&pl_sched_nobody);
        worker->calling = alarm;
        atomic_fetch_sub_explicit(&alarm->word, SET, memory_order_release);
        fn(arg);
        pl_sched_current_set(worker, current);
        if (worker->calling)
                atomic_fetch_sub_explicit(&alarm->word, ONE_CALL, memory_order_release);
        worker->calling = NULL;
}

static const struct pl_timer_kind alarm_kind = {.due = alarm_due, .fire = alarm_fire, .one_by_one = true};

int plait_timer_start(struct plait_timer *timer, int64_t deadline_ns, void (*fn)(void *arg), void *arg)
{
        struct alarm *alarm = (struct alarm *)(void *)timer;
        struct pl_worker *worker = pl_sched_self_get();

        /* Memory that has not been used yet would be mapped twice if it were read first: all zeroes, then a page. */
        atomic_store_explicit(&alarm->touched, 1, memory_order_relaxed);
        uint32_t word = atomic_load_explicit(&alarm->word, memory_order_acquire);

        if (!fn || !worker)
                return -EINVAL;
        if ((word & SET) || (word && worker->calling != alarm))
                return -EBUSY;
        /* In its function, others may be, too: of those who set it one does, before it writes the rest. */
        while (word && !atomic_compare_exchange_weak_explicit(&alarm->word, &word, word | SET, memory_order_acquire,
                                                              memory_order_relaxed))
                if (word & SET)
                        return -EBUSY;
        alarm->timer.deadline_ns = deadline_ns;
        alarm->timer.kind = &alarm_kind;
        alarm->fn = fn;
        alarm->arg = arg;
        if (!word)
                atomic_store_explicit(&alarm->word, SET, memory_order_relaxed);
        pl_timers_insert(&worker->timers, &alarm->timer);
        return 0;
}

/* Who has removed it and finds nobody in the function is the only one who writes the word. */
static bool unset(struct alarm *alarm)
{
        if (!pl_timers_remove(&alarm->timer))
                return false;
        if (atomic_load_explicit(&alarm->word, memory_order_relaxed) == SET)
                atomic_store_explicit(&alarm->word, 0, memory_order_release);
        else
                atomic_fetch_sub_explicit(&alarm->word, SET, memory_order_release);
        return true;
}

bool plait_timer_cancel(struct plait_timer *timer)
{
        struct alarm *alarm = (struct alarm *)(void *)timer;
        struct pl_worker *worker = pl_sched_self_get();
        bool removed = unset(alarm);

        if (worker && worker->calling) {
                if (worker->calling == alarm) {
                        worker->calling = NULL;
                        atomic_fetch_sub_explicit(&alarm->word, ONE_CALL, memory_order_release);
                }
                return removed; /* two functions that cancel each other's timers must not wait for each other */
        }
        for (int spins = 0;; spins++) {
                uint32_t word = atomic_load_explicit(&alarm->word, memory_order_acquire);

                if (word & SET)
                        removed |= unset(alarm); /* its function has set it again */
                else if (!word)
                        return removed;
                if (spins < 64)
                        pl_cpu_relax();
                else
                        sched_yield();
        }
}
