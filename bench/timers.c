/* timers: start n timers, spread over a minute, then cancel them in the same order. Arguments: n. */
#include "bench.h"

static int64_t n;

static void never(void *arg)
{
        (void)arg;
        abort();
}

static int app(void *arg)
{
        struct plait_timer *timers = calloc((size_t)n, sizeof *timers);
        uint64_t cancelled = 0;

        (void)arg;
        if (!timers)
                return -ENOMEM;
        int64_t start_ns = plait_now_ns();
        for (int64_t i = 0; i < n; i++)
                bench_must(plait_timer_start(&timers[i], plait_in_ms(1000 + i * 7919 % 59000), never, NULL), "start");
        for (int64_t i = 0; i < n; i++)
                cancelled += plait_timer_cancel(&timers[i]);
        bench_report(n, plait_now_ns() - start_ns, cancelled);
        free(timers);
        return 0;
}

int main(int argc, char **argv)
{
        (void)argc;
        n = bench_size(argv, 1);
        return bench_run(app, NULL, 0);
}
