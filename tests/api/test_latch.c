/* The latch: counting, opening, deadlines, cancellation. */
#include <plait/plait.h>
#include <pthread.h>
#include <stdlib.h>

#include "api/alone.h"

struct waiter {
        struct plait_latch *latch;
        int64_t deadline_ns;
        int result; /* 1: still waiting */
};

static int wait_for(void *arg)
{
        struct waiter *waiter = arg;

        waiter->result = plait_latch_wait(waiter->latch, waiter->deadline_ns);
        return 0;
}

TEST(latch_zeroed_is_open)
{
        struct plait_latch latch = {0};

        CHECK_UINT(plait_latch_count(&latch), ==, 0);
        CHECK_INT(plait_latch_wait(&latch, 0), ==, 0);
        CHECK_INT(plait_latch_wait(&latch, PLAIT_NEVER), ==, 0);
        CHECK_INT(sizeof latch, ==, 2 * sizeof(void *));
}

TEST(latch_opens_when_all_is_counted)
{
        struct plait_latch latch = PLAIT_LATCH_INIT(5);

        CHECK_INT(plait_latch_wait(&latch, 0), ==, -ETIMEDOUT);
        CHECK_OK(plait_latch_count_down(&latch, 0));
        CHECK_OK(plait_latch_count_down(&latch, 3));
        CHECK_UINT(plait_latch_count(&latch), ==, 2);
        CHECK_INT(plait_latch_wait(&latch, plait_in_ms(1)), ==, -ETIMEDOUT);
        CHECK_OK(plait_latch_count_down(&latch, 2));
        CHECK_INT(plait_latch_wait(&latch, 0), ==, 0);
}

TEST(latch_refuses_to_count_below_nothing)
{
        struct plait_latch latch = PLAIT_LATCH_INIT(2);

        CHECK_INT(plait_latch_count_down(&latch, 3), ==, -EINVAL);
        CHECK_INT(plait_latch_count_down(&latch, UINT32_MAX), ==, -EINVAL);
        CHECK_UINT(plait_latch_count(&latch), ==, 2);
        CHECK_OK(plait_latch_count_down(&latch, 2));
        CHECK_INT(plait_latch_count_down(&latch, 1), ==, -EINVAL);
        CHECK_INT(plait_latch_wait(&latch, 0), ==, 0);
}

TEST(latch_init_checks_its_range)
{
        struct plait_latch latch = PLAIT_LATCH_INIT(7);

        CHECK_INT(plait_latch_init(&latch, PLAIT_LATCH_MAX + 1), ==, -EINVAL);
        CHECK_UINT(plait_latch_count(&latch), ==, 7);
        CHECK_INT(plait_latch_init(&latch, PLAIT_LATCH_MAX), ==, 0);
        CHECK_UINT(plait_latch_count(&latch), ==, PLAIT_LATCH_MAX);
        CHECK_OK(plait_latch_count_down(&latch, PLAIT_LATCH_MAX));
        CHECK_INT(plait_latch_wait(&latch, 0), ==, 0);
}

TEST(latch_lets_all_go_on, .run = alone)
{
        enum { N = 150 }; /* more than are woken in one go */
        static struct waiter waiters[N];
        struct plait_latch latch = PLAIT_LATCH_INIT(2);
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < N; i++) {
                waiters[i] = (struct waiter){&latch, PLAIT_NEVER, 1};
                CHECK_OK(plait_scope_go(&scope, wait_for, &waiters[i]));
        }
        let_others_run();
        CHECK_OK(plait_latch_count_down(&latch, 1));
        let_others_run();
        for (int i = 0; i < N; i++)
                CHECK_INT(waiters[i].result, ==, 1);
        CHECK_INT(plait_latch_count_down(&latch, 2), ==, -EINVAL);
        CHECK_OK(plait_latch_count_down(&latch, 1));
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < N; i++)
                CHECK_INT(waiters[i].result, ==, 0);
}

TEST(latch_waiters_that_give_up_leave_the_count, .run = alone)
{
        struct plait_latch latch = PLAIT_LATCH_INIT(1);
        struct plait_scope outer = PLAIT_SCOPE_INIT, scope = PLAIT_SCOPE_INIT;
        struct waiter early = {&latch, plait_in_ms(5), 1}, cancelled = {&latch, PLAIT_NEVER, 1},
                      patient = {&latch, PLAIT_NEVER, 1};

        CHECK_OK(plait_scope_go(&outer, wait_for, &patient));
        CHECK_OK(plait_scope_go(&scope, wait_for, &early));
        CHECK_OK(plait_scope_go(&scope, wait_for, &cancelled));
        while (early.result == 1)
                plait_yield();
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(early.result, ==, -ETIMEDOUT);
        CHECK_INT(cancelled.result, ==, -ECANCELED);
        CHECK_UINT(plait_latch_count(&latch), ==, 1);
        CHECK_INT(patient.result, ==, 1);
        CHECK_OK(plait_latch_count_down(&latch, 1));
        CHECK_OK(plait_scope_join(&outer));
        CHECK_INT(patient.result, ==, 0);
}

TEST(latch_that_is_open_lets_through_in_a_cancelled_scope, .run = in_task)
{
        struct plait_latch open = PLAIT_LATCH_INIT(0), shut = PLAIT_LATCH_INIT(1);
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_latch_wait(&open, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_latch_wait(&shut, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_latch_wait(&shut, 0), ==, -ECANCELED);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

static void *count_in_thread(void *latch)
{
        CHECK_OK(plait_latch_count_down(latch, 1));
        return NULL;
}

TEST(latch_is_counted_by_threads_and_freed_by_who_waited, .run = in_task)
{
        enum { N = 4 };
        struct plait_latch *latch = malloc(sizeof *latch);
        pthread_t threads[N];

        CHECK(latch != NULL);
        CHECK_OK(plait_latch_init(latch, N));
        for (int i = 0; i < N; i++)
                CHECK_INT(pthread_create(&threads[i], NULL, count_in_thread, latch), ==, 0);
        CHECK_INT(plait_latch_wait(latch, PLAIT_NEVER), ==, 0);
        free(latch);
        for (int i = 0; i < N; i++)
                CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
}
