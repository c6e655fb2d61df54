/*
 * A worker's clock: CLOCK_MONOTONIC, reckoned from the processor's counter and a reading of both that is a millisecond
 * old at most. Reading the clock itself takes twice as long, and makes the processor finish everything before.
 *
 * What is reckoned may be behind by what the kernel slews the clock by in a millisecond (500 ppm) and by how far the
 * counter is read out of order, together less than PL_CLOCK_BEHIND_NS; and ahead by the time between the looks of a
 * reading, too (pairs further apart than a microsecond are not used), less than PL_CLOCK_AHEAD_NS. So there is one
 * question for deadlines that must not be early, and one for those that are to have passed. Where CLOCK_MONOTONIC is
 * not made from the counter, each is a reading of the clock.
 */
#ifndef PL_SCHED_CLOCK_H
#define PL_SCHED_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "plat/sys.h"

enum { PL_CLOCK_BEHIND_NS = 1000, PL_CLOCK_AHEAD_NS = 2000 };

struct pl_clock {
        uint64_t ticks;        /* when it was read last, ... */
        int64_t ns;            /* ... and what it said */
        uint64_t good_for;     /* in ticks */
        uint64_t ns_per_tick;  /* times 2^32 */
        uint64_t ticks_per_ms; /* 0: it cannot be reckoned */
};

void pl_sched_clock_init(struct pl_clock *clock);

/* Read it. */
int64_t pl_sched_clock_read(struct pl_clock *clock);

static inline int64_t pl_sched_clock_reckon(struct pl_clock *clock)
{
        uint64_t passed = pl_plat_ticks() - clock->ticks;

        if (PL_UNLIKELY(passed >= clock->good_for))
                return pl_sched_clock_read(clock);
        return clock->ns + (int64_t)(passed * clock->ns_per_tick >> 32);
}

/* A time that has come. */
static inline int64_t pl_sched_clock_at_least(struct pl_clock *clock)
{
        return pl_sched_clock_reckon(clock) - PL_CLOCK_AHEAD_NS;
}

/* A time that has not passed. */
static inline int64_t pl_sched_clock_at_most(struct pl_clock *clock)
{
        return pl_sched_clock_reckon(clock) + PL_CLOCK_BEHIND_NS;
}

#endif
