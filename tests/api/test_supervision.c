/* Scopes that supervise, limit and record; reasons of cancellations. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/tasks.h"
#include "harness/task.h"
#include "harness/test.h"

static int start_sibling(void *arg)
{
        struct plait_scope *scope = arg;

        for (int i = 0; i < 500; i++)
                CHECK_OK(plait_scope_go(scope, add_one, NULL));
        return 0;
}

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
