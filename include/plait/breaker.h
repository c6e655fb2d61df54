/**
 * @file plait/breaker.h
 * A circuit breaker: stop asking whoever does not answer, and see now and then whether it does again.
 *
 * When a service is down, each call to it takes its whole time-out. A breaker lets calls through while they succeed
 * (closed). After some failures in a row it opens: calls fail at once, without being made. When it has been open for a
 * while, one call is let through (half open): if that succeeds the breaker closes, else it stays open for as long
 * again. Each call is made under a time-out of the breaker's own.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static struct plait_breaker breaker = PLAIT_BREAKER_INIT(2, 5000000, 60000000000); // 2 failures, 5 ms, 1 min
 *
 * static int never_answers(void *arg)
 * {
 *         (void)arg;
 *         return plait_sleep(PLAIT_NEVER);
 * }
 *
 * static int app(void *arg)
 * {
 *         (void)arg;
 *         assert(plait_breaker_call(&breaker, never_answers, NULL) == -ETIMEDOUT); // after 5 ms
 *         assert(plait_breaker_call(&breaker, never_answers, NULL) == -ETIMEDOUT);
 *         assert(plait_breaker_call(&breaker, never_answers, NULL) == -EAGAIN); // at once
 *         assert(plait_breaker_is_open(&breaker));
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_BREAKER_H
#define PLAIT_BREAKER_H

#include <stdbool.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A breaker, one for each service that is called; closed when PLAIT_BREAKER_INIT() has filled it in. */
struct plait_breaker {
        unsigned failures;  /**< so many in a row open it; 0 means 5 */
        int64_t timeout_ns; /**< what a call may take; 0: no limit */
        int64_t open_ns;    /**< how long it stays open before it tries again; 0 means 10 s */
        /** @cond private */
        unsigned pl_lock;
        unsigned pl_failed;
        unsigned pl_probing;
        int64_t pl_open_until_ns;
        /** @endcond */
};

/* clang-format off */
/** A closed breaker. */
#define PLAIT_BREAKER_INIT(failures, timeout_ns, open_ns) {(failures), (timeout_ns), (open_ns), 0, 0, 0, 0}
/* clang-format on */

/**
 * Call *fn*, under the breaker's time-out, unless the breaker is open.
 *
 * A failure is a result for which plait_is_transient() holds, time-outs among them: any other answer, also an error,
 * shows that somebody is there. When the caller's own scope was cancelled or its deadline came first, the result says
 * nothing about the service and does not count.
 *
 * @param breaker  shared by all who call the same service
 * @param fn       not NULL; called by the caller's own task
 * @param arg      handed to *fn*
 * @return what *fn* returned, or
 *   - -EAGAIN  the breaker is open; *fn* was not called
 *   - -EINVAL  *fn* is NULL, or the breaker has a time-out and no task that can open scopes calls
 *
 * Threads: any, where there is no time-out; else tasks that are not compact. Suspends: may, as *fn* does. Cancellation:
 * *fn* sees it. Source: circuit breaker, Nygard, Release It!, 2007. Since: 0.1.
 */
PLAIT_API int plait_breaker_call(struct plait_breaker *breaker, int (*fn)(void *arg), void *arg);

/**
 * Whether a call made now would fail at once.
 * @param breaker  which
 * @return true or false; it may have changed when this returns
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API bool plait_breaker_is_open(struct plait_breaker *breaker);

PLAIT_END_DECLS

#endif
