/**
 * @file plait/mutex.h
 * Mutual exclusion, between tasks and plain threads alike.
 *
 * A task that has to wait for a mutex lets its worker run other tasks; a plain thread sleeps. A mutex may be held
 * across waits, and unlocked in another thread than the one that locked it (a task moves between threads), but by the
 * same task or plain thread. It is not recursive.
 *
 * Who waits is served first come first served, except that a running task may take a mutex that is free while the first
 * in line is still on its way to it. One that has waited for a millisecond and was overtaken again is handed the mutex
 * directly: nobody starves.
 *
 * All zeroes is an unlocked mutex, so a static one needs no initialisation and none needs clean-up. It may be freed as
 * soon as nobody holds it, waits for it or is about to lock it.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <stdlib.h>
 *
 * static struct plait_mutex mutex; // guards stock
 * static int stock = 100;
 *
 * static int buy(void *arg)
 * {
 *         (void)arg;
 *         int r = plait_mutex_lock(&mutex, PLAIT_NEVER);
 *         if (r < 0)
 *                 return r;
 *         if (stock > 0) {
 *                 plait_yield(); // as if something took a while between the check and the act
 *                 stock--;
 *         }
 *         plait_mutex_unlock(&mutex);
 *         return 0;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         for (int i = 0; i < 1000; i++)
 *                 plait_scope_go(&scope, buy, NULL);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL) || stock != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
 * }
 * @endcode
 */
#ifndef PLAIT_MUTEX_H
#define PLAIT_MUTEX_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A mutex; two words; unlocked when zeroed. */
struct plait_mutex {
        /** @cond private */
        uint32_t pl_state;
        uint32_t pl_lock;
        void *pl_waiters;
        /** @endcond */
};

/* clang-format off */
/** An unlocked mutex. */
#define PLAIT_MUTEX_INIT {0}
/* clang-format on */

/** @cond private */
PLAIT_API int plait_mutex_lock_contended(struct plait_mutex *mutex, int64_t deadline_ns);
PLAIT_API int plait_mutex_trylock_contended(struct plait_mutex *mutex);
PLAIT_API void plait_mutex_unlock_contended(struct plait_mutex *mutex);
/** @endcond */

/**
 * Lock a mutex, waiting while somebody else holds it.
 * @param mutex        not held by the caller
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return 0: the caller holds it, even if its scope was cancelled meanwhile. Or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; a mutex that is free is locked in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK inline int plait_mutex_lock(struct plait_mutex *mutex, int64_t deadline_ns);

/**
 * Lock a mutex if that is possible at once.
 * @param mutex  not held by the caller
 * @return 0: the caller holds it. Or
 *   - -EBUSY  somebody else holds it
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK inline int plait_mutex_trylock(struct plait_mutex *mutex);

/**
 * Unlock a mutex.
 * @param mutex  held by the caller. Unlocking one that nobody holds ends the program with a message; unlocking one that
 *               somebody else holds goes unnoticed.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API inline void plait_mutex_unlock(struct plait_mutex *mutex);

/** @cond private */
/* pl_state: 1 is for locked; the meaning of 2, 4 and 8 is in src/sync/mutex.c. A call would cost as much as all this.
 */
inline int plait_mutex_lock(struct plait_mutex *mutex, int64_t deadline_ns)
{
        uint32_t state = __atomic_load_n(&mutex->pl_state, __ATOMIC_RELAXED);

        if (__builtin_expect(!(state & 1) && __atomic_compare_exchange_n(&mutex->pl_state, &state, state | 1, 0,
                                                                         __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
                             1))
                return 0;
        return plait_mutex_lock_contended(mutex, deadline_ns);
}

inline int plait_mutex_trylock(struct plait_mutex *mutex)
{
        uint32_t state = __atomic_load_n(&mutex->pl_state, __ATOMIC_RELAXED);

        if (__builtin_expect(!(state & 1) && __atomic_compare_exchange_n(&mutex->pl_state, &state, state | 1, 0,
                                                                         __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
                             1))
                return 0;
        return plait_mutex_trylock_contended(mutex);
}

inline void plait_mutex_unlock(struct plait_mutex *mutex)
{
        uint32_t state = __atomic_load_n(&mutex->pl_state, __ATOMIC_RELAXED);

        /* Nobody waits, or one has been woken to try and is not starving. */
        if (__builtin_expect((state == 1 || (state & 13) == 5) &&
                                     __atomic_compare_exchange_n(&mutex->pl_state, &state, state & ~(uint32_t)1, 0,
                                                                 __ATOMIC_RELEASE, __ATOMIC_RELAXED),
                             1))
                return;
        plait_mutex_unlock_contended(mutex);
}
/** @endcond */

PLAIT_END_DECLS

#endif
