/* Executors of processes: jobs, their results, where workers come from, and what they start with. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/plait.h>

#include "harness/task.h"
#include "harness/test.h"

static struct plait_executor *open_executor(unsigned workers)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = workers};
        struct plait_executor *executor;

        CHECK_INT(plait_executor_processes(&opts, &executor), ==, 0);
        return executor;
}

/* --- jobs --- */

static int square(void *arg, void *result)
{
        long number = *(const long *)arg;

        *(long *)result = number * number;
        return 0;
}

static int get_pid(void *arg, void *result)
{
        (void)arg;
        *(int *)result = (int)getpid();
        return 0;
}

static int return_it(void *arg, void *result)
{
        (void)result;
        return *(const int *)arg;
}

static long call_square(struct plait_executor *executor, long number)
{
        long result = -1;
        struct plait_job job = {.fn = square,
                                .arg = &number,
                                .arg_bytes = sizeof number,
                                .result = &result,
                                .result_bytes = sizeof result};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 0);
        return result;
}

TEST(a_job_runs_in_another_process)
{
        struct plait_executor *executor = open_executor(1);
        int pid = 0;
        struct plait_job job = {.fn = get_pid, .result = &pid, .result_bytes = sizeof pid};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 0);
        CHECK_INT(pid, >, 0);
        CHECK_INT(pid, !=, getpid());
        CHECK_INT(call_square(executor, 12), ==, 144);
        plait_executor_free(executor);
}

static void many_jobs(void)
{
        enum { JOBS = 2000 };
        struct plait_executor *executor = open_executor(2);
        static struct plait_future *futures[JOBS];
        static long numbers[JOBS], results[JOBS];

        for (long i = 0; i < JOBS; i++) {
                numbers[i] = i;
                struct plait_job job = {.fn = square,
                                        .arg = &numbers[i],
                                        .arg_bytes = sizeof numbers[i],
                                        .result = &results[i],
                                        .result_bytes = sizeof results[i]};

                CHECK_INT(plait_executor_submit(executor, &job, &futures[i]), ==, 0);
        }
        for (long i = 0; i < JOBS; i++) {
                CHECK_INT(plait_future_wait(futures[i], PLAIT_NEVER, NULL, NULL), ==, 0);
                CHECK_INT(results[i], ==, i * i);
                plait_future_unref(futures[i]);
        }
        plait_executor_free(executor);
}

TEST(a_thread_gets_the_results_of_many_jobs)
{
        many_jobs();
}

TEST(a_task_gets_the_results_of_many_jobs, .run = in_task)
{
        many_jobs();
}

/* --- nobody waits for the results --- */

static int do_nothing(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return 0;
}

static uint64_t returned(struct plait_executor *executor)
{
        struct plait_executor_stats stats = {.size = sizeof stats};

        CHECK_INT(plait_executor_get_stats(executor, &stats), ==, 0);
        return stats.returned;
}

/* If the pool only looked for results now and then, this would take minutes. */
TEST(a_full_queue_empties_though_nobody_waits_for_a_result)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .queue_limit = 1};
        const struct plait_job job = {.fn = do_nothing};
        struct plait_executor *executor;

        CHECK_INT(plait_executor_processes(&opts, &executor), ==, 0);
        for (int i = 0; i < 400; i++)
                CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, 0);
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
        CHECK_UINT(returned(executor), ==, 400);
        plait_executor_free(executor);
}

static int take_a_moment(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return poll(NULL, 0, 1);
}

TEST(a_queue_is_worked_off_though_nobody_waits_for_a_result)
{
        const struct plait_job job = {.fn = take_a_moment};
        struct plait_executor *executor = open_executor(1);

        for (int i = 0; i < 400; i++)
                CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, 0);
        while (returned(executor) < 400 - 2) /* of the last, in the ring, nobody is told */
                CHECK_INT(poll(NULL, 0, 1), ==, 0);
        plait_executor_free(executor);
}

TEST(a_job_returns_a_number)
{
        struct plait_executor *executor = open_executor(1);
        int number = -EIO;
        struct plait_job job = {.fn = return_it, .arg = &number, .arg_bytes = sizeof number};
        struct plait_job_end end;

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, &end), ==, -EIO);
        CHECK_INT(end.status, ==, PLAIT_JOB_RETURNED);
        CHECK_INT(end.tries, ==, 1);
        plait_executor_free(executor);
}

/* --- large ones --- */

enum { LARGE = 1 << 20 };

static int add_one(void *arg, void *result)
{
        const unsigned char *from = arg;
        unsigned char *to = result;

        for (int i = 0; i < LARGE; i++)
                to[i] = (unsigned char)(from[i] + 1);
        return 0;
}

static void large_payload(bool own_room)
{
        struct plait_executor *executor = open_executor(1);
        unsigned char *in = malloc(LARGE), *out = malloc(LARGE);
        struct plait_future *future;
        void *value;

        CHECK(in && out);
        for (int i = 0; i < LARGE; i++)
                in[i] = (unsigned char)(i * 7);
        struct plait_job job = {
                .fn = add_one, .arg = in, .arg_bytes = LARGE, .result = own_room ? NULL : out, .result_bytes = LARGE};
        CHECK_INT(plait_executor_submit(executor, &job, &future), ==, 0);
        CHECK_INT(plait_future_wait(future, PLAIT_NEVER, NULL, &value), ==, 0);
        const struct plait_job_end *end = value;
        CHECK_UINT(end->bytes, ==, LARGE);
        const unsigned char *data = end->data;
        for (int i = 0; i < LARGE; i++)
                CHECK_INT(data[i], ==, (unsigned char)(i * 7 + 1));
        plait_executor_free(executor); /* the result stays */
        CHECK_INT(data[LARGE - 1], ==, (unsigned char)((LARGE - 1) * 7 + 1));
        plait_future_unref(future);
        free(in);
        free(out);
}

TEST(a_payload_larger_than_a_ring_goes_there_and_back)
{
        large_payload(false);
}

TEST(a_large_result_without_a_place_is_the_futures)
{
        large_payload(true);
}

/* --- maps --- */

TEST(map_keeps_the_order)
{
        enum { ITEMS = 100000 };
        struct plait_executor *executor = open_executor(2);
        static long in[ITEMS], out[ITEMS];

        for (long i = 0; i < ITEMS; i++)
                in[i] = i;
        CHECK_INT(plait_executor_map(executor, square, in, sizeof *in, out, sizeof *out, ITEMS, NULL), ==, 0);
        for (long i = 0; i < ITEMS; i++)
                CHECK_INT(out[i], ==, i * i);
        plait_executor_free(executor);
}
