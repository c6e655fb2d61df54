/*
 * The sum of the squares below each of twenty numbers: by a loop, by threads, by tasks and by processes. The function
 * is the same in all of them, and so is what comes out. See docs/guide/squares.md.
 */
#include <plait/plait.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS = 20 };

static uint64_t limits[INPUTS], right[INPUTS];

static int sum_of_squares(void *arg, void *result)
{
        const uint64_t limit = *(const uint64_t *)arg;
        uint64_t sum = 0;

        for (uint64_t i = 0; i < limit; i++)
                sum += i * i;
        *(uint64_t *)result = sum;
        return 0;
}

/* All of them by *executor*, which is freed. */
static int map(const char *how, struct plait_executor *executor)
{
        uint64_t sums[INPUTS];
        int r = plait_executor_map(executor, sum_of_squares, limits, sizeof limits[0], sums, sizeof sums[0], INPUTS,
                                   NULL);

        plait_executor_free(executor);
        if (r == 0)
                printf("%s: %s\n", how, memcmp(sums, right, sizeof sums) == 0 ? "the same" : "something else");
        return r;
}

static int by_tasks(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_executor *executor;

        (void)arg;
        int r = plait_scope_open(&scope);
        if (r < 0)
                return r;
        r = plait_executor_tasks(&scope, NULL, &executor);
        if (r == 0)
                r = map("tasks", executor);
        int joined = plait_scope_join(&scope);
        return r < 0 ? r : joined;
}

static int by_all(void)
{
        struct plait_executor *executor;
        int r = plait_executor_threads(NULL, &executor);

        if (r == 0)
                r = map("threads", executor);
        if (r == 0)
                r = plait_run(by_tasks, NULL, NULL);
        if (r == 0)
                r = plait_executor_processes(NULL, &executor);
        if (r == 0)
                r = map("processes", executor);
        return r;
}

int main(void)
{
        for (int i = 0; i < INPUTS; i++) {
                limits[i] = 1000000 + (uint64_t)i;
                sum_of_squares(&limits[i], &right[i]);
        }
        printf("a loop: the first is %" PRIu64 "\n", right[0]);
        return by_all() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
