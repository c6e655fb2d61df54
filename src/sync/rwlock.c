/*
 * The reader-writer lock. Two words: how it is held, and who waits.
 *
 * The first, from below: the bits WRITER, WAITERS and CLOSED; the number of readers times READER, or the flow that
 * writes; and in the topmost 16 bits what the lock-order detector calls the lock, which is never touched here and may
 * be written at any time by CAS. WAITERS  somebody is queued, so who sets the lock free has to look. Set and cleared
 * under the queues' lock only, set by a CAS that sees that the lock cannot be had. CLOSED   a writer is queued, or
 * somebody starves: readers do not join other readers. Changes as WAITERS does. While it is held by nobody, anybody
 * takes it by CAS, whoever is queued; so do readers while others read and it is not closed.
 *
 * The second: its lowest bit is the lock of the queues. Above it two queues hang on one pointer: on that to the first
 * waiting writer, whose slot points to the first waiting reader; or, when no writer waits, on that to the first waiting
 * reader. The topmost 16 bits say which it is, who starves, and how many have been woken and are on their way. unpack()
 * and pack() translate.
 *
 * Who sets the lock free wakes who is next: after a writer all readers who wait, after readers the first writer. They
 * are woken *to try*: the lock is free meanwhile, and a flow that runs may take it, which is what makes a contended
 * lock fast. While some are on their way, nobody else is woken. Those who come too late queue again, in front. A reader
 * who comes joins other readers though it be closed: his turn began before.
 *
 * Who has waited for PATIENCE_NS and comes too late again starves. While anybody does, the lock is never set free but
 * *passed on*, by turns: the word says who holds it next before he is woken. Readers who are let in together are
 * claimed PL_SYNC_BATCH at a time; those who are still to come stand in a ring of their own, from where one that times
 * out leaves under the lock.
 *
 * Nobody is forgotten: readers are queued because a writer holds the lock or is queued. A writer looks at them when he
 * unlocks or gives up; one who has been woken lets the others in if there is no writer.
 *
 * The store that sets it free must be the last access to the lock, unless somebody has been claimed or is on his way:
 * he will use it, so nobody can rightly have freed it.
 *
 * Ordering: unlocking is a release, locking an acquire; a reader's unlocking is an acquire as well, for the last one
 * passes on to a writer what the others have released.
 */
#include "sync/rwlock.h"

#include <errno.h>

#include "plait/run.h"
#include "plat/panic.h"
#include "plat/sys.h"
#include "sched/flow.h"
#include "sched/held.h"
#include "sync/lock_order.h"
#include "sync/waiters.h"

enum { WRITER = 1, WAITERS = 2, CLOSED = 4, READER = 8 };

/* Who holds it: the flow that writes and WRITER, or the number of readers. */
#define HELD (UINT64_C(0x0000fffffffffff8) | WRITER)

_Static_assert((HELD & ~(uint64_t)WRITER) == PL_SCHED_FLOW_BITS, "there is room for a flow");
_Static_assert(PLAIT_RWLOCK_READERS_MAX < HELD / READER / 2, "there is room for the readers");

/* In the second word. */
#define QUEUE_BITS PL_SCHED_FLOW_BITS
#define FIRST_IS_WRITER (UINT64_C(1) << 48)
#define STARVING_SHIFT 49
#define WOKEN_SHIFT 51

enum {
        STARVING_READERS = 1,
        STARVING_WRITERS = 2,
        SPINS = 20,            /* about a microsecond: what a short critical section takes */
        PATIENCE_NS = 1000000, /* how long a waiter lets others overtake him */
        WOKEN_MOST = 4096,     /* on their way when no more are woken */
};

_Static_assert(2 * WOKEN_MOST <= 1 << (64 - WOKEN_SHIFT), "there is room for those on their way");

/* What a slot points to when the lock has been passed on. */
static char passed_on;

struct queues {
        void *writers;
        void *readers;
        unsigned starving;
        unsigned woken;
};

static inline uint64_t load(const struct plait_rwlock *lock)
{
        return __atomic_load_n(&lock->pl_state, __ATOMIC_ACQUIRE);
}

static inline bool change(struct plait_rwlock *lock, uint64_t from, uint64_t to, int order)
{
        return __atomic_compare_exchange_n(&lock->pl_state, &from, to, 0, order, __ATOMIC_RELAXED);
}

static inline void lock_queues(struct plait_rwlock *lock)
{
        pl_spin_bit_lock(&lock->pl_waiters);
}

static inline void unlock_queues(struct plait_rwlock *lock)
{
        pl_spin_bit_unlock(&lock->pl_waiters);
}

/* --- under the queues' lock --- */

static struct queues unpack(const struct plait_rwlock *lock)
{
        const uint64_t word = __atomic_load_n(&lock->pl_waiters, __ATOMIC_RELAXED);
        void *first = (void *)(uintptr_t)(word & QUEUE_BITS);
        struct queues queues = {.starving = (word >> STARVING_SHIFT) & 3, .woken = (unsigned)(word >> WOKEN_SHIFT)};

        if (word & FIRST_IS_WRITER) {
                queues.writers = first;
                queues.readers = pl_sync_node_of(first)->slot;
        } else {
                queues.readers = first;
        }
        return queues;
}

static void pack(struct plait_rwlock *lock, struct queues *queues)
{
        void *first = queues->writers ? queues->writers : queues->readers;
        uint64_t word = (uintptr_t)first | 1;

        if (!queues->readers)
                queues->starving &= ~(unsigned)STARVING_READERS;
        if (!queues->writers)
                queues->starving &= ~(unsigned)STARVING_WRITERS;
        if (queues->writers) {
                pl_sync_node_of(queues->writers)->slot = queues->readers;
                word |= FIRST_IS_WRITER;
        }
        word |= (uint64_t)queues->starving << STARVING_SHIFT | (uint64_t)queues->woken << WOKEN_SHIFT;
        __atomic_store_n(&lock->pl_waiters, word, __ATOMIC_RELAXED);
}

static uint64_t bits_of(const struct queues *queues)
{
        return (queues->writers || queues->readers ? WAITERS : 0U) |
               (queues->writers || queues->starving ? CLOSED : 0U);
}

/* *queues* have changed; how the lock is held has not. */
static void update(struct plait_rwlock *lock, struct queues *queues)
{
        uint64_t state;

        pack(lock, queues);
        do
                state = load(lock);
        while (!change(lock, state, (state & ~(uint64_t)(WAITERS | CLOSED)) | bits_of(queues), __ATOMIC_ACQ_REL));
}

/* The same, and the caller, the only holder whom nobody can join, leaves the lock held as *held* says. */
static void publish(struct plait_rwlock *lock, struct queues *queues, uint64_t held)
{
        uint64_t state;

        pack(lock, queues);
        do
                state = load(lock);
        while (!change(lock, state, (state & ~(HELD | WAITERS | CLOSED)) | held | bits_of(queues), __ATOMIC_ACQ_REL));
}

/* The same, and the caller, who holds it for writing or for reading, leaves. */
static void set_free(struct plait_rwlock *lock, struct queues *queues, bool write)
{
        uint64_t state, left;

        pack(lock, queues);
        do {
                state = load(lock);
                left = write ? state & ~HELD : state - READER;
        } while (!change(lock, state, (left & ~(uint64_t)(WAITERS | CLOSED)) | bits_of(queues), __ATOMIC_ACQ_REL));
}

/* Claim up to PL_SYNC_BATCH of the readers in *queue*, and say *what* in their slots. Returns how many. */
static unsigned claim_readers(void **queue, struct pl_sync_claimed *claimed, void *what)
{
        struct pl_wait_node *node;
        unsigned n = 0;

        while (n < PL_SYNC_BATCH && (node = pl_sync_claim(queue))) {
                node->slot = what;
                pl_sync_claimed_add(claimed, node);
                n++;
        }
        return n;
}

/* --- what the flow holds --- */

static uintptr_t mode_of(const struct plait_rwlock *lock, bool write)
{
        return (uintptr_t)lock | PL_HELD_RWLOCK | (write ? 0 : PL_HELD_SHARED);
}

/* Before the lock is taken. */
static inline uint32_t check_order(struct plait_rwlock *lock, struct pl_wait *flow, bool write, unsigned n_before)
{
        if (PL_LIKELY(!atomic_load_explicit(&flow->held, memory_order_relaxed)))
                return 0;
        return pl_order_acquire_of_set(flow, mode_of(lock, write), 0, n_before);
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

/* *open*: readers may be joined though it is closed. */
static inline bool take_read(struct plait_rwlock *lock, bool open)
{
        uint64_t state = load(lock);

        while (!(state & WRITER) && (!(state & CLOSED) || open || !(state & HELD))) {
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

        while (!(state & HELD)) {
                if (change(lock, state, state | (uintptr_t)flow | WRITER, __ATOMIC_ACQUIRE))
                        return true;
                state = load(lock);
        }
        return false;
}

static inline bool take(struct plait_rwlock *lock, const struct pl_wait *flow, bool write, bool open)
{
        return write ? take_write(lock, flow) : take_read(lock, open);
}

/* Under the queues' lock: take it, or tell those who unlock that there are waiters. */
static bool take_or_announce(struct plait_rwlock *lock, const struct pl_wait *flow, bool write, bool open)
{
        for (;;) {
                if (take(lock, flow, write, open))
                        return true;

                const uint64_t state = load(lock);

                /* Still held, and still by a writer or closed; otherwise it is to be tried again. */
                if (state & HELD && (write || state & WRITER || (state & CLOSED && !open)) &&
                    change(lock, state, state | WAITERS | (write ? CLOSED : 0U), __ATOMIC_RELAXED))
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
                if (take(lock, flow, write, false))
                        return true;
        }
        return false;
}

/*
 * Called when some of the readers, chained in *claimed*, have been woken to try, but for the last of them, if there are
 * any: wake the others.
 */
static void wake_readers(struct plait_rwlock *lock, struct pl_sync_claimed *claimed)
{
        bool more;

        do {
                lock_queues(lock);
                struct queues queues = unpack(lock);
                const unsigned n = queues.woken < WOKEN_MOST ? claim_readers(&queues.readers, claimed, NULL) : 0;

                queues.woken += n;
                more = n == PL_SYNC_BATCH && queues.readers;
                update(lock, &queues);
                unlock_queues(lock);
                pl_sync_claimed_ready(claimed, more);
        } while (more);
}

/* After a wait that nobody ended by letting him in: leave the queue. */
static void give_up(struct plait_rwlock *lock, struct pl_wait *wait, bool write)
{
        struct pl_sync_claimed none = {0};
        bool others = false;

        lock_queues(lock);
        if (wait->node.link.next) {
                struct queues queues = unpack(lock);
                const uint64_t state = load(lock);

                pl_sync_unlink(write ? &queues.writers : &queues.readers, &wait->node);
                /* He was the writer whom readers made way for. */
                others = write && !queues.writers && queues.readers && state & HELD && !(state & WRITER);
                update(lock, &queues);
        }
        unlock_queues(lock);
        if (others)
                wake_readers(lock, &none);
}

/* Under the queues' lock: the lock cannot be had, wait in the queue; in front, if he had been woken and is too late. */
static struct pl_wait *enqueue(struct plait_rwlock *lock, struct queues *queues, bool write, bool woken,
                               int64_t since_ns)
{
        void **queue = write ? &queues->writers : &queues->readers;
        struct pl_wait *wait = pl_sync_enqueue(queue, write ? PL_WAIT_RWLOCK_WRITE : PL_WAIT_RWLOCK_READ, lock, NULL);

        if (woken) {
                *queue = &wait->node.link;
                if (pl_plat_now_ns() - since_ns > PATIENCE_NS)
                        queues->starving |= write ? STARVING_WRITERS : STARVING_READERS;
        }
        update(lock, queues);
        return wait;
}

static PL_NOINLINE int lock_slowly(struct plait_rwlock *lock, const struct pl_wait *flow, int64_t deadline_ns,
                                   bool write)
{
        if (deadline_ns <= 0)
                return pl_sync_refuse();
        if (spin(lock, flow, write))
                return 0;

        const int64_t since_ns = pl_plat_now_ns();

        for (bool woken = false;; woken = true) {
                lock_queues(lock);
                struct queues queues = unpack(lock);

                queues.woken -= woken;
                if (take_or_announce(lock, flow, write, woken)) {
                        const bool others = woken && !write && queues.readers && !queues.writers;
                        struct pl_sync_claimed none = {0};

                        update(lock, &queues);
                        unlock_queues(lock);
                        if (others)
                                wake_readers(lock, &none);
                        return 0;
                }
                struct pl_wait *wait = enqueue(lock, &queues, write, woken, since_ns);
                unlock_queues(lock);

                int r = pl_sched_wait_finish(wait, deadline_ns, 0);

                if (r < 0) {
                        give_up(lock, wait, write);
                        return r;
                }
                if (wait->node.slot == &passed_on)
                        return 0;
        }
}

static PL_ALWAYS_INLINE int lock_for(struct plait_rwlock *lock, int64_t deadline_ns, bool write, unsigned n_before)
{
        struct pl_wait *flow = pl_sched_flow();
        const uint32_t node = check_order(lock, flow, write, n_before);

        if (PL_UNLIKELY(!take(lock, flow, write, false))) {
                int r = lock_slowly(lock, flow, deadline_ns, write);

                if (r < 0)
                        return r;
        }
        note_taken(lock, flow, write, node);
        return 0;
}

int plait_rwlock_lock_read(struct plait_rwlock *lock, int64_t deadline_ns)
{
        return lock_for(lock, deadline_ns, false, PL_ORDER_NO_SET);
}

int plait_rwlock_lock_write(struct plait_rwlock *lock, int64_t deadline_ns)
{
        return lock_for(lock, deadline_ns, true, PL_ORDER_NO_SET);
}

int pl_sync_rwlock_lock_of_set(struct plait_rwlock *lock, int64_t deadline_ns, bool write, unsigned n_before)
{
        return lock_for(lock, deadline_ns, write, n_before);
}

static int try_for(struct plait_rwlock *lock, bool write)
{
        struct pl_wait *flow = pl_sched_flow();

        if (!take(lock, flow, write, false))
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

/* --- unlocking --- */

/*
 * The caller, the only holder whom nobody can join, leaves the lock to the readers who wait. True: at least one is in,
 * and the queues' lock has been released. False: there was none.
 */
static bool pass_to_readers(struct plait_rwlock *lock, struct queues *queues)
{
        struct pl_sync_claimed claimed = {0};
        const unsigned n = claim_readers(&queues->readers, &claimed, &passed_on);
        const bool more = queues->readers;

        if (!n)
                return false;
        queues->starving &= ~(unsigned)STARVING_READERS;
        publish(lock, queues, (uint64_t)n * READER);
        unlock_queues(lock);
        pl_sync_claimed_ready(&claimed, more);
        if (more)
                wake_readers(lock, &claimed);
        return true;
}

/* The same, to the first writer. */
static bool pass_to_writer(struct plait_rwlock *lock, struct queues *queues)
{
        struct pl_wait_node *node = pl_sync_claim(&queues->writers);

        if (!node)
                return false;
        node->slot = &passed_on;
        queues->starving &= ~(unsigned)STARVING_WRITERS;
        publish(lock, queues, (uintptr_t)node->wait | WRITER);
        unlock_queues(lock);
        pl_sched_wake_ready(node->wait);
        return true;
}

/* Claim who is next, to be woken to try: after a writer the readers, after readers the first writer. */
static unsigned claim_next(struct queues *queues, bool write, struct pl_sync_claimed *claimed)
{
        unsigned n = write ? claim_readers(&queues->readers, claimed, NULL) : 0;
        struct pl_wait_node *node = n ? NULL : pl_sync_claim(&queues->writers);

        if (node) {
                node->slot = NULL;
                pl_sync_claimed_add(claimed, node);
                n = 1;
        }
        return n ? n : claim_readers(&queues->readers, claimed, NULL);
}

/*
 * Set the lock free, and wake who is next unless somebody is on his way. Called with the queues' lock held. True: it
 * has been released. False: nobody is there, neither in a queue nor on his way.
 */
static bool leave_to_next(struct plait_rwlock *lock, struct queues *queues, bool write)
{
        struct pl_sync_claimed claimed = {0};
        const unsigned n = queues->woken ? 0 : claim_next(queues, write, &claimed);
        const bool more = n == PL_SYNC_BATCH && queues->readers;

        queues->woken += n;
        if (!queues->woken)
                return false;
        set_free(lock, queues, write);
        unlock_queues(lock);
        pl_sync_claimed_ready(&claimed, more);
        if (more)
                wake_readers(lock, &claimed);
        return true;
}

/*
 * There are waiters, or were a moment ago: leave the lock to others. False: they are gone, or others read, too, and the
 * caller still holds it.
 */
static bool leave(struct plait_rwlock *lock, bool write)
{
        bool left;

        lock_queues(lock);
        struct queues queues = unpack(lock);

        if (!write && (load(lock) & HELD) != READER)
                left = false; /* another one reads, who leaves without the queues' lock: see anew who is the last */
        else if (!queues.starving)
                left = leave_to_next(lock, &queues, write);
        else if (write)
                left = pass_to_readers(lock, &queues) || pass_to_writer(lock, &queues);
        else
                left = pass_to_writer(lock, &queues) || pass_to_readers(lock, &queues);
        if (!left) {
                update(lock, &queues);
                unlock_queues(lock);
        }
        return left;
}

void plait_rwlock_unlock_read(struct plait_rwlock *lock)
{
        uint64_t state = load(lock);

        if (PL_UNLIKELY(state & WRITER || !(state & HELD)))
                pl_panic("rwlock %p was unlocked after reading, but nobody holds it for reading: unlock once for each "
                         "successful lock, in the way it was locked",
                         (void *)lock);
        note_left(lock, pl_sched_flow(), false);
        for (;;) {
                state = load(lock);
                if (PL_LIKELY(!(state & WAITERS) || (state & HELD) != READER)) {
                        if (change(lock, state, state - READER, __ATOMIC_ACQ_REL))
                                return;
                } else if (leave(lock, false)) {
                        return;
                }
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
        note_left(lock, writer(lock, "unlocked after writing"), true);
        for (;;) {
                const uint64_t state = load(lock);

                if (PL_LIKELY(!(state & WAITERS))) {
                        if (change(lock, state, state & ~HELD, __ATOMIC_RELEASE))
                                return;
                } else if (leave(lock, true)) {
                        return;
                }
        }
}

void plait_rwlock_downgrade(struct plait_rwlock *lock)
{
        struct pl_wait *flow = writer(lock, "downgraded");
        struct pl_sync_claimed none = {0};
        uint64_t state;

        note_left(lock, flow, true);
        note_taken(lock, flow, false, 0);
        do
                state = load(lock);
        while (!change(lock, state, (state & ~HELD) | READER, __ATOMIC_ACQ_REL));
        if (state & WAITERS)
                wake_readers(lock, &none);
}
