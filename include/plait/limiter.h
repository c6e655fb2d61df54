/**
 * @file plait/limiter.h
 * A rate limiter: so many per second, with room for a burst.
 *
 * A token bucket. It holds up to *burst* tokens and gains *per_second*; what is to be limited takes a token first, and
 * waits when there is none. Waiters are served first come, first served, one that wants many tokens included: nobody
 * overtakes it. Works between tasks and plain threads.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static struct plait_limiter limiter;
 *
 * static int request(void *arg)
 * {
 *         (void)arg;
 *         return plait_limiter_acquire(&limiter, 1, PLAIT_NEVER);
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         int64_t start_ns = plait_now_ns();
 *         int r = plait_limiter_init(&limiter, 1000, 10); // 1000 per second, 10 at once
 *
 *         (void)arg;
 *         for (int i = 0; i < 30; i++)
 *                 plait_scope_go(&scope, request, NULL);
 *         int joined = plait_scope_join(&scope);
 *         assert(plait_now_ns() - start_ns >= 20 * 1000000);
 *         return r ? r : joined;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_LIMITER_H
#define PLAIT_LIMITER_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A rate limiter, in its user's storage. plait_limiter_init() fills it in; it holds nothing that needs to be freed. */
struct plait_limiter {
        /** @cond private */
        int64_t pl_interval_ns;
        int64_t pl_empty_ns;
        unsigned pl_burst;
        unsigned pl_lock;
        unsigned pl_served;
        void *pl_waiters;
        /** @endcond */
};

/**
 * Make a limiter with a full bucket.
 * @param limiter     filled in
 * @param per_second  tokens that it gains, 1e-6 to 1e6; rounded to whole nanoseconds per token
 * @param burst       tokens that it holds at most, 1 or more
 * @return 0, or
 *   - -EINVAL  *per_second* or *burst* are out of range
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_limiter_init(struct plait_limiter *limiter, double per_second, unsigned burst);

/**
 * Take tokens, waiting until they are there and everybody who came before has been served.
 * @param limiter      initialised
 * @param tokens       how many; 0 returns at once
 * @param deadline_ns  see plait/time.h; with one that has passed it takes what can be had at once
 * @return 0, or
 *   - -ETIMEDOUT  the deadline, or that of a scope, came first; no token was taken
 *   - -ECANCELED  the scope was cancelled first; no token was taken
 *   - -EINVAL     *tokens* are more than the bucket holds
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; those behind move up. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_limiter_acquire(struct plait_limiter *limiter, unsigned tokens,
                                                     int64_t deadline_ns);

/**
 * Take tokens if they can be had at once.
 * @param limiter  initialised
 * @param tokens   how many
 * @return 0, or
 *   - -EAGAIN  there are not enough, or somebody waits
 *   - -EINVAL  *tokens* are more than the bucket holds
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_limiter_try_acquire(struct plait_limiter *limiter, unsigned tokens);

PLAIT_END_DECLS

#endif
