/* Executors whose number of workers is found by measurement, of threads and of processes. How: unit/test_tuner.c. */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/test.h"
#include "plait/plait.h"

typedef int open_fn(const struct plait_executor_opts *opts, struct plait_executor **ret_executor);

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

static struct plait_executor *open_auto(open_fn *open_executor)
{
        struct plait_executor_opts opts = {
                .size = sizeof opts, .name = "auto", .workers = PLAIT_AUTO, .queue_limit = 64};
        struct plait_executor *executor = NULL;

        CHECK_INT(open_executor(&opts, &executor), ==, 0);
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

static void finish(struct plait_executor *executor)
{
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
}

/* --- computing --- */

static void check_computing(open_fn *open_executor)
{
        struct plait_executor *executor = open_auto(open_executor);
        unsigned first = limit_of(executor);

        CHECK_UINT(first, <=, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
        submit(executor, compute, 300, 1024);
        finish(executor);
        CHECK_UINT(limit_of(executor), <, 2 * first);
        plait_executor_free(executor);
}

TEST(computing_threads_are_as_many_as_processors, .timeout_ms = 120000)
{
        check_computing(plait_executor_threads);
}

TEST(computing_processes_are_as_many_as_processors, .timeout_ms = 120000)
{
        check_computing(plait_executor_processes);
}

static void bind_to_one_processor(void)
{
        cpu_set_t all, one;

        CHECK_INT(sched_getaffinity(0, sizeof all, &all), ==, 0);
        CPU_ZERO(&one);
        for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
                if (CPU_ISSET(i, &all))
                        CPU_SET(i, &one);
        CHECK_INT(sched_setaffinity(0, sizeof one, &one), ==, 0);
}

static void check_affinity(open_fn *open_executor)
{
        bind_to_one_processor();
        struct plait_executor *executor = open_auto(open_executor);
        CHECK_UINT(limit_of(executor), ==, 1);
        submit(executor, compute, 100, 1024);
        finish(executor);
        CHECK_UINT(limit_of(executor), <=, 2);
        plait_executor_free(executor);
}

TEST(affinity_of_one_processor_makes_it_one_thread, .timeout_ms = 120000)
{
        check_affinity(plait_executor_threads);
}

TEST(affinity_of_one_processor_makes_it_one_process, .timeout_ms = 120000)
{
        check_affinity(plait_executor_processes);
}

/* --- blocking --- */

static void needs_schedstat(void)
{
        if (access("/proc/self/schedstat", R_OK) < 0)
                test_skip("the kernel does not say for how long threads wait for a processor");
}

static void check_blocking(open_fn *open_executor)
{
        struct plait_tuner_view view;

        needs_schedstat();
        struct plait_executor *executor = open_auto(open_executor);
        unsigned first = limit_of(executor);
        CHECK_UINT(submit(executor, block, 20000, first), >, first);
        plait_tuner_look(plait_executor_get_tuner(executor), &view);
        CHECK_INT(view.reason, ==, PLAIT_TUNER_BLOCKED);
        CHECK(view.ok > 0 && view.per_s > 0);
        plait_executor_free(executor);
}

TEST(blocking_threads_are_more_than_processors, .timeout_ms = 120000)
{
        check_blocking(plait_executor_threads);
}

TEST(blocking_processes_are_more_than_processors, .timeout_ms = 120000)
{
        check_blocking(plait_executor_processes);
}

/* A map is made in chunks, of which each item counts, and the number of workers changes meanwhile. */
static void check_map(open_fn *open_executor)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = PLAIT_AUTO};
        struct plait_executor *executor;
        struct plait_tuner_view view;
        unsigned highest = 0;

        needs_schedstat();
        CHECK_INT(open_executor(&opts, &executor), ==, 0);
        unsigned first = limit_of(executor);
        for (int i = 0; i < 40 && highest <= first; i++) {
                CHECK_INT(plait_executor_map(executor, block, NULL, 0, NULL, 0, 100, NULL), ==, 0);
                highest = limit_of(executor);
        }
        CHECK_UINT(highest, >, first);
        plait_tuner_look(plait_executor_get_tuner(executor), &view);
        CHECK_UINT(view.ok, >=, 100);
        CHECK_UINT(view.ok % 100, ==, 0);
        CHECK_UINT(view.in_flight, ==, 0);
        plait_executor_free(executor);
}

TEST(a_map_of_threads_gets_more_of_them, .timeout_ms = 120000)
{
        check_map(plait_executor_threads);
}

TEST(a_map_of_processes_gets_more_of_them, .timeout_ms = 120000)
{
        check_map(plait_executor_processes);
}

/* --- what goes wrong --- */

static int crash(void *arg, void *result)
{
        (void)arg, (void)result;
        _exit(3);
}

static int hang(void *arg, void *result)
{
        (void)arg, (void)result;
        while (pause()) {} /* it returns only when it has been interrupted */
        return 0;
}

TEST(processes_that_die_or_are_killed_are_not_at_work, .timeout_ms = 120000)
{
        const struct plait_job dies = {.fn = crash}, hangs = {.fn = hang, .timeout_ns = 1000000};
        struct plait_executor *executor = open_auto(plait_executor_processes);
        struct plait_tuner_view view;

        for (int i = 0; i < 5; i++) {
                CHECK_INT(plait_executor_call(executor, &dies, PLAIT_NEVER, NULL), ==, -EOWNERDEAD);
                CHECK_INT(plait_executor_call(executor, &hangs, PLAIT_NEVER, NULL), ==, -ETIMEDOUT);
        }
        finish(executor);
        plait_tuner_look(plait_executor_get_tuner(executor), &view);
        CHECK_UINT(view.in_flight, ==, 0);
        CHECK_UINT(view.ok, ==, 0);
        plait_executor_free(executor);
}

/* --- quotas --- */

static char group[] = "/sys/fs/cgroup/cpu/plait-test-XXXXXX";

static bool put(const char *file, const char *text)
{
        char path[96];

        snprintf(path, sizeof path, "%s/%s", group, file);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
        if (fd >= 0)
                close(fd);
        return written;
}

/* Everybody back into the group above, so that this one can be removed. */
static void leave_group(void)
{
        int fd = open("/sys/fs/cgroup/cpu/cgroup.procs", O_WRONLY | O_CLOEXEC);

        if (fd >= 0) {
                (void)!write(fd, "0", 1);
                close(fd);
        }
        rmdir(group);
}

/* In a group of its own, with the time of one processor. */
static void enter_group(void)
{
        if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
                test_skip("one processor");
        if (!mkdtemp(group))
                test_skip("no control group can be made");
        if (!put("cpu.cfs_quota_us", "100000") || !put("cgroup.procs", "0")) {
                rmdir(group);
                test_skip("no quota can be set");
        }
}

static void check_quota(open_fn *open_executor)
{
        enter_group();
        struct plait_executor *executor = open_auto(open_executor);
        unsigned before = limit_of(executor);
        bool raised = put("cpu.cfs_quota_us", "-1");
        unsigned after = submit(executor, compute, 20000, before);
        plait_executor_free(executor);
        leave_group();
        CHECK_UINT(before, ==, 1);
        CHECK(raised);
        CHECK_UINT(after, >, 1);
}

TEST(threads_follow_a_quota_that_is_raised, .timeout_ms = 120000)
{
        check_quota(plait_executor_threads);
}

TEST(processes_follow_a_quota_that_is_raised, .timeout_ms = 120000)
{
        check_quota(plait_executor_processes);
}

/* --- asking --- */

TEST(number_that_is_found_is_not_to_be_set)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = PLAIT_AUTO};
        struct plait_executor *executors[] = {open_auto(plait_executor_threads), open_auto(plait_executor_processes)};
        struct plait_executor *tasks = NULL;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 2; i++) {
                CHECK_INT(plait_executor_resize(executors[i], 3), ==, -ENOTSUP);
                plait_executor_free(executors[i]);
        }
        CHECK_INT(plait_executor_tasks(&scope, &opts, &tasks), ==, -ENOTSUP);
        CHECK(!tasks);
}

TEST(number_that_is_fixed_has_no_tuner)
{
        struct plait_executor *executor;

        CHECK_INT(plait_executor_threads(NULL, &executor), ==, 0);
        CHECK(!plait_executor_get_tuner(executor));
        plait_executor_free(executor);
}

TEST(what_was_measured_in_a_pool_can_be_advised_upon, .timeout_ms = 120000)
{
        struct plait_advise_run runs[64];
        struct plait_executor *executor = open_auto(plait_executor_processes);
        struct plait_advice advice;

        submit(executor, compute, 200, 1024);
        finish(executor);
        size_t n = plait_tuner_runs(plait_executor_get_tuner(executor), runs, 64);
        CHECK_UINT(n, >, 0);
        CHECK(runs[0].workers >= 0.5 && runs[0].per_s > 0);
        int r = plait_advise(runs, n, &advice);
        CHECK(n < 2 ? r == -EINVAL : r == 0 || r == -ENODATA); /* of one number nothing follows */
        plait_executor_free(executor);
}
