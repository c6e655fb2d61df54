/* Scopes: starting, joining, failing, cancelling, deadlines, shields. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "api/tasks.h"
#include "harness/task.h"
#include "harness/test.h"

TEST(join_returns_after_the_last_task, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 10000; i++)
                CHECK_OK(plait_scope_go(&scope, add_one, NULL));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(count, ==, 10000);
}

TEST(a_scope_that_was_never_opened_joins_at_once, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

TEST(a_scope_can_be_used_again_after_its_join, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 3; i++) {
                scope = (struct plait_scope)PLAIT_SCOPE_INIT;
                plait_scope_go(&scope, return_it, (void *)(intptr_t)(i == 1 ? -EIO : 0));
                CHECK_INT(plait_scope_join(&scope), ==, i == 1 ? -EIO : 0);
        }
}

TEST(positive_results_are_no_errors, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        plait_scope_go(&scope, return_it, (void *)42);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

TEST(the_first_error_cancels_the_siblings_and_is_what_join_returns, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 300; i++)
                plait_scope_go(&scope, sleep_forever, NULL);
        plait_scope_go(&scope, yield_then_return_it, (void *)-EIO);
        CHECK_INT(plait_scope_join(&scope), ==, -EIO);
        CHECK_INT(count, ==, 300);
}

TEST(every_task_runs_even_in_a_cancelled_scope, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        for (int i = 0; i < 1000; i++)
                plait_scope_go(&scope, add_one, NULL);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(count, ==, 1000);
}

TEST(cancellation_is_level_triggered, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_cancelled(), ==, 0);
        plait_scope_cancel(&scope);
        for (int i = 0; i < 3; i++)
                CHECK_INT(plait_sleep(PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_cancelled(), ==, -ECANCELED);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(plait_cancelled(), ==, 0);
        CHECK_INT(plait_sleep(plait_in_ms(1)), ==, 0);
}

static int nest(void *depth)
{
        intptr_t left = (intptr_t)depth;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        if (!left)
                return sleep_forever(NULL);
        plait_scope_go(&scope, nest, (void *)(left - 1));
        return plait_scope_join(&scope);
}

static int cancel_when_counted(void *arg)
{
        struct plait_scope *scope = arg;

        while (!atomic_load(&count))
                plait_yield();
        plait_scope_cancel(scope);
        return 0;
}

TEST(cancellation_reaches_deep_down, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        plait_scope_go(&scope, nest, (void *)500);
        plait_scope_go(&scope, cancel_when_counted, &scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

TEST(cancelling_an_inner_scope_leaves_the_outer_alone, .run = in_task)
{
        struct plait_scope outer = PLAIT_SCOPE_INIT;
        struct plait_scope inner = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&outer));
        plait_scope_go(&inner, sleep_forever, NULL);
        plait_scope_cancel(&inner);
        CHECK_INT(plait_scope_join(&inner), ==, -ECANCELED);
        CHECK_INT(plait_sleep(plait_in_ms(1)), ==, 0);
        CHECK_INT(plait_scope_join(&outer), ==, 0);
}

TEST(a_shield_keeps_cancellation_and_deadlines_out, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_scope shield = {.flags = PLAIT_SCOPE_SHIELD};

        scope.deadline_ns = 1;
        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_OK(plait_scope_open(&shield));
        CHECK_INT(plait_sleep(plait_in_ms(2)), ==, 0);
        CHECK_INT(plait_cancelled(), ==, 0);
        plait_scope_cancel(&shield);
        CHECK_INT(plait_sleep(plait_in_ms(2)), ==, -ECANCELED);
        CHECK_INT(plait_scope_join(&shield), ==, -ECANCELED);
        CHECK_INT(plait_sleep(PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

static int sleep_in_shield(void *ms)
{
        struct plait_scope shield = {.flags = PLAIT_SCOPE_SHIELD};

        plait_scope_open(&shield);
        atomic_fetch_add(&count, 1);
        int r = plait_sleep(plait_in_ms((intptr_t)ms));
        plait_scope_join(&shield);
        return r;
}

TEST(a_wait_in_a_shield_is_not_ended_from_outside, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task *task;
        int result = -1;

        CHECK_OK(plait_scope_start(&scope, sleep_in_shield, (void *)30, NULL, &task));
        plait_scope_go(&scope, cancel_when_counted, &scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(plait_task_wait(task, PLAIT_NEVER, &result), ==, 0);
        CHECK_INT(result, ==, 0);
        plait_task_unref(task);
}

TEST(a_deadline_ends_every_wait_inside, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int64_t start_ns = plait_now_ns();

        scope.deadline_ns = plait_in_ms(20);
        for (int i = 0; i < 100; i++)
                plait_scope_go(&scope, nest, (void *)3);
        CHECK_INT(plait_scope_join(&scope), ==, -ETIMEDOUT);
        CHECK_INT(plait_now_ns() - start_ns, >=, 20000000);
}

TEST(the_nearest_deadline_counts, .run = in_task)
{
        struct plait_scope outer = PLAIT_SCOPE_INIT;
        struct plait_scope inner = PLAIT_SCOPE_INIT;

        outer.deadline_ns = plait_in_ms(10);
        inner.deadline_ns = plait_in_s(100);
        CHECK_OK(plait_scope_open(&outer));
        CHECK_OK(plait_scope_open(&inner));
        CHECK_INT(plait_sleep(PLAIT_NEVER), ==, -ETIMEDOUT);
        CHECK_INT(plait_cancelled(), ==, -ETIMEDOUT);
        CHECK_INT(plait_scope_join(&inner), ==, 0);
        CHECK_INT(plait_scope_join(&outer), ==, 0);
}

TEST(a_sleep_that_ends_before_the_scopes_deadline_succeeds, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        scope.deadline_ns = plait_in_s(100);
        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_sleep(plait_in_ms(2)), ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static int start_sibling(void *arg)
{
        struct plait_scope *scope = arg;

        for (int i = 0; i < 500; i++)
                CHECK_OK(plait_scope_go(scope, add_one, NULL));
        return 0;
}

TEST(tasks_can_start_siblings, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 20; i++)
                plait_scope_go(&scope, start_sibling, &scope);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(count, ==, 20 * 500);
}

static atomic_bool stop_thread;

static void *start_from_thread(void *arg)
{
        for (int i = 0; i < 1000; i++)
                CHECK_OK(plait_scope_go(arg, add_one, NULL));
        atomic_store(&stop_thread, true);
        return NULL;
}

static int until_thread_is_done(void *arg)
{
        (void)arg;
        while (!atomic_load(&stop_thread))
                CHECK_OK(plait_sleep(plait_in_ms(1)));
        return 0;
}

TEST(plain_threads_can_start_tasks, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        pthread_t thread;

        plait_scope_go(&scope, until_thread_is_done, NULL);
        CHECK_INT(pthread_create(&thread, NULL, start_from_thread, &scope), ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        pthread_join(thread, NULL);
        CHECK_INT(count, ==, 1000);
}

TEST(invalid_arguments_are_refused, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_scope odd = {.flags = 0x40};
        struct plait_task_opts opts = {.size = 3};
        struct plait_task *untouched = NULL;

        CHECK_INT(plait_scope_go(&scope, NULL, NULL), ==, -EINVAL);
        CHECK_INT(plait_scope_start(&scope, NULL, NULL, NULL, NULL), ==, -EINVAL);
        CHECK_INT(plait_scope_start(&scope, add_one, NULL, &opts, &untouched), ==, -EINVAL);
        opts.size = sizeof opts;
        opts.stack_bytes = 1 << 30;
        CHECK_INT(plait_scope_start(&scope, add_one, NULL, &opts, &untouched), ==, -EINVAL);
        CHECK_PTR(untouched, ==, NULL);
        CHECK_INT(plait_scope_open(&odd), ==, -EINVAL);
        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_scope_open(&scope), ==, -EINVAL);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

TEST(a_thread_cannot_open_a_scope)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_INT(plait_scope_open(&scope), ==, -EINVAL);
        CHECK_INT(plait_scope_go(&scope, add_one, NULL), ==, -EINVAL);
        plait_scope_cancel(&scope);
        plait_scope_cancel(NULL);
        CHECK_INT(plait_cancelled(), ==, 0);
}

TEST(joining_scopes_in_the_wrong_order_says_so, .run = in_task, .signal = SIGABRT, .stderr_match = "innermost")
{
        struct plait_scope outer = PLAIT_SCOPE_INIT;
        struct plait_scope inner = PLAIT_SCOPE_INIT;

        plait_scope_open(&outer);
        plait_scope_open(&inner);
        (void)!plait_scope_join(&outer);
}

static int forgets_to_join(void *scope)
{
        return plait_scope_go(scope, add_one, NULL);
}

static int opens_and_returns(void *arg)
{
        struct plait_scope *scope = arg;

        return plait_scope_open(scope);
}

TEST(returning_with_an_open_scope_names_the_task, .run = in_task, .signal = SIGABRT,
     .stderr_match = "task 'careless' .*plait_scope_join")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        static struct plait_scope leaked;
        struct plait_task_opts opts = {.size = sizeof opts, .name = "careless"};

        plait_scope_start(&scope, opens_and_returns, &leaked, &opts, NULL);
        (void)!plait_scope_join(&scope);
}

TEST(the_first_task_cannot_return_with_an_open_scope, .run = in_task, .signal = SIGABRT,
     .stderr_match = "first task returned")
{
        static struct plait_scope leaked;

        forgets_to_join(&leaked);
}

static int fork_join(void *arg)
{
        intptr_t *n = arg;
        intptr_t a = *n - 1;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        if (*n < 2)
                return 0;
        plait_scope_go(&scope, fork_join, &a);
        intptr_t b = *n - 2;
        int r = fork_join(&b);
        int joined = plait_scope_join(&scope);
        *n = a + b;
        return r ? r : joined;
}

TEST(a_tree_of_tasks_computes_fibonacci_numbers, .run = in_task)
{
        intptr_t n = 20;

        CHECK_OK(fork_join(&n));
        CHECK_INT(n, ==, 6765);
}

/* Children that run on their parent's stack and wait there, on both sides of a migration. */
static int tree_that_waits(void *arg)
{
        intptr_t depth = (intptr_t)arg;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        if (!depth)
                return plait_sleep(plait_in_ms(1));
        for (int i = 0; i < 4; i++)
                plait_scope_go(&scope, tree_that_waits, (void *)(depth - 1));
        plait_yield();
        int r = plait_scope_join(&scope);
        atomic_fetch_add(&count, 1);
        return r;
}

TEST(a_tree_of_tasks_that_wait_joins_completely, .run = in_task)
{
        CHECK_OK(tree_that_waits((void *)5));
        CHECK_INT(count, ==, 1 + 4 + 16 + 64 + 256);
}

/* A chain of tasks, each waiting for the next: it must not run on one stack. */
TEST(a_long_chain_of_joins_fits_into_the_stacks, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        scope.deadline_ns = plait_in_ms(100);
        plait_scope_go(&scope, nest, (void *)20000);
        CHECK_INT(plait_scope_join(&scope), ==, -ETIMEDOUT);
}

/* --- messages name the place --- */

TEST(a_scope_that_is_never_joined_is_named_with_file_and_line, .run = in_task, .signal = SIGABRT,
     .stderr_match = "task 'careless' .*test_scope\\.c:[0-9]+.*plait_scope_join")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .name = "careless"};
        static struct plait_scope leaked;

        leaked = (struct plait_scope)PLAIT_SCOPE_INIT;
        plait_scope_start(&scope, opens_and_returns, &leaked, &opts, NULL);
        (void)!plait_scope_join(&scope);
}

TEST(a_wrong_order_of_joins_names_both_places, .run = in_task, .signal = SIGABRT,
     .stderr_match = "test_scope\\.c:[0-9]+, while .*test_scope\\.c:[0-9]+")
{
        struct plait_scope outer = PLAIT_SCOPE_INIT;
        struct plait_scope inner = PLAIT_SCOPE_INIT;

        plait_scope_open(&outer);
        plait_scope_open(&inner);
        (void)!plait_scope_join(&outer);
}

TEST(initialising_an_open_scope_anew_is_named, .run = in_task, .signal = SIGABRT,
     .stderr_match = "test_scope\\.c:[0-9]+ is initialised anew")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        plait_scope_open(&scope);
        scope = (struct plait_scope)PLAIT_SCOPE_INIT;
        plait_scope_open(&scope);
}

static int join_it(void *scope)
{
        return plait_scope_join(scope);
}

TEST(joining_another_tasks_scope_is_named, .run = in_task, .signal = SIGABRT,
     .stderr_match = "test_scope\\.c:[0-9]+ by another task")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        plait_scope_go(&scope, join_it, &scope);
        (void)!plait_scope_join(&scope);
}

enum { STARTS_MOST = 100 * 1000 * 1000, OTHERS_TURNS = 10 };

static int others_turns;

static int have_turns(void *unused)
{
        (void)unused;
        for (others_turns = 0; others_turns < OTHERS_TURNS; others_turns++)
                plait_yield();
        return 0;
}

static int do_nothing(void *unused)
{
        (void)unused;
        return 0;
}

static int start_without_end(void *unused)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)unused;
        for (int i = 0; others_turns < OTHERS_TURNS; i++) {
                CHECK_INT(i, <, STARTS_MOST);
                CHECK_OK(plait_scope_go(&scope, do_nothing, NULL));
        }
        return plait_scope_join(&scope);
}

static int starter_beside_another(void *unused)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)unused;
        CHECK_OK(plait_scope_go(&scope, have_turns, NULL));
        plait_yield();
        CHECK_OK(plait_scope_go(&scope, start_without_end, NULL));
        return plait_scope_join(&scope);
}

TEST(who_starts_tasks_without_end_leaves_others_their_turns)
{
        const struct plait_run_opts one_worker = {.size = sizeof one_worker, .workers = 1};

        CHECK_OK(plait_run(starter_beside_another, NULL, &one_worker));
}
