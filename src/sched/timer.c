/* The timer wheel. The lock of a wheel guards all its members and the links of the timers on it. */
#include "sched/timer.h"

#include "plait/time.h"

enum {
        TICK_SHIFT = 14,
        SLOT_BITS = 6,
        SLOT_MASK = PL_TIMER_SLOTS - 1,
        EXACT_LIMIT = 16, /* a longer slot above level 0 is not searched for its earliest timer */
        BATCH = 64,       /* timers whose due() is called in one section */
};

/* A timer may not fire early, so its tick is rounded up; at the end of time to the last tick there is. */
static uint64_t tick_of(int64_t deadline_ns)
{
        uint64_t last = (uint64_t)INT64_MAX >> TICK_SHIFT;
        uint64_t ns = deadline_ns > 0 ? (uint64_t)deadline_ns : 0;
        uint64_t tick = (ns + (1U << TICK_SHIFT) - 1) >> TICK_SHIFT;

        return tick < last ? tick : last;
}

static int64_t ns_of(uint64_t tick)
{
        return (int64_t)(tick << TICK_SHIFT);
}

void pl_timers_init(struct pl_timers *wheel, int64_t now_ns)
{
        *wheel = (struct pl_timers){.now_tick = (uint64_t)now_ns >> TICK_SHIFT};
        atomic_init(&wheel->next_ns, PLAIT_NEVER);
        for (int level = 0; level < PL_TIMER_LEVELS; level++)
                for (int slot = 0; slot < PL_TIMER_SLOTS; slot++)
                        pl_list_init(&wheel->slots[level][slot]);
        pl_list_init(&wheel->due);
}

/* Put *timer* where it belongs as seen from now_tick; one that is past goes to the next tick. */
static void place(struct pl_timers *wheel, struct pl_timer *timer)
{
        uint64_t tick = tick_of(timer->deadline_ns);

        if (tick <= wheel->now_tick)
                tick = wheel->now_tick + 1;
        unsigned level = (63U - (unsigned)__builtin_clzll((tick ^ wheel->now_tick) | SLOT_MASK)) / SLOT_BITS;
        unsigned slot = (unsigned)(tick >> (level * SLOT_BITS)) & SLOT_MASK;

        pl_list_push_back(&wheel->slots[level][slot], &timer->link);
        wheel->occupied[level] |= UINT64_C(1) << slot;
}

void pl_timers_insert(struct pl_timers *wheel, struct pl_timer *timer)
{
        pl_spin_lock(&wheel->lock);
        atomic_store_explicit(&timer->wheel, wheel, memory_order_relaxed);
        place(wheel, timer);
        if (timer->deadline_ns < atomic_load_explicit(&wheel->next_ns, memory_order_relaxed))
                atomic_store_explicit(&wheel->next_ns, timer->deadline_ns, memory_order_relaxed);
        pl_spin_unlock(&wheel->lock);
}

/* The slot is found from the link: the last timer's neighbours are both the slot's head. */
static void unplace(struct pl_timers *wheel, struct pl_timer *timer)
{
        struct pl_list *neighbour = timer->link.next;

        pl_list_remove(&timer->link);
        if (!pl_list_empty(neighbour) || neighbour == &wheel->due)
                return;
        size_t index = (size_t)(neighbour - &wheel->slots[0][0]);
        wheel->occupied[index / PL_TIMER_SLOTS] &= ~(UINT64_C(1) << (index % PL_TIMER_SLOTS));
}

/* NULL without the lock: due() has been called, and what it and fire() wrote before is to be seen. */
bool pl_timers_remove(struct pl_timer *timer)
{
        struct pl_timers *wheel = atomic_load_explicit(&timer->wheel, memory_order_acquire);

        if (!wheel)
                return false;
        pl_spin_lock(&wheel->lock);
        bool set = atomic_load_explicit(&timer->wheel, memory_order_relaxed) == wheel;
        if (set) {
                unplace(wheel, timer);
                atomic_store_explicit(&timer->wheel, NULL, memory_order_relaxed);
        }
        pl_spin_unlock(&wheel->lock);
        return set;
}

/* The earliest occupied slot: the lowest level that has one has it. False: the wheel is empty. */
static bool earliest(const struct pl_timers *wheel, unsigned *ret_level, unsigned *ret_slot, uint64_t *ret_start)
{
        for (unsigned level = 0; level < PL_TIMER_LEVELS; level++) {
                if (!wheel->occupied[level])
                        continue;
                unsigned shift = level * SLOT_BITS;
                unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
                uint64_t above = shift + SLOT_BITS < 64 ? wheel->now_tick >> (shift + SLOT_BITS) << SLOT_BITS : 0;

                *ret_level = level;
                *ret_slot = slot;
                *ret_start = (above | slot) << shift;
                return true;
        }
        return false;
}

/* When the wheel has to be looked at next; exact unless too many timers share a slot of a higher level. */
static int64_t next_look(const struct pl_timers *wheel)
{
        unsigned level, slot;
        uint64_t start;

        if (!earliest(wheel, &level, &slot, &start))
                return PLAIT_NEVER;
        if (level == 0)
                return ns_of(start);

        const struct pl_list *head = &wheel->slots[level][slot];
        int64_t first_ns = PLAIT_NEVER;
        int n = 0;
        for (const struct pl_list *link = head->next; link != head; link = link->next) {
                const struct pl_timer *timer = PL_CONTAINER_OF(link, struct pl_timer, link);

                if (++n > EXACT_LIMIT)
                        return ns_of(start);
                if (timer->deadline_ns < first_ns)
                        first_ns = timer->deadline_ns;
        }
        return ns_of(tick_of(first_ns));
}

/* Come to the slot: its timers move down, or on the lowest level are due. */
static void enter_slot(struct pl_timers *wheel, unsigned level, unsigned slot)
{
        struct pl_list *head = &wheel->slots[level][slot];
        struct pl_list *link;

        wheel->occupied[level] &= ~(UINT64_C(1) << slot);
        while ((link = pl_list_pop_front(head))) {
                struct pl_timer *timer = PL_CONTAINER_OF(link, struct pl_timer, link);

                if (tick_of(timer->deadline_ns) > wheel->now_tick)
                        place(wheel, timer);
                else
                        pl_list_push_back(&wheel->due, link);
        }
}

static void advance(struct pl_timers *wheel, uint64_t now_tick)
{
        unsigned level, slot;
        uint64_t start;

        while (earliest(wheel, &level, &slot, &start) && start <= now_tick) {
                wheel->now_tick = start;
                enter_slot(wheel, level, slot);
        }
        if (now_tick > wheel->now_tick)
                wheel->now_tick = now_tick;
}

/*
 * Under the lock: call due() for those that are due, up to *most*, and set them no more. Those to be fired go to
 * *firing*. Returns how many it were.
 */
static unsigned take_due(struct pl_timers *wheel, unsigned most, struct pl_list *firing)
{
        struct pl_list *link;
        unsigned n = 0;

        while (n < most && (link = pl_list_pop_front(&wheel->due))) {
                struct pl_timer *timer = PL_CONTAINER_OF(link, struct pl_timer, link);
                bool fires = timer->kind->due(timer);
                bool alone = fires && timer->kind->one_by_one;

                /* Whoever finds this set no more may go on at once and use the timer for something else. */
                atomic_store_explicit(&timer->wheel, NULL, memory_order_release);
                if (fires)
                        pl_list_push_back(firing, link);
                n++;
                if (alone)
                        break;
        }
        return n;
}

void pl_timers_fire(struct pl_timers *wheel, int64_t now_ns)
{
        struct pl_list firing;
        struct pl_list *link;
        unsigned left = PL_TIMERS_AT_ONCE;

        pl_list_init(&firing);
        pl_spin_lock(&wheel->lock);
        advance(wheel, (uint64_t)now_ns >> TICK_SHIFT);
        for (unsigned n; (n = take_due(wheel, left < BATCH ? left : BATCH, &firing)); left -= n) {
                pl_spin_unlock(&wheel->lock);
                while ((link = pl_list_pop_front(&firing))) {
                        struct pl_timer *timer = PL_CONTAINER_OF(link, struct pl_timer, link);

                        timer->kind->fire(timer);
                }
                pl_spin_lock(&wheel->lock);
        }
        int64_t next_ns = pl_list_empty(&wheel->due) ? next_look(wheel) : ns_of(wheel->now_tick);
        atomic_store_explicit(&wheel->next_ns, next_ns, memory_order_relaxed);
        pl_spin_unlock(&wheel->lock);
}
