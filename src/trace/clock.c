/*
 * The clock of events: the processor's counter, where it runs at one rate on all processors whatever they do, and so is
 * the same for all processes; else CLOCK_MONOTONIC. How ticks become times is for readers to find out, from readings of
 * both clocks at the beginning and at the end: no rate that is measured in a hurry is as good.
 */
#include "trace/ring.h"

bool pl_trace_slow_clock;

void pl_trace_clock_init(void)
{
        pl_trace_slow_clock = !pl_cpu_ticks_are_steady();
}

struct pl_trace_instant pl_trace_clock_pair(void)
{
        struct pl_trace_instant best = {0};
        uint64_t shortest = UINT64_MAX;

        if (pl_trace_slow_clock) {
                best.ns = pl_plat_now_ns();
                best.ticks = (uint64_t)best.ns;
                return best;
        }
        for (int i = 0; i < 5; i++) {
                uint64_t before = pl_plat_ticks();
                int64_t ns = pl_plat_now_ns();
                uint64_t took = pl_plat_ticks() - before;

                if (took < shortest) {
                        shortest = took;
                        best = (struct pl_trace_instant){.ticks = before + took / 2, .ns = ns};
                }
        }
        return best;
}

uint64_t pl_trace_clock_rate(void)
{
        return pl_trace_slow_clock ? 1000000000 : pl_plat_ticks_per_ms() * 1000;
}
