/*
 * What can go wrong in jobs of worker processes. In each case: what becomes of the job in which it happens is told, no
 * other job is lost, the pool goes on, and nothing is left behind (the harness looks for descriptors and processes).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/plait.h>

#include "fault/pool.h"
#include "harness/test.h"

/* *fn* fails with *signal* or *exit_code*; jobs around it do not notice. */
static void check_crash(int (*fn)(void *arg, void *result), int signal, int exit_code, const char *report)
{
        enum { AROUND = 20 };
        struct plait_executor *executor = open_executor(1);
        struct plait_future *before[AROUND], *after[AROUND];

        for (int i = 0; i < AROUND; i++)
                before[i] = submit(executor, square, &i, sizeof i);
        struct plait_future *future = submit(executor, fn, NULL, 0);
        for (int i = 0; i < AROUND; i++)
                after[i] = submit(executor, square, &i, sizeof i);

        const struct plait_job_end *end = end_of(future);
        CHECK_INT(end->status, ==, PLAIT_JOB_CRASHED);
        CHECK_INT(end->result, ==, -EOWNERDEAD);
        CHECK_INT(end->signal, ==, signal);
        CHECK_INT(end->exit_code, ==, exit_code);
        CHECK_INT(end->tries, ==, 1);
        CHECK(end->report);
        if (!strstr(end->report, report) || !strstr(end->report, "'faulty'"))
                FAIL("no \"%s\" in the report: %s", report, end->report);
        plait_future_unref(future);
        for (int i = 0; i < AROUND; i++) {
                CHECK_INT(end_of(before[i])->result, ==, i * i);
                CHECK_INT(end_of(after[i])->result, ==, i * i);
                plait_future_unref(before[i]);
                plait_future_unref(after[i]);
        }
        plait_executor_free(executor);
}

/* A worker's death by a signal is the kernel's, not a sanitizer's. */
static int no_sanitizer(void)
{
        static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
        const struct rlimit none = {0, 0};

        setrlimit(RLIMIT_CORE, &none);
        for (size_t i = 0; (TEST_WITH_ASAN || TEST_WITH_TSAN) && i < sizeof signals / sizeof *signals; i++)
                signal(signals[i], SIG_DFL);
        return 0;
}

/* --- ways to die --- */

static int fault(void *arg, void *result)
{
        (void)arg;
        (void)result;
        no_sanitizer();
        raise(SIGSEGV);
        return 0;
}

TEST(a_segmentation_fault_costs_one_job)
{
        check_crash(fault, SIGSEGV, -1, "SIGSEGV");
}

#if !TEST_WITH_ASAN && !TEST_WITH_TSAN
static __attribute__((noinline)) void write_to(volatile int *address)
{
        *address = 1;
}

static int fault_at(void *arg, void *result)
{
        volatile int *nowhere = (volatile int *)(uintptr_t)0x1230;

        (void)arg;
        (void)result;
        no_sanitizer();
        write_to(nowhere);
        return 0;
}

TEST(a_crash_report_has_the_address)
{
        check_crash(fault_at, SIGSEGV, -1, "at address 0x1230");
}

TEST(a_crash_report_has_the_stack)
{
        check_crash(fault_at, SIGSEGV, -1, "#0 ");
}

static int call_nothing(void *arg, void *result)
{
        static int (*volatile nothing)(void);

        (void)arg;
        (void)result;
        no_sanitizer();
        return nothing() + 1; // NOLINT(clang-analyzer-core.CallAndMessage): that is what it is about
}

TEST(a_call_of_nothing_is_reported_with_its_caller)
{
        check_crash(call_nothing, SIGSEGV, -1, "test_pool_faults+0x");
}

static __attribute__((noinline)) int recurse(volatile char *above, int depth)
{
        volatile char frame[4096];

        frame[0] = above[0];
        return depth ? recurse(frame, depth - 1) + frame[0] : 0;
}

static int overflow(void *arg, void *result)
{
        volatile char start[1] = {0};

        (void)arg;
        (void)result;
        no_sanitizer();
        return recurse(start, 100000000);
}

TEST(a_stack_overflow_costs_one_job)
{
        check_crash(overflow, SIGSEGV, -1, "SIGSEGV");
}
#endif

static int give_up(void *arg, void *result)
{
        (void)arg;
        (void)result;
        no_sanitizer();
        abort();
}

TEST(an_abort_costs_one_job)
{
        check_crash(give_up, SIGABRT, -1, "SIGABRT");
}

static int divide(void *arg, void *result)
{
        (void)arg;
        (void)result;
        no_sanitizer();
        raise(SIGFPE);
        return 0;
}

TEST(an_arithmetic_fault_costs_one_job)
{
        check_crash(divide, SIGFPE, -1, "SIGFPE");
}

static int leave(void *arg, void *result)
{
        (void)arg;
        (void)result;
        exit(3);
}

TEST(exit_in_a_job_costs_one_job)
{
        check_crash(leave, 0, 3, "exit(3)");
}

static int leave_well(void *arg, void *result)
{
        (void)arg;
        (void)result;
        _exit(0);
}

TEST(even_a_successful_exit_is_not_a_result)
{
        check_crash(leave_well, 0, 0, "exit(0)");
}

TEST(a_kill_from_outside_costs_one_job)
{
        check_crash(be_killed, SIGKILL, -1, "memory runs out");
}

static char *find_mapping(const char *name, size_t *ret_bytes)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        char line[512];
        char *found = NULL;

        while (maps && !found && fgets(line, sizeof line, maps)) {
                unsigned long start, end;

                if (strstr(line, name) && sscanf(line, "%lx-%lx", &start, &end) == 2) {
                        found = (char *)start; // NOLINT(performance-no-int-to-ptr): that is what the file says
                        *ret_bytes = end - start;
                }
        }
        if (maps)
                fclose(maps);
        return found;
}

static int scribble(void *arg, void *result)
{
        size_t bytes = 0;
        char *share = find_mapping("plait-worker", &bytes);

        (void)arg;
        (void)result;
        memset(share, 0x5a, bytes); /* rings, states, everything */
        return 0;
}

/* Results that it had not fetched are lost, too, so there are none here. */
TEST(a_job_that_destroys_the_rings_costs_one_job)
{
        enum { AFTER = 20 };
        struct plait_executor *executor = open_executor(1);
        struct plait_future *future = submit(executor, scribble, NULL, 0), *after[AFTER];

        for (int i = 0; i < AFTER; i++)
                after[i] = submit(executor, square, &i, sizeof i);
        CHECK_INT(end_of(future)->status, ==, PLAIT_JOB_CRASHED);
        CHECK_INT(end_of(future)->signal, ==, SIGKILL);
        plait_future_unref(future);
        for (int i = 0; i < AFTER; i++) {
                CHECK_INT(end_of(after[i])->result, ==, i * i);
                plait_future_unref(after[i]);
        }
        plait_executor_free(executor);
}

static int return_twice(void *arg, void *result)
{
        (void)arg;
        (void)result;
        pid_t child = fork(); /* and both return */
        if (child > 0)
                CHECK_SYS(waitpid(child, NULL, 0));
        return child < 0 ? -errno : 5;
}

TEST(a_child_that_returns_from_a_job_is_no_worker)
{
        struct plait_executor *executor = open_executor(1);
        struct plait_future *future = submit(executor, return_twice, NULL, 0);

        CHECK_INT(end_of(future)->result, ==, 5);
        plait_future_unref(future);
        check_it_works(executor);
        plait_executor_free(executor);
}

/* --- time --- */

static int stop_itself(void *arg, void *result)
{
        (void)arg;
        (void)result;
        raise(SIGSTOP);
        return 0;
}

/* The other jobs have all the time they want: on a busy machine they may take as long as that. */
static void check_time_out(int (*fn)(void *arg, void *result))
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .job_timeout_ns = 100000000};
        struct plait_executor *executor = open_with(&opts);
        int number = 3;
        const struct plait_job patient = {
                .fn = square, .arg = &number, .arg_bytes = sizeof number, .timeout_ns = INT64_C(600000000000)};
        struct plait_future *next;

        CHECK_INT(plait_executor_call(executor, &patient, PLAIT_NEVER, NULL), ==, 9);
        struct plait_future *late = submit(executor, fn, NULL, 0);
        CHECK_INT(plait_executor_submit(executor, &patient, &next), ==, 0);
        CHECK_INT(end_of(late)->status, ==, PLAIT_JOB_TIMED_OUT);
        CHECK_INT(end_of(late)->result, ==, -ETIMEDOUT);
        CHECK_INT(end_of(next)->result, ==, 9);
        plait_future_unref(late);
        plait_future_unref(next);
        plait_executor_free(executor);
}

TEST(a_job_that_hangs_is_killed_in_time)
{
        check_time_out(hang);
}

TEST(a_stopped_worker_is_killed_in_time)
{
        check_time_out(stop_itself);
}

TEST(a_running_job_is_cancelled_by_killing_its_worker)
{
        struct plait_executor *executor = open_executor(1);
        int number = 3;
        struct plait_future *running = submit(executor, hang, NULL, 0);
        struct plait_future *next = submit(executor, square, &number, sizeof number);
        struct plait_future *queued = submit(executor, hang, NULL, 0);

        plait_future_cancel(queued);
        CHECK_INT(end_of(queued)->status, ==, PLAIT_JOB_CANCELLED);
        CHECK_INT(plait_future_wait(next, plait_in_ms(20), NULL, NULL), ==, -ETIMEDOUT);
        plait_future_cancel(running);
        CHECK_INT(end_of(running)->status, ==, PLAIT_JOB_CANCELLED);
        CHECK_INT(end_of(next)->result, ==, 9);
        plait_future_unref(running);
        plait_future_unref(next);
        plait_future_unref(queued);
        plait_executor_free(executor);
}

TEST(shutting_down_at_once_ends_jobs_that_hang)
{
        struct plait_executor *executor = open_executor(2);
        struct plait_future *futures[6];

        for (int i = 0; i < 6; i++)
                futures[i] = submit(executor, hang, NULL, 0);
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_NOW, PLAIT_NEVER), ==, 0);
        for (int i = 0; i < 6; i++) {
                CHECK_INT(end_of(futures[i])->status, ==, PLAIT_JOB_CANCELLED);
                plait_future_unref(futures[i]);
        }
        plait_executor_free(executor);
}

/* --- trying again --- */

static int die_once(void *arg, void *result)
{
        const char *path = arg;

        (void)result;
        if (unlink(path) == 0)
                raise(SIGKILL);
        return 8;
}

TEST(a_job_is_begun_again_where_that_is_asked_for)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .retries = 2};
        struct plait_executor *executor = open_with(&opts);
        char path[] = "/tmp/plait-retry-XXXXXX";

        close(CHECK_SYS(mkstemp(path)));
        struct plait_future *future = submit(executor, die_once, path, sizeof path);
        CHECK_INT(end_of(future)->result, ==, 8);
        CHECK_UINT(end_of(future)->tries, ==, 2);
        plait_future_unref(future);
        struct plait_executor_stats stats = {.size = sizeof stats};
        CHECK_INT(plait_executor_get_stats(executor, &stats), ==, 0);
        CHECK_UINT(stats.retried, ==, 1);
        CHECK_UINT(stats.crashed, ==, 0);
        plait_executor_free(executor);
}

TEST(a_job_that_always_crashes_ends_all_the_same)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .retries = 3};
        struct plait_executor *executor = open_with(&opts);
        struct plait_future *future = submit(executor, be_killed, NULL, 0);

        CHECK_INT(end_of(future)->status, ==, PLAIT_JOB_CRASHED);
        CHECK_UINT(end_of(future)->tries, ==, 4);
        plait_future_unref(future);
        check_it_works(executor);
        plait_executor_free(executor);
}

static int die_at_77(void *arg, void *result)
{
        int number = *(const int *)arg;

        if (number == 77)
                raise(SIGKILL);
        *(int *)result = number + 1;
        return 0;
}

TEST(a_crash_in_a_map_costs_one_item)
{
        enum { ITEMS = 1000 };
        struct plait_executor *executor = open_executor(2);
        static int in[ITEMS], out[ITEMS], codes[ITEMS];
        const struct plait_executor_map_opts opts = {
                .size = sizeof opts, .flags = PLAIT_EXECUTOR_MAP_COLLECT, .chunk = 50, .codes = codes};

        for (int i = 0; i < ITEMS; i++)
                in[i] = i;
        CHECK_INT(plait_executor_map(executor, die_at_77, in, sizeof *in, out, sizeof *out, ITEMS, &opts), ==, 1);
        for (int i = 0; i < ITEMS; i++) {
                CHECK_INT(codes[i], ==, i == 77 ? -EOWNERDEAD : 0);
                CHECK_INT(i == 77 ? 78 : out[i], ==, i + 1);
        }
        plait_executor_free(executor);
}
