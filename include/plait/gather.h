/**
 * @file plait/gather.h
 * Make many calls at the same time and have all their results.
 *
 * plait_gather() is a scope in one line, for when each task has a result of its own: a request to each of ninety
 * servers, a part of a page from each of five services. The results stand in the calls, in the order in which they were
 * given, however they came in. Python has it as `asyncio.gather()`.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int check(void *server)
 * {
 *         int number = *(int *)server;
 *
 *         plait_sleep(plait_in_ms(number % 5));
 *         return number == 7 ? -ECONNREFUSED : number;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_call calls[90];
 *         int servers[90];
 *         struct plait_gather_opts opts = {.size = sizeof opts, .flags = PLAIT_GATHER_COLLECT};
 *
 *         (void)arg;
 *         for (int i = 0; i < 90; i++) {
 *                 servers[i] = i;
 *                 calls[i] = (struct plait_call){.fn = check, .arg = &servers[i]};
 *         }
 *         opts.deadline_ns = plait_in_s(20);
 *         int failed = plait_gather(calls, 90, &opts);
 *         assert(failed == 1 && calls[7].result == -ECONNREFUSED && calls[89].result == 89);
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_GATHER_H
#define PLAIT_GATHER_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A call to be made, and, afterwards, what it returned. */
struct plait_call {
        int (*fn)(void *arg); /**< not NULL; a negative result is an error */
        void *arg;            /**< handed to *fn* */
        int result;           /**< what *fn* returned, once all is done */
        /** @cond private */
        void *pl_all;
        void *pl_next;
        /** @endcond */
};

/** For plait_gather_opts.flags: an error does not cancel the other calls. */
#define PLAIT_GATHER_COLLECT 1U

/** How to gather. Zero means the default in every member but *size*. */
struct plait_gather_opts {
        size_t size;         /**< sizeof(struct plait_gather_opts) */
        unsigned flags;      /**< #PLAIT_GATHER_COLLECT or 0: the first error cancels the others */
        unsigned limit;      /**< at most so many calls at the same time; default: all */
        int64_t deadline_ns; /**< the calls' waits end with -ETIMEDOUT then; 0: none but those of the caller's scopes */
};

/**
 * Make *n* calls at the same time, each in a task of its own, and return when the last has ended.
 *
 * Without #PLAIT_GATHER_COLLECT the first error cancels the calls under way: their waits return -ECANCELED. Calls that
 * have not begun by then are not made, and have -ECANCELED as their result; the same goes, in both modes, when the
 * caller's scope is cancelled, and with -ETIMEDOUT when the deadline passes.
 *
 * @param calls  what to call; their results are filled in, also when an error is returned, except with -EINVAL
 * @param n      how many; 0 does nothing
 * @param opts   NULL for the defaults
 * @return 0 when all calls returned 0 or more. Else, with #PLAIT_GATHER_COLLECT, the number of those that did not;
 *         without it the first error, in time. Or, in both modes,
 *   - -EINVAL  no task that can open scopes calls, a *fn* is NULL, or an option is out of its range; no call was made
 *   - -ENOMEM  no memory for one more task; the calls that were made have been cancelled
 *
 * Ownership: *calls* may stand in the caller's frame.
 * Threads: tasks that are not compact. Suspends: may. Cancellation: reaches the calls; it waits for them in any case.
 * Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_gather(struct plait_call *calls, size_t n, const struct plait_gather_opts *opts);

/**
 * The result of a future, as a call: `{.fn = plait_call_future, .arg = future}` stands among other calls in
 * plait_gather(), plait_race(), plait_hedge() and plait_as_completed_start(). When the call is cancelled or out of time
 * the producer is asked not to bother, by plait_future_cancel(), and not waited for.
 * @param future  a struct plait_future to which the caller holds a reference until the call has ended
 * @return what the future is set to, or
 *   - -ETIMEDOUT  the deadline of a scope came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait, and is passed on; a future that is set counts in any case.
 * Since: 0.1.
 */
PLAIT_API int plait_call_future(void *future);

PLAIT_END_DECLS

#endif
