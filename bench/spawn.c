/* spawn: a task spawns n tasks that each add 1 to a shared counter, and joins them. Arguments: n. */
#include "bench.h"

static int64_t n;
static uint64_t counter;

static int add(void *arg)
{
        (void)arg;
        __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
        return 0;
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int64_t start_ns = plait_now_ns();

        (void)arg;
        for (int64_t i = 0; i < n; i++)
                bench_must(plait_scope_go(&scope, add, NULL), "spawn");
        bench_must(plait_scope_join(&scope), "join");
        bench_report(n, plait_now_ns() - start_ns, counter);
        return 0;
}

int main(int argc, char **argv)
{
        (void)argc;
        n = bench_size(argv, 1);
        return bench_run(app, NULL, 0);
}
