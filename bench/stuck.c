/*
 * stuck: how late timers of 1 ms are in two tasks, beside one that computes without a pause and one in a blocking read,
 * on two workers. It prints the lateness' median, 99th percentile and maximum. Arguments: seconds.
 */
#include "bench.h"

#include <stdatomic.h>
#include <unistd.h>

enum { SLEEPERS = 2, SLEEP_NS = 1000000 };

static int64_t span_ns;
static int64_t most;               /* naps of a sleeper */
static int64_t *late_ns[SLEEPERS]; /* of each nap */
static int64_t naps[SLEEPERS];
static int pipe_fds[2];
static _Atomic bool over;

static int compute(void *arg)
{
        (void)arg;
        while (!atomic_load_explicit(&over, memory_order_relaxed)) {}
        return 0;
}

/* Not by plait_read(), which would suspend: it holds its worker up. */
static int block(void *arg)
{
        char byte;

        (void)arg;
        return read(pipe_fds[0], &byte, 1) == 1 ? 0 : -EIO;
}

static int sleep_often(void *arg)
{
        size_t i = (size_t)(uintptr_t)arg;
        int64_t end_ns = plait_now_ns() + span_ns;

        while (plait_now_ns() < end_ns && naps[i] < most) {
                int64_t due_ns = plait_now_ns() + SLEEP_NS;

                bench_must(plait_sleep(due_ns), "sleep");
                late_ns[i][naps[i]++] = plait_now_ns() - due_ns;
        }
        return 0;
}

static int by_size(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static void report(void)
{
        int64_t *all = calloc((size_t)(naps[0] + naps[1]), sizeof *all);
        size_t n = 0;

        bench_must(all ? 0 : -ENOMEM, "figures");
        for (int i = 0; i < SLEEPERS; i++)
                for (int64_t j = 0; j < naps[i]; j++)
                        all[n++] = late_ns[i][j];
        qsort(all, n, sizeof *all, by_size);
        const size_t middle = n / 2, high = n * 99 / 100;
        printf("{\"naps\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n", n, (double)all[middle] * 1e-6,
               (double)all[high] * 1e-6, (double)all[n - 1] * 1e-6);
        free(all);
}

static int app(void *arg)
{
        struct plait_scope held_up = PLAIT_SCOPE_INIT, scope = PLAIT_SCOPE_INIT;

        (void)arg;
        bench_must(plait_scope_go(&held_up, compute, NULL), "go");
        bench_must(plait_scope_go(&held_up, block, NULL), "go");
        for (uintptr_t i = 0; i < SLEEPERS; i++)
                bench_must(plait_scope_go(&scope, sleep_often, (void *)i), "go");
        bench_must(plait_scope_join(&scope), "join");
        atomic_store(&over, true);
        bench_must(write(pipe_fds[1], "x", 1) == 1 ? 0 : -EIO, "write");
        bench_must(plait_scope_join(&held_up), "join");
        report();
        return 0;
}

int main(int argc, char **argv)
{
        (void)argc;
        span_ns = bench_size(argv, 1) * 1000000000;
        most = span_ns / SLEEP_NS + 1;
        bench_must(pipe(pipe_fds), "pipe");
        for (int i = 0; i < SLEEPERS; i++) {
                late_ns[i] = calloc((size_t)most, sizeof *late_ns[i]);
                bench_must(late_ns[i] ? 0 : -ENOMEM, "figures");
        }
        return bench_run(app, NULL, 2);
}
