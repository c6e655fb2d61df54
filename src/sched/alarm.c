/*
 * The public timers, on the wheels.
 *
 * States: IDLE; SET; CALLING, while a worker is in the function. SET becomes CALLING under the wheel's lock (due), as
 * SET becomes IDLE by removal, so one of them wins. CALLING ends by a release store, which cancel waits for; the
 * function may have set the timer again meanwhile, in which case it stays SET.
 */
#include <errno.h>

#include "plait/timer.h"
#include "sched/worker.h"

enum { IDLE, SET, CALLING };

struct alarm {
        struct pl_timer timer;
        void (*fn)(void *arg);
        void *arg;
        _Atomic uint32_t state;
};

_Static_assert(sizeof(struct alarm) == sizeof(struct plait_timer), "the public timer has room for this one");
_Static_assert(_Alignof(struct alarm) == _Alignof(struct plait_timer), "and it is placed as this one must be");

static bool alarm_due(struct pl_timer *timer)
{
        struct alarm *alarm = PL_CONTAINER_OF(timer, struct alarm, timer);

        atomic_store_explicit(&alarm->state, CALLING, memory_order_relaxed);
        return true;
}

static void alarm_fire(struct pl_timer *timer)
{
        struct alarm *alarm = PL_CONTAINER_OF(timer, struct alarm, timer);
        struct pl_worker *worker = pl_sched_self_get();
        struct plait_task *current = worker->current;
        void (*fn)(void *arg) = alarm->fn;
        void *arg = alarm->arg;
        uint32_t calling = CALLING;

        /* The function is no part of the task that this worker is about to leave. */
        worker->current = NULL;
        worker->calling = alarm;
        fn(arg);
        worker->current = current;
        /* It may have freed the timer, which it may do after cancelling it. */
        if (worker->calling == alarm)
                atomic_compare_exchange_strong_explicit(&alarm->state, &calling, IDLE, memory_order_release,
                                                        memory_order_relaxed);
        worker->calling = NULL;
}

static const struct pl_timer_kind alarm_kind = {.due = alarm_due, .fire = alarm_fire};

int plait_timer_start(struct plait_timer *timer, int64_t deadline_ns, void (*fn)(void *arg), void *arg)
{
        struct alarm *alarm = (struct alarm *)(void *)timer;
        struct pl_worker *worker = pl_sched_self_get();
        uint32_t state = atomic_load_explicit(&alarm->state, memory_order_acquire);

        if (!fn || !worker)
                return -EINVAL;
        if (state == SET || (state == CALLING && worker->calling != alarm))
                return -EBUSY;
        alarm->timer.deadline_ns = deadline_ns;
        alarm->timer.kind = &alarm_kind;
        alarm->fn = fn;
        alarm->arg = arg;
        atomic_store_explicit(&alarm->state, SET, memory_order_relaxed);
        pl_timers_insert(&worker->timers, &alarm->timer);
        return 0;
}

bool plait_timer_cancel(struct plait_timer *timer)
{
        struct alarm *alarm = (struct alarm *)(void *)timer;
        struct pl_worker *worker = pl_sched_self_get();

        if (pl_timers_remove(&alarm->timer)) {
                atomic_store_explicit(&alarm->state, IDLE, memory_order_release);
                return true;
        }
        if (worker && worker->calling == alarm) {
                worker->calling = NULL;
                atomic_store_explicit(&alarm->state, IDLE, memory_order_release);
                return false;
        }
        for (int spins = 0; atomic_load_explicit(&alarm->state, memory_order_acquire) == CALLING; spins++) {
                if (spins < 64)
                        pl_cpu_relax();
                else
                        sched_yield();
        }
        return false;
}
