/*
 * The mutex between processes. Its word of 64 bits names the process that holds it (pl_plat_process_self()), so that a
 * process takes the mutex and says who it is in one step, whenever it is killed; 0 there means that it is free. Between
 * the process's number and its start time there are bits for
 *
 *   WAITERS       somebody may be asleep on the low half. Legal to stand without a sleeper (a needless wake-up),
 * illegal to be missing with one. INCONSISTENT  the holder has it from a dead one. Only while it is held. LOST nobody
 * can have it any more. Only while it is not held.
 *
 * A sleeper that is killed after it has been woken takes the wake-up with it. The others find the mutex free when they
 * look around (PL_POOL_SHARED_LOOK_NS).
 *
 * Within a process, those that find the mutex held queue at a *gate*, a plain plait_mutex, and only who has that waits
 * in the kernel. There are so many gates; who finds all of them used by other mutexes goes without. Gates are this
 * process's own: between processes, nothing is shared but the two words.
 */
#include "plait/shared_mutex.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>

#include "plait/mutex.h"
#include "plat/lock.h"
#include "plat/sys.h"
#include "pool/shared_word.h"
#include "sched/flow.h"
#include "sched/wait.h"

#define WAITERS (UINT64_C(1) << 31)
#define INCONSISTENT (UINT64_C(1) << 30)
#define LOST (UINT64_C(1) << 29)
#define BITS (WAITERS | INCONSISTENT | LOST)

static inline uint64_t load(const struct plait_shared_mutex *mutex)
{
        return __atomic_load_n(&mutex->pl_word, __ATOMIC_RELAXED);
}

static inline bool change(struct plait_shared_mutex *mutex, uint64_t from, uint64_t to)
{
        return __atomic_compare_exchange_n(&mutex->pl_word, &from, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* The calling flow, as no flow of another process is called, though it may have the same address there. */
static uint64_t this_flow(uint64_t self)
{
        return (uintptr_t)pl_sched_flow() ^ (self * UINT64_C(0x9e3779b97f4a7c15));
}

/* Whether the caller holds a mutex with this word. */
static bool is_mine(const struct plait_shared_mutex *mutex, uint64_t word)
{
        const uint64_t self = pl_plat_process_self();

        return (word & ~BITS) == self && __atomic_load_n(&mutex->pl_flow, __ATOMIC_RELAXED) == this_flow(self);
}

/* --- taking it --- */

enum { SPINS = 100 };

/*
 * As plait_shared_mutex_lock(), or -EBUSY: somebody held it with *ret_word*. *others*: WAITERS, if there may be any.
 * *look*: see whether the holder is alive, which takes some system calls.
 */
static int take(struct plait_shared_mutex *mutex, uint64_t others, bool look, uint64_t *ret_word)
{
        const uint64_t self = pl_plat_process_self();

        for (;;) {
                const uint64_t word = load(mutex), holder = word & ~BITS;

                if (word & LOST)
                        return -ENOTRECOVERABLE;
                if (is_mine(mutex, word))
                        return -EDEADLK;
                if (holder && (holder == self || !look || pl_plat_process_is_alive(holder))) {
                        *ret_word = word;
                        return -EBUSY;
                }
                if (!change(mutex, word, self | (word & WAITERS) | others | (holder ? INCONSISTENT : 0)))
                        continue;
                __atomic_store_n(&mutex->pl_flow, this_flow(self), __ATOMIC_RELAXED);
                return holder ? -EOWNERDEAD : 0;
        }
}

/* What is held for a moment only is worth waiting for awake. */
static int take_soon(struct plait_shared_mutex *mutex)
{
        uint64_t word;
        int r = take(mutex, 0, false, &word);

        for (int i = 0; r == -EBUSY && i < SPINS; i++) {
                pl_cpu_relax();
                if (!(load(mutex) & ~BITS))
                        r = take(mutex, 0, false, &word);
        }
        return r;
}

/* Those of this process who get here wait one at a time, if there is a gate. */
static int wait_and_take(struct plait_shared_mutex *mutex, int64_t deadline_ns)
{
        uint64_t word = 0, others = 0;
        int64_t look_ns = 0; /* when to see next whether the holder is alive */
        int waited = 0;

        for (;;) {
                const bool look = waited < 0 || pl_plat_now_ns() >= look_ns;
                int r = take(mutex, others, look, &word);

                if (r != -EBUSY)
                        return r;
                if (look)
                        look_ns = pl_plat_now_ns() + PL_POOL_SHARED_LOOK_NS;
                if (!(word & WAITERS) && !change(mutex, word, word | WAITERS))
                        continue;
                if (waited < 0) /* but not before: there may be others, and the caller was woken in vain */
                        return waited;
                waited = pl_pool_shared_wait(pl_pool_shared_low(&mutex->pl_word), (uint32_t)(word | WAITERS),
                                             deadline_ns);
                others = WAITERS; /* there may be more, and a wake-up is for one */
        }
}

/* --- gates --- */

enum { GATES = 64 };

struct gate {
        const struct plait_shared_mutex *mutex;
        unsigned users; /* 0: it is nobody's */
        struct plait_mutex queue;
};

static struct pl_lock gates_lock; /* guards what they are used for */
static struct gate gates[GATES];

static struct gate *enter_gate(const struct plait_shared_mutex *mutex)
{
        struct gate *found = NULL;

        pl_lock_acquire(&gates_lock);
        for (int i = 0; i < GATES; i++) {
                if (gates[i].users && gates[i].mutex == mutex) {
                        found = &gates[i];
                        break;
                }
                if (!gates[i].users && !found)
                        found = &gates[i];
        }
        if (found) {
                found->mutex = mutex;
                found->users++;
        }
        pl_lock_release(&gates_lock);
        return found;
}

static void leave_gate(struct gate *gate)
{
        pl_lock_acquire(&gates_lock);
        gate->users--;
        pl_lock_release(&gates_lock);
}

static int lock_queued(struct plait_shared_mutex *mutex, int64_t deadline_ns)
{
        struct gate *gate = enter_gate(mutex);
        uint64_t word;

        if (!gate)
                return wait_and_take(mutex, deadline_ns);
        int r = plait_mutex_lock(&gate->queue, deadline_ns);

        if (r == 0) {
                r = wait_and_take(mutex, deadline_ns);
                plait_mutex_unlock(&gate->queue);
        } else {
                int last = take(mutex, WAITERS, true, &word); /* what is free is locked in any case */

                r = last == -EBUSY ? r : last;
        }
        leave_gate(gate);
        return r;
}

int plait_shared_mutex_lock(struct plait_shared_mutex *mutex, int64_t deadline_ns)
{
        if (deadline_ns > 0) {
                int r = take_soon(mutex);

                return r == -EBUSY ? lock_queued(mutex, deadline_ns) : r;
        }
        int r = plait_shared_mutex_trylock(mutex);

        if (r == -EBUSY) {
                r = pl_sched_wait_check();
                r = r < 0 ? r : -ETIMEDOUT;
        }
        return r;
}

int plait_shared_mutex_trylock(struct plait_shared_mutex *mutex)
{
        uint64_t word;

        return take(mutex, 0, true, &word);
}

/* --- leaving it --- */

static PL_COLD PL_NORETURN void not_the_holder(const struct plait_shared_mutex *mutex, uint64_t word)
{
        const unsigned pid = (unsigned)word & 0x3fffff;

        if (!pid)
                pl_panic("shared mutex %p was unlocked, but nobody holds it: unlock once for each successful lock",
                         (const void *)mutex);
        pl_panic("shared mutex %p was unlocked by another than its holder, %s process %u: the task or thread that "
                 "locks a "
                 "mutex is to unlock it",
                 (const void *)mutex,
                 (word & ~BITS) == pl_plat_process_self() ? "another task or thread of this" : "in", pid);
}

int plait_shared_mutex_consistent(struct plait_shared_mutex *mutex)
{
        const uint64_t word = load(mutex);

        if (PL_UNLIKELY(!is_mine(mutex, word)))
                not_the_holder(mutex, word);
        if (!(word & INCONSISTENT))
                return -EINVAL;
        __atomic_fetch_and(&mutex->pl_word, ~INCONSISTENT, __ATOMIC_RELAXED);
        return 0;
}

void plait_shared_mutex_unlock(struct plait_shared_mutex *mutex)
{
        uint64_t word = load(mutex);
        const uint64_t after = word & INCONSISTENT ? LOST : 0;

        if (PL_UNLIKELY(!is_mine(mutex, word)))
                not_the_holder(mutex, word);
        __atomic_store_n(&mutex->pl_flow, 0, __ATOMIC_RELAXED);
        word = __atomic_exchange_n(&mutex->pl_word, after, __ATOMIC_RELEASE);
        if (word & WAITERS)
                pl_plat_shared_wake(pl_pool_shared_low(&mutex->pl_word), after ? INT_MAX : 1);
}
