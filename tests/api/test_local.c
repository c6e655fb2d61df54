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

/* --- inheriting --- */

static int copies, ends;

static void *copy_number(void *value)
{
        __atomic_add_fetch(&copies, 1, __ATOMIC_RELAXED);
        int *copy = malloc(sizeof *copy);

        CHECK(copy != NULL);
        *copy = *(int *)value + 100;
        return copy;
}

static void free_number(void *value)
{
        __atomic_add_fetch(&ends, 1, __ATOMIC_RELAXED);
        free(value);
}

static struct plait_local copied = PLAIT_LOCAL_INIT_INHERITED(free_number, copy_number);
static struct plait_local shared = PLAIT_LOCAL_INIT_INHERITED(NULL, plait_local_share);

static void set_copied(int n)
{
        int *value = malloc(sizeof *value);

        CHECK(value != NULL);
        *value = n;
        CHECK_OK(plait_local_set(&copied, value));
}

static int grandchild(void *arg)
{
        (void)arg;
        CHECK_INT(*(int *)plait_local_get(&copied), ==, 201);
        CHECK_PTR(plait_local_get(&shared), ==, &shared);
        return 0;
}

static int child(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        CHECK_INT(*(int *)plait_local_get(&copied), ==, 101);
        CHECK_PTR(plait_local_get(&shared), ==, &shared);
        CHECK_PTR(plait_local_get(&counted), ==, NULL);
        plait_yield();
        CHECK_OK(plait_scope_go(&scope, grandchild, NULL));
        *(int *)plait_local_get(&copied) = 0; /* its own: neither parent nor child see it */
        CHECK_OK(plait_local_set(&shared, NULL));
        return plait_scope_join(&scope);
}

TEST(local_values_are_inherited_as_they_say, .run = in_task)
{
        enum { N = 50 };
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        set_copied(1);
        CHECK_OK(plait_local_set(&shared, &shared));
        CHECK_OK(plait_local_set(&counted, number(1)));
        for (int i = 0; i < N; i++)
                CHECK_OK(plait_scope_go(&scope, child, NULL));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(*(int *)plait_local_get(&copied), ==, 1);
        CHECK_PTR(plait_local_get(&shared), ==, &shared);
        CHECK_INT(copies, ==, 2 * N);
        CHECK_INT(ends, ==, 2 * N);
}

static int is_seven(void *arg)
{
        (void)arg;
        CHECK_INT(*(int *)plait_local_get(&copied), ==, 107);
        return 0;
}

static int has_none(void *arg)
{
        (void)arg;
        CHECK_PTR(plait_local_get(&copied), ==, NULL);
        CHECK_PTR(plait_local_get(&shared), ==, NULL);
        return 0;
}

/* With options, with a handle, and as values change. */
TEST(local_values_are_inherited_as_they_are_at_the_start, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .name = "heir"};
        struct plait_task *task;

        CHECK_OK(plait_scope_start(&scope, has_none, NULL, &opts, NULL));
        set_copied(7);
        CHECK_OK(plait_scope_start(&scope, is_seven, NULL, &opts, &task));
        CHECK_OK(plait_scope_go(&scope, is_seven, NULL));
        free_number(plait_local_get(&copied));
        CHECK_OK(plait_local_set(&copied, NULL)); /* they have not run yet */
        CHECK_OK(plait_scope_go(&scope, has_none, NULL));
        CHECK_OK(plait_scope_join(&scope));
        plait_task_unref(task);
}

static void *no_more(void *value)
{
        return *(int *)value == 3 ? NULL : copy_number(value);
}

static struct plait_local picky = PLAIT_LOCAL_INIT_INHERITED(free_number, no_more);

static int has_no_picky(void *arg)
{
        (void)arg;
        CHECK_PTR(plait_local_get(&picky), ==, NULL);
        return 0;
}

TEST(local_value_need_not_be_inherited, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int *value = malloc(sizeof *value);

        CHECK(value != NULL);
        *value = 3;
        CHECK_OK(plait_local_set(&picky, value));
        CHECK_OK(plait_scope_go(&scope, has_no_picky, NULL));
        CHECK_OK(plait_scope_join(&scope));
}

struct opener {
        struct plait_scope scope;
        struct plait_event open, started;
};

static void *start_from_thread(void *arg)
{
        struct opener *opener = arg;

        CHECK_OK(plait_event_wait(&opener->open, PLAIT_NEVER));
        set_copied(7);
        CHECK_OK(plait_scope_go(&opener->scope, is_seven, NULL));
        plait_event_set(&opener->started);
        return NULL;
}

static int wait_until_started(void *event)
{
        return plait_event_wait(event, PLAIT_NEVER);
}

TEST(local_values_of_a_thread_are_inherited_by_what_it_starts, .run = in_task)
{
        struct opener opener = {.scope = PLAIT_SCOPE_INIT};
        pthread_t thread;

        CHECK_OK(plait_scope_go(&opener.scope, wait_until_started, &opener.started));
        CHECK_INT(pthread_create(&thread, NULL, start_from_thread, &opener), ==, 0);
        plait_event_set(&opener.open);
        CHECK_OK(plait_scope_join(&opener.scope));
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(copies, ==, 1);
        CHECK_INT(ends, ==, 2);
}

TEST(local_values_are_not_inherited_by_the_first_task)
{
        set_copied(7);
        CHECK_INT(plait_run(has_none, NULL, NULL), ==, 0);
        free_number(plait_local_get(&copied));
        CHECK_OK(plait_local_set(&copied, NULL));
}
