/*
 * The ways of adding up squares: one after the other, and with workers of each kind.
 */
#include <stdint.h>

#include <plait/executor.h>
#include <plait/run.h>
#include <plait/scope.h>

#include "demo/strategy.h"
#include "demo/workers.h"

enum { INPUTS = 20 };

#define LIMIT UINT64_C(150000000)

static uint64_t limits[INPUTS], sums[INPUTS];

/* The compiler is not to see that there is a formula for it. */
static int sum_of_squares(void *arg, void *result)
{
        const uint64_t limit = *(const uint64_t *)arg;
        uint64_t sum = 0;

        for (uint64_t i = 0; i < limit; i++) {
                sum += i * i;
                __asm__ volatile("" : "+r"(sum));
        }
        *(uint64_t *)result = sum;
        return 0;
}

/* 0² + ... + (n-1)², modulo 2^64. */
static uint64_t formula(uint64_t n)
{
        __extension__ typedef unsigned __int128 wide;

        return (uint64_t)((wide)(n - 1) * n * (2 * n - 1) / 6);
}

static void prepare(void)
{
        for (unsigned i = 0; i < INPUTS; i++)
                limits[i] = LIMIT + i;
}

/* How many are right. */
static int count_right(void)
{
        int right = 0;

        for (unsigned i = 0; i < INPUTS; i++)
                right += sums[i] == formula(limits[i]);
        return right;
}

static int map(struct plait_executor *executor)
{
        prepare();
        return plait_executor_map(executor, sum_of_squares, limits, sizeof limits[0], sums, sizeof sums[0], INPUTS,
                                  NULL);
}

static int one_after_the_other(void)
{
        prepare();
        for (unsigned i = 0; i < INPUTS; i++)
                sum_of_squares(&limits[i], &sums[i]);
        return count_right();
}

static int with_threads(void)
{
        struct plait_executor *executor;
        int r = plait_executor_threads(NULL, &executor);

        if (r < 0)
                return r;
        r = map(executor);
        plait_executor_free(executor);
        return r < 0 ? r : count_right();
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_executor *executor;
        int r = plait_scope_open(&scope);

        (void)arg;
        if (r < 0)
                return r;
        r = plait_executor_tasks(&scope, NULL, &executor);
        if (r == 0) {
                r = map(executor);
                plait_executor_free(executor);
        }
        int joined = plait_scope_join(&scope);
        return r < 0 ? r : joined;
}

static int with_tasks(void)
{
        int r = plait_run(app, NULL, NULL);

        return r < 0 ? r : count_right();
}

static int with_processes(void)
{
        struct plait_executor *executor;
        int r = workers_open(0, NULL, &executor);

        if (r < 0)
                return r;
        r = map(executor);
        int closed = workers_close(executor);
        return r < 0 ? r : closed < 0 ? closed : count_right();
}

unsigned squares_processors(void)
{
        struct plait_executor_stats stats = {.size = sizeof stats};
        struct plait_executor *executor;

        if (plait_executor_threads(NULL, &executor) < 0)
                return 0;
        int r = plait_executor_get_stats(executor, &stats); /* it has no threads yet */
        plait_executor_free(executor);
        return r < 0 ? 0 : stats.limit;
}

const struct experiment squares = {
        .name = "cpu",
        .item = "sums",
        .items = INPUTS,
        .count = 4,
        .ways = {{"sequential", "one after the other", one_after_the_other},
                 {"threads", "threads", with_threads},
                 {"tasks", "tasks", with_tasks},
                 {"processes", "processes", with_processes}},
};
