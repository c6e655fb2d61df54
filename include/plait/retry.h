/**
 * @file plait/retry.h
 * Try again what failed for a reason that passes.
 *
 * plait_retry() makes a call until it succeeds, with a pause before each further attempt that grows exponentially and
 * is chosen at random, so that many clients of a server that was down for a moment do not all come back at the same
 * time.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int answers_the_third_time(void *arg)
 * {
 *         int *attempts = arg;
 *
 *         return ++*attempts < 3 ? -ECONNREFUSED : 200;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_retry_opts opts = {.size = sizeof opts, .attempts = 5, .first_ns = 1000000};
 *         int attempts = 0;
 *
 *         (void)arg;
 *         opts.attempt_ns = 2000000000;        // each may take 2 s
 *         opts.deadline_ns = plait_in_s(30);   // all together 30 s
 *         int r = plait_retry(answers_the_third_time, &attempts, &opts);
 *         assert(r == 200 && attempts == 3);
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_RETRY_H
#define PLAIT_RETRY_H

#include <stdbool.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** How to try again. Zero means the default in every member but *size*. */
struct plait_retry_opts {
        size_t size;         /**< sizeof(struct plait_retry_opts) */
        unsigned attempts;   /**< in all, the first included; default 5 */
        int64_t first_ns;    /**< longest pause before the second attempt; default 100 ms. It doubles each time, */
        int64_t most_ns;     /**< up to this; default 10 s */
        int64_t attempt_ns;  /**< an attempt's waits end with -ETIMEDOUT after so long; 0: no limit */
        int64_t deadline_ns; /**< the same for all together; 0: none but those of the caller's scopes */
        /** Whether to try again after the *attempt*-th (from 1 on) returned *error*; default: plait_is_transient(). */
        bool (*retryable)(int error, unsigned attempt, void *arg);
};

/**
 * Whether an error is of the kind that may be gone a moment later: -EAGAIN, -EBUSY, -EINTR, -ETIMEDOUT, a connection
 * that was refused, reset, aborted or broken (-ECONNREFUSED, -ECONNRESET, -ECONNABORTED, -EPIPE), a host or network
 * that is down or unreachable (-EHOSTDOWN, -EHOSTUNREACH, -ENETDOWN, -ENETRESET, -ENETUNREACH), or a lack of buffers
 * (-ENOBUFS).
 * @param error  a result
 * @return true or false; false for 0 and more
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API bool plait_is_transient(int error);

/**
 * Call *fn* until it returns 0 or more, or trying again has no use. The pause before the n-th further attempt is chosen
 * at random between 0 and *first_ns* times 2^(n-1).
 *
 * @param fn    not NULL; called by the caller's own task
 * @param arg   handed to *fn* and to the predicate
 * @param opts  NULL for the defaults
 * @return what the successful attempt returned, else
 *   - the last attempt's error: when it was not retryable, when there were enough attempts, or when the deadline, or
 *     that of a scope, comes before the pause would be over
 *   - -ECANCELED  the caller's scope was cancelled
 *   - -EINVAL     *fn* is NULL, an option is out of its range, or *attempt_ns* or *deadline_ns* are set and no task
 * that can open scopes calls
 *
 * Threads: any; where scopes cannot be opened, without *attempt_ns* and *deadline_ns*. Suspends: may. Cancellation:
 * ends a pause, and there is no further attempt; an attempt that succeeds counts all the same. Source: full jitter,
 * Brooker, Exponential Backoff and Jitter, 2015. Since: 0.1.
 */
PLAIT_API int plait_retry(int (*fn)(void *arg), void *arg, const struct plait_retry_opts *opts);

PLAIT_END_DECLS

#endif
