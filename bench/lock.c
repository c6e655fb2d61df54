/* lock: tasks lock, add 1 to a counter and unlock, k times each. Arguments: tasks k. */
#include "bench.h"

static int64_t tasks, k;
static struct plait_mutex mutex;
static volatile uint64_t counter;

static int count(void *arg)
{
        (void)arg;
        for (int64_t i = 0; i < k; i++) {
                bench_must(plait_mutex_lock(&mutex, PLAIT_NEVER), "lock");
                counter = counter + 1;
                plait_mutex_unlock(&mutex);
        }
        return 0;
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int64_t start_ns = plait_now_ns();

        (void)arg;
        for (int64_t i = 0; i < tasks; i++)
                bench_must(plait_scope_go(&scope, count, NULL), "spawn");
        bench_must(plait_scope_join(&scope), "join");
        bench_report(tasks * k, plait_now_ns() - start_ns, counter);
        return 0;
}

int main(int argc, char **argv)
{
        (void)argc;
        tasks = bench_size(argv, 1);
        k = bench_size(argv, 2);
        return bench_run(app, NULL, 0);
}
