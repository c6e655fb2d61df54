/*
 * The barrier. Everything changes under its lock: arriving changes a count that all parties share anyway. The count and
 * the mark of a broken one are read without.
 *
 * Who ends a round, by completing or breaking it, takes the whole queue and says in every slot how it ended, before it
 * wakes the first. So a party whose deadline comes while it is being woken learns that from its slot: the round has
 * ended for it as for the others, and it breaks nothing.
 */
#include "plait/barrier.h"

#include <errno.h>

#include "sync/waiters.h"

/* What a slot points to once the round has ended. */
static char completed, broken;

static inline struct pl_spin *lock_of(struct plait_barrier *barrier)
{
        return (struct pl_spin *)&barrier->pl_lock;
}

int plait_barrier_init(struct plait_barrier *barrier, unsigned parties)
{
        if (!parties || parties > PLAIT_BARRIER_MAX)
                return -EINVAL;
        *barrier = (struct plait_barrier)PLAIT_BARRIER_INIT(parties);
        return 0;
}

/* Called with the lock held: all that wait go on, told *how*. Releases it. */
static void end_round(struct plait_barrier *barrier, bool breaks, void *how) PL_NO_LOCK_CHECK
{
        struct pl_list all;

        __atomic_store_n(&barrier->pl_broken, breaks, __ATOMIC_RELAXED);
        __atomic_store_n(&barrier->pl_arrived, 0, __ATOMIC_RELAXED);
        pl_sync_take_all(&barrier->pl_waiters, &all);
        pl_sync_wake_told(lock_of(barrier), &all, how);
}

/* After a wait that nobody ended: 0 when the round has been completed meanwhile, else *error*. */
static int leave(struct plait_barrier *barrier, struct pl_wait *wait, int error) PL_NO_LOCK_CHECK
{
        pl_spin_lock(lock_of(barrier));
        pl_sync_remove(&barrier->pl_waiters, &wait->node);
        const void *how = wait->node.slot;

        if (how) {
                pl_spin_unlock(lock_of(barrier));
                return how == &completed ? 0 : error;
        }
        end_round(barrier, true, &broken);
        return error;
}

int plait_barrier_wait(struct plait_barrier *barrier, int64_t deadline_ns) PL_NO_LOCK_CHECK
{
        if (!barrier->pl_parties)
                return -EINVAL;

        pl_spin_lock(lock_of(barrier));
        if (barrier->pl_broken) {
                pl_spin_unlock(lock_of(barrier));
                return -EPIPE;
        }
        const uint32_t missing = barrier->pl_parties - barrier->pl_arrived - 1;

        if (!missing) {
                end_round(barrier, false, &completed);
                return 0;
        }
        if (deadline_ns <= 0) {
                pl_spin_unlock(lock_of(barrier));
                return pl_sync_refuse();
        }
        __atomic_store_n(&barrier->pl_arrived, barrier->pl_arrived + 1, __ATOMIC_RELAXED);
        struct pl_wait *wait = pl_sync_enqueue(&barrier->pl_waiters, PL_WAIT_BARRIER, barrier, NULL);
        pl_spin_unlock(lock_of(barrier));

        int r = pl_sched_wait_finish(wait, deadline_ns, 0);

        if (r < 0)
                r = leave(barrier, wait, r);
        else if (wait->node.slot == &broken)
                r = -EPIPE;
        return r < 0 ? r : (int)missing;
}

void plait_barrier_break(struct plait_barrier *barrier) PL_NO_LOCK_CHECK
{
        pl_spin_lock(lock_of(barrier));
        end_round(barrier, true, &broken);
}

void plait_barrier_reset(struct plait_barrier *barrier) PL_NO_LOCK_CHECK
{
        pl_spin_lock(lock_of(barrier));
        end_round(barrier, false, &broken);
}

bool plait_barrier_is_broken(const struct plait_barrier *barrier)
{
        return __atomic_load_n(&barrier->pl_broken, __ATOMIC_RELAXED);
}

unsigned plait_barrier_arrived(const struct plait_barrier *barrier)
{
        return __atomic_load_n(&barrier->pl_arrived, __ATOMIC_RELAXED);
}
