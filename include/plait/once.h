/**
 * @file plait/once.h
 * Do something once: whoever comes first does it, and the others wait until it is done.
 *
 * The function may wait, and it may fail. Then it has not been done: the one who called it gets the error, and the next
 * one, if there is any, tries again. So a deadline or a cancellation that reaches the first does no harm to the others.
 *
 * Asking for what has been done costs as much as reading a variable. All zeroes is something that has not been done;
 * none needs clean-up.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static struct plait_once once;
 * static int configuration, loads;
 *
 * static int load(void *arg)
 * {
 *         (void)arg;
 *         int r = plait_sleep(plait_in_ms(1)); // as if it read a file
 *         if (r < 0)
 *                 return r;
 *         configuration = 42;
 *         loads++;
 *         return 0;
 * }
 *
 * static int user(void *arg)
 * {
 *         (void)arg;
 *         int r = plait_once_do(&once, load, NULL, PLAIT_NEVER);
 *         assert(r < 0 || configuration == 42);
 *         return r;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         for (int i = 0; i < 100; i++)
 *                 plait_scope_go(&scope, user, NULL);
 *         int r = plait_scope_join(&scope);
 *         assert(r < 0 || loads == 1);
 *         return r;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_ONCE_H
#define PLAIT_ONCE_H

#include <stdbool.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** What is done once; two words; not done when zeroed. */
struct plait_once {
        /** @cond private */
        uint32_t pl_state;
        uint32_t pl_lock;
        void *pl_waiters;
        /** @endcond */
};

/* clang-format off */
/** Something that has not been done. */
#define PLAIT_ONCE_INIT {0}
/* clang-format on */

/** @cond private */
PLAIT_API PLAIT_MUST_CHECK int plait_once_undone(struct plait_once *once, int (*fn)(void *arg), void *arg,
                                                 int64_t deadline_ns);
/** @endcond */

/**
 * Whether it has been done. What was written while it was done is then seen.
 * @param once  what
 * @return true, for good; or false, which may have changed when this returns
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API inline bool plait_once_is_done(const struct plait_once *once);

/**
 * Call *fn* if it has not been done yet; if somebody else is at it, wait for him.
 * @param once         what is to be done
 * @param fn           does it: a result of 0 or more is success, a negative one an error, after which it has not been
 *                     done. It must not call this with the same *once*.
 * @param arg          handed to *fn*
 * @param deadline_ns  for waiting, see plait/time.h; *fn* is not told of it
 * @return 0: it has been done. Or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came while somebody else was at it
 *   - -ECANCELED  the scope was cancelled while somebody else was at it
 *   - -EDEADLK    the caller is the one who is at it
 *   - otherwise   what *fn* returned, called by the caller
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; what has been done returns 0 in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK inline int plait_once_do(struct plait_once *once, int (*fn)(void *arg), void *arg,
                                                    int64_t deadline_ns);

/** @cond private */
/* pl_state: 1 is for done; the rest is in src/sync/once.c. */
inline bool plait_once_is_done(const struct plait_once *once)
{
        return __atomic_load_n(&once->pl_state, __ATOMIC_ACQUIRE) == 1;
}

inline int plait_once_do(struct plait_once *once, int (*fn)(void *arg), void *arg, int64_t deadline_ns)
{
        if (__builtin_expect(plait_once_is_done(once), 1))
                return 0;
        return plait_once_undone(once, fn, arg, deadline_ns);
}
/** @endcond */

PLAIT_END_DECLS

#endif
