/**
 * @file plait/parallel.h
 * Computing on all processors: two calls at once, loops over many items.
 *
 * These are for code that computes. They need no scope and make no task unless another worker is out of work: a call
 * that nobody takes over costs a few nanoseconds more than calling it.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * enum { N = 100000 };
 * static double roots[N];
 *
 * static int square_roots(size_t begin, size_t end, void *arg)
 * {
 *         (void)arg;
 *         for (size_t i = begin; i < end; i++) {
 *                 double x = (double)i, root = x / 2 + 1;
 *
 *                 for (int step = 0; step < 30; step++)
 *                         root = (root + x / root) / 2;
 *                 roots[i] = root;
 *         }
 *         return 0;
 * }
 *
 * struct sum { size_t begin, end; double total; };
 *
 * static int add_up(void *arg)
 * {
 *         struct sum *sum = arg;
 *
 *         if (sum->end - sum->begin < 1000) {
 *                 for (size_t i = sum->begin; i < sum->end; i++)
 *                         sum->total += roots[i];
 *                 return 0;
 *         }
 *         size_t middle = (sum->begin + sum->end) / 2;
 *         struct sum low = {sum->begin, middle, 0}, high = {middle, sum->end, 0};
 *         int r = plait_fork_join(add_up, &low, add_up, &high);
 *         sum->total = low.total + high.total;
 *         return r;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct sum all = {0, N, 0};
 *
 *         (void)arg;
 *         int r = plait_parallel_for(N, square_roots, NULL);
 *         if (r == 0)
 *                 r = add_up(&all);
 *         assert(r < 0 || (all.total > 21081690 && all.total < 21081700));
 *         return r;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_PARALLEL_H
#define PLAIT_PARALLEL_H

#include <plait/base.h>

PLAIT_BEGIN_DECLS

/**
 * Make two calls, at the same time if a worker is free, and return when both have returned.
 *
 * *first* is called here; meanwhile another worker may take *second*. If none does, it is called here after *first*. It
 * then runs as a part of the calling task, else in a task of its own that has the same scope and a stack of the same
 * size. Neither may wait for something that only the other one does.
 *
 * @param first       not NULL
 * @param first_arg   handed to *first*
 * @param second      not NULL
 * @param second_arg  handed to *second*
 * @return 0 when both returned 0 or more, else the negative result of *first*, else that of *second*. Both are called
 * in any case.
 *
 * Ownership: the arguments may stand in the caller's frame.
 * Threads: any; in a thread that runs no task the calls are made one after the other. Suspends: may. Cancellation: it
 * waits for both calls in any case; they see the cancellation. Source: fork-join by work stealing, Blumofe and
 * Leiserson, J. ACM 46(5), 1999. Since: 0.1.
 */
PLAIT_API int plait_fork_join(int (*first)(void *arg), void *first_arg, int (*second)(void *arg), void *second_arg);

/**
 * Call *body* for parts of the range 0 to *n*, on all workers that are free, until each index was in exactly one part.
 *
 * How large the parts are is found out by measuring, so that a part takes some microseconds: *body* may be a matter of
 * nanoseconds or of seconds per index, or of both.
 *
 * @param n     how many indices; 0 does nothing
 * @param body  not NULL; handles the indices *begin* to *end* - 1. A negative result is an error: the parts that have
 *              not begun are left out.
 * @param arg   handed to *body*
 * @return 0, or
 *   - the first error that *body* returned
 *   - -EINVAL  *body* is NULL
 *   - -ECANCELED, -ETIMEDOUT  the caller's scope was cancelled, or its deadline passed, before all was done
 *
 * Ownership: *arg* may stand in the caller's frame.
 * Threads: any; in a thread that runs no task it is one call for the whole range. Suspends: may. Cancellation: looked
 * at after each part. Source: lazy binary splitting, Tzannes et al., PPoPP 2010. Since: 0.1.
 */
PLAIT_API int plait_parallel_for(size_t n, int (*body)(size_t begin, size_t end, void *arg), void *arg);

PLAIT_END_DECLS

#endif
