/*
 * The reader-writer lock. Two words: how it is held, and the queues of waiters.
 *
 * The first, from below: the bit WRITER; the bits WRITERS_WAIT and READERS_WAIT, each set exactly when its queue is not
 * empty; the number of readers times READER; and in the topmost 16 bits what others have to say of the lock, which is
 * never touched here and may be written at any time by CAS. While nobody waits, anybody locks and unlocks by CAS. While
 * somebody does, the word changes under the queues' lock only, and is then the lock holder's own but for those 16 bits.
 * So who comes later does not overtake.
 *
 * The second: its lowest bit is the lock of the queues. Above it two queues hang on one pointer: on that to the first
 * waiting writer, whose slot points to the first waiting reader; or, when no writer waits, on that to the first waiting
 * reader. unpack() and pack() translate.
 *
 * Unlocking passes the lock on: the word says who holds it next before he is woken. Readers who are let in together
 * are claimed PL_SYNC_BATCH at a time; those who are still to come stand in a ring of their own, from where a reader
 * that times out leaves under the lock. The bits know nothing of that ring. The first batch holds the lock and the last
 * of it is woken at the very end, so neither the right to read nor the object goes away meanwhile.
 *
 * If nobody lets himself be claimed, the one who unlocks still holds the lock, clears the bits and unlocks by CAS: the
 * store that sets it free must be the last access to it.
 *
 * Ordering: unlocking is a release, locking an acquire; a reader's unlocking is an acquire as well, for the last one
 * passes on to a writer what the others have released.
 */
#include "plait/rwlock.h"

#include <errno.h>

#include "plait/run.h"
#include "plat/panic.h"
#include "plat/sys.h"
#include "sync/waiters.h"

enum { WRITER = 1, WRITERS_WAIT = 2, READERS_WAIT = 4, WAITERS = WRITERS_WAIT | READERS_WAIT, READER = 8 };

enum { SPINS = 20 }; /* about a microsecond: what a short critical section takes */

/* Who holds it: WRITER, or readers. */
#define HELD (UINT64_C(0x0000fffffffffff8) | WRITER)

_Static_assert(PLAIT_RWLOCK_READERS_MAX < HELD / READER / 2, "there is room for the readers");

struct queues {
        void *writers;
        void *readers;
};

static inline uint64_t load(const struct plait_rwlock *lock)
{
        return __atomic_load_n(&lock->pl_state, __ATOMIC_ACQUIRE);
}

static inline uint64_t held_of(const struct plait_rwlock *lock)
{
        return load(lock) & HELD;
}

static inline bool change(struct plait_rwlock *lock, uint64_t from, uint64_t to, int order)
{
        return __atomic_compare_exchange_n(&lock->pl_state, &from, to, 0, order, __ATOMIC_RELAXED);
}

static inline void lock_queues(struct plait_rwlock *lock)
{
        pl_sync_bit_lock(&lock->pl_waiters);
}

static inline void unlock_queues(struct plait_rwlock *lock)
{
        pl_sync_bit_unlock(&lock->pl_waiters);
}

/* Under the queues' lock, as are those below. */
static struct queues unpack(const struct plait_rwlock *lock)
{
        const uint64_t state = load(lock);
        void *first = (void *)(__atomic_load_n(&lock->pl_waiters, __ATOMIC_RELAXED) & ~(uintptr_t)1);
        struct queues queues = {0};

        if (state & WRITERS_WAIT) {
                queues.writers = first;
                queues.readers = pl_sync_node_of(first)->slot;
        } else if (state & READERS_WAIT) {
                queues.readers = first;
        }
        return queues;
}

static void pack(struct plait_rwlock *lock, const struct queues *queues)
{
        void *first = queues->writers ? queues->writers : queues->readers;

        if (queues->writers)
                pl_sync_node_of(queues->writers)->slot = queues->readers;
        __atomic_store_n(&lock->pl_waiters, (uintptr_t)first | 1, __ATOMIC_RELAXED);
}

/* The word is the caller's own: from now on *held* is how it is held, and *queues* are who waits. */
static void publish(struct plait_rwlock *lock, const struct queues *queues, uint64_t held)
{
        uint64_t state;

        pack(lock, queues);
        held |= (queues->writers ? WRITERS_WAIT : 0U) | (queues->readers ? READERS_WAIT : 0U);
        do
                state = load(lock);
        while (!change(lock, state, (state & ~(HELD | WAITERS)) | held, __ATOMIC_ACQ_REL));
}

/* --- locking --- */

static inline bool take_read(struct plait_rwlock *lock)
{
        uint64_t state = load(lock);

        while (!(state & (WRITER | WAITERS))) {
                if (PL_UNLIKELY((state & HELD) / READER == PLAIT_RWLOCK_READERS_MAX))
                        pl_panic("rwlock %p is held for reading %u times: unlock once for each successful lock",
                                 (void *)lock, PLAIT_RWLOCK_READERS_MAX);
                if (change(lock, state, state + READER, __ATOMIC_ACQUIRE))
                        return true;
                state = load(lock);
        }
        return false;
}

static inline bool take_write(struct plait_rwlock *lock)
{
        uint64_t state = load(lock);

        while (!(state & (HELD | WAITERS))) {
                if (change(lock, state, state | WRITER, __ATOMIC_ACQUIRE))
                        return true;
                state = load(lock);
        }
        return false;
}

static inline bool take(struct plait_rwlock *lock, bool write)
{
        return write ? take_write(lock) : take_read(lock);
}

/* Under the lock: take it, or tell those who unlock that there are waiters. */
static bool take_or_announce(struct plait_rwlock *lock, bool write)
{
        for (;;) {
                if (take(lock, write))
                        return true;

                const uint64_t state = load(lock);
                const uint64_t bit = write ? WRITERS_WAIT : READERS_WAIT;

                if (state & bit)
                        return false;
                /* Held, and not open to this one; or it is to be tried again. */
                if (state & (write ? HELD | WAITERS : WRITER | WAITERS) &&
                    change(lock, state, state | bit, __ATOMIC_RELAXED))
                        return false;
        }
}

/* The holder may be running on another processor and soon be done. */
static bool spin(struct plait_rwlock *lock, bool write)
{
        if (plait_workers() == 1)
                return false;
        for (int i = 0; i < SPINS && !(load(lock) & WAITERS); i++) {
                pl_cpu_relax();
                if (take(lock, write))
                        return true;
        }
        return false;
}

static bool admit_readers(struct plait_rwlock *lock, struct queues *queues, uint64_t held);

/* After a wait that nobody ended by letting him in: leave the queue. */
static void give_up(struct plait_rwlock *lock, struct pl_wait *wait, bool write) PL_NO_LOCK_CHECK
{
        lock_queues(lock);
        if (wait->node.link.next) {
                struct queues queues = unpack(lock);
                const uint64_t held = held_of(lock);

                pl_sync_unlink(write ? &queues.writers : &queues.readers, &wait->node);
                /* He was the writer whom readers made way for. */
                if (write && !queues.writers && queues.readers && !(held & WRITER) &&
                    admit_readers(lock, &queues, held))
                        return;
                if (load(lock) & WAITERS) /* else he was in the ring of those about to be let in */
                        publish(lock, &queues, held);
        }
        unlock_queues(lock);
}

static PL_NOINLINE int lock_slowly(struct plait_rwlock *lock, int64_t deadline_ns, bool write)
{
        if (deadline_ns <= 0)
                return pl_sync_refuse();
        if (spin(lock, write))
                return 0;

        lock_queues(lock);
        struct queues queues = unpack(lock); /* before the bits say more */
        if (take_or_announce(lock, write)) {
                unlock_queues(lock);
                return 0;
        }
        struct pl_wait *wait = pl_sync_enqueue(write ? &queues.writers : &queues.readers,
                                               write ? PL_WAIT_RWLOCK_WRITE : PL_WAIT_RWLOCK_READ, lock, NULL);
        pack(lock, &queues);
        unlock_queues(lock);

        int r = pl_sched_wait_finish(wait, deadline_ns, 0);

        if (r < 0)
                give_up(lock, wait, write);
        return r;
}

int plait_rwlock_lock_read(struct plait_rwlock *lock, int64_t deadline_ns)
{
        return PL_LIKELY(take_read(lock)) ? 0 : lock_slowly(lock, deadline_ns, false);
}

int plait_rwlock_lock_write(struct plait_rwlock *lock, int64_t deadline_ns)
{
        return PL_LIKELY(take_write(lock)) ? 0 : lock_slowly(lock, deadline_ns, true);
}

int plait_rwlock_trylock_read(struct plait_rwlock *lock)
{
        return take_read(lock) ? 0 : -EBUSY;
}

int plait_rwlock_trylock_write(struct plait_rwlock *lock)
{
        return take_write(lock) ? 0 : -EBUSY;
}

/* --- passing it on --- */

/* Claim up to PL_SYNC_BATCH of the readers in *all*. Returns what that adds to the state. */
static uint64_t claim_readers(struct pl_list *all, struct pl_sync_claimed *claimed)
{
        uint64_t held = 0;

        for (int i = 0; !pl_list_empty(all) && (i < PL_SYNC_BATCH || !claimed->first); i++) {
                struct pl_wait_node *node = pl_sync_node_of(pl_list_pop_front(all));

                node->link.next = NULL;
                if (pl_sched_wake_claim(node->wait)) {
                        pl_sync_claimed_add(claimed, node);
                        held += READER;
                }
        }
        return held;
}

/*
 * Let in all readers who wait, beside those in *held*, whose state is the caller's own. True: at least one is in, and
 * the lock has been released. False: there was none, nothing has been published.
 */
static bool admit_readers(struct plait_rwlock *lock, struct queues *queues, uint64_t held) PL_NO_LOCK_CHECK
{
        struct pl_sync_claimed claimed = {0};
        struct pl_list all;

        pl_sync_take_all(&queues->readers, &all);
        uint64_t more = claim_readers(&all, &claimed);
        if (!more)
                return false;
        publish(lock, queues, held + more);
        for (;;) {
                const bool last = pl_list_empty(&all);

                unlock_queues(lock);
                pl_sync_claimed_ready(&claimed, !last);
                if (last)
                        return true;
                lock_queues(lock);
                /* The one that is kept holds the lock for reading, so it has not become a writer's. */
                __atomic_fetch_add(&lock->pl_state, claim_readers(&all, &claimed), __ATOMIC_ACQ_REL);
        }
}

/* Let in the first writer. True and false as above. */
static bool admit_writer(struct plait_rwlock *lock, struct queues *queues) PL_NO_LOCK_CHECK
{
        struct pl_wait_node *node = pl_sync_claim(&queues->writers);

        if (!node)
                return false;
        publish(lock, queues, WRITER);
        unlock_queues(lock);
        pl_sched_wake_ready(node->wait);
        return true;
}

/*
 * Under the lock, with waiters: the caller, who is the only one to hold it, as *held* says, leaves it to who is next.
 * Releases the queues' lock. False: there was nobody after all, and the caller still holds it.
 */
static bool pass_on(struct plait_rwlock *lock, uint64_t held) PL_NO_LOCK_CHECK
{
        struct queues queues = unpack(lock);

        if (held == WRITER ? admit_readers(lock, &queues, 0) || admit_writer(lock, &queues)
                           : admit_writer(lock, &queues) || admit_readers(lock, &queues, 0))
                return true;
        publish(lock, &queues, held);
        unlock_queues(lock);
        return false;
}

/* Under the lock if it returns true: there are waiters. */
static bool lock_if_waiters(struct plait_rwlock *lock) PL_NO_LOCK_CHECK
{
        lock_queues(lock);
        if (load(lock) & WAITERS)
                return true;
        unlock_queues(lock);
        return false;
}

void plait_rwlock_unlock_read(struct plait_rwlock *lock) PL_NO_LOCK_CHECK
{
        for (;;) {
                uint64_t state = load(lock);

                if (PL_UNLIKELY(state & WRITER || !(state & HELD)))
                        pl_panic("rwlock %p was unlocked after reading, but nobody holds it for reading: unlock once "
                                 "for each successful lock, in the way it was locked",
                                 (void *)lock);
                if (PL_LIKELY(!(state & WAITERS))) {
                        if (change(lock, state, state - READER, __ATOMIC_ACQ_REL))
                                return;
                        continue;
                }
                if (!lock_if_waiters(lock))
                        continue;
                if (held_of(lock) > READER) { /* the next cannot be let in before the queues' lock is released */
                        __atomic_fetch_sub(&lock->pl_state, READER, __ATOMIC_ACQ_REL);
                        unlock_queues(lock);
                        return;
                }
                if (pass_on(lock, READER))
                        return;
        }
}

static void check_writer(const struct plait_rwlock *lock, uint64_t state, const char *what)
{
        if (PL_UNLIKELY(!(state & WRITER)))
                pl_panic("rwlock %p was %s, but nobody holds it for writing: unlock once for each successful lock, in "
                         "the way it was locked",
                         (const void *)lock, what);
}

void plait_rwlock_unlock_write(struct plait_rwlock *lock)
{
        for (;;) {
                const uint64_t state = load(lock);

                check_writer(lock, state, "unlocked after writing");
                if (PL_LIKELY(!(state & WAITERS))) {
                        if (change(lock, state, state & ~HELD, __ATOMIC_RELEASE))
                                return;
                } else if (lock_if_waiters(lock) && pass_on(lock, WRITER)) {
                        return;
                }
        }
}

void plait_rwlock_downgrade(struct plait_rwlock *lock) PL_NO_LOCK_CHECK
{
        for (;;) {
                const uint64_t state = load(lock);

                check_writer(lock, state, "downgraded");
                if (!(state & WAITERS)) {
                        if (change(lock, state, (state & ~HELD) | READER, __ATOMIC_RELEASE))
                                return;
                        continue;
                }
                if (!lock_if_waiters(lock))
                        continue;
                struct queues queues = unpack(lock);

                if (!admit_readers(lock, &queues, READER)) {
                        publish(lock, &queues, READER);
                        unlock_queues(lock);
                }
                return;
        }
}
