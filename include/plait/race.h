/**
 * @file plait/race.h
 * Make several calls for the same thing; the first that succeeds is enough.
 *
 * plait_race() makes all at once: three mirrors, two resolvers. plait_hedge() makes one, and the next only when that
 * one takes longer than it should: a request that got lost or hit a slow server then costs the delay and no more, while
 * hardly any request is made twice. The losers are cancelled and have ended when either returns.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int answer_after_ms(void *ms)
 * {
 *         int r = plait_sleep(plait_in_ms(*(int *)ms));
 *
 *         return r < 0 ? r : *(int *)ms;
 * }
 *
 * static int app(void *arg)
 * {
 *         int slow = 60000, quick = 3;
 *         struct plait_call calls[2] = {{.fn = answer_after_ms, .arg = &slow}, {.fn = answer_after_ms, .arg = &quick}};
 *         size_t winner;
 *
 *         (void)arg;
 *         int r = plait_race(calls, 2, PLAIT_NEVER, &winner);
 *         assert(r == 3 && winner == 1 && calls[0].result == -ECANCELED);
 *         r = plait_hedge(calls, 2, 5000000, PLAIT_NEVER, &winner); // the second one after 5 ms
 *         assert(r == 3 && winner == 1);
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_RACE_H
#define PLAIT_RACE_H

#include <plait/base.h>
#include <plait/gather.h>

PLAIT_BEGIN_DECLS

/**
 * Make *n* calls at the same time, each in a task of its own; the first that returns 0 or more wins, and the others are
 * cancelled.
 *
 * A loser may have completed all the same, at the same moment or because it does not wait: its result is then 0 or
 * more, and what it acquired is the caller's to give back.
 *
 * @param calls        what to call; their results are filled in, except with -EINVAL. A call that was not made because
 *                     the race was over has -ECANCELED.
 * @param n            how many, 1 or more
 * @param deadline_ns  the calls' waits end with -ETIMEDOUT then
 * @param ret_winner   the index of the winner, when there is one; may be NULL
 * @return the winner's result, else
 *   - the error that came first, when all failed: -ETIMEDOUT and -ECANCELED among them
 *   - -EINVAL  no task that can open scopes calls, *n* is 0 or a *fn* is NULL; no call was made
 *   - -ENOMEM  no memory for one more task, and those that were started failed or were cancelled
 *
 * Ownership: *calls* may stand in the caller's frame.
 * Threads: tasks that are not compact. Suspends: may. Cancellation: reaches the calls; it waits for them in any case,
 * and one that completes wins all the same. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_race(struct plait_call *calls, size_t n, int64_t deadline_ns, size_t *ret_winner);

/**
 * Make a call, and each time that *delay_ns* pass or one fails without any having succeeded, the next one as well. The
 * first that returns 0 or more wins, and the others are cancelled.
 *
 * @param calls        as for plait_race(); in the order in which they are to be tried. The same function and argument
 *                     may stand there more than once, if two such calls may be under way at the same time.
 * @param n            how many, 1 or more
 * @param delay_ns     how long a call may take before the next one is made; 0 or more. A good one is what 95 of 100
 *                     calls take at most.
 * @param deadline_ns  as for plait_race(); no call is begun after it
 * @param ret_winner   as for plait_race()
 * @return as plait_race(), and
 *   - -EINVAL  *delay_ns* is negative
 *
 * Ownership, threads, suspends, cancellation: as plait_race(). Source: hedged requests, Dean and Barroso, The Tail at
 * Scale, CACM 56(2), 2013. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_hedge(struct plait_call *calls, size_t n, int64_t delay_ns, int64_t deadline_ns,
                                           size_t *ret_winner);

PLAIT_END_DECLS

#endif
