/* The counting semaphore: permits, order, limits, deadlines, cancellation. */
#include <plait/plait.h>
#include <pthread.h>

#include "api/alone.h"

struct taker {
        struct plait_semaphore *semaphore;
        int64_t deadline_ns;
        int result; /* 1: still waiting */
        int *turns;
        int turn;
};

static int acquire(void *arg)
{
        struct taker *taker = arg;

        taker->result = plait_semaphore_acquire(taker->semaphore, taker->deadline_ns);
        if (taker->result == 0 && taker->turns)
                taker->turn = (*taker->turns)++;
        return 0;
}

TEST(semaphore_zeroed_has_no_permits)
{
        struct plait_semaphore semaphore = {0};

        CHECK_UINT(plait_semaphore_count(&semaphore), ==, 0);
        CHECK_INT(plait_semaphore_try_acquire(&semaphore), ==, -EAGAIN);
        CHECK_INT(sizeof semaphore, ==, 2 * sizeof(void *));
}

TEST(semaphore_gives_as_many_permits_as_it_has)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(2);

        CHECK_INT(plait_semaphore_acquire(&semaphore, 0), ==, 0);
        CHECK_INT(plait_semaphore_try_acquire(&semaphore), ==, 0);
        CHECK_INT(plait_semaphore_try_acquire(&semaphore), ==, -EAGAIN);
        CHECK_INT(plait_semaphore_acquire(&semaphore, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_semaphore_release(&semaphore, 3), ==, 0);
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, 3);
        CHECK_INT(plait_semaphore_release(&semaphore, 0), ==, 0);
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, 3);
}

TEST(semaphore_init_checks_its_range)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(7);

        CHECK_INT(plait_semaphore_init(&semaphore, PLAIT_SEMAPHORE_MAX + 1), ==, -EINVAL);
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, 7);
        CHECK_INT(plait_semaphore_init(&semaphore, PLAIT_SEMAPHORE_MAX), ==, 0);
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, PLAIT_SEMAPHORE_MAX);
}

TEST(semaphore_release_refuses_to_overflow)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(5);

        CHECK_INT(plait_semaphore_release(&semaphore, PLAIT_SEMAPHORE_MAX - 4), ==, -EOVERFLOW);
        CHECK_INT(plait_semaphore_release(&semaphore, UINT32_MAX), ==, -EOVERFLOW);
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, 5);
        CHECK_INT(plait_semaphore_release(&semaphore, PLAIT_SEMAPHORE_MAX - 5), ==, 0);
        CHECK_INT(plait_semaphore_release(&semaphore, 1), ==, -EOVERFLOW);
}

TEST(semaphore_release_with_waiters_refuses_to_overflow, .run = alone)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct taker taker = {&semaphore, PLAIT_NEVER, 1, NULL, -1};

        CHECK_OK(plait_scope_go(&scope, acquire, &taker));
        let_others_run();
        CHECK_INT(plait_semaphore_release(&semaphore, PLAIT_SEMAPHORE_MAX + 1), ==, -EOVERFLOW);
        let_others_run();
        CHECK_INT(taker.result, ==, 1);
        CHECK_INT(plait_semaphore_release(&semaphore, PLAIT_SEMAPHORE_MAX), ==, 0);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, PLAIT_SEMAPHORE_MAX - 1);
}

TEST(semaphore_release_serves_waiters_in_order, .run = alone)
{
        enum { N = 150 }; /* more than are woken in one go */
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct taker takers[N];
        int turns = 0;

        for (int i = 0; i < N; i++) {
                takers[i] = (struct taker){&semaphore, PLAIT_NEVER, 1, &turns, -1};
                CHECK_OK(plait_scope_go(&scope, acquire, &takers[i]));
                let_others_run();
        }
        for (int i = 0; i < 5; i++) {
                CHECK_OK(plait_semaphore_release(&semaphore, 1));
                let_others_run();
                CHECK_INT(takers[i].turn, ==, i);
                CHECK_INT(turns, ==, i + 1);
        }
        CHECK_OK(plait_semaphore_release(&semaphore, N));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(turns, ==, N);
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, 5);
}

/* The permit belongs to the one who waits, though he has not run yet. */
TEST(semaphore_is_not_taken_from_a_waiter, .run = alone)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct taker taker = {&semaphore, PLAIT_NEVER, 1, NULL, -1};

        CHECK_OK(plait_scope_go(&scope, acquire, &taker));
        let_others_run();
        CHECK_OK(plait_semaphore_release(&semaphore, 1));
        CHECK_INT(plait_semaphore_try_acquire(&semaphore), ==, -EAGAIN);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(taker.result, ==, 0);
}

TEST(semaphore_wait_of_a_thread_times_out)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(0);
        int64_t deadline_ns = plait_in_ms(10);

        CHECK_INT(plait_semaphore_acquire(&semaphore, deadline_ns), ==, -ETIMEDOUT);
        CHECK_INT(plait_now_ns(), >=, deadline_ns);
        CHECK_OK(plait_semaphore_release(&semaphore, 1));
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, 1);
}

TEST(semaphore_waiters_that_give_up_get_no_permit, .run = alone)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct taker early = {&semaphore, plait_in_ms(5), 1, NULL, -1},
                     patient = {&semaphore, PLAIT_NEVER, 1, NULL, -1};

        CHECK_OK(plait_scope_go(&scope, acquire, &early));
        let_others_run();
        CHECK_OK(plait_scope_go(&scope, acquire, &patient));
        while (early.result == 1)
                plait_yield();
        CHECK_OK(plait_semaphore_release(&semaphore, 1));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(early.result, ==, -ETIMEDOUT);
        CHECK_INT(patient.result, ==, 0);
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, 0);
}

TEST(semaphore_cancelled_waiters_leave_the_permits, .run = alone)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct taker takers[3];

        for (int i = 0; i < 3; i++) {
                takers[i] = (struct taker){&semaphore, PLAIT_NEVER, 1, NULL, -1};
                CHECK_OK(plait_scope_go(&scope, acquire, &takers[i]));
        }
        let_others_run();
        CHECK_OK(plait_semaphore_release(&semaphore, 1)); /* for one of them, who keeps it */
        plait_scope_cancel(&scope);
        CHECK_OK(plait_semaphore_release(&semaphore, 2)); /* the others are gone, though still in the queue */
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT((takers[0].result == 0) + (takers[1].result == 0) + (takers[2].result == 0), ==, 1);
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, 2);
        CHECK_INT(plait_semaphore_try_acquire(&semaphore), ==, 0);
}

TEST(semaphore_permit_is_taken_in_a_cancelled_scope, .run = in_task)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(1);
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_semaphore_acquire(&semaphore, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_semaphore_acquire(&semaphore, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

static void *acquire_in_thread(void *arg)
{
        acquire(arg);
        return NULL;
}

TEST(semaphore_task_releases_to_a_thread, .run = in_task)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(0);
        struct taker taker = {&semaphore, PLAIT_NEVER, 1, NULL, -1};
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, acquire_in_thread, &taker), ==, 0);
        CHECK_OK(plait_semaphore_release(&semaphore, 1));
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(taker.result, ==, 0);
}
