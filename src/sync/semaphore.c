/*
 * The counting semaphore. Two words: state, lock of the queue, queue of waiters.
 *
 * State: the number of permits times PERMIT, and the bit WAITERS, which is set exactly when the queue is not empty.
 * While WAITERS is clear, anybody takes and adds permits by CAS. While it is set, the state changes under the queue's
 * lock only. So permits go to the queue before they go to anybody who comes later.
 *
 * Permits and waiters are there at the same time only while a release is handing permits out, PL_SYNC_BATCH at a time.
 * All permits are added before the first is handed out: the check for overflow is exact and a release all or nothing.
 *
 * Ordering: adding is a release, taking an acquire; a permit handed to a waiter is ordered by his claim.
 */
#include "plait/semaphore.h"

#include <errno.h>

#include "sync/selectable.h"
#include "sync/waiters.h"

enum { WAITERS = 1, PERMIT = 2 };

static inline uint32_t load(const struct plait_semaphore *semaphore)
{
        return __atomic_load_n(&semaphore->pl_state, __ATOMIC_RELAXED);
}

static inline void store(struct plait_semaphore *semaphore, uint32_t state)
{
        __atomic_store_n(&semaphore->pl_state, state, __ATOMIC_RELEASE);
}

static inline bool change(struct plait_semaphore *semaphore, uint32_t from, uint32_t to, int order)
{
        return __atomic_compare_exchange_n(&semaphore->pl_state, &from, to, 0, order, __ATOMIC_RELAXED);
}

static inline struct pl_spin *queue_lock(struct plait_semaphore *semaphore)
{
        return (struct pl_spin *)&semaphore->pl_lock;
}

static inline bool would_overflow(uint32_t state, unsigned permits)
{
        return permits > PLAIT_SEMAPHORE_MAX - state / PERMIT;
}

int plait_semaphore_init(struct plait_semaphore *semaphore, unsigned permits)
{
        if (permits > PLAIT_SEMAPHORE_MAX)
                return -EINVAL;
        *semaphore = (struct plait_semaphore)PLAIT_SEMAPHORE_INIT(permits);
        return 0;
}

/* Take a permit that nobody waits for. */
static bool take(struct plait_semaphore *semaphore)
{
        uint32_t state = load(semaphore);

        while (!(state & WAITERS) && state >= PERMIT) {
                if (change(semaphore, state, state - PERMIT, __ATOMIC_ACQUIRE))
                        return true;
                state = load(semaphore);
        }
        return false;
}

/* The same under the queue's lock; when it fails, releases know that there are waiters. */
static bool take_or_announce(struct plait_semaphore *semaphore)
{
        for (;;) {
                if (take(semaphore))
                        return true;

                uint32_t state = load(semaphore);

                if (state & WAITERS || (!state && change(semaphore, 0, WAITERS, __ATOMIC_RELAXED)))
                        return false;
        }
}

/* Under the queue's lock. */
static void leave_queue(struct plait_semaphore *semaphore, struct pl_wait_node *node)
{
        if (!node->link.next)
                return;
        pl_sync_unlink(&semaphore->pl_waiters, node);
        if (!semaphore->pl_waiters)
                store(semaphore, load(semaphore) & ~(uint32_t)WAITERS);
}

/* After a wait that nobody ended by a permit: leave the queue. */
static void give_up(struct plait_semaphore *semaphore, struct pl_wait *wait)
{
        pl_spin_lock(queue_lock(semaphore));
        leave_queue(semaphore, &wait->node);
        pl_spin_unlock(queue_lock(semaphore));
}

int plait_semaphore_acquire(struct plait_semaphore *semaphore, int64_t deadline_ns)
{
        if (PL_LIKELY(take(semaphore)))
                return 0;
        if (deadline_ns <= 0)
                return pl_sync_refuse();

        pl_spin_lock(queue_lock(semaphore));
        if (take_or_announce(semaphore)) {
                pl_spin_unlock(queue_lock(semaphore));
                return 0;
        }
        struct pl_wait *wait = pl_sync_enqueue(&semaphore->pl_waiters, PL_WAIT_SEMAPHORE, semaphore, NULL);
        pl_spin_unlock(queue_lock(semaphore));

        int r = pl_sched_wait_finish(wait, deadline_ns, 0);

        if (r < 0)
                give_up(semaphore, wait);
        return r;
}

int plait_semaphore_try_acquire(struct plait_semaphore *semaphore)
{
        return take(semaphore) ? 0 : -EAGAIN;
}

/* Under the queue's lock: claim waiters for the permits there are. True: there are more of both. */
static bool hand_out(struct plait_semaphore *semaphore, struct pl_sync_claimed *claimed)
{
        uint32_t state = load(semaphore);

        if (!(state & WAITERS)) /* they went while the lock was free, and the state changes without it since */
                return false;
        for (int i = 0; i < PL_SYNC_BATCH && state >= PERMIT; i++) {
                struct pl_wait_node *node = pl_sync_claim(&semaphore->pl_waiters);

                if (!node)
                        break;
                pl_sync_claimed_add(claimed, node);
                state -= PERMIT;
        }
        if (!semaphore->pl_waiters)
                state &= ~(uint32_t)WAITERS;
        store(semaphore, state);
        return state > PERMIT && state & WAITERS;
}

/* There are waiters, or were a moment ago. 0, -EOVERFLOW, or -EAGAIN: they are gone. */
static int release_to_waiters(struct plait_semaphore *semaphore, unsigned permits) PL_NO_LOCK_CHECK
{
        struct pl_sync_claimed claimed = {0};
        uint32_t state;
        bool more;

        pl_spin_lock(queue_lock(semaphore));
        state = load(semaphore);
        if (!(state & WAITERS) || would_overflow(state, permits)) {
                pl_spin_unlock(queue_lock(semaphore));
                return state & WAITERS ? -EOVERFLOW : -EAGAIN;
        }
        store(semaphore, state + permits * PERMIT);
        do {
                more = hand_out(semaphore, &claimed);
                pl_spin_unlock(queue_lock(semaphore));
                pl_sync_claimed_ready(&claimed, more);
                if (more)
                        pl_spin_lock(queue_lock(semaphore));
        } while (more);
        return 0;
}

int plait_semaphore_release(struct plait_semaphore *semaphore, unsigned permits)
{
        if (!permits)
                return 0;
        for (;;) {
                uint32_t state = load(semaphore);

                if (state & WAITERS) {
                        int r = release_to_waiters(semaphore, permits);

                        if (r != -EAGAIN)
                                return r;
                } else if (would_overflow(state, permits)) {
                        return -EOVERFLOW;
                } else if (change(semaphore, state, state + permits * PERMIT, __ATOMIC_RELEASE)) {
                        return 0;
                }
        }
}

unsigned plait_semaphore_count(const struct plait_semaphore *semaphore)
{
        return load(semaphore) / PERMIT;
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
        return take(entry->pl_object);
}

static bool case_take_or_queue(struct plait_case *entry)
{
        struct plait_semaphore *semaphore = entry->pl_object;

        if (take_or_announce(semaphore))
                return true;
        pl_select_push(&semaphore->pl_waiters, entry, NULL);
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

struct plait_case plait_case_acquire(struct plait_semaphore *semaphore)
{
        return (struct plait_case){.pl_kind = &case_kind, .pl_object = semaphore};
}
