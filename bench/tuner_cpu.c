/*
 * tuner_cpu: jobs that compute in an executor of threads, with a fixed number of workers or with one that is found by
 * measurement. Run it under `taskset -c 0`, or in a cgroup with a quota, to see what auto makes of that.
 *
 * usage: tuner_cpu WORKERS|auto SECONDS     prints {"ops": N, "seconds": S, "check": C, "limit": L}
 */
#include <plait/plait.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 2000000, QUEUE = 64 }; /* some 2 ms each */

static _Atomic uint64_t done, check;

static int compute(void *arg, void *result)
{
        uint64_t x = 88172645463325252;

        (void)arg, (void)result;
        for (int i = 0; i < ROUNDS; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
        }
        done++;
        check ^= x;
        return 0;
}

int main(int argc, char **argv)
{
        const struct plait_job job = {.fn = compute};
        struct plait_executor_opts opts = {.size = sizeof opts, .name = "tuner_cpu", .queue_limit = QUEUE};
        struct plait_executor_stats stats = {.size = sizeof stats};
        struct plait_executor *executor;

        if (argc != 3) {
                fprintf(stderr, "usage: tuner_cpu WORKERS|auto SECONDS\n");
                return 2;
        }
        opts.workers = strcmp(argv[1], "auto") == 0 ? PLAIT_AUTO : (unsigned)strtoul(argv[1], NULL, 10);
        if (plait_executor_threads(&opts, &executor) < 0)
                return 1;
        int64_t start_ns = plait_now_ns();
        int64_t end_ns = plait_in_ns((int64_t)(strtod(argv[2], NULL) * 1e9));
        int r = 0;
        while (r == 0 && plait_now_ns() < end_ns)
                r = plait_executor_submit(executor, &job, NULL);
        if (r == 0)
                r = plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER);
        if (r == 0)
                r = plait_executor_get_stats(executor, &stats);
        printf("{\"ops\": %" PRIu64 ", \"seconds\": %.3f, \"check\": %" PRIu64 ", \"limit\": %u}\n", done,
               (double)(plait_now_ns() - start_ns) * 1e-9, check, stats.limit);
        plait_executor_free(executor);
        return r < 0;
}
