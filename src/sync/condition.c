/*
 * The condition variable. Two words: state, lock of the queue, queue of waiters. The state is 1 when the queue has
 * somebody, else 0; it is written under the lock and read without.
 *
 * A waiter queues himself before he unlocks the mutex. Who changes what the mutex guards does so after that, so his
 * signal finds the waiter: the mutex orders the two, and the look at the state in signal and broadcast can be relaxed.
 * A signal is spent on a waiter whose claim it won, hence one who returns 0; a lost claim passes it on to the next.
 */
#include "plait/condition.h"

#include "sync/mutex.h"
#include "sync/waiters.h"

static inline struct pl_spin *queue_lock(struct plait_condition *condition)
{
        return (struct pl_spin *)&condition->pl_lock;
}

static inline bool has_waiters(const struct plait_condition *condition)
{
        return __atomic_load_n(&condition->pl_state, __ATOMIC_RELAXED);
}

/* Under the lock, after the queue has changed. */
static inline void update_state(struct plait_condition *condition)
{
        __atomic_store_n(&condition->pl_state, condition->pl_waiters != NULL, __ATOMIC_RELAXED);
}

int plait_condition_wait(struct plait_condition *condition, struct plait_mutex *mutex, int64_t deadline_ns)
{
        pl_spin_lock(queue_lock(condition));
        struct pl_wait *wait = pl_sync_enqueue(&condition->pl_waiters, PL_WAIT_CONDITION, condition, NULL);
        update_state(condition);
        pl_spin_unlock(queue_lock(condition));

        plait_mutex_unlock(mutex);
        int r = pl_sched_wait_finish(wait, deadline_ns, 0);

        if (r < 0) {
                pl_spin_lock(queue_lock(condition));
                pl_sync_remove(&condition->pl_waiters, &wait->node);
                update_state(condition);
                pl_spin_unlock(queue_lock(condition));
        }
        pl_sync_mutex_relock(mutex);
        return r;
}

void plait_condition_signal(struct plait_condition *condition)
{
        if (!has_waiters(condition))
                return;
        pl_spin_lock(queue_lock(condition));
        struct pl_wait_node *node = pl_sync_claim(&condition->pl_waiters);
        update_state(condition);
        pl_spin_unlock(queue_lock(condition));
        if (node)
                pl_sched_wake_ready(node->wait);
}

void plait_condition_broadcast(struct plait_condition *condition)
{
        struct pl_list all;

        if (!has_waiters(condition))
                return;
        pl_spin_lock(queue_lock(condition));
        pl_sync_take_all(&condition->pl_waiters, &all);
        update_state(condition);
        pl_sync_wake_all(queue_lock(condition), &all);
}
