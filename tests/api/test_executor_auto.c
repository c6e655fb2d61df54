/* Executors whose number of workers is found by measurement. How it is found: unit/test_tuner.c. */
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "harness/test.h"
#include "plait/plait.h"

static int64_t processor_time_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Two milliseconds of processor time. */
static int compute(void *arg, void *result)
{
        int64_t end_ns = processor_time_ns() + 2000000;

        (void)arg, (void)result;
        while (processor_time_ns() < end_ns) {}
        return 0;
}

/* What a job does that waits for something else: a disk, a server. */
static int block(void *arg, void *result)
{
        (void)arg, (void)result;
        return poll(NULL, 0, 5);
}

static struct plait_executor *open_auto(void)
{
        struct plait_executor_opts opts = {
                .size = sizeof opts, .name = "auto", .workers = PLAIT_AUTO, .queue_limit = 64};
        struct plait_executor *executor = NULL;

        CHECK_INT(plait_executor_threads(&opts, &executor), ==, 0);
        return executor;
}

static unsigned limit_of(struct plait_executor *executor)
{
        struct plait_executor_stats stats = {.size = sizeof stats};

        CHECK_INT(plait_executor_get_stats(executor, &stats), ==, 0);
        return stats.limit;
}

/* Returns the highest limit there was; no more jobs than *most*, and none when the limit is above *enough*. */
static unsigned submit(struct plait_executor *executor, int (*fn)(void *arg, void *result), int most, unsigned enough)
{
        const struct plait_job job = {.fn = fn};
        unsigned highest = 0;

        for (int i = 0; i < most && highest <= enough; i++) {
                CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, 0);
                unsigned limit = limit_of(executor);
                highest = limit > highest ? limit : highest;
        }
        return highest;
}

TEST(computing_jobs_get_as_many_workers_as_processors, .timeout_ms = 60000)
{
        struct plait_executor *executor = open_auto();
        unsigned first = limit_of(executor);

        CHECK_UINT(first, <=, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
        submit(executor, compute, 300, 1024);
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
        CHECK_UINT(limit_of(executor), <, 2 * first);
        plait_executor_free(executor);
}

TEST(affinity_of_one_processor_makes_it_one_worker, .timeout_ms = 60000)
{
        cpu_set_t all, one;

        CHECK_INT(sched_getaffinity(0, sizeof all, &all), ==, 0);
        CPU_ZERO(&one);
        for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
                if (CPU_ISSET(i, &all))
                        CPU_SET(i, &one);
        CHECK_INT(sched_setaffinity(0, sizeof one, &one), ==, 0);
        struct plait_executor *executor = open_auto();
        CHECK_UINT(limit_of(executor), ==, 1);
        submit(executor, compute, 100, 1024);
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
        CHECK_UINT(limit_of(executor), <=, 2);
        plait_executor_free(executor);
}

TEST(blocking_jobs_get_more_workers_than_processors, .timeout_ms = 60000)
{
        if (access("/proc/self/schedstat", R_OK) < 0)
                test_skip("the kernel does not say for how long threads wait for a processor");
        struct plait_executor *executor = open_auto();
        unsigned first = limit_of(executor);

        CHECK_UINT(submit(executor, block, 20000, first), >, first);
        plait_executor_free(executor);
}

TEST(number_that_is_found_is_not_to_be_set)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = PLAIT_AUTO};
        struct plait_executor *executor = open_auto();
        struct plait_executor *tasks = NULL;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_INT(plait_executor_resize(executor, 3), ==, -ENOTSUP);
        CHECK_INT(plait_executor_tasks(&scope, &opts, &tasks), ==, -ENOTSUP);
        CHECK(!tasks);
        plait_executor_free(executor);
}
