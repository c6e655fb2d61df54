/**
 * @file plait/completion.h
 * Futures in the order in which they are set.
 *
 * For who has many futures and goes on with each as soon as it is there: jobs of executors (plait/executor.h), of one
 * or of several, together with others. As `as_completed()` of Python's concurrent.futures; what plait/as_completed.h is
 * for calls, this is for futures, in tasks and in plain threads. Futures may be added while others are being waited
 * for.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int triple(void *arg, void *result)
 * {
 *         *(int *)result = *(int *)arg * 3;
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         struct plait_executor *executor;
 *         struct plait_completion *completion;
 *         struct plait_future *future;
 *         int numbers[100], results[100], sum = 0;
 *         uint64_t number;
 *
 *         if (plait_executor_threads(NULL, &executor) < 0 || plait_completion_new(&completion) < 0)
 *                 return 1;
 *         for (int i = 0; i < 100; i++) {
 *                 struct plait_job job = {.fn = triple, .arg = &numbers[i], .result = &results[i],
 *                                         .result_bytes = sizeof results[i]};
 *                 numbers[i] = i;
 *                 if (plait_executor_submit(executor, &job, &future) < 0 ||
 *                     plait_completion_add(completion, future, (uint64_t)i) < 0)
 *                         return 1;
 *                 plait_future_unref(future); // the completion has a reference of its own
 *         }
 *         while (plait_completion_next(completion, PLAIT_NEVER, &future, &number) > 0) {
 *                 sum += results[number];
 *                 plait_future_unref(future);
 *         }
 *         assert(sum == 3 * 99 * 100 / 2);
 *         plait_completion_free(completion);
 *         plait_executor_free(executor);
 *         return 0;
 * }
 * @endcode
 */
#ifndef PLAIT_COMPLETION_H
#define PLAIT_COMPLETION_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/future.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** Futures that somebody waits for; opaque. */
struct plait_completion;

/**
 * Make one without futures.
 * @param ret_completion  to be given back with plait_completion_free()
 * @return 0, or
 *   - -ENOMEM  no memory
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_completion_new(struct plait_completion **ret_completion);

/**
 * Add a future; one that is set already is the next to be had, after others that are.
 * @param completion  which
 * @param future      it takes a reference of its own. The same one may be added more than once.
 * @param number      given back with the future
 * @return 0, or
 *   - -ENOMEM  no memory
 *
 * Threads: any, several at a time. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_completion_add(struct plait_completion *completion, struct plait_future *future,
                                                    uint64_t number);

/**
 * The next future that is set, in the order in which they were, waiting for one if need be.
 * @param completion   which
 * @param deadline_ns  see plait/time.h; with one that has passed it returns what is there
 * @param ret_future   with a reference, to be given back with plait_future_unref(); NULL when it does not matter
 * @param ret_number   its number; NULL when it does not matter
 * @return 1: one that has been set and is not returned again; 0: all have been returned. Or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first; nothing is lost
 *   - -ECANCELED  the scope was cancelled first; nothing is lost
 *
 * Threads: any, several at a time. Suspends: may. Cancellation: ends the wait; a future that is set is returned in any
 * case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_completion_next(struct plait_completion *completion, int64_t deadline_ns,
                                                     struct plait_future **ret_future, uint64_t *ret_number);

/**
 * Forget the futures that have not been returned, and free. They are not cancelled.
 * @param completion  NULL does nothing; nobody uses it any more
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_completion_free(struct plait_completion *completion);

PLAIT_END_DECLS

#endif
