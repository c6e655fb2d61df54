/* Scopes: starting, joining, failing, cancelling, deadlines, shields. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/task.h"
#include "harness/test.h"

static atomic_int count;

static int add_one(void *arg)
{
        (void)arg;
        atomic_fetch_add(&count, 1);
        return 0;
}

static int sleep_forever(void *arg)
{
        (void)arg;
        atomic_fetch_add(&count, 1);
        return plait_sleep(PLAIT_NEVER);
}

static int return_it(void *result)
{
        return (int)(intptr_t)result;
}

static int yield_then_return_it(void *result)
{
        plait_yield();
        return (int)(intptr_t)result;
}

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

/* --- supervisors, limits, records --- */

static int nap(void *counter)
{
        int r = plait_sleep(plait_in_ms(5));

        atomic_fetch_add((atomic_int *)counter, 1);
        return r;
}

static int is_next(void *number)
{
        CHECK_INT(atomic_fetch_add(&count, 1), ==, (int)(intptr_t)number);
        plait_yield();
        return 0;
}

static int open_a_limited_scope(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_WITH(.limit = 1);

        (void)arg;
        for (int i = 0; i < 10; i++)
                CHECK_OK(plait_scope_go(&scope, add_one, NULL));
        return plait_scope_join(&scope);
}

TEST(a_supervisor_goes_on_after_a_failure_and_counts, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_WITH(.flags = PLAIT_SCOPE_SUPERVISOR);

        for (int i = 0; i < 50; i++)
                plait_scope_go(&scope, yield_then_return_it, (void *)(intptr_t)(i % 2 ? -EIO : i));
        plait_scope_go(&scope, nap, &count);
        CHECK_INT(plait_scope_join(&scope), ==, 25);
        CHECK_INT(count, ==, 1);
        CHECK_INT(plait_cancelled(), ==, 0);
}

TEST(a_supervisor_can_be_cancelled, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_WITH(.flags = PLAIT_SCOPE_SUPERVISOR);

        for (int i = 0; i < 50; i++)
                plait_scope_go(&scope, sleep_forever, NULL);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(count, ==, 50);
}

TEST(a_record_counts_how_tasks_ended, .run = in_task)
{
        static const int results[] = {0, 5, -EIO, -EPERM, -ECANCELED, -ETIMEDOUT, -ETIMEDOUT};
        struct plait_scope_record record = {0};
        struct plait_scope scope = PLAIT_SCOPE_WITH(.flags = PLAIT_SCOPE_SUPERVISOR, .record = &record);

        for (int i = 0; i < 7; i++)
                plait_scope_go(&scope, return_it, (void *)(intptr_t)results[i]);
        CHECK_INT(plait_scope_join(&scope), ==, 5);
        CHECK_INT((int)record.started, ==, 7);
        CHECK_INT((int)record.finished, ==, 7);
        CHECK_INT((int)record.running, ==, 0);
        CHECK_INT((int)record.queued, ==, 0);
        CHECK_INT((int)record.failed, ==, 2);
        CHECK_INT((int)record.cancelled, ==, 1);
        CHECK_INT((int)record.timed_out, ==, 2);
        CHECK_INT((int)record.n_errors, ==, 4);
        CHECK_STR(record.reason, "");
}

TEST(a_record_keeps_the_first_errors_and_counts_all, .run = in_task)
{
        struct plait_scope_record record = {0};
        struct plait_scope scope = PLAIT_SCOPE_WITH(.flags = PLAIT_SCOPE_SUPERVISOR, .limit = 1, .record = &record);
        struct plait_task_opts opts = {.size = sizeof opts};
        char name[16];

        for (int i = 1; i <= 100; i++) {
                snprintf(name, sizeof name, "failure %d", i);
                opts.name = name;
                CHECK_OK(plait_scope_start(&scope, yield_then_return_it, (void *)(intptr_t)-i, &opts, NULL));
        }
        CHECK_INT(plait_scope_join(&scope), ==, 100);
        CHECK_INT((int)(record.failed + record.timed_out + record.cancelled), ==, 100);
        CHECK_INT((int)record.n_errors, ==, (int)PLAIT_SCOPE_ERRORS);
        for (int i = 0; i < (int)PLAIT_SCOPE_ERRORS; i++) {
                snprintf(name, sizeof name, "failure %d", i + 1);
                CHECK_STR(record.errors[i].task_name, name);
                CHECK_INT(record.errors[i].error, ==, -i - 1);
                CHECK_INT((int)record.errors[i].task_id, >, 0);
        }
}

static atomic_int now_running, most_running;
static struct plait_event let_go;

static int run_at_once(void *arg)
{
        int now = atomic_fetch_add(&now_running, 1) + 1;
        int seen = atomic_load(&most_running);

        while (now > seen && !atomic_compare_exchange_weak(&most_running, &seen, now))
                ;
        int r = arg ? plait_event_wait(&let_go, PLAIT_NEVER) : plait_sleep(plait_in_ms(1));
        atomic_fetch_sub(&now_running, 1);
        atomic_fetch_add(&count, 1);
        return r;
}

TEST(no_more_tasks_run_than_the_limit_says, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_WITH(.limit = 4);

        for (int i = 0; i < 200; i++)
                CHECK_OK(plait_scope_go(&scope, run_at_once, NULL));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(count, ==, 200);
        CHECK_INT(most_running, ==, 4);
}

TEST(a_scope_tells_what_its_tasks_do, .run = in_task)
{
        struct plait_scope_record record = {0}, seen;
        struct plait_scope scope = PLAIT_SCOPE_WITH(.limit = 4, .record = &record);

        CHECK_INT(plait_scope_stats(&scope, &seen), ==, -EINVAL);
        for (int i = 0; i < 10; i++)
                CHECK_OK(plait_scope_go(&scope, run_at_once, &scope));
        while (atomic_load(&now_running) < 4)
                plait_yield();
        CHECK_OK(plait_scope_stats(&scope, &seen));
        CHECK_INT((int)seen.started, ==, 10);
        CHECK_INT((int)seen.running, ==, 4);
        CHECK_INT((int)seen.queued, ==, 6);
        CHECK_INT((int)seen.finished, ==, 0);
        plait_event_set(&let_go);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT((int)record.finished, ==, 10);
        CHECK_INT(plait_scope_stats(&scope, &seen), ==, -EINVAL);
        CHECK_INT((int)seen.finished, ==, 0);
}

TEST(a_scope_without_a_record_has_no_statistics, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_scope_record seen;

        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_scope_stats(&scope, &seen), ==, -EINVAL);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

TEST(queued_tasks_run_in_their_order_even_in_a_cancelled_scope, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_WITH(.limit = 1);

        for (int i = 0; i < 300; i++)
                CHECK_OK(plait_scope_go(&scope, is_next, (void *)(intptr_t)i));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(count, ==, 300);
}

TEST(tasks_of_a_limited_scope_can_start_siblings, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_WITH(.limit = 1);

        for (int i = 0; i < 3; i++)
                CHECK_OK(plait_scope_go(&scope, start_sibling, &scope));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(count, ==, 3 * 500);
}

TEST(nested_limited_scopes_do_not_wait_for_each_other, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_WITH(.limit = 2);

        for (int i = 0; i < 50; i++)
                CHECK_OK(plait_scope_go(&scope, open_a_limited_scope, NULL));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(count, ==, 50 * 10);
}

/* --- reasons --- */

static int tell_reason(void *buf)
{
        CHECK_INT(plait_sleep(PLAIT_NEVER), <, 0);
        CHECK_INT(plait_cancel_reason(buf, PLAIT_REASON_BYTES), ==, plait_cancelled());
        return 0;
}

TEST(tasks_can_read_why_they_are_cancelled, .run = in_task)
{
        static char inner[PLAIT_REASON_BYTES];
        struct plait_scope_record record = {0};
        struct plait_scope scope = PLAIT_SCOPE_WITH(.record = &record);
        char buf[8] = "same";

        CHECK_OK(plait_scope_go(&scope, tell_reason, inner));
        CHECK_INT(plait_cancel_reason(buf, sizeof buf), ==, 0);
        CHECK_STR(buf, "same");
        plait_scope_cancel_because(&scope, "the lights went out");
        plait_scope_cancel_because(&scope, "too late");
        CHECK_INT(plait_cancel_reason(buf, sizeof buf), ==, -ECANCELED);
        CHECK_STR(buf, "the lig");
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_STR(inner, "the lights went out");
        CHECK_STR(record.reason, "the lights went out");
}

TEST(a_failure_is_a_reason, .run = in_task)
{
        static char inner[PLAIT_REASON_BYTES];
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .name = "careless"};

        CHECK_OK(plait_scope_go(&scope, tell_reason, inner));
        CHECK_OK(plait_scope_start(&scope, yield_then_return_it, (void *)-EIO, &opts, NULL));
        CHECK_INT(plait_scope_join(&scope), ==, -EIO);
        CHECK(strstr(inner, "task 'careless' (#"));
        CHECK(strstr(inner, "failed: -5 (Input/output error)"));
}

TEST(a_reason_names_the_scope_that_was_cancelled_or_is_out_of_time, .run = in_task)
{
        struct plait_scope outer = PLAIT_SCOPE_INIT;
        struct plait_scope late = PLAIT_SCOPE_WITH(.deadline_ns = 1);
        struct plait_scope shield = PLAIT_SCOPE_WITH(.flags = PLAIT_SCOPE_SHIELD);
        char buf[PLAIT_REASON_BYTES * 4], expected[PLAIT_REASON_BYTES * 4];

        CHECK_OK(plait_scope_open(&outer));
        CHECK_OK(plait_scope_open(&late));
        CHECK_INT(plait_cancel_reason(buf, sizeof buf), ==, -ETIMEDOUT);
        snprintf(expected, sizeof expected, "the deadline has passed (scope of %s:%d)", __FILE__, __LINE__ - 7);
        CHECK_STR(buf, expected);
        plait_scope_cancel(&outer);
        CHECK_INT(plait_cancel_reason(buf, sizeof buf), ==, -ECANCELED);
        snprintf(expected, sizeof expected, "cancelled (scope of %s:%d)", __FILE__, __LINE__ - 12);
        CHECK_STR(buf, expected);
        CHECK_OK(plait_scope_open(&shield));
        CHECK_INT(plait_cancel_reason(buf, sizeof buf), ==, 0);
        CHECK_INT(plait_scope_join(&shield), ==, 0);
        CHECK_INT(plait_scope_join(&late), ==, 0);
        CHECK_INT(plait_scope_join(&outer), ==, -ECANCELED);
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

/* --- plait/within.h --- */

TEST(a_call_within_a_deadline_times_out, .run = in_task)
{
        CHECK_INT(plait_call_within(plait_in_ms(5), sleep_forever, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_call_within(0, sleep_forever, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_call_within(plait_in_s(100), return_it, (void *)7), ==, 7);
        CHECK_INT(plait_call_within(PLAIT_NEVER, NULL, NULL), ==, -EINVAL);
        CHECK_INT(plait_cancelled(), ==, 0);
}

TEST(a_call_within_needs_a_task)
{
        CHECK_INT(plait_call_within(PLAIT_NEVER, return_it, NULL), ==, -EINVAL);
}

static int leave_by_return(void)
{
        PLAIT_WITH_DEADLINE(plait_in_ms(1))
        {
                PLAIT_WITH_DEADLINE(plait_in_s(100))
                {
                        return plait_sleep(PLAIT_NEVER);
                }
        }
        return 0;
}

TEST(a_block_can_be_left_in_any_way, .run = in_task)
{
        int n = 0;

        CHECK_INT(leave_by_return(), ==, -ETIMEDOUT);
        for (int i = 0; i < 3; i++) {
                PLAIT_WITH_DEADLINE(0)
                {
                        CHECK_INT(plait_cancelled(), ==, -ETIMEDOUT);
                        n++;
                        if (i == 0)
                                break;
                        if (i == 1)
                                continue;
                        goto out;
                }
        }
out:
        CHECK_INT(n, ==, 3);
        CHECK_INT(plait_cancelled(), ==, 0);
        PLAIT_WITH_DEADLINE(0)
        PLAIT_SHIELDED
        CHECK_INT(plait_sleep(plait_in_ms(1)), ==, 0);
}

TEST(a_block_outside_of_a_task_says_so, .signal = SIGABRT, .stderr_match = "test_scope\\.c:[0-9]+ is entered where no")
{
        PLAIT_SHIELDED
        plait_yield();
}
