/* plait_run: its options, its errors, one run after the other. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <plait/plait.h>

#include "harness/test.h"

static int return_it(void *result)
{
        return (int)(intptr_t)result;
}

TEST(the_result_of_the_first_task_is_the_runs)
{
        CHECK_INT(plait_run(return_it, (void *)7, NULL), ==, 7);
        CHECK_INT(plait_run(return_it, (void *)-EIO, NULL), ==, -EIO);
}

TEST(options_out_of_range_are_refused)
{
        struct plait_run_opts opts = {.size = sizeof opts};

        CHECK_INT(plait_run(NULL, NULL, NULL), ==, -EINVAL);
        opts.size = 1;
        CHECK_INT(plait_run(return_it, NULL, &opts), ==, -EINVAL);
        opts = (struct plait_run_opts){.size = sizeof opts, .workers = 1025};
        CHECK_INT(plait_run(return_it, NULL, &opts), ==, -EINVAL);
        opts = (struct plait_run_opts){.size = sizeof opts, .stack_bytes = (size_t)1 << 40};
        CHECK_INT(plait_run(return_it, NULL, &opts), ==, -EINVAL);
}

static int check_workers(void *n)
{
        CHECK_INT(plait_workers(), ==, (intptr_t)n);
        return 0;
}

TEST(the_number_of_workers_is_what_was_asked_for)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 5};

        unsetenv("PLAIT_WORKERS");
        CHECK_INT(plait_run(check_workers, (void *)5, &opts), ==, 0);
        setenv("PLAIT_WORKERS", "3", 1);
        CHECK_INT(plait_run(check_workers, (void *)3, &opts), ==, 0);
        CHECK_INT(plait_workers(), ==, 0);
}

TEST(a_senseless_number_of_workers_is_named_and_ignored, .stderr_match = "PLAIT_WORKERS")
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 2};

        setenv("PLAIT_WORKERS", "many", 1);
        CHECK_INT(plait_run(check_workers, (void *)2, &opts), ==, 0);
}

static int run_again(void *arg)
{
        (void)arg;
        CHECK_INT(plait_run(return_it, NULL, NULL), ==, -EBUSY);
        return 0;
}

static void *run_in_thread(void *arg)
{
        *(int *)arg = plait_run(return_it, NULL, NULL);
        return NULL;
}

static int run_in_another_thread(void *arg)
{
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, run_in_thread, arg), ==, 0);
        pthread_join(thread, NULL);
        return 0;
}

TEST(there_is_one_run_at_a_time)
{
        int r = 0;

        CHECK_INT(plait_run(run_again, NULL, NULL), ==, 0);
        CHECK_INT(plait_run(run_in_another_thread, &r, NULL), ==, 0);
        CHECK_INT(r, ==, -EBUSY);
}

static int spawn_some(void *count)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 100; i++)
                plait_scope_go(&scope, return_it, NULL);
        atomic_fetch_add((atomic_int *)count, 1);
        return plait_scope_join(&scope);
}

TEST(run_can_be_called_again_and_again)
{
        atomic_int count = 0;

        for (int i = 0; i < 50; i++)
                CHECK_INT(plait_run(spawn_some, &count, NULL), ==, 0);
        CHECK_INT(count, ==, 50);
}

static int sleep_long(void *arg)
{
        (void)arg;
        return plait_sleep(PLAIT_NEVER);
}

TEST(a_runs_deadline_reaches_its_tasks)
{
        struct plait_run_opts opts = {.size = sizeof opts, .deadline_ns = plait_in_ms(10)};

        CHECK_INT(plait_run(sleep_long, NULL, &opts), ==, -ETIMEDOUT);
}

static int check_name(void *name)
{
        CHECK_STR(plait_task_name(NULL), name);
        return 0;
}

TEST(the_first_task_has_the_name_it_is_given)
{
        struct plait_run_opts opts = {.size = sizeof opts, .name = "boss"};

        CHECK_INT(plait_run(check_name, "boss", &opts), ==, 0);
        CHECK_INT(plait_run(check_name, "main", NULL), ==, 0);
}

/* The first task may use what a program's main() may. */
static int use_a_megabyte(void *arg)
{
        volatile char big[1 << 20];

        (void)arg;
        big[0] = 1;
        big[sizeof big - 1] = 1;
        return 0;
}

TEST(the_first_task_has_a_large_stack)
{
        CHECK_INT(plait_run(use_a_megabyte, NULL, NULL), ==, 0);
}

static int use_default_stack(void *arg)
{
        volatile char big[200 << 10];

        (void)arg;
        big[0] = 1;
        big[sizeof big - 1] = 1;
        plait_yield();
        return 0;
}

static int start_with_default_stack(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        plait_scope_go(&scope, use_default_stack, arg);
        return plait_scope_join(&scope);
}

TEST(the_default_stack_can_be_set_for_a_run)
{
        struct plait_run_opts opts = {.size = sizeof opts, .stack_bytes = 256 << 10};

        CHECK_INT(plait_run(start_with_default_stack, NULL, &opts), ==, 0);
}
