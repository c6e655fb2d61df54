/* The event: set, clear, wait; deadlines, cancellation, many waiters. */
#include <plait/plait.h>
#include <pthread.h>

#include "api/alone.h"

struct waiter {
        struct plait_event *event;
        int64_t deadline_ns;
        int result; /* 1: still waiting */
};

static int wait_for_it(void *arg)
{
        struct waiter *waiter = arg;

        waiter->result = plait_event_wait(waiter->event, waiter->deadline_ns);
        return 0;
}

TEST(event_zeroed_is_not_set)
{
        struct plait_event event = {0};

        CHECK(!plait_event_is_set(&event));
        CHECK_INT(plait_event_wait(&event, 0), ==, -ETIMEDOUT);
        CHECK_INT(sizeof event, ==, 2 * sizeof(void *));
}

TEST(event_stays_set_until_cleared)
{
        struct plait_event event = PLAIT_EVENT_INIT;

        plait_event_set(&event);
        plait_event_set(&event);
        CHECK(plait_event_is_set(&event));
        CHECK_INT(plait_event_wait(&event, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_event_wait(&event, 0), ==, 0);
        plait_event_clear(&event);
        CHECK(!plait_event_is_set(&event));
        CHECK_INT(plait_event_wait(&event, plait_in_ms(2)), ==, -ETIMEDOUT);
}

TEST(event_set_wakes_all, .run = alone)
{
        enum { N = 1000 };
        static struct waiter waiters[N];
        struct plait_event event = PLAIT_EVENT_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < N; i++) {
                waiters[i] = (struct waiter){&event, PLAIT_NEVER, 1};
                CHECK_OK(plait_scope_go(&scope, wait_for_it, &waiters[i]));
        }
        for (int i = 0; i < N; i++)
                let_others_run();
        plait_event_set(&event);
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < N; i++)
                CHECK_INT(waiters[i].result, ==, 0);
}

TEST(event_set_then_cleared_still_wakes_who_waited, .run = alone)
{
        struct plait_event event = PLAIT_EVENT_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct waiter before = {&event, PLAIT_NEVER, 1}, after = {&event, PLAIT_NEVER, 1};

        CHECK_OK(plait_scope_go(&scope, wait_for_it, &before));
        let_others_run();
        plait_event_set(&event);
        plait_event_clear(&event);
        CHECK_OK(plait_scope_go(&scope, wait_for_it, &after));
        let_others_run();
        CHECK_INT(before.result, ==, 0);
        CHECK_INT(after.result, ==, 1);
        plait_event_set(&event);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(after.result, ==, 0);
}

TEST(event_wait_of_a_task_times_out, .run = in_task)
{
        struct plait_event event = PLAIT_EVENT_INIT;
        int64_t deadline_ns = plait_in_ms(10);

        CHECK_INT(plait_event_wait(&event, deadline_ns), ==, -ETIMEDOUT);
        CHECK_INT(plait_now_ns(), >=, deadline_ns);
        plait_event_set(&event);
        CHECK_INT(plait_event_wait(&event, PLAIT_NEVER), ==, 0);
}

TEST(event_cancellation_ends_a_wait, .run = alone)
{
        struct plait_event event = PLAIT_EVENT_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct waiter waiters[5];

        for (int i = 0; i < 5; i++) {
                waiters[i] = (struct waiter){&event, PLAIT_NEVER, 1};
                CHECK_OK(plait_scope_go(&scope, wait_for_it, &waiters[i]));
        }
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        for (int i = 0; i < 5; i++)
                CHECK_INT(waiters[i].result, ==, -ECANCELED);
        plait_event_set(&event); /* meets nobody */
        CHECK_INT(plait_event_wait(&event, 0), ==, 0);
}

TEST(event_set_before_cancellation_counts, .run = alone)
{
        struct plait_event event = PLAIT_EVENT_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct waiter waiter = {&event, PLAIT_NEVER, 1};

        CHECK_OK(plait_scope_go(&scope, wait_for_it, &waiter));
        let_others_run();
        plait_event_set(&event);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(waiter.result, ==, 0);
}

TEST(event_that_is_set_is_had_in_a_cancelled_scope, .run = in_task)
{
        struct plait_event event = PLAIT_EVENT_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_event_wait(&event, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_event_wait(&event, 0), ==, -ECANCELED);
        plait_event_set(&event);
        CHECK_INT(plait_event_wait(&event, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

static void *set_in_thread(void *event)
{
        plait_event_set(event);
        return NULL;
}

TEST(event_thread_wakes_a_task, .run = in_task)
{
        struct plait_event event = PLAIT_EVENT_INIT;
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, set_in_thread, &event), ==, 0);
        CHECK_INT(plait_event_wait(&event, PLAIT_NEVER), ==, 0);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
}

static int set_in_task(void *event)
{
        plait_event_set(event);
        return 0;
}

static void *run_setter(void *event)
{
        CHECK_INT(plait_run(set_in_task, event, NULL), ==, 0);
        return NULL;
}

TEST(event_task_wakes_a_thread)
{
        struct plait_event event = PLAIT_EVENT_INIT;
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, run_setter, &event), ==, 0);
        CHECK_INT(plait_event_wait(&event, PLAIT_NEVER), ==, 0);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
}
