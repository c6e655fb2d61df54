/* Tasks: identity, names, handles, sleeping, yielding. */
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "harness/task.h"
#include "harness/test.h"

static int return_it(void *result)
{
        return (int)(intptr_t)result;
}

static int sleep_ms(void *ms)
{
        return plait_sleep(plait_in_ms((intptr_t)ms));
}

TEST(there_is_no_task_outside_of_a_run)
{
        CHECK_PTR(plait_task_self(), ==, NULL);
        CHECK_UINT(plait_task_id(NULL), ==, 0);
        CHECK_STR(plait_task_name(NULL), "");
        CHECK_INT(plait_task_set_name("x"), ==, -EINVAL);
        CHECK_INT(plait_workers(), ==, 0);
        plait_yield();
}

TEST(a_plain_thread_can_sleep)
{
        int64_t start_ns = plait_now_ns();

        CHECK_INT(plait_sleep(plait_in_ms(5)), ==, 0);
        CHECK_INT(plait_now_ns() - start_ns, >=, 5000000);
        CHECK_INT(plait_sleep(0), ==, 0);
}

TEST(a_sleep_lasts_as_long_as_it_should, .run = in_task)
{
        for (int ms = 0; ms < 20; ms += 3) {
                int64_t deadline_ns = plait_in_ms(ms);

                CHECK_INT(plait_sleep(deadline_ns), ==, 0);
                CHECK_INT(plait_now_ns(), >=, deadline_ns);
        }
}

TEST(many_sleepers_wake_in_the_order_of_their_deadlines, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (intptr_t i = 0; i < 5000; i++)
                CHECK_OK(plait_scope_go(&scope, sleep_ms, (void *)(i % 50)));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static int check_identity(void *ret_id)
{
        struct plait_task *self = plait_task_self();

        CHECK_PTR(self, !=, NULL);
        *(uint64_t *)ret_id = plait_task_id(NULL);
        for (int i = 0; i < 10; i++) {
                plait_yield();
                CHECK_PTR(plait_task_self(), ==, self);
                CHECK_UINT(plait_task_id(self), ==, *(uint64_t *)ret_id);
        }
        return 0;
}

TEST(tasks_have_numbers_of_their_own, .run = in_task)
{
        enum { N = 3000 };
        static uint64_t ids[N];
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < N; i++)
                plait_scope_go(&scope, check_identity, &ids[i]);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        for (int i = 0; i < N; i++)
                for (int j = 0; j < i; j++)
                        CHECK_UINT(ids[i], !=, ids[j]);
}

static int rename_self(void *arg)
{
        (void)arg;
        CHECK_STR(plait_task_name(NULL), "a name that is much too long t");
        CHECK_OK(plait_task_set_name("short"));
        plait_yield();
        CHECK_STR(plait_task_name(plait_task_self()), "short");
        CHECK_OK(plait_task_set_name(NULL));
        CHECK_STR(plait_task_name(NULL), "");
        return 0;
}

TEST(names_are_copied_and_cut, .run = in_task)
{
        char name[] = "a name that is much too long to be kept";
        struct plait_task_opts opts = {.size = sizeof opts, .name = name};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_STR(plait_task_name(NULL), "main");
        name[30] = '\0';
        CHECK_OK(plait_scope_start(&scope, rename_self, NULL, &opts, NULL));
        memset(name, 'x', sizeof name - 1);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

TEST(a_handle_yields_the_result_even_after_the_scope_is_gone, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task *tasks[100];

        for (intptr_t i = 0; i < 100; i++)
                CHECK_OK(plait_scope_start(&scope, return_it, (void *)i, NULL, &tasks[i]));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        for (int i = 0; i < 100; i++) {
                int result = -1;

                CHECK_INT(plait_task_wait(tasks[i], 0, &result), ==, 0);
                CHECK_INT(result, ==, i);
                CHECK_INT(plait_task_wait(tasks[i], 0, NULL), ==, 0);
                plait_task_unref(plait_task_ref(tasks[i]));
                plait_task_unref(tasks[i]);
        }
        plait_task_unref(NULL);
}

struct waited {
        struct plait_task *task;
        atomic_int woken;
};

static int wait_for_it(void *arg)
{
        struct waited *waited = arg;
        int result = 0;

        CHECK_INT(plait_task_wait(waited->task, PLAIT_NEVER, &result), ==, 0);
        CHECK_INT(result, ==, 0);
        atomic_fetch_add(&waited->woken, 1);
        return 0;
}

TEST(many_can_wait_for_one_task, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct waited waited = {0};

        CHECK_OK(plait_scope_start(&scope, sleep_ms, (void *)10, NULL, &waited.task));
        for (int i = 0; i < 100; i++)
                plait_scope_go(&scope, wait_for_it, &waited);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(waited.woken, ==, 100);
        plait_task_unref(waited.task);
}

static int wait_for_self(void *arg)
{
        (void)arg;
        return plait_task_wait(plait_task_self(), PLAIT_NEVER, NULL);
}

TEST(waiting_for_a_task_obeys_deadline_and_cancellation, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_scope inner = PLAIT_SCOPE_INIT;
        struct plait_task *task;
        int untouched = 77;

        CHECK_OK(plait_scope_start(&scope, sleep_ms, (void *)100000, NULL, &task));
        CHECK_INT(plait_task_wait(task, 0, &untouched), ==, -ETIMEDOUT);
        CHECK_INT(plait_task_wait(task, plait_in_ms(5), &untouched), ==, -ETIMEDOUT);
        plait_scope_open(&inner);
        plait_scope_cancel(&inner);
        CHECK_INT(plait_task_wait(task, PLAIT_NEVER, &untouched), ==, -ECANCELED);
        CHECK_INT(plait_scope_join(&inner), ==, -ECANCELED);
        CHECK_INT(untouched, ==, 77);
        CHECK_INT(wait_for_self(NULL), ==, -EDEADLK);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        plait_task_unref(task);
}

static int use_much_stack(void *arg)
{
        volatile char big[700 * 1024];

        (void)arg;
        memset((char *)big, 1, sizeof big);
        plait_yield();
        return big[0] + big[sizeof big - 1] == 2 ? 0 : -EIO;
}

TEST(a_task_gets_the_stack_it_asks_for, .run = in_task)
{
        struct plait_task_opts opts = {.size = sizeof opts, .stack_bytes = 1 << 20};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 20; i++)
                CHECK_OK(plait_scope_start(&scope, use_much_stack, NULL, &opts, NULL));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static volatile bool endless = true;

static int recurse(void *arg)
{
        volatile char frame[512];

        frame[0] = (char)(intptr_t)arg;
        return endless ? recurse((void *)&frame[0]) + frame[0] : 0;
}

TEST(an_overflow_names_the_task_and_its_stack, .run = in_task, .signal = SIGSEGV,
     .stderr_match = "task 'endless' .*overflowed its stack of [0-9]+ KiB")
{
        struct plait_task_opts opts = {.size = sizeof opts, .name = "endless", .stack_bytes = 16 << 10};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        plait_scope_start(&scope, recurse, NULL, &opts, NULL);
        (void)!plait_scope_join(&scope);
}

static int set_errno_and_move(void *arg)
{
        for (int i = 1; i < 50; i++) {
                errno = i;
                CHECK_INT(errno, ==, i);
                plait_sleep(plait_in_ns(1000));
                errno = -i;
                CHECK_INT(errno, ==, -i);
        }
        (void)arg;
        return 0;
}

TEST(errno_is_the_current_threads_after_a_wait, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 50; i++)
                plait_scope_go(&scope, set_errno_and_move, NULL);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

TEST(deadlines_saturate)
{
        CHECK_INT(plait_in_ns(INT64_MAX), ==, PLAIT_NEVER);
        CHECK_INT(plait_in_ms(INT64_MAX), ==, PLAIT_NEVER);
        CHECK_INT(plait_in_s(1e300), ==, PLAIT_NEVER);
        CHECK_INT(plait_in_ns(-5), <=, plait_now_ns());
        CHECK_INT(plait_in_ms(-5), <=, plait_now_ns());
        CHECK_INT(plait_in_s(-5), <=, plait_now_ns());
        CHECK_INT(plait_in_s(0.0 / 0.0), <=, plait_now_ns());
        int64_t before_ns = plait_now_ns();
        CHECK_INT(plait_in_s(2.5), >=, before_ns + INT64_C(2500000000));
        CHECK_INT(plait_in_ms(2500), >=, before_ns + INT64_C(2500000000));
}
