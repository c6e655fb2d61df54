/*
 * The mutex. Two words: the holder, and the queue of waiters.
 *
 * The holder's word: the address of the flow that holds the mutex (0: nobody), what the lock-order detector calls it in
 * the 16 bits above, and below three bits:
 * WAITERS  the queue is not empty. Illegal to clear while it has somebody; legal to fail to clear for a moment when
 *          the last one has left.
 * WOKEN    a waiter was woken to try for himself and has not got there yet, so an unlock need not wake another. Set by
 *          an unlock, cleared by the woken one when he takes the mutex or queues again. Illegal to lose: he cannot
 *          leave in another way, because wait_finish() told him 0.
 * STARVED  the first in the queue has been overtaken for too long: the next unlock hands the mutex to him. Legal to
 *          fail to set, legal to stand though he has given up (the next one profits).
 *
 * The queue's word: the first waiter's link, and below it QUEUE_LOCKED, the queue's lock. NEW says that nobody has ever
 * waited since plait_mutex_init(); then the flow that called that stands in place of a waiter.
 *
 * Who may change what: the holder is set by a CAS at any time while there is none. WAITERS, STARVED and the queue
 * change under the queue's lock only; WOKEN is cleared under it or in the CAS that takes the mutex. The detector's bits
 * are written once by CAS.
 *
 * No wake-up is lost: WAITERS is set by a CAS that sees a holder, so the holder's own CAS fails after it and he looks
 * into the queue, with the lock that is held until the waiter is in there.
 *
 * Ordering: taking is an acquire, leaving a release; a hand-over is ordered by the claim (acq_rel) of the waiter.
 * Taking is a release as well: who follows the holder's address is to see what stands there.
 *
 * What the flow holds (sched/held.h) is written after it took the mutex and before it leaves it. The wait-for graph
 * (deadlock.h) goes by the holder's word; the lock-order detector by what the flow holds.
 */
#include "sync/mutex.h"

#include <errno.h>
#include <sched.h>

#include "plait/run.h"
#include "plait/task.h"
#include "plat/panic.h"
#include "plat/sys.h"
#include "sched/flow.h"
#include "sched/held.h"
#include "sync/lock_order.h"
#include "sync/waiters.h"
#include "trace/trace.h"

enum { WAITERS = 1, WOKEN = 2, STARVED = 4 };
enum { QUEUE_LOCKED = 1, NEW = 2, QUEUE_BITS = 7 };

#define HOLDER PLAIT_MUTEX_HOLDER

/* NOLINTNEXTLINE(misc-redundant-expression): that they are is what it says */
_Static_assert(HOLDER == PL_SCHED_FLOW_BITS, "a holder is a flow");
_Static_assert((WAITERS | WOKEN) == 3 && WOKEN == 2, "mutex.h has these as numbers");

enum {
        SPINS = 20,           /* about a microsecond: what a short critical section takes */
        PATIENCE_NS = 1000000 /* how long a waiter lets others overtake him */
};

/* What an unlock leaves in the slot of who now holds the mutex. */
static char handed_over;

extern uintptr_t *plait_mutex_flow(void);
extern int plait_mutex_lock(struct plait_mutex *mutex, int64_t deadline_ns);
extern int plait_mutex_trylock(struct plait_mutex *mutex);
extern void plait_mutex_unlock(struct plait_mutex *mutex);

static inline uintptr_t load(const struct plait_mutex *mutex)
{
        return __atomic_load_n(&mutex->pl_holder, __ATOMIC_RELAXED);
}

static inline bool change(struct plait_mutex *mutex, uintptr_t from, uintptr_t to, int order)
{
        return __atomic_compare_exchange_n(&mutex->pl_holder, &from, to, 0, order, __ATOMIC_RELAXED);
}

/* --- the queue --- */

static inline bool try_lock_queue(struct plait_mutex *mutex)
{
        return !(__atomic_fetch_or(&mutex->pl_waiters, (uintptr_t)QUEUE_LOCKED, __ATOMIC_ACQUIRE) & QUEUE_LOCKED);
}

/* As pl_spin_wait(): who holds it has lost its processor. */
static PL_NOINLINE void wait_for_queue(struct plait_mutex *mutex)
{
        enum { PAUSES = 500, YIELDS = 8, NAP_US = 50 };

        for (int i = 0;; i++) {
                if (!(__atomic_load_n(&mutex->pl_waiters, __ATOMIC_RELAXED) & QUEUE_LOCKED) && try_lock_queue(mutex))
                        return;
                if (i < PAUSES)
                        pl_cpu_relax();
                else if (i < PAUSES + YIELDS)
                        sched_yield();
                else
                        pl_plat_nap_us(NAP_US);
        }
}

/* Returns the first waiter, as the functions of waiters.h want it. */
static inline void *lock_queue(struct plait_mutex *mutex)
{
        if (PL_UNLIKELY(!try_lock_queue(mutex)))
                wait_for_queue(mutex);
        uintptr_t word = __atomic_load_n(&mutex->pl_waiters, __ATOMIC_RELAXED);

        return PL_UNLIKELY(word & NEW) ? NULL : (void *)(word & ~(uintptr_t)QUEUE_BITS);
}

static inline void unlock_queue(struct plait_mutex *mutex, void *head)
{
        __atomic_store_n(&mutex->pl_waiters, (uintptr_t)head, __ATOMIC_RELEASE);
}

/* --- taking --- */

/* Take it for *flow* if it is free, clearing the bits in *clear*. */
static bool take(struct plait_mutex *mutex, const struct pl_wait *flow, uintptr_t clear)
{
        uintptr_t word;

        while (!((word = load(mutex)) & HOLDER)) {
                if (change(mutex, word, (word & ~clear) | (uintptr_t)flow, __ATOMIC_ACQ_REL))
                        return true;
        }
        return false;
}

/* The same under the queue's lock; when it fails, the holder knows that there are waiters. */
static bool take_or_announce(struct plait_mutex *mutex, const struct pl_wait *flow, uintptr_t clear)
{
        for (;;) {
                if (take(mutex, flow, clear))
                        return true;

                uintptr_t word = load(mutex);

                if (word & HOLDER && change(mutex, word, (word | WAITERS) & ~clear, __ATOMIC_RELAXED))
                        return false;
        }
}

/* The holder may be running on another processor and soon be done. */
static bool spin(struct plait_mutex *mutex, const struct pl_wait *flow)
{
        if (plait_workers() == 1 || load(mutex) & WAITERS)
                return false;
        for (int i = 0; i < SPINS; i++) {
                pl_cpu_relax();
                if (take(mutex, flow, 0))
                        return true;
        }
        return false;
}

/* After a wait that nobody ended by waking: leave the queue. */
static void give_up(struct plait_mutex *mutex, struct pl_wait *wait)
{
        void *head = lock_queue(mutex);

        pl_sync_remove(&head, &wait->node);
        if (!head)
                __atomic_fetch_and(&mutex->pl_holder, ~(uintptr_t)(WAITERS | STARVED), __ATOMIC_RELAXED);
        unlock_queue(mutex, head);
}

static PL_NOINLINE void tell_class(const struct plait_mutex *mutex)
{
        const char *name = pl_order_class_name((uint16_t)(load(mutex) >> 48));

        if (name)
                pl_trace_record_text(PLAIT_RECORDING_OBJECT, (uint64_t)(uintptr_t)mutex, 0, name);
}

static int lock_queued(struct plait_mutex *mutex, const struct pl_wait *flow, int64_t deadline_ns, unsigned flags)
{
        if (pl_trace_is_on())
                tell_class(mutex);
        const int64_t since_ns = pl_plat_now_ns();
        uintptr_t woken = 0; /* WOKEN: the bit is mine to clear */

        for (;;) {
                void *head = lock_queue(mutex);

                if (take_or_announce(mutex, flow, woken)) {
                        unlock_queue(mutex, head);
                        return 0;
                }
                struct pl_wait *wait = pl_sync_enqueue(&head, PL_WAIT_MUTEX, mutex, NULL);

                if (woken) { /* overtaken: he was the first */
                        head = &wait->node.link;
                        if (pl_plat_now_ns() - since_ns > PATIENCE_NS)
                                __atomic_fetch_or(&mutex->pl_holder, (uintptr_t)STARVED, __ATOMIC_RELAXED);
                }
                unlock_queue(mutex, head);

                int r = pl_sched_wait_finish(wait, deadline_ns, flags);

                if (r < 0) {
                        give_up(mutex, wait);
                        return r;
                }
                if (wait->node.slot == &handed_over)
                        return 0;
                woken = WOKEN;
                if (take(mutex, flow, woken))
                        return 0;
        }
}

void plait_mutex_init_at(struct plait_mutex *mutex, const char *class_name)
{
        uint16_t class = pl_order_class(class_name);

        pl_order_forget(mutex);
        mutex->pl_holder = (uintptr_t) class << 48;
        mutex->pl_waiters = (uintptr_t)pl_sched_flow() | NEW;
}

/* An order in which *flow* takes locks: nothing while it holds none. */
static inline uint32_t check_order(struct plait_mutex *mutex, struct pl_wait *flow, unsigned level, unsigned n_before)
{
        if (PL_LIKELY(!atomic_load_explicit(&flow->held, memory_order_relaxed)))
                return 0;
        return pl_order_acquire_of_set(flow, (uintptr_t)mutex, level, n_before);
}

static int lock_at(struct plait_mutex *mutex, int64_t deadline_ns, unsigned level, unsigned n_before)
{
        struct pl_wait *flow = pl_sched_flow();
        uint32_t node = check_order(mutex, flow, level, n_before);

        if (!take(mutex, flow, 0) && !spin(mutex, flow)) {
                int r = deadline_ns <= 0 ? pl_sync_refuse() : lock_queued(mutex, flow, deadline_ns, 0);

                if (r < 0)
                        return r;
        }
        pl_sched_held_add(flow, (uintptr_t)mutex, node);
        return 0;
}

int plait_mutex_lock_contended(struct plait_mutex *mutex, int64_t deadline_ns)
{
        return lock_at(mutex, deadline_ns, 0, PL_ORDER_NO_SET);
}

int pl_sync_mutex_lock_of_set(struct plait_mutex *mutex, int64_t deadline_ns, unsigned n_before)
{
        return lock_at(mutex, deadline_ns, 0, n_before);
}

int plait_mutex_lock_nested(struct plait_mutex *mutex, int64_t deadline_ns, unsigned level)
{
        return level > PLAIT_MUTEX_LEVEL_MAX ? -EINVAL : lock_at(mutex, deadline_ns, level, PL_ORDER_NO_SET);
}

int plait_mutex_trylock_contended(struct plait_mutex *mutex)
{
        struct pl_wait *flow = pl_sched_flow();

        if (!take(mutex, flow, 0))
                return -EBUSY;
        pl_sched_held_add(flow, (uintptr_t)mutex, 0);
        return 0;
}

void pl_sync_mutex_relock(struct plait_mutex *mutex)
{
        struct pl_wait *flow = pl_sched_flow();
        uint32_t node = check_order(mutex, flow, 0, PL_ORDER_NO_SET);

        /* Without a deadline and uninterruptible, it has no way to fail. */
        if (!take(mutex, flow, 0) && lock_queued(mutex, flow, PLAIT_NEVER, PL_WAIT_UNINTERRUPTIBLE) < 0)
                pl_panic("a wait without an end has ended: this is a bug in plait, please report it");
        pl_sched_held_add(flow, (uintptr_t)mutex, node);
}

/* --- leaving --- */

/* Let the first in the queue try, or hand the mutex to him. False: there is nobody, and the mutex is still held. */
static bool wake_first(struct plait_mutex *mutex)
{
        void *head = lock_queue(mutex);
        struct pl_wait_node *node = pl_sync_claim(&head);
        const uintptr_t before = load(mutex);
        const bool hand_over = node && before & STARVED;
        uintptr_t word = before;

        if (!head)
                word &= ~(uintptr_t)WAITERS;
        if (hand_over || !head)
                word &= ~(uintptr_t)STARVED;
        if (node) {
                node->slot = hand_over ? &handed_over : NULL;
                word &= ~HOLDER;
                word |= hand_over ? (uintptr_t)node->wait : WOKEN;
        }
        /* Only these bits: the detector may be writing its own. */
        __atomic_fetch_xor(&mutex->pl_holder, before ^ word, __ATOMIC_RELEASE);
        unlock_queue(mutex, head);
        if (node)
                pl_sched_wake_ready(node->wait);
        return node;
}

static PL_COLD PL_NORETURN void not_the_holder(const struct plait_mutex *mutex, uintptr_t holder)
{
        char name[PL_FLOW_NAME_BYTES];

        if (!holder)
                pl_panic("mutex %p was unlocked, but nobody holds it: unlock once for each successful lock",
                         (const void *)mutex);
        pl_sched_flow_name((struct pl_wait *)holder, name, sizeof name);
        pl_panic("mutex %p was unlocked by another than its holder, %s: the task or thread that locks a mutex is to "
                 "unlock it; use a semaphore to pass a permit on",
                 (const void *)mutex, name);
}

void plait_mutex_unlock_contended(struct plait_mutex *mutex)
{
        struct pl_wait *flow = pl_sched_flow();
        uintptr_t word = load(mutex);

        if (PL_UNLIKELY((word & HOLDER) != (uintptr_t)flow))
                not_the_holder(mutex, word & HOLDER);
        pl_sched_held_remove(flow, mutex);
        for (;;) {
                word = load(mutex);
                if (!(word & WAITERS) || (word & (WOKEN | STARVED)) == WOKEN) {
                        if (change(mutex, word, word & ~HOLDER, __ATOMIC_RELEASE))
                                return;
                } else if (wake_first(mutex)) {
                        return;
                }
        }
}
