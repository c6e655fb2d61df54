/*
 * The event. Two words: state, lock of the queue, queue of waiters.
 *
 * State bits: SET, and WAITERS exactly when the queue is not empty; never both. WAITERS changes under the queue's lock,
 * and while it is set, so does SET. A set without waiters is one RMW, also when it is set already: it has to publish
 * what its caller wrote.
 *
 * A set with waiters takes the whole queue at once, so that later waiters (after a clear) are not among those it wakes,
 * and wakes it in batches (sync/waiters.h).
 */
#include "plait/event.h"

#include "sync/selectable.h"
#include "sync/waiters.h"

enum { SET = 1, WAITERS = 2 };

static inline uint32_t load(const struct plait_event *event, int order)
{
        return __atomic_load_n(&event->pl_state, order);
}

static inline bool change(struct plait_event *event, uint32_t from, uint32_t to, int order)
{
        return __atomic_compare_exchange_n(&event->pl_state, &from, to, 0, order, __ATOMIC_RELAXED);
}

static inline struct pl_spin *queue_lock(struct plait_event *event)
{
        return (struct pl_spin *)&event->pl_lock;
}

bool plait_event_is_set(const struct plait_event *event)
{
        return load(event, __ATOMIC_ACQUIRE) & SET;
}

void plait_event_clear(struct plait_event *event)
{
        __atomic_fetch_and(&event->pl_state, ~(uint32_t)SET, __ATOMIC_RELAXED);
}

/* There are waiters, or were a moment ago. False: they are gone. */
static bool set_and_wake(struct plait_event *event)
{
        struct pl_list all;

        pl_spin_lock(queue_lock(event));
        if (!event->pl_waiters) {
                pl_spin_unlock(queue_lock(event));
                return false;
        }
        __atomic_store_n(&event->pl_state, SET, __ATOMIC_RELEASE);
        pl_sync_take_all(&event->pl_waiters, &all);
        pl_sync_wake_all(queue_lock(event), &all);
        return true;
}

void plait_event_set(struct plait_event *event)
{
        for (;;) {
                uint32_t state = load(event, __ATOMIC_RELAXED);

                if (state & WAITERS) {
                        if (set_and_wake(event))
                                return;
                } else if (change(event, state, SET, __ATOMIC_RELEASE)) {
                        return;
                }
        }
}

/* Under the queue's lock: false when it is set, else sets know that there are waiters. */
static bool announce(struct plait_event *event)
{
        for (;;) {
                uint32_t state = load(event, __ATOMIC_ACQUIRE);

                if (state & SET)
                        return false;
                if (state & WAITERS || change(event, 0, WAITERS, __ATOMIC_RELAXED))
                        return true;
        }
}

/* Under the queue's lock. */
static void leave_queue(struct plait_event *event, struct pl_wait_node *node)
{
        pl_sync_remove(&event->pl_waiters, node);
        if (!event->pl_waiters)
                __atomic_fetch_and(&event->pl_state, ~(uint32_t)WAITERS, __ATOMIC_RELAXED);
}

/* After a wait that nobody ended by setting it: leave the queue. */
static void give_up(struct plait_event *event, struct pl_wait *wait)
{
        pl_spin_lock(queue_lock(event));
        leave_queue(event, &wait->node);
        pl_spin_unlock(queue_lock(event));
}

int plait_event_wait(struct plait_event *event, int64_t deadline_ns)
{
        if (plait_event_is_set(event))
                return 0;
        if (deadline_ns <= 0)
                return pl_sync_refuse();

        pl_spin_lock(queue_lock(event));
        if (!announce(event)) {
                pl_spin_unlock(queue_lock(event));
                return 0;
        }
        struct pl_wait *wait = pl_sync_enqueue(&event->pl_waiters, PL_WAIT_EVENT, event, NULL);
        pl_spin_unlock(queue_lock(event));

        int r = pl_sched_wait_finish(wait, deadline_ns, 0);

        if (r < 0)
                give_up(event, wait);
        return r;
}

/* --- as a case of plait_select() --- */

static struct pl_spin *case_lock(const struct plait_case *entry)
{
        return queue_lock(entry->pl_object);
}

static bool case_take(struct plait_case *entry, struct pl_select_after *after)
{
        (void)after;
        entry->result = 0;
        return plait_event_is_set(entry->pl_object);
}

static bool case_take_or_queue(struct plait_case *entry)
{
        struct plait_event *event = entry->pl_object;

        if (!announce(event))
                return true;
        pl_select_push(&event->pl_waiters, entry, NULL);
        return false;
}

static void case_withdraw(struct plait_case *entry)
{
        leave_queue(entry->pl_object, pl_select_node(entry));
}

static void case_won(struct plait_case *entry)
{
        entry->result = 0;
}

static const struct plait_selectable case_kind = {.lock = case_lock,
                                                  .take = case_take,
                                                  .take_or_queue = case_take_or_queue,
                                                  .withdraw = case_withdraw,
                                                  .won = case_won};

struct plait_case plait_case_event(struct plait_event *event)
{
        return (struct plait_case){.pl_kind = &case_kind, .pl_object = event};
}
