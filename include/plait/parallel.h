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
PLAIT_API inline int plait_fork_join(int (*first)(void *arg), void *first_arg, int (*second)(void *arg),
                                     void *second_arg);

/**
 * Call *body* for parts of the range 0 to *n*, on all workers that are free, until each index was in exactly one part.
 *
 * How large the parts are is found out by measuring, so that a part takes tens of microseconds: *body* may be a matter
 * of nanoseconds or of seconds per index, or of both. Between parts other tasks of the worker have their turns, so a
 * loop, however long, holds up others no longer than one part takes.
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

/** @cond private */
/*
 * plait_fork_join() is inline, so that compilers see which functions are called: half of what a fork cost was calling
 * them through pointers. How it works is told in src/sched/deque.h and fork.h.
 */
#define PLAIT_DEQUE_SIZE 256
#define PLAIT_DEQUE_ALIGNED __attribute__((aligned(64)))

/* A worker's calls and tasks that have not begun. Valid when zero: closed. */
struct plait_deque {
        PLAIT_DEQUE_ALIGNED int64_t pl_bottom; /* only the owner writes it */
        int64_t pl_limit;                      /* a fork may be pushed inline while bottom is below it */
        int64_t pl_top_seen;                   /* the owner's: a value that top had */
        PLAIT_DEQUE_ALIGNED int64_t pl_top;
        PLAIT_DEQUE_ALIGNED uintptr_t pl_slots[PLAIT_DEQUE_SIZE];
};

/* A call that somebody else may make; in the frame of who waits for it. */
struct plait_fork {
        int (*pl_fn)(void *arg);
        void *pl_arg;
        uintptr_t pl_parent;          /* the flow, and enum pl_fork_state */
        struct plait_scope *pl_scope; /* the one that it was in when it forked */
        int pl_result;
};

PLAIT_API extern __thread struct plait_deque *plait_deque_tls;

PLAIT_API int plait_fork_join_uncommon(int (*first)(void *arg), void *first_arg, int (*second)(void *arg),
                                       void *second_arg);
PLAIT_API int plait_fork_await(struct plait_fork *fork, int64_t bottom);

/* The worker's; the address is taken each time, since after a wait it may be another worker. */
inline struct plait_deque *plait_deque_mine(void)
{
        struct plait_deque *deque;

        PLAIT_TLS_LOAD(deque, "plait_deque_tls");
        return deque;
}

/* What can be had from *fork* again is not to be kept in registers meanwhile: each would be saved and restored. */
__attribute__((always_inline)) inline int plait_fork_join(int (*first)(void *arg), void *first_arg,
                                                          int (*second)(void *arg), void *second_arg)
{
        struct plait_deque *deque = plait_deque_mine();
        int64_t bottom = __atomic_load_n(&deque->pl_bottom, __ATOMIC_RELAXED);
        struct plait_fork fork;
        uintptr_t *flow;

        if (__builtin_expect(bottom >= __atomic_load_n(&deque->pl_limit, __ATOMIC_RELAXED), 0))
                return plait_fork_join_uncommon(first, first_arg, second, second_arg);
        PLAIT_TLS_LOAD(flow, "plait_flow_tls");
        fork.pl_fn = second;
        fork.pl_arg = second_arg;
        fork.pl_scope = ((struct plait_scope **)(void *)flow)[-1];
        __atomic_store_n(&fork.pl_parent, (uintptr_t)flow, __ATOMIC_RELAXED);
        __atomic_store_n(&deque->pl_slots[(uint64_t)bottom % PLAIT_DEQUE_SIZE], (uintptr_t)&fork + 1, __ATOMIC_RELAXED);
        __atomic_store_n(&deque->pl_bottom, bottom + 1, __ATOMIC_RELEASE);

        int r = first(first_arg);

        deque = plait_deque_mine();
        bottom = __atomic_load_n(&deque->pl_bottom, __ATOMIC_RELAXED) - 1;
        (void)__atomic_exchange_n(&deque->pl_bottom, bottom, __ATOMIC_SEQ_CST);
        int64_t top = __atomic_load_n(&deque->pl_top, __ATOMIC_SEQ_CST);
        uintptr_t work = __atomic_load_n(&deque->pl_slots[(uint64_t)bottom % PLAIT_DEQUE_SIZE], __ATOMIC_RELAXED);
        int s = __builtin_expect(top < bottom && work - 1 == (uintptr_t)&fork, 1) ? second(fork.pl_arg)
                                                                                  : plait_fork_await(&fork, bottom);

        return r < 0 ? r : s < 0 ? s : 0;
}
/** @endcond */

PLAIT_END_DECLS

#endif
