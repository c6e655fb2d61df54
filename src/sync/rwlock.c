/*
 * The reader-writer lock. Two words: how it is held, and the queues of waiters.
 *
 * The first, from below: the bit WRITER; the bits WRITERS_WAIT and READERS_WAIT, each set exactly when its queue is not
 * empty; the number of readers times READER, or the flow that writes; and in the topmost 16 bits what the lock-order
 * detector calls the lock, which is never touched here and may be written at any time by CAS. While nobody waits,
 * anybody locks and unlocks by CAS. While somebody does, the word changes under the queues' lock only, and is then the
 * lock holder's own but for those 16 bits. So who comes later does not overtake.
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
#include "sched/flow.h"
#include "sched/held.h"
#include "sync/lock_order.h"
#include "sync/waiters.h"

enum { WRITER = 1, WRITERS_WAIT = 2, READERS_WAIT = 4, WAITERS = WRITERS_WAIT | READERS_WAIT, READER = 8 };

enum { SPINS = 20 }; /* about a microsecond: what a short critical section takes */

/* Who holds it: the flow that writes and WRITER, or the number of readers. */
#define HELD (UINT64_C(0x0000fffffffffff8) | WRITER)

_Static_assert((HELD & ~(uint64_t)WRITER) == PL_SCHED_FLOW_BITS, "there is room for a flow");
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

/* --- what the flow holds --- */

static uintptr_t mode_of(const struct plait_rwlock *lock, bool write)
{
        return (uintptr_t)lock | PL_HELD_RWLOCK | (write ? 0 : PL_HELD_SHARED);
}

/* Before the lock is taken. */
static inline uint32_t check_order(struct plait_rwlock *lock, struct pl_wait *flow, bool write)
{
        if (PL_LIKELY(!atomic_load_explicit(&flow->held, memory_order_relaxed)))
                return 0;
        return pl_order_acquire(flow, mode_of(lock, write), 0);
}

static inline void note_taken(struct plait_rwlock *lock, struct pl_wait *flow, bool write, uint32_t node)
{
        if (PL_LIKELY(!atomic_load_explicit(&flow->held, memory_order_relaxed)))
                atomic_store_explicit(&flow->held, mode_of(lock, write), memory_order_relaxed);
        else
                pl_sched_held_add(flow, mode_of(lock, write), node);
}

static inline void note_left(struct plait_rwlock *lock, struct pl_wait *flow, bool write)
{
        if (PL_LIKELY(atomic_load_explicit(&flow->held, memory_order_relaxed) == mode_of(lock, write)))
                atomic_store_explicit(&flow->held, 0, memory_order_relaxed);
        else
                pl_sched_held_remove(flow, lock);
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

static inline bool take_write(struct plait_rwlock *lock, const struct pl_wait *flow)
{
        uint64_t state = load(lock);

        while (!(state & (HELD | WAITERS))) {
                if (change(lock, state, state | (uintptr_t)flow | WRITER, __ATOMIC_ACQUIRE))
                        return true;
                state = load(lock);
        }
        return false;
}

static inline bool take(struct plait_rwlock *lock, const struct pl_wait *flow, bool write)
{
        return write ? take_write(lock, flow) : take_read(lock);
}

/* Under the lock: take it, or tell those who unlock that there are waiters. */
static bool take_or_announce(struct plait_rwlock *lock, const struct pl_wait *flow, bool write)
{
        for (;;) {
                if (take(lock, flow, write))
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
static bool spin(struct plait_rwlock *lock, const struct pl_wait *flow, bool write)
{
        if (plait_workers() == 1)
                return false;
        for (int i = 0; i < SPINS && !(load(lock) & WAITERS); i++) {
                pl_cpu_relax();
                if (take(lock, flow, write))
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

static PL_NOINLINE int lock_slowly(struct plait_rwlock *lock, const struct pl_wait *flow, int64_t deadline_ns,
                                   bool write)
{
        if (deadline_ns <= 0)
                return pl_sync_refuse();
        if (spin(lock, flow, write))
                return 0;

        lock_queues(lock);
        struct queues queues = unpack(lock); /* before the bits say more */
        if (take_or_announce(lock, flow, write)) {
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

static PL_ALWAYS_INLINE int lock_for(struct plait_rwlock *lock, int64_t deadline_ns, bool write)
{
        struct pl_wait *flow = pl_sched_flow();
        const uint32_t node = check_order(lock, flow, write);

        if (PL_UNLIKELY(!take(lock, flow, write))) {
                int r = lock_slowly(lock, flow, deadline_ns, write);

                if (r < 0)
                        return r;
        }
        note_taken(lock, flow, write, node);
        return 0;
}

int plait_rwlock_lock_read(struct plait_rwlock *lock, int64_t deadline_ns)
{
        return lock_for(lock, deadline_ns, false);
}

int plait_rwlock_lock_write(struct plait_rwlock *lock, int64_t deadline_ns)
{
        return lock_for(lock, deadline_ns, true);
}

static int try_for(struct plait_rwlock *lock, bool write)
{
        struct pl_wait *flow = pl_sched_flow();

        if (!take(lock, flow, write))
                return -EBUSY;
        note_taken(lock, flow, write, 0);
        return 0;
}

int plait_rwlock_trylock_read(struct plait_rwlock *lock)
{
        return try_for(lock, false);
}

int plait_rwlock_trylock_write(struct plait_rwlock *lock)
{
        return try_for(lock, true);
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
        publish(lock, queues, (uintptr_t)node->wait | WRITER);
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

        if (held & WRITER ? admit_readers(lock, &queues, 0) || admit_writer(lock, &queues)
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
        uint64_t state = load(lock);

        if (PL_UNLIKELY(state & WRITER || !(state & HELD)))
                pl_panic("rwlock %p was unlocked after reading, but nobody holds it for reading: unlock once for each "
                         "successful lock, in the way it was locked",
                         (void *)lock);
        note_left(lock, pl_sched_flow(), false);
        for (;;) {
                state = load(lock);
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

static PL_COLD PL_NORETURN void not_the_writer(const struct plait_rwlock *lock, uint64_t state, const char *what)
{
        char name[PL_FLOW_NAME_BYTES];

        if (!(state & WRITER))
                pl_panic("rwlock %p was %s, but nobody holds it for writing: unlock once for each successful lock, in "
                         "the way it was locked",
                         (const void *)lock, what);
        pl_sched_flow_name((struct pl_wait *)(uintptr_t)(state & PL_SCHED_FLOW_BITS), name, sizeof name);
        pl_panic("rwlock %p was %s by another than who holds it for writing, %s: the task or thread that locks it is "
                 "to unlock it",
                 (const void *)lock, what, name);
}

/* The caller, who must be the writer. */
static struct pl_wait *writer(const struct plait_rwlock *lock, const char *what)
{
        struct pl_wait *flow = pl_sched_flow();
        const uint64_t state = load(lock);

        if (PL_UNLIKELY((state & HELD) != ((uintptr_t)flow | WRITER)))
                not_the_writer(lock, state, what);
        return flow;
}

void plait_rwlock_unlock_write(struct plait_rwlock *lock)
{
        struct pl_wait *flow = writer(lock, "unlocked after writing");

        note_left(lock, flow, true);
        for (;;) {
                const uint64_t state = load(lock);

                if (PL_LIKELY(!(state & WAITERS))) {
                        if (change(lock, state, state & ~HELD, __ATOMIC_RELEASE))
                                return;
                } else if (lock_if_waiters(lock) && pass_on(lock, state & HELD)) {
                        return;
                }
        }
}

void plait_rwlock_downgrade(struct plait_rwlock *lock) PL_NO_LOCK_CHECK
{
        struct pl_wait *flow = writer(lock, "downgraded");

        note_left(lock, flow, true);
        note_taken(lock, flow, false, 0);
        for (;;) {
                const uint64_t state = load(lock);

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
