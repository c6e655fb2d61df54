/* sleepers: n tasks asleep at once for ms milliseconds; each checks that all were. Arguments: n ms [compact]. */
#include <string.h>

#include "bench.h"

static int64_t n, ms;
static struct plait_task_opts opts = {.size = sizeof opts};
static int64_t asleep;
static uint64_t saw_all;

static int sleeper(void *arg)
{
        (void)arg;
        __atomic_add_fetch(&asleep, 1, __ATOMIC_RELAXED);
        bench_must(plait_sleep(plait_in_ms(ms)), "sleep");
        if (__atomic_load_n(&asleep, __ATOMIC_RELAXED) == n)
                __atomic_add_fetch(&saw_all, 1, __ATOMIC_RELAXED);
        return 0;
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int64_t start_ns = plait_now_ns();

        (void)arg;
        for (int64_t i = 0; i < n; i++)
                bench_must(plait_scope_start(&scope, sleeper, NULL, &opts, NULL), "spawn");
        bench_must(plait_scope_join(&scope), "join");
        bench_report(n, plait_now_ns() - start_ns, saw_all);
        return 0;
}

int main(int argc, char **argv)
{
        n = bench_size(argv, 1);
        ms = bench_size(argv, 2);
        if (argc > 3 && strcmp(argv[3], "compact") == 0)
                opts.flags = PLAIT_TASK_COMPACT;
        return bench_run(app, NULL, 0);
}
