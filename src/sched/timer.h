/*
 * Timers: a hierarchical wheel per worker.
 *
 * Nine levels of 64 slots; a tick is 2^14 ns (16 us), so a timer fires up to 16 us late and never early. Insertion and
 * removal are O(1): a timer stands in the slot of the highest group of six bits in which its tick differs from the
 * wheel's, and moves down a level when the wheel comes there (Varghese and Lauck, SOSP 1987, scheme 7).
 *
 * A wheel has a lock of its own, which is almost never contended: its worker inserts, and a task that has moved to
 * another worker removes. So a removed timer is gone at once, and another worker can fire the timers of one that is
 * held up. due() runs under the lock: when pl_timers_remove() has returned, due() neither runs nor will.
 *
 * Timers that are due fire in batches, so that what due() has brought into the cache is there for fire(), and no more
 * than PL_TIMERS_AT_ONCE in one go: the tasks that they have woken come between, and other workers can take some.
 */
#ifndef PL_SCHED_TIMER_H
#define PL_SCHED_TIMER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "plat/spin.h"

enum { PL_TIMER_LEVELS = 9, PL_TIMER_SLOTS = 64, PL_TIMERS_AT_ONCE = 4096 };

struct pl_timer;
struct pl_timers;

struct pl_timer_kind {
        /* The time has come, and the timer is set no more. Short, takes no lock. True: call fire() without the lock. */
        bool (*due)(struct pl_timer *timer);
        void (*fire)(struct pl_timer *timer);
        /* Whether fire() may remove other timers: then it is called before due() of the next. */
        bool one_by_one;
};

/* Zero when it is not set. */
struct pl_timer {
        struct pl_list link;
        int64_t deadline_ns;
        const struct pl_timer_kind *kind;
        struct pl_timers
                *_Atomic wheel; /* where it is set; NULL: nowhere, or due() has been called. Written under its lock */
};

struct pl_timers {
        struct pl_spin lock;
        _Atomic int64_t next_ns; /* nothing is due before; PLAIT_NEVER when it is empty */
        uint64_t now_tick;       /* all ticks up to this one have been fired */
        uint64_t occupied[PL_TIMER_LEVELS];
        struct pl_list slots[PL_TIMER_LEVELS][PL_TIMER_SLOTS];
        struct pl_list due; /* their time has come; still set */
};

void pl_timers_init(struct pl_timers *wheel, int64_t now_ns);

/* Set *timer*, whose deadline and kind are filled in. One that is past fires at the next pl_timers_fire(). */
void pl_timers_insert(struct pl_timers *wheel, struct pl_timer *timer);

/* Take *timer* off the wheel it is on, if it is. True: it was, and will not fire. */
bool pl_timers_remove(struct pl_timer *timer);

/* Fire what is due; if that is a lot, a part of it, and the rest is due still. */
void pl_timers_fire(struct pl_timers *wheel, int64_t now_ns);

static inline bool pl_timers_due(struct pl_timers *wheel, int64_t now_ns)
{
        return atomic_load_explicit(&wheel->next_ns, memory_order_relaxed) <= now_ns;
}

#endif
