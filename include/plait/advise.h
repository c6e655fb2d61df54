/**
 * @file plait/advise.h
 * How many workers are worth it? Advice from runs that were measured with different numbers of them.
 *
 * Gunther's Universal Scalability Law says how much N workers get done:
 *
 *     X(N) = X1 * N / (1 + s * (N - 1) + k * N * (N - 1))
 *
 * *X1* is what one does alone. *s*, the serial fraction, is what has to be done one after the other: with k = 0 this is
 * Amdahl's law, and no number of workers does more than X1 / s. *k*, the coherence, is what each pair of workers costs
 * (a contended lock, caches that are emptied): with it there is a peak, at N* = sqrt((1 - s) / k), beyond which more
 * workers do less.
 *
 * The law is fitted to N / X(N) = (1 + s * (N - 1) + k * N * (N - 1)) / X1, which is linear in 1 / X1, s / X1 and
 * k / X1: least squares, weighted so that each run counts by its relative error, and none of the three negative. Two
 * different numbers of workers give s alone; three or more give k, too.
 *
 * Little's law needs no fit: work that comes at a rate and takes a while each keeps rate times while under way;
 * plait_advise_in_flight() is the first guess where nothing was measured but that.
 *
 * Worked example: 1, 2, 4, 8 and 16 workers did 100, 180, 294, 404 and 432 jobs a second, so a job needs 10, 11.1,
 * 13.6, 19.8 and 37 ms of a worker's time. The fit finds s = 0.10 and k = 0.005: a tenth of each job is serial, at most
 * sqrt(0.9 / 0.005) = 13.4 workers are of use, and 13 do 4.4 times what one does.
 *
 * @code{.c}
 * #include <plait/advise.h>
 * #include <assert.h>
 * #include <stdio.h>
 *
 * int main(void)
 * {
 *         const struct plait_advise_run runs[] = {{1, 100}, {2, 180}, {4, 294}, {8, 404}, {16, 432}};
 *         struct plait_advice advice;
 *
 *         if (plait_advise(runs, sizeof runs / sizeof *runs, &advice) < 0)
 *                 return 1;
 *         printf("serial %.2f, coherence %.4f: %u workers, %.1f times one\n", advice.serial, advice.coherence,
 *                advice.workers, advice.speedup);
 *         assert(advice.workers == 13 && advice.peak > 13 && advice.peak < 14);
 *         assert(advice.speedup > 4.3 && advice.speedup < 4.4);
 *
 *         // 2,000 requests a second that take 50 ms each: 100 are under way.
 *         assert(plait_advise_in_flight(2000, 0.050) == 100);
 *         return 0;
 * }
 * @endcode
 */
#ifndef PLAIT_ADVISE_H
#define PLAIT_ADVISE_H

#include <stdbool.h>

#include <plait/base.h>
#include <plait/errno.h>

PLAIT_BEGIN_DECLS

/** What was measured with a number of workers. Runs with the same number count together. */
struct plait_advise_run {
        double workers; /**< how many were at work, on average; at least 0.5 */
        double per_s;   /**< what they got done in a second; more than 0 */
};

/** What follows from that. */
struct plait_advice {
        double one_per_s;  /**< X1: what one worker does alone */
        double serial;     /**< s: the serial fraction, 0 to 1 */
        double coherence;  /**< k: what a pair of workers costs, 0 or more */
        double peak;       /**< N*: more workers do less; HUGE_VAL: there is no such number */
        unsigned workers;  /**< how many to take: the whole number at the peak; without one, the least that does nine
                                tenths of what any number does; 0: nothing that was measured speaks against more */
        double speedup;    /**< what so many do, in times of X1; of 0: what the most that were measured do */
        double error;      /**< how far the law is from the runs, relative, root mean square: 0.05 is 5 % */
        bool extrapolated; /**< *workers* are more than twice the most that were measured: measure again with more */
};

/**
 * Fit the Universal Scalability Law to measured runs.
 * @param runs  runs, in any order
 * @param n     how many, 2 or more
 * @param ret   filled in
 * @return 0, or
 *   - -EINVAL  a run is out of its range, or *n* is
 *   - -ENODATA  all runs are with the same number of workers, so nothing follows from them
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_advise(const struct plait_advise_run *runs, size_t n, struct plait_advice *ret);

/**
 * Little's law: how many are under way at once when they come at a rate and take a while each.
 * @param per_s         the rate, a second, 0 or more
 * @param seconds_each  how long each takes, 0 or more
 * @return the number, rounded up; 1 at least, UINT32_MAX at most
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API unsigned plait_advise_in_flight(double per_s, double seconds_each);

PLAIT_END_DECLS

#endif
