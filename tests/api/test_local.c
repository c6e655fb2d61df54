/* Task-local values: one per task and per thread, kept across waits, destroyed at the end. */
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#include "api/alone.h"

static int destroyed; /* the sum of the values */

static void add_to_destroyed(void *value)
{
        __atomic_add_fetch(&destroyed, (int)(intptr_t)value, __ATOMIC_RELAXED);
}

static void *number(intptr_t n)
{
        return (void *)n;
}

static struct plait_local counted = PLAIT_LOCAL_INIT(add_to_destroyed);
static struct plait_local plain;
static struct plait_local never_set;

static int set_and_keep(void *value)
{
        CHECK_PTR(plait_local_get(&counted), ==, NULL);
        CHECK_OK(plait_local_set(&counted, value));
        for (int i = 0; i < 10; i++) {
                plait_yield();
                CHECK_PTR(plait_local_get(&counted), ==, value);
        }
        CHECK_OK(plait_sleep(plait_in_ms(1)));
        CHECK_PTR(plait_local_get(&counted), ==, value);
        CHECK_PTR(plait_local_get(&plain), ==, NULL);
        return 0;
}

TEST(local_each_task_has_its_own, .run = in_task)
{
        enum { N = 100 };
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 1; i <= N; i++)
                CHECK_OK(plait_scope_go(&scope, set_and_keep, number(i)));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(destroyed, ==, N * (N + 1) / 2);
        CHECK_PTR(plait_local_get(&counted), ==, NULL);
}

TEST(local_values_do_not_mix, .run = in_task)
{
        enum { N = 100 };
        static struct plait_local locals[N];

        for (int i = 0; i < N; i++)
                CHECK_OK(plait_local_set(&locals[i], number(i + 1)));
        for (int i = 0; i < N; i++)
                CHECK_PTR(plait_local_get(&locals[i]), ==, number(i + 1));
        CHECK_PTR(plait_local_get(&never_set), ==, NULL);
}

static int replace_and_take_away(void *arg)
{
        (void)arg;
        CHECK_OK(plait_local_set(&counted, NULL)); /* nothing there yet */
        CHECK_OK(plait_local_set(&counted, number(1)));
        CHECK_OK(plait_local_set(&counted, number(2)));
        CHECK_PTR(plait_local_get(&counted), ==, number(2));
        CHECK_OK(plait_local_set(&counted, NULL));
        CHECK_PTR(plait_local_get(&counted), ==, NULL);
        return 0;
}

TEST(local_replaced_value_is_not_destroyed, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, replace_and_take_away, NULL));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(destroyed, ==, 0);
}

static void *set_in_thread(void *value)
{
        CHECK_PTR(plait_local_get(&counted), ==, NULL);
        CHECK_OK(plait_local_set(&counted, value));
        CHECK_PTR(plait_local_get(&counted), ==, value);
        return NULL;
}

TEST(local_each_thread_has_its_own)
{
        pthread_t thread;

        CHECK_OK(plait_local_set(&counted, number(1)));
        CHECK_INT(pthread_create(&thread, NULL, set_in_thread, number(20)), ==, 0);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(destroyed, ==, 20);
        CHECK_PTR(plait_local_get(&counted), ==, number(1));
}

static int check_none(void *arg)
{
        (void)arg;
        CHECK_PTR(plait_local_get(&counted), ==, NULL);
        return 0;
}

TEST(local_value_of_a_thread_is_not_its_tasks)
{
        CHECK_OK(plait_local_set(&counted, number(1)));
        CHECK_INT(plait_run(check_none, NULL, NULL), ==, 0);
        CHECK_PTR(plait_local_get(&counted), ==, number(1));
}

static struct plait_local late = PLAIT_LOCAL_INIT(add_to_destroyed);

/* A destructor that needs another value, which it finds, and leaves new values, which are destroyed, too. */
static void look_and_set(void *value)
{
        static struct plait_local last = PLAIT_LOCAL_INIT(add_to_destroyed);

        CHECK_PTR(value, ==, number(5));
        CHECK_PTR(plait_local_get(&plain), ==, number(7));
        CHECK_OK(plait_local_set(&last, number(100)));
        CHECK_OK(plait_local_set(&late, number(1000)));
}

static struct plait_local looking = PLAIT_LOCAL_INIT(look_and_set);

static int set_three(void *arg)
{
        (void)arg;
        CHECK_OK(plait_local_set(&looking, number(5)));
        CHECK_OK(plait_local_set(&counted, number(10)));
        CHECK_OK(plait_local_set(&plain, number(7)));
        return 0;
}

TEST(local_destructors_may_use_values, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, set_three, NULL));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(destroyed, ==, 1110);
}

static struct plait_local endless;

static void set_again(void *value)
{
        CHECK_OK(plait_local_set(&endless, value));
}

static int set_endless(void *arg)
{
        (void)arg;
        endless.destroy = set_again;
        CHECK_OK(plait_local_set(&endless, number(1)));
        return 0;
}

TEST(local_destructor_that_never_ends_is_named, .signal = SIGABRT, .stderr_match = "destructors of local values")
{
        plait_run(set_endless, NULL, NULL);
}
