/**
 * @file plait/time.h
 * Deadlines.
 *
 * Every function that can wait takes an absolute deadline: nanoseconds on CLOCK_MONOTONIC, as an int64_t. An absolute
 * deadline can be handed down through any number of calls and loops and still means the same moment. A deadline that
 * has passed (0 is one) makes a function try once without waiting; #PLAIT_NEVER waits for as long as it takes.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int app(void *arg)
 * {
 *         struct plait_semaphore nothing = {0};
 *         int64_t deadline = plait_in_ms(20);
 *
 *         (void)arg;
 *         int r = plait_semaphore_acquire(&nothing, deadline);
 *         assert(r == -ETIMEDOUT && plait_now_ns() >= deadline);
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_TIME_H
#define PLAIT_TIME_H

#include <plait/base.h>

PLAIT_BEGIN_DECLS

/** The deadline that never comes. */
#define PLAIT_NEVER INT64_MAX

/**
 * The time now.
 * @return nanoseconds on CLOCK_MONOTONIC
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int64_t plait_now_ns(void);

/**
 * The deadline *ns* nanoseconds from now, or up to 3 us later in a task, where the clock is reckoned rather than read.
 * @param ns  a duration; zero or less gives a deadline that has passed; one beyond the clock's end gives #PLAIT_NEVER
 * @return the deadline
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int64_t plait_in_ns(int64_t ns);

/**
 * The deadline *ms* milliseconds from now.
 * @param ms  a duration, treated as plait_in_ns() does
 * @return the deadline
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int64_t plait_in_ms(int64_t ms);

/**
 * The deadline *seconds* seconds from now.
 * @param seconds  a duration, treated as plait_in_ns() does; NaN gives a deadline that has passed
 * @return the deadline
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int64_t plait_in_s(double seconds);

PLAIT_END_DECLS

#endif
