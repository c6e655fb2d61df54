/*
 * The mutex. Two words: state, lock of the queue, queue of waiters.
 *
 * State bits:
 * LOCKED   somebody holds the mutex. Set by whoever takes it, cleared by its holder alone.
 * WAITERS  the queue is not empty. Illegal to clear while it has somebody; legal to fail to clear for a moment when
 *          the last one has left.
 * WOKEN    a waiter was woken to try for himself and has not got there yet, so an unlock need not wake another. Set by
 *          an unlock, cleared by the woken one when he takes the mutex or queues again. Illegal to lose: he cannot
 *          leave in another way, because wait_finish() told him 0.
 * STARVED  the first in the queue has been overtaken for too long: the next unlock hands the mutex to him. Legal to
 *          fail to set, legal to stand though he has given up (the next one profits).
 *
 * Who may change what: LOCKED is taken by a CAS at any time. WAITERS, STARVED and the queue change under the queue's
 * lock only; WOKEN is cleared under it or in the CAS that takes the mutex. Hence, for the holder with the queue's lock,
 * the state is his own and needs no CAS.
 *
 * No wake-up is lost: WAITERS is set by a CAS that sees LOCKED, so the holder's own CAS fails after it and he looks
 * into the queue, with the lock that is held until the waiter is in there.
 *
 * Ordering: taking is an acquire, leaving a release; a hand-over is ordered by the claim (acq_rel) of the waiter.
 */
#include "sync/mutex.h"

#include <errno.h>

#include "plait/run.h"
#include "plat/panic.h"
#include "plat/sys.h"
#include "sched/wait.h"
#include "sync/waiters.h"

enum { LOCKED = 1, WAITERS = 2, WOKEN = 4, STARVED = 8 };

_Static_assert(LOCKED == 1 && (LOCKED | WOKEN) == 5 && (LOCKED | WOKEN | STARVED) == 13,
               "mutex.h has these as numbers");

enum {
        SPINS = 20,           /* about a microsecond: what a short critical section takes */
        PATIENCE_NS = 1000000 /* how long a waiter lets others overtake him */
};

/* What an unlock leaves in the slot of who now holds the mutex. */
static char handed_over;

extern int plait_mutex_lock(struct plait_mutex *mutex, int64_t deadline_ns);
extern int plait_mutex_trylock(struct plait_mutex *mutex);
extern void plait_mutex_unlock(struct plait_mutex *mutex);

static inline uint32_t load(const struct plait_mutex *mutex)
{
        return __atomic_load_n(&mutex->pl_state, __ATOMIC_RELAXED);
}

static inline bool change(struct plait_mutex *mutex, uint32_t from, uint32_t to, int order)
{
        return __atomic_compare_exchange_n(&mutex->pl_state, &from, to, 0, order, __ATOMIC_RELAXED);
}

static inline struct pl_spin *queue_lock(struct plait_mutex *mutex)
{
        return (struct pl_spin *)&mutex->pl_lock;
}

/* Take it if it is free, clearing the bits in *clear*. */
static bool take(struct plait_mutex *mutex, uint32_t clear)
{
        uint32_t state;

        while (!((state = load(mutex)) & LOCKED)) {
                if (change(mutex, state, (state | LOCKED) & ~clear, __ATOMIC_ACQUIRE))
                        return true;
        }
        return false;
}

/* The same under the queue's lock; when it fails, the holder knows that there are waiters. */
static bool take_or_announce(struct plait_mutex *mutex, uint32_t clear)
{
        for (;;) {
                if (take(mutex, clear))
                        return true;

                uint32_t state = load(mutex);

                if (state & LOCKED && change(mutex, state, (state | WAITERS) & ~clear, __ATOMIC_RELAXED))
                        return false;
        }
}

/* The holder may be running on another processor and soon be done. */
static bool spin(struct plait_mutex *mutex)
{
        if (plait_workers() == 1 || load(mutex) & WAITERS)
                return false;
        for (int i = 0; i < SPINS; i++) {
                pl_cpu_relax();
                if (take(mutex, 0))
                        return true;
        }
        return false;
}

/* After a wait that nobody ended by waking: leave the queue. */
static void give_up(struct plait_mutex *mutex, struct pl_wait *wait)
{
        pl_sync_spin_lock(queue_lock(mutex));
        pl_sync_remove(&mutex->pl_waiters, &wait->node);
        if (!mutex->pl_waiters)
                __atomic_fetch_and(&mutex->pl_state, ~(uint32_t)(WAITERS | STARVED), __ATOMIC_RELAXED);
        pl_sync_spin_unlock(queue_lock(mutex));
}

static int lock_queued(struct plait_mutex *mutex, int64_t deadline_ns, unsigned flags)
{
        const int64_t since_ns = pl_plat_now_ns();
        uint32_t woken = 0; /* WOKEN: the bit is mine to clear */

        for (;;) {
                pl_sync_spin_lock(queue_lock(mutex));
                if (take_or_announce(mutex, woken)) {
                        pl_sync_spin_unlock(queue_lock(mutex));
                        return 0;
                }
                struct pl_wait *wait = pl_sync_enqueue(&mutex->pl_waiters, PL_WAIT_MUTEX, mutex, NULL);

                if (woken) { /* overtaken: he was the first */
                        mutex->pl_waiters = &wait->node.link;
                        if (pl_plat_now_ns() - since_ns > PATIENCE_NS)
                                __atomic_fetch_or(&mutex->pl_state, STARVED, __ATOMIC_RELAXED);
                }
                pl_sync_spin_unlock(queue_lock(mutex));

                int r = pl_sched_wait_finish(wait, deadline_ns, flags);

                if (r < 0) {
                        give_up(mutex, wait);
                        return r;
                }
                if (wait->node.slot == &handed_over)
                        return 0;
                woken = WOKEN;
                if (take(mutex, woken))
                        return 0;
        }
}

int plait_mutex_lock_contended(struct plait_mutex *mutex, int64_t deadline_ns)
{
        if (take(mutex, 0) || spin(mutex))
                return 0;
        return deadline_ns <= 0 ? pl_sync_refuse() : lock_queued(mutex, deadline_ns, 0);
}

int plait_mutex_trylock_contended(struct plait_mutex *mutex)
{
        return take(mutex, 0) ? 0 : -EBUSY;
}

void pl_sync_mutex_relock(struct plait_mutex *mutex)
{
        /* Without a deadline and uninterruptible, it has no way to fail. */
        if (!take(mutex, 0) && lock_queued(mutex, PLAIT_NEVER, PL_WAIT_UNINTERRUPTIBLE) < 0)
                pl_panic("a wait without an end has ended: this is a bug in plait, please report it");
}

/* Let the first in the queue try, or hand the mutex to him. False: there is nobody, and the mutex is still held. */
static bool wake_first(struct plait_mutex *mutex)
{
        pl_sync_spin_lock(queue_lock(mutex));
        struct pl_wait_node *node = pl_sync_claim(&mutex->pl_waiters);
        uint32_t state = load(mutex);
        const bool hand_over = node && state & STARVED;

        if (!mutex->pl_waiters)
                state &= ~(uint32_t)WAITERS;
        if (hand_over || !mutex->pl_waiters)
                state &= ~(uint32_t)STARVED;
        if (node) {
                node->slot = hand_over ? &handed_over : NULL;
                if (!hand_over)
                        state = (state & ~(uint32_t)LOCKED) | WOKEN;
        }
        __atomic_store_n(&mutex->pl_state, state, __ATOMIC_RELEASE);
        pl_sync_spin_unlock(queue_lock(mutex));
        if (node)
                pl_sched_wake_ready(node->wait);
        return node;
}

void plait_mutex_unlock_contended(struct plait_mutex *mutex)
{
        for (;;) {
                uint32_t state = load(mutex);

                if (!(state & LOCKED))
                        pl_panic("mutex %p was unlocked, but nobody holds it: unlock once for each successful lock",
                                 (void *)mutex);
                if (!(state & WAITERS) || (state & (WOKEN | STARVED)) == WOKEN) {
                        if (change(mutex, state, state & ~(uint32_t)LOCKED, __ATOMIC_RELEASE))
                                return;
                } else if (wake_first(mutex)) {
                        return;
                }
        }
}
