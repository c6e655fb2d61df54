/* Deadlines. */
#include "plait/time.h"

#include "sched/worker.h"

int64_t plait_now_ns(void)
{
        return pl_plat_now_ns();
}

void pl_sched_clock_init(struct pl_clock *clock)
{
        *clock = (struct pl_clock){.ticks_per_ms = pl_plat_clock_is_ticks() ? pl_plat_ticks_per_ms() : 0};
        if (clock->ticks_per_ms)
                clock->ns_per_tick = (UINT64_C(1000000) << 32) / clock->ticks_per_ms;
}

/* If this thread is interrupted between its looks at counter and clock, they do not belong together. */
PL_NOINLINE int64_t pl_sched_clock_read(struct pl_clock *clock)
{
        uint64_t before = pl_plat_ticks();
        int64_t now_ns = pl_plat_now_ns();
        uint64_t took = pl_plat_ticks() - before;

        clock->ticks = before;
        clock->ns = now_ns;
        clock->good_for = took < clock->ticks_per_ms / 1000 ? clock->ticks_per_ms : 0;
        return now_ns;
}

/* Deadlines are not early. */
static int64_t now_or_later_ns(void)
{
        struct pl_worker *worker = pl_sched_self_get();

        return worker ? pl_sched_clock_at_most(&worker->clock) : pl_plat_now_ns();
}

int64_t plait_in_ns(int64_t ns)
{
        int64_t deadline_ns;

        if (ns <= 0)
                return 0;
        return __builtin_add_overflow(now_or_later_ns(), ns, &deadline_ns) ? PLAIT_NEVER : deadline_ns;
}

int64_t plait_in_ms(int64_t ms)
{
        int64_t ns;

        if (ms <= 0)
                return 0;
        return __builtin_mul_overflow(ms, 1000000, &ns) ? PLAIT_NEVER : plait_in_ns(ns);
}

int64_t plait_in_s(double seconds)
{
        double ns = seconds * 1e9;

        if (!(ns > 0))
                return 0;
        return ns >= 9.2e18 ? PLAIT_NEVER : plait_in_ns((int64_t)ns);
}
