/* yield: tasks on *workers* workers yield k times each. Arguments: workers tasks k. */
#include "bench.h"

static int64_t tasks, k;

static int yield_k_times(void *ret_count)
{
        for (int64_t i = 0; i < k; i++) {
                plait_yield();
                ++*(volatile int64_t *)ret_count;
        }
        return 0;
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int64_t *counts = calloc((size_t)tasks * 8, sizeof *counts); /* a cache line each */
        int64_t start_ns = plait_now_ns();
        uint64_t sum = 0;

        (void)arg;
        if (!counts)
                return -ENOMEM;
        for (int64_t i = 0; i < tasks; i++)
                bench_must(plait_scope_go(&scope, yield_k_times, &counts[i * 8]), "spawn");
        bench_must(plait_scope_join(&scope), "join");
        int64_t ns = plait_now_ns() - start_ns;
        for (int64_t i = 0; i < tasks; i++)
                sum += (uint64_t)counts[i * 8];
        free(counts);
        bench_report(tasks * k, ns, sum);
        return 0;
}

int main(int argc, char **argv)
{
        (void)argc;
        tasks = bench_size(argv, 2);
        k = bench_size(argv, 3);
        return bench_run(app, NULL, (unsigned)bench_size(argv, 1));
}
