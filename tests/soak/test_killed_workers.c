/*
 * A million jobs in worker processes, of which one in a thousand is killed: every job has exactly one result, those
 * that were killed and no others failed, or none where jobs are begun again; and no descriptor, process or memory is
 * left.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <plait/plait.h>

#include "harness/test.h"

enum { JOBS = 1000000, EVERY = 1000, FLIGHT = 2000, CYCLES = 10000 };

struct number {
        struct plait_array_handle tries; /* for each job, how often it was begun */
        uint64_t value;
};

/* The one that is killed at its first try. */
static int square_or_die(void *arg, void *result)
{
        static struct plait_array tries; /* opened once in each process */
        const struct number *number = arg;

        if (!tries.dims && plait_array_open(&number->tries, &tries) < 0)
                return -EIO;
        uint8_t *count = (uint8_t *)tries.data + number->value;
        bool first = (*count)++ == 0;
        if (number->value % EVERY == EVERY / 2 && first)
                kill(getpid(), SIGKILL);
        *(uint64_t *)result = number->value * number->value;
        return 0;
}

static struct {
        struct plait_future *future;
        struct number number;
        uint64_t result;
} flight[FLIGHT];

static void check_end(uint64_t job, bool retries)
{
        struct plait_future *future = flight[job % FLIGHT].future;
        const struct plait_job_end *end;
        void *value;

        CHECK_INT(plait_future_wait(future, PLAIT_NEVER, NULL, &value), ==, 0);
        end = value;
        if (job % EVERY == EVERY / 2 && !retries) {
                CHECK_INT(end->status, ==, PLAIT_JOB_CRASHED);
                CHECK_INT(end->signal, ==, SIGKILL);
        } else {
                CHECK_INT(end->status, ==, PLAIT_JOB_RETURNED);
                CHECK_INT(end->result, ==, 0);
                CHECK_UINT(flight[job % FLIGHT].result, ==, job * job);
                CHECK_UINT(end->tries, ==, job % EVERY == EVERY / 2 ? 2U : 1U);
        }
        plait_future_unref(future);
}

static size_t resident_kib(void)
{
        char text[128];
        FILE *file = fopen("/proc/self/statm", "re");
        unsigned long long pages = 0;

        if (file && fgets(text, sizeof text, file)) {
                char *at;

                (void)strtoull(text, &at, 10);
                pages = strtoull(at, NULL, 10);
        }
        if (file)
                fclose(file);
        return (size_t)pages * 4;
}

static void run(unsigned retries)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 2, .retries = retries};
        const size_t shape[] = {JOBS};
        struct plait_array tries = PLAIT_ARRAY_INIT;
        struct plait_array_handle handle;
        struct plait_executor *executor;

        CHECK_INT(plait_array_init(&tries, PLAIT_ARRAY_U8, 1, shape, NULL), ==, 0);
        CHECK_INT(plait_array_share(&tries, &handle), ==, 0);
        CHECK_INT(plait_executor_processes(&opts, &executor), ==, 0);
        size_t before_kib = 0;
        for (uint64_t sent = 0, got = 0; got < JOBS; got++) {
                for (; sent < JOBS && sent < got + FLIGHT; sent++) {
                        uint64_t at = sent % FLIGHT;

                        flight[at].number = (struct number){.tries = handle, .value = sent};
                        struct plait_job job = {.fn = square_or_die,
                                                .arg = &flight[at].number,
                                                .arg_bytes = sizeof flight[at].number,
                                                .result = &flight[at].result,
                                                .result_bytes = sizeof flight[at].result};
                        CHECK_INT(plait_executor_submit(executor, &job, &flight[at].future), ==, 0);
                }
                check_end(got, retries > 0);
                if (got == JOBS / 10)
                        before_kib = resident_kib();
        }
        CHECK_UINT(resident_kib(), <, before_kib + 8192);

        struct plait_executor_stats stats = {.size = sizeof stats};
        CHECK_INT(plait_executor_get_stats(executor, &stats), ==, 0);
        CHECK_UINT(stats.submitted, ==, JOBS);
        CHECK_UINT(stats.crashed, ==, retries ? 0 : JOBS / EVERY);
        CHECK_UINT(stats.retried, ==, retries ? JOBS / EVERY : 0);
        CHECK_UINT(stats.returned + stats.crashed, ==, JOBS);
        plait_executor_free(executor);
        for (uint64_t i = 0; i < JOBS; i++)
                CHECK_INT(((uint8_t *)tries.data)[i], ==, retries && i % EVERY == EVERY / 2 ? 2 : 1);
        plait_array_done(&tries);
}

TEST(a_million_jobs_lose_those_that_are_killed_and_no_other, .timeout_ms = 600000)
{
        run(0);
}

TEST(a_million_jobs_lose_none_where_they_are_begun_again, .timeout_ms = 600000)
{
        run(1);
}

static int nothing(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return 3;
}

static void cycle(void)
{
        struct plait_executor *executor;
        struct plait_job job = {.fn = nothing};
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1};

        CHECK_INT(plait_executor_processes(&opts, &executor), ==, 0);
        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 3);
        plait_executor_free(executor);
}

TEST(pools_open_work_and_close_ten_thousand_times, .timeout_ms = 1800000)
{
        size_t before_kib = 0;

        for (int i = 0; i < CYCLES; i++) {
                cycle();
                if (i == CYCLES / 10)
                        before_kib = resident_kib();
        }
        CHECK_UINT(resident_kib(), <, before_kib + 2048);
}
