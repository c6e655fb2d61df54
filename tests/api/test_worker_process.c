/* How worker processes are replaced, what they print, and pools inside and beside each other. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <plait/plait.h>

#include "api/worker.h"
#include "harness/task.h"
#include "harness/test.h"

static int answer(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return 107;
}

/* --- replacing --- */

static int tell_pid(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return (int)getpid();
}

TEST(a_worker_is_replaced_after_so_many_jobs)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .jobs_per_worker = 3};
        struct plait_executor *executor = open_with(&opts);
        struct plait_executor_stats stats = {.size = sizeof stats};
        int last = 0, changes = 0;

        for (int i = 0; i < 12; i++) {
                int pid = call(executor, tell_pid, 0);

                CHECK_INT(pid, >, 0);
                changes += pid != last;
                last = pid;
        }
        CHECK_INT(changes, ==, 4);
        CHECK_INT(plait_executor_get_stats(executor, &stats), ==, 0);
        CHECK_UINT(stats.returned, ==, 12);
        CHECK_UINT(stats.crashed, ==, 0);
        plait_executor_free(executor);
}

static int grow(void *arg, void *result)
{
        size_t bytes = (size_t) * (const int *)arg << 20;
        char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        (void)result;
        if (memory == MAP_FAILED)
                return -ENOMEM;
        memset(memory, 1, bytes); /* and it is never given back */
        __asm__ volatile("" : : "r"(memory) : "memory");
        return (int)getpid();
}

TEST(a_worker_is_replaced_when_it_has_grown)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .rss_bytes = 200 << 20};
        struct plait_executor *executor = open_with(&opts);
        int first = call(executor, grow, 1);

        CHECK_INT(call(executor, grow, 300), ==, first);
        CHECK_INT(call(executor, grow, 1), !=, first);
        plait_executor_free(executor);
}

/* --- at the beginning and the end --- */

static int prepared;

static int prepare(void *arg)
{
        prepared = *(const int *)arg;
        return 0;
}

static int tell_prepared(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return prepared;
}

static void say_goodbye(void *arg)
{
        printf("goodbye from %d\n", *(const int *)arg);
}

/* What comes out of standard output while *fn* runs. */
static void capture(void (*fn)(void), char *text, size_t bytes)
{
        int file = CHECK_SYS(memfd_create("output", MFD_CLOEXEC)), out = CHECK_SYS(dup(STDOUT_FILENO));

        fflush(stdout);
        CHECK_SYS(dup2(file, STDOUT_FILENO));
        fn();
        CHECK_SYS(dup2(out, STDOUT_FILENO));
        ssize_t n = CHECK_SYS(pread(file, text, bytes - 1, 0));
        text[n] = '\0';
        close(out);
        close(file);
}

static void prepare_and_end(void)
{
        int number = 42;
        const struct plait_executor_opts opts = {.size = sizeof opts,
                                                 .workers = 1,
                                                 .initializer = prepare,
                                                 .finaliser = say_goodbye,
                                                 .arg = &number,
                                                 .arg_bytes = sizeof number};
        struct plait_executor *executor = open_with(&opts);

        number = 43; /* they have a copy */
        CHECK_INT(call(executor, tell_prepared, 0), ==, 42);
        plait_executor_free(executor);
}

TEST(bytes_for_the_initializer_must_be_there)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .initializer = prepare, .arg_bytes = 8};
        struct plait_executor *executor;

        CHECK_INT(plait_executor_processes(&opts, &executor), ==, -EINVAL);
        CHECK_INT(plait_executor_threads(&opts, &executor), ==, -EINVAL);
        opts.arg = &opts;
        opts.arg_bytes = SIZE_MAX - 8;
        CHECK_INT(plait_executor_processes(&opts, &executor), ==, -ENOMEM);
}

TEST(initializer_and_finaliser_are_called_in_the_worker)
{
        char text[256];

        capture(prepare_and_end, text, sizeof text);
        CHECK_STR(text, "goodbye from 42\n");
        CHECK_INT(prepared, ==, 0);
}

/* --- what workers print --- */

enum { LINES = 300, LINE_BYTES = 100 };

static int print_lines(void *arg, void *result)
{
        char line[LINE_BYTES];

        (void)result;
        memset(line, 'a' + *(const int *)arg, sizeof line - 1);
        line[sizeof line - 1] = '\n';
        for (int i = 0; i < LINES; i++) { /* in pieces, so that they would be torn */
                CHECK_SYS(write(STDOUT_FILENO, line, LINE_BYTES / 2));
                CHECK_SYS(write(STDOUT_FILENO, line + LINE_BYTES / 2, LINE_BYTES / 2));
        }
        return 0;
}

static void print_from_two(void)
{
        struct plait_executor *executor = open_executor(2);
        struct plait_future *futures[2];

        for (int i = 0; i < 2; i++) {
                struct plait_job job = {.fn = print_lines, .arg = &i, .arg_bytes = sizeof i, .flags = PLAIT_JOB_COPY};

                CHECK_INT(plait_executor_submit(executor, &job, &futures[i]), ==, 0);
        }
        for (int i = 0; i < 2; i++) {
                CHECK_INT(plait_future_wait(futures[i], PLAIT_NEVER, NULL, NULL), ==, 0);
                plait_future_unref(futures[i]);
        }
        plait_executor_free(executor);
}

TEST(lines_of_workers_come_out_whole)
{
        static char text[2 * LINES * LINE_BYTES + 2];
        int lines[2] = {0, 0};

        capture(print_from_two, text, sizeof text);
        CHECK_UINT(strlen(text), ==, 2 * LINES * LINE_BYTES);
        for (const char *line = text; *line; line += LINE_BYTES) {
                for (int i = 0; i < LINE_BYTES - 1; i++)
                        CHECK_INT(line[i], ==, line[0]);
                CHECK_INT(line[LINE_BYTES - 1], ==, '\n');
                lines[line[0] - 'a']++;
        }
        CHECK_INT(lines[0], ==, LINES);
        CHECK_INT(lines[1], ==, LINES);
}

static int print_half(void *arg, void *result)
{
        (void)arg;
        (void)result;
        printf("whole\nhal");
        fflush(stdout);
        raise(SIGKILL);
        return 0;
}

static void print_and_die(void)
{
        struct plait_executor *executor = open_executor(1);

        CHECK_INT(call(executor, print_half, 0), ==, -EOWNERDEAD);
        plait_executor_free(executor);
}

TEST(what_a_worker_printed_before_it_died_comes_out)
{
        char text[64];

        capture(print_and_die, text, sizeof text);
        CHECK_STR(text, "whole\nhal\n");
}

/* --- pools in pools, and beside --- */

static int use_a_pool(void *arg, void *result)
{
        int depth = *(const int *)arg;

        (void)result;
        if (depth == 0)
                return 1;
        struct plait_executor *executor = open_executor(2);
        int r = call(executor, use_a_pool, depth - 1);
        plait_executor_free(executor);
        return r < 0 ? r : r + 1;
}

TEST(a_job_can_have_a_pool)
{
        struct plait_executor *executor = open_executor(1);

        CHECK_INT(call(executor, use_a_pool, 2), ==, 3);
        plait_executor_free(executor);
}

TEST(two_pools_do_not_disturb_each_other)
{
        struct plait_executor *one = open_executor(2), *two = open_executor(1);

        for (int i = 0; i < 100; i++) {
                CHECK_INT(call(one, answer, 0), ==, 107);
                CHECK_INT(call(two, answer, 0), ==, 107);
        }
        plait_executor_free(one);
        CHECK_INT(call(two, answer, 0), ==, 107);
        plait_executor_free(two);
}

static int run_tasks(void *arg)
{
        (void)arg;
        return plait_sleep(plait_in_ms(1)) == 0 ? 11 : 0;
}

static int run_in_job(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return plait_run(run_tasks, NULL, NULL);
}

TEST(a_job_can_have_tasks, .run = in_task)
{
        struct plait_executor *executor = open_executor(1);

        CHECK_INT(call(executor, run_in_job, 0), ==, 11);
        plait_executor_free(executor);
}

TEST(pools_open_and_close_again_and_again)
{
        for (int i = 0; i < 300; i++) {
                struct plait_executor *executor = open_executor(1);

                if (i % 30 == 0)
                        CHECK_INT(call(executor, answer, 0), ==, 107);
                plait_executor_free(executor);
        }
}

/* --- ways to wait --- */

static void note(struct plait_future_callback *callback, void *arg)
{
        (void)callback;
        plait_event_set(arg);
}

TEST(results_come_by_callback_and_select, .run = in_task)
{
        struct plait_executor *executor = open_executor(1);
        struct plait_future_callback callback = PLAIT_FUTURE_CALLBACK_INIT;
        struct plait_event event = PLAIT_EVENT_INIT;
        struct plait_job job = {.fn = answer};
        struct plait_future *future;

        for (int i = 0; i < 50; i++) {
                CHECK_INT(plait_executor_submit(executor, &job, &future), ==, 0);
                if (i % 2) {
                        struct plait_case cases[] = {plait_case_future(future)};

                        CHECK_INT(plait_select(cases, 1, PLAIT_NEVER), ==, 0);
                        CHECK_INT(cases[0].result, ==, 107);
                } else {
                        CHECK_INT(plait_future_on_set(future, &callback, note, &event), ==, 0);
                        CHECK_INT(plait_event_wait(&event, PLAIT_NEVER), ==, 0);
                        plait_event_clear(&event);
                }
                plait_future_unref(future);
        }
        plait_executor_free(executor);
}

static void *wait_for_it(void *arg)
{
        CHECK_INT(plait_future_wait(arg, PLAIT_NEVER, NULL, NULL), ==, 0);
        return NULL;
}

TEST(several_threads_wait_for_their_jobs)
{
        enum { THREADS = 6 };
        struct plait_executor *executor = open_executor(2);
        struct plait_future *futures[THREADS];
        pthread_t threads[THREADS];
        struct plait_job job = {.fn = answer};

        for (int round = 0; round < 20; round++) {
                for (int i = 0; i < THREADS; i++) {
                        CHECK_INT(plait_executor_submit(executor, &job, &futures[i]), ==, 0);
                        CHECK_INT(pthread_create(&threads[i], NULL, wait_for_it, futures[i]), ==, 0);
                }
                for (int i = 0; i < THREADS; i++) {
                        CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
                        plait_future_unref(futures[i]);
                }
        }
        plait_executor_free(executor);
}
