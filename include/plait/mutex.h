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
        uintptr_t pl_holder;
        uintptr_t pl_waiters;
        /** @endcond */
};

/* clang-format off */
/** An unlocked mutex. */
#define PLAIT_MUTEX_INIT {0}
/* clang-format on */

/** The highest level of plait_mutex_lock_nested(). */
#define PLAIT_MUTEX_LEVEL_MAX 7U

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
 * Make a mutex one of a class: a kind of object whose locks are taken by the same rules. The detector of lock orders
 * then speaks of the class, and learns from one object what holds for all. Two mutexes of one class, at the same level,
 * are told apart as if they had none. A mutex need not have a class.
 * @param mutex       held by nobody; unlocked afterwards
 * @param class_name  the class, the same wherever the same name is given; not copied. NULL: the class is the line
 *                    of the program that calls this.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
#define plait_mutex_init(mutex, class_name) \
        plait_mutex_init_at((mutex), plait_mutex_class((class_name), PLAIT_MUTEX_LINE(__FILE__, __LINE__)))
/** @cond private */
#define PLAIT_MUTEX_LINE(file, line) PLAIT_MUTEX_LINE_TEXT(file, line)
#define PLAIT_MUTEX_LINE_TEXT(file, line) file ":" #line
static inline const char *plait_mutex_class(const char *name, const char *line)
{
        return name ? name : line;
}
PLAIT_API void plait_mutex_init_at(struct plait_mutex *mutex, const char *class_name);
/** @endcond */

/**
 * plait_mutex_lock() inside another mutex of the same class, or of none, on purpose: of a parent and then its child, of
 * one row and then the next. The detector of lock orders checks the order of the levels instead of that of the mutexes.
 * @param mutex        not held by the caller
 * @param deadline_ns  see plait/time.h
 * @param level        0 (as plait_mutex_lock()) to #PLAIT_MUTEX_LEVEL_MAX; higher than that of what is held already
 * @return as plait_mutex_lock(), or
 *   - -EINVAL  *level* is out of range
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; a mutex that is free is locked in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_mutex_lock_nested(struct plait_mutex *mutex, int64_t deadline_ns, unsigned level);

/**
 * Unlock a mutex.
 * @param mutex  held by the caller. Unlocking one that nobody holds, or somebody else, ends the program with a message.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API inline void plait_mutex_unlock(struct plait_mutex *mutex);

/** @cond private */
/*
 * pl_holder has the address of the flow that holds the mutex in the bits of PLAIT_MUTEX_HOLDER; the other bits are told
 * of in src/sync/mutex.c. The first word at that address says what the flow holds: nothing, or this mutex alone, or
 * something that makes it take the long way. A call would cost as much as all this. (Locking is a release, too: of who
 * holds it, to those who look at him.)
 */
#define PLAIT_MUTEX_HOLDER ((uintptr_t)0x0000fffffffffff8)

/* The calling flow. */
inline uintptr_t *plait_mutex_flow(void)
{
        uintptr_t *flow;

        PLAIT_TLS_LOAD(flow, "plait_flow_tls");
        return flow;
}

inline int plait_mutex_lock(struct plait_mutex *mutex, int64_t deadline_ns)
{
        uintptr_t *flow = plait_mutex_flow();
        uintptr_t word = __atomic_load_n(&mutex->pl_holder, __ATOMIC_RELAXED);

        if (__builtin_expect(!(word & PLAIT_MUTEX_HOLDER) && !__atomic_load_n(flow, __ATOMIC_RELAXED) &&
                                     __atomic_compare_exchange_n(&mutex->pl_holder, &word, word | (uintptr_t)flow, 0,
                                                                 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED),
                             1)) {
                __atomic_store_n(flow, (uintptr_t)mutex, __ATOMIC_RELAXED);
                return 0;
        }
        return plait_mutex_lock_contended(mutex, deadline_ns);
}

inline int plait_mutex_trylock(struct plait_mutex *mutex)
{
        uintptr_t *flow = plait_mutex_flow();
        uintptr_t word = __atomic_load_n(&mutex->pl_holder, __ATOMIC_RELAXED);

        if (__builtin_expect(!(word & PLAIT_MUTEX_HOLDER) && !__atomic_load_n(flow, __ATOMIC_RELAXED) &&
                                     __atomic_compare_exchange_n(&mutex->pl_holder, &word, word | (uintptr_t)flow, 0,
                                                                 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED),
                             1)) {
                __atomic_store_n(flow, (uintptr_t)mutex, __ATOMIC_RELAXED);
                return 0;
        }
        return plait_mutex_trylock_contended(mutex);
}

inline void plait_mutex_unlock(struct plait_mutex *mutex)
{
        uintptr_t *flow = plait_mutex_flow();
        uintptr_t word = __atomic_load_n(&mutex->pl_holder, __ATOMIC_RELAXED);
        uintptr_t rest = (word ^ (uintptr_t)flow) << 16;

        /* It is the caller's; nobody waits, or one has been woken to try and is not starving. */
        if (__builtin_expect((rest == 0 || (rest | 1 << 16) == 3 << 16) &&
                                     __atomic_load_n(flow, __ATOMIC_RELAXED) == (uintptr_t)mutex,
                             1)) {
                __atomic_store_n(flow, 0, __ATOMIC_RELAXED);
                if (__builtin_expect(__atomic_compare_exchange_n(&mutex->pl_holder, &word, word & ~PLAIT_MUTEX_HOLDER,
                                                                 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED),
                                     1))
                        return;
        }
        plait_mutex_unlock_contended(mutex);
}
/** @endcond */

PLAIT_END_DECLS

#endif
