/**
 * @file plait/as_completed.h
 * Make many calls at the same time and have each result as soon as it is there.
 *
 * An iterator over the calls in the order in which they end, as Python's `as_completed()`: for a program that goes on
 * with each result at once, or stops when it has seen enough.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int nap(void *ms)
 * {
 *         int r = plait_sleep(plait_in_ms(*(int *)ms));
 *
 *         return r < 0 ? r : *(int *)ms;
 * }
 *
 * static int app(void *arg)
 * {
 *         int ms[] = {60000, 1, 500};
 *         struct plait_call calls[3], *call;
 *         struct plait_as_completed each;
 *         int r, seen = 0;
 *
 *         (void)arg;
 *         for (int i = 0; i < 3; i++)
 *                 calls[i] = (struct plait_call){.fn = nap, .arg = &ms[i]};
 *         if ((r = plait_as_completed_start(&each, calls, 3, NULL)) < 0)
 *                 return r;
 *         while (seen < 2 && plait_as_completed_next(&each, PLAIT_NEVER, &call) > 0)
 *                 assert(call == &calls[++seen]);
 *         plait_as_completed_finish(&each); // cancels the one that sleeps for a minute
 *         assert(seen == 2 && calls[0].result == -ECANCELED);
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_AS_COMPLETED_H
#define PLAIT_AS_COMPLETED_H

#include <plait/base.h>
#include <plait/gather.h>
#include <plait/scope.h>
#include <plait/semaphore.h>

PLAIT_BEGIN_DECLS

/** Calls under way, in the caller's storage. plait_as_completed_start() fills it in. */
struct plait_as_completed {
        /** @cond private */
        struct plait_scope pl_scope;
        struct plait_semaphore pl_ended;
        struct plait_call *pl_first, *pl_last;
        size_t pl_left;
        unsigned pl_lock;
        /** @endcond */
};

/**
 * Begin to make *n* calls, each in a task of its own.
 *
 * From here to plait_as_completed_finish() a scope of the iterator's is the caller's innermost one: scopes that are
 * opened meanwhile are to be joined before that, and the deadline in *opts* holds for the caller's own waits, too. An
 * error of a call does not cancel the others.
 *
 * @param each   filled in
 * @param calls  what to call; each result is filled in when the call ends
 * @param n      how many; with 0 there is nothing to iterate over
 * @param opts   the limit and the deadline of plait_gather_opts, *flags* must be 0; NULL for the defaults
 * @return 0, and plait_as_completed_finish() must follow. Or
 *   - -EINVAL  no task that can open scopes calls, a *fn* is NULL, or an option is out of its range; no call was made
 *   - -ENOMEM  no memory for one more task; the calls that had begun were cancelled and have ended
 *
 * Ownership: *each* and *calls* are in use until plait_as_completed_finish().
 * Threads: tasks that are not compact. Suspends: may, as plait_scope_go(). Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_as_completed_start(struct plait_as_completed *each, struct plait_call *calls,
                                                        size_t n, const struct plait_gather_opts *opts);

/**
 * The next call that has ended, waiting for one if need be.
 * @param each         started
 * @param deadline_ns  see plait/time.h; with one that has passed it returns what is there
 * @param ret_call     one of the calls that were given; its result is there
 * @return 1: *ret_call* has been filled in; 0: each call has been returned. Or
 *   - -ETIMEDOUT  the deadline, or that of a scope, came first; nothing is lost, the next one can be asked for again
 *   - -ECANCELED  the scope was cancelled first; calls that have ended are still to be had, by a deadline that has
 *                 passed
 *
 * Threads: the task that started it. Suspends: may. Cancellation: ends the wait; a call that has ended is returned in
 * any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_as_completed_next(struct plait_as_completed *each, int64_t deadline_ns,
                                                       struct plait_call **ret_call);

/**
 * Cancel the calls that are under way and wait until all have ended. Calls that had not begun are not made and have
 * -ECANCELED as their result.
 * @param each  started
 *
 * Threads: the task that started it. Suspends: may. Cancellation: it waits for the calls in any case. Since: 0.1.
 */
PLAIT_API void plait_as_completed_finish(struct plait_as_completed *each);

PLAIT_END_DECLS

#endif
