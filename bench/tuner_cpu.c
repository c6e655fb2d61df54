/*
 * tuner_cpu: jobs in an executor with a fixed number of workers, or with one that is found by measurement. What auto
 * makes of affinity and quotas is compared by tuner_cpu.py.
 *
 * usage: tuner_cpu threads|processes compute|wait|both WORKERS|auto SECONDS
 * A job computes for some 2 ms, waits for 5 ms, or does both.
 * prints {"ops": N, "seconds": S, "limit": L, "reason": "why that, of auto"}
 */
#include <plait/plait.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 2000000, WAIT_MS = 5, QUEUE = 64 };

static int compute(void *arg, void *result)
{
        uint64_t x = 88172645463325252;

        (void)arg, (void)result;
        for (int i = 0; i < ROUNDS; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                __asm__ volatile("" : "+r"(x));
        }
        return 0;
}

static int wait_a_little(void *arg, void *result)
{
        (void)arg, (void)result;
        return poll(NULL, 0, WAIT_MS);
}

static int both(void *arg, void *result)
{
        return compute(arg, result) + wait_a_little(arg, result);
}

static int (*job_named(const char *name))(void *arg, void *result)
{
        return strcmp(name, "compute") == 0 ? compute
               : strcmp(name, "wait") == 0  ? wait_a_little
               : strcmp(name, "both") == 0  ? both
                                            : NULL;
}

/* Jobs until *end_ns*, and those that are still there then. */
static int keep_busy(struct plait_executor *executor, const struct plait_job *job, int64_t end_ns)
{
        int r = 0;

        while (r == 0 && plait_now_ns() < end_ns)
                r = plait_executor_submit(executor, job, NULL);
        return r < 0 ? r : plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER);
}

static int report(struct plait_executor *executor, int64_t start_ns)
{
        double seconds = (double)(plait_now_ns() - start_ns) * 1e-9;
        struct plait_executor_stats stats = {.size = sizeof stats};
        struct plait_tuner *tuner = plait_executor_get_tuner(executor);
        struct plait_tuner_view view = {.reason = PLAIT_TUNER_INITIAL};
        int r = plait_executor_get_stats(executor, &stats);

        if (tuner)
                plait_tuner_look(tuner, &view);
        printf("{\"ops\": %" PRIu64 ", \"seconds\": %.3f, \"limit\": %u, \"reason\": \"%s\"}\n", stats.returned,
               seconds, stats.limit, tuner ? plait_tuner_reason_name(view.reason) : "");
        return r;
}

int main(int argc, char **argv)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .name = "tuner_cpu", .queue_limit = QUEUE};
        struct plait_executor *executor;
        struct plait_job job = {.fn = argc == 5 ? job_named(argv[2]) : NULL};
        bool processes = argc == 5 && strcmp(argv[1], "processes") == 0;

        if (!job.fn || (!processes && strcmp(argv[1], "threads") != 0)) {
                fprintf(stderr, "usage: tuner_cpu threads|processes compute|wait|both WORKERS|auto SECONDS\n");
                return 2;
        }
        opts.workers = strcmp(argv[3], "auto") == 0 ? PLAIT_AUTO : (unsigned)strtoul(argv[3], NULL, 10);
        int r = processes ? plait_executor_processes(&opts, &executor) : plait_executor_threads(&opts, &executor);
        if (r == 0) {
                int64_t start_ns = plait_now_ns();

                r = keep_busy(executor, &job, plait_in_ns((int64_t)(strtod(argv[4], NULL) * 1e9)));
                if (r == 0)
                        r = report(executor, start_ns);
                plait_executor_free(executor);
        }
        if (r < 0)
                fprintf(stderr, "tuner_cpu: %s\n", strerror(-r));
        return r < 0;
}
