/*
 * The latch. Two words: state, lock of the queue, queue of waiters.
 *
 * State: what is left to count times ONE, and the bit WAITERS, set exactly when the queue is not empty. WAITERS changes
 * under the queue's lock; so does the count when it comes to nothing while WAITERS is set. Otherwise it is counted by
 * CAS. A latch that has opened stays open: its state is 0 for good.
 *
 * Ordering: counting is a release and an acquire, since the last one lets through for all; waiting is an acquire.
 */
#include "plait/latch.h"

#include <errno.h>

#include "sync/waiters.h"

enum { WAITERS = 1, ONE = 2 };

static inline uint32_t load(const struct plait_latch *latch)
{
        return __atomic_load_n(&latch->pl_state, __ATOMIC_ACQUIRE);
}

static inline bool change(struct plait_latch *latch, uint32_t from, uint32_t to)
{
        return __atomic_compare_exchange_n(&latch->pl_state, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static inline struct pl_spin *queue_lock(struct plait_latch *latch)
{
        return (struct pl_spin *)&latch->pl_lock;
}

int plait_latch_init(struct plait_latch *latch, unsigned count)
{
        if (count > PLAIT_LATCH_MAX)
                return -EINVAL;
        *latch = (struct plait_latch)PLAIT_LATCH_INIT(count);
        return 0;
}

/* There were waiters, and *count* may be all that is left. False: one or the other has changed. */
static bool open_and_wake(struct plait_latch *latch, unsigned count) PL_NO_LOCK_CHECK
{
        struct pl_list all;

        pl_spin_lock(queue_lock(latch));
        if (!latch->pl_waiters || !change(latch, count * ONE | WAITERS, 0)) {
                pl_spin_unlock(queue_lock(latch));
                return false;
        }
        pl_sync_take_all(&latch->pl_waiters, &all);
        pl_sync_wake_all(queue_lock(latch), &all);
        return true;
}

int plait_latch_count_down(struct plait_latch *latch, unsigned count)
{
        for (;;) {
                const uint32_t state = load(latch);

                if (count > state / ONE)
                        return -EINVAL;
                if (!count)
                        return 0;
                if (state == (count * ONE | WAITERS)) {
                        if (open_and_wake(latch, count))
                                return 0;
                } else if (change(latch, state, state - count * ONE)) {
                        return 0;
                }
        }
}

/* Under the queue's lock: false when it is open, else who counts knows that there are waiters. */
static bool announce(struct plait_latch *latch)
{
        for (;;) {
                const uint32_t state = load(latch);

                if (state < ONE)
                        return false;
                if (state & WAITERS || change(latch, state, state | WAITERS))
                        return true;
        }
}

/* After a wait that nobody ended by opening it: leave the queue. */
static void give_up(struct plait_latch *latch, struct pl_wait *wait)
{
        pl_spin_lock(queue_lock(latch));
        pl_sync_remove(&latch->pl_waiters, &wait->node);
        if (!latch->pl_waiters)
                __atomic_fetch_and(&latch->pl_state, ~(uint32_t)WAITERS, __ATOMIC_RELAXED);
        pl_spin_unlock(queue_lock(latch));
}

int plait_latch_wait(struct plait_latch *latch, int64_t deadline_ns)
{
        if (load(latch) < ONE)
                return 0;
        if (deadline_ns <= 0)
                return pl_sync_refuse();

        pl_spin_lock(queue_lock(latch));
        if (!announce(latch)) {
                pl_spin_unlock(queue_lock(latch));
                return 0;
        }
        struct pl_wait *wait = pl_sync_enqueue(&latch->pl_waiters, PL_WAIT_LATCH, latch, NULL);
        pl_spin_unlock(queue_lock(latch));

        int r = pl_sched_wait_finish(wait, deadline_ns, 0);

        if (r < 0)
                give_up(latch, wait);
        return r;
}

unsigned plait_latch_count(const struct plait_latch *latch)
{
        return load(latch) / ONE;
}
