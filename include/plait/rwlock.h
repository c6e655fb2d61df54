/**
 * @file plait/rwlock.h
 * Reader-writer locks: any number may read at the same time, or one may write.
 *
 * Use one where reading is frequent and takes a while; for a few instructions a mutex (plait/mutex.h) is as good. A
 * task that has to wait lets its worker run other tasks; a plain thread sleeps. A lock may be held across waits.
 *
 * Writers are preferred: while others read and a writer waits, readers who come later wait behind him. And the lock
 * goes by turns: when a writer unlocks, all readers who wait by then are woken together, and after them the writer who
 * has waited longest. So a stream of readers cannot keep a writer out, nor writers a reader. As with a mutex, a running
 * flow may take a lock that is free while those who are next are still on their way to it; as soon as one has waited
 * for a millisecond and was overtaken again, the lock is passed on directly, by turns, until he has had it: nobody
 * starves.
 *
 * Neither kind of lock is recursive: who holds one and locks the same lock again can wait for ever, also for reading,
 * when a writer has come in between.
 *
 * All zeroes is an unlocked lock, and none needs clean-up. It may be freed as soon as nobody holds it, waits for it or
 * is about to lock it.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static struct plait_rwlock lock; // guards both
 * static int euros = 100, cents = 10000;
 *
 * static int reader(void *arg)
 * {
 *         (void)arg;
 *         int r = plait_rwlock_lock_read(&lock, PLAIT_NEVER);
 *         if (r < 0)
 *                 return r;
 *         assert(euros * 100 == cents);
 *         plait_rwlock_unlock_read(&lock);
 *         return 0;
 * }
 *
 * static int writer(void *arg)
 * {
 *         (void)arg;
 *         int r = plait_rwlock_lock_write(&lock, PLAIT_NEVER);
 *         if (r < 0)
 *                 return r;
 *         euros++;
 *         plait_yield(); // nobody sees one without the other
 *         cents += 100;
 *         plait_rwlock_unlock_write(&lock);
 *         return 0;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         for (int i = 0; i < 1000; i++)
 *                 plait_scope_go(&scope, i % 10 == 0 ? writer : reader, NULL);
 *         int r = plait_scope_join(&scope);
 *         assert(r < 0 || euros == 200);
 *         return r;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_RWLOCK_H
#define PLAIT_RWLOCK_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** How many can read at the same time. One more ends the program with a message. */
#define PLAIT_RWLOCK_READERS_MAX 0x1fffffffU

/** A reader-writer lock; two words; unlocked when zeroed. */
struct plait_rwlock {
        /** @cond private */
        uint64_t pl_state;
        uintptr_t pl_waiters;
        /** @endcond */
};

/* clang-format off */
/** An unlocked lock. */
#define PLAIT_RWLOCK_INIT {0}
/* clang-format on */

/**
 * Lock for reading, waiting while somebody writes, or while others read and somebody waits to write.
 * @param lock         not held by the caller
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return 0: the caller may read, even if its scope was cancelled meanwhile. Or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; a lock that can be had is taken in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_rwlock_lock_read(struct plait_rwlock *lock, int64_t deadline_ns);

/**
 * Lock for writing, waiting while anybody else reads or writes.
 * @param lock         not held by the caller
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return 0: the caller may read and write, even if its scope was cancelled meanwhile. Or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait, and lets in the readers who waited only because of it; a
 * lock that can be had is taken in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_rwlock_lock_write(struct plait_rwlock *lock, int64_t deadline_ns);

/**
 * Lock for reading if that is possible at once.
 * @param lock  not held by the caller
 * @return 0: the caller may read. Or
 *   - -EBUSY  somebody writes, or others read and somebody waits to write
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_rwlock_trylock_read(struct plait_rwlock *lock);

/**
 * Lock for writing if that is possible at once.
 * @param lock  not held by the caller
 * @return 0: the caller may read and write. Or
 *   - -EBUSY  somebody reads or writes
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_rwlock_trylock_write(struct plait_rwlock *lock);

/**
 * Unlock after reading.
 * @param lock  held by the caller for reading. When nobody holds it for reading, the program ends with a message; that
 *              somebody else does goes unnoticed.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_rwlock_unlock_read(struct plait_rwlock *lock);

/**
 * Unlock after writing.
 * @param lock  held by the caller for writing: the task or thread that locked it. Otherwise the program ends with a
 *              message.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_rwlock_unlock_write(struct plait_rwlock *lock);

/**
 * Turn the caller's lock for writing into one for reading, without a moment in which another could write. Readers who
 * wait are let in, too.
 * @param lock  held by the caller for writing, afterwards for reading. Otherwise the program ends with a message.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_rwlock_downgrade(struct plait_rwlock *lock);

PLAIT_END_DECLS

#endif
