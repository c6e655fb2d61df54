/**
 * @file plait/lock_all.h
 * Several locks at once, all or none, in an order that cannot deadlock.
 *
 * Who needs two locks at the same time has to take them in the same order as everybody else. Where no order suggests
 * itself, as between two accounts that money goes from and to, plait_lock_all() finds one: that of the locks'
 * addresses. It takes any set of mutexes and reader-writer locks; callers with overlapping sets, in whatever order they
 * name them, wait for each other and never in a circle.
 *
 * That holds among calls of plait_lock_all(). Who holds other locks meanwhile, or takes the same locks one by one, has
 * to keep an order as ever, and the detector of lock orders looks at it.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <stdlib.h>
 *
 * struct account {
 *         struct plait_mutex mutex; // guards balance
 *         long balance;
 * };
 *
 * static struct account accounts[2] = {{.balance = 1000}, {.balance = 1000}};
 *
 * static int transfer(struct account *from, struct account *to)
 * {
 *         struct plait_lock both[] = {PLAIT_LOCK_MUTEX(&from->mutex), PLAIT_LOCK_MUTEX(&to->mutex)};
 *         int r = plait_lock_all(2, both, PLAIT_NEVER);
 *
 *         if (r < 0)
 *                 return r;
 *         from->balance--;
 *         to->balance++;
 *         plait_unlock_all(2, both);
 *         return 0;
 * }
 *
 * static int there(void *arg)
 * {
 *         (void)arg;
 *         return transfer(&accounts[0], &accounts[1]);
 * }
 *
 * static int back(void *arg)
 * {
 *         (void)arg;
 *         return transfer(&accounts[1], &accounts[0]);
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         for (int i = 0; i < 1000; i++)
 *                 plait_scope_go(&scope, i % 2 ? there : back, NULL);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         int r = plait_run(app, NULL, NULL);
 *
 *         return r < 0 || accounts[0].balance != 1000 ? EXIT_FAILURE : EXIT_SUCCESS;
 * }
 * @endcode
 */
#ifndef PLAIT_LOCK_ALL_H
#define PLAIT_LOCK_ALL_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/mutex.h>
#include <plait/rwlock.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** One lock of a set, and how it is to be taken: exactly one member is not NULL. */
struct plait_lock {
        struct plait_mutex *mutex;  /**< a mutex */
        struct plait_rwlock *read;  /**< for reading */
        struct plait_rwlock *write; /**< for writing */
};

/* clang-format off */
/** A mutex of a set. */
#define PLAIT_LOCK_MUTEX(mutex_) {.mutex = (mutex_)}
/** A reader-writer lock of a set, for reading. */
#define PLAIT_LOCK_READ(lock_) {.read = (lock_)}
/** A reader-writer lock of a set, for writing. */
#define PLAIT_LOCK_WRITE(lock_) {.write = (lock_)}
/* clang-format on */

/**
 * Lock all of a set, waiting as long as it takes, or none.
 * @param n            how many; 0 does nothing
 * @param locks        in any order; none held by the caller. They are put into the order in which they are locked, so
 *                     the array is written to; it is the caller's again afterwards.
 * @param deadline_ns  see plait/time.h; with one that has passed it tries each once
 * @return 0: the caller holds all of them, even if its scope was cancelled meanwhile. Or, and none is locked,
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *   - -EINVAL     a lock is in the set twice, or an entry has no lock, or more than one
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; locks that are free are taken in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_lock_all(size_t n, struct plait_lock *locks, int64_t deadline_ns);

/**
 * Unlock all of a set.
 * @param n      how many
 * @param locks  each held by the caller in the way that its entry says; in any order. Anything else ends the program
 *               with a message, as it does for each kind of lock.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_unlock_all(size_t n, const struct plait_lock *locks);

PLAIT_END_DECLS

#endif
