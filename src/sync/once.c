/*
 * Once. Two words: state, lock of the queue, and a pointer.
 *
 * State: NEW, DONE for good, or BUSY: somebody is in the function. All changes are made under the lock; DONE is read
 * without. While BUSY, the pointer is to the flow that is in the function (sched/flow.h), or, when somebody waits, to
 * the first waiter, whose slot has that. WAITERS says which it is.
 *
 * A success wakes all waiters. After a failure the first waiter is woken to try; the rest stay, and if he was claimed,
 * he is the one who is in the function: nobody who comes later is faster than who waits.
 */
#include "plait/once.h"

#include <errno.h>

#include "sched/flow.h"
#include "sync/waiters.h"

enum { NEW, DONE, BUSY, WAITERS = 4 };

/* What a slot points to when the function is now the waiter's to call. */
static char your_turn;

extern bool plait_once_is_done(const struct plait_once *once);
extern int plait_once_do(struct plait_once *once, int (*fn)(void *arg), void *arg, int64_t deadline_ns);

static inline struct pl_spin *lock_of(struct plait_once *once)
{
        return (struct pl_spin *)&once->pl_lock;
}

/* Only under the lock are the other states of interest. */
static uint32_t load(const struct plait_once *once)
{
        return __atomic_load_n(&once->pl_state, __ATOMIC_RELAXED);
}

static void *waiters_of(const struct plait_once *once)
{
        return load(once) & WAITERS ? once->pl_waiters : NULL;
}

static void *caller_of(const struct plait_once *once)
{
        return load(once) & WAITERS ? pl_sync_node_of(once->pl_waiters)->slot : once->pl_waiters;
}

static void set_busy(struct plait_once *once, void *caller, void *waiters)
{
        if (waiters)
                pl_sync_node_of(waiters)->slot = caller;
        once->pl_waiters = waiters ? waiters : caller;
        __atomic_store_n(&once->pl_state, waiters ? BUSY | WAITERS : BUSY, __ATOMIC_RELAXED);
}

static void succeed(struct plait_once *once) PL_NO_LOCK_CHECK
{
        struct pl_list all;

        pl_spin_lock(lock_of(once));
        void *waiters = waiters_of(once);
        once->pl_waiters = NULL;
        __atomic_store_n(&once->pl_state, DONE, __ATOMIC_RELEASE);
        pl_sync_take_all(&waiters, &all);
        pl_sync_wake_all(lock_of(once), &all);
}

static void fail(struct plait_once *once) PL_NO_LOCK_CHECK
{
        pl_spin_lock(lock_of(once));
        void *waiters = waiters_of(once);
        struct pl_wait_node *next = pl_sync_claim(&waiters);

        if (next) {
                next->slot = &your_turn;
                set_busy(once, next->wait, waiters);
        } else {
                once->pl_waiters = NULL;
                __atomic_store_n(&once->pl_state, NEW, __ATOMIC_RELAXED);
        }
        pl_spin_unlock(lock_of(once));
        if (next)
                pl_sched_wake_ready(next->wait);
}

static int call(struct plait_once *once, int (*fn)(void *arg), void *arg)
{
        int r = fn(arg);

        if (r < 0)
                fail(once);
        else
                succeed(once);
        return r < 0 ? r : 0;
}

static void give_up(struct plait_once *once, struct pl_wait *wait) PL_NO_LOCK_CHECK
{
        pl_spin_lock(lock_of(once));
        if (wait->node.link.next) {
                if (load(once) & WAITERS) {
                        void *caller = caller_of(once), *waiters = once->pl_waiters;

                        pl_sync_unlink(&waiters, &wait->node);
                        set_busy(once, caller, waiters);
                } else { /* in the ring of those that are being woken */
                        void *nobody = NULL;

                        pl_sync_unlink(&nobody, &wait->node);
                }
        }
        pl_spin_unlock(lock_of(once));
}

int plait_once_undone(struct plait_once *once, int (*fn)(void *arg), void *arg, int64_t deadline_ns) PL_NO_LOCK_CHECK
{
        void *self = pl_sched_flow();

        pl_spin_lock(lock_of(once));
        if (load(once) == DONE || load(once) == NEW) {
                const bool done = load(once) == DONE;

                if (!done)
                        set_busy(once, self, NULL);
                pl_spin_unlock(lock_of(once));
                return done ? 0 : call(once, fn, arg);
        }
        if (caller_of(once) == self || deadline_ns <= 0) {
                const bool own = caller_of(once) == self;

                pl_spin_unlock(lock_of(once));
                return own ? -EDEADLK : pl_sync_refuse();
        }
        void *caller = caller_of(once), *waiters = waiters_of(once);
        struct pl_wait *wait = pl_sync_enqueue(&waiters, PL_WAIT_ONCE, once, NULL);
        set_busy(once, caller, waiters);
        pl_spin_unlock(lock_of(once));

        int r = pl_sched_wait_finish(wait, deadline_ns, 0);

        if (r < 0) {
                give_up(once, wait);
                return plait_once_is_done(once) ? 0 : r;
        }
        return wait->node.slot == &your_turn ? call(once, fn, arg) : 0;
}
