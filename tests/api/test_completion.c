/* Futures in the order in which they are set. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <plait/plait.h>

#include "harness/task.h"
#include "harness/test.h"

static struct plait_future *new_future(void)
{
        struct plait_future *future;

        CHECK_INT(plait_future_new(NULL, &future), ==, 0);
        return future;
}

static void set(struct plait_future *future, int result)
{
        CHECK_INT(plait_future_set(future, result, NULL), ==, 0);
}

static struct plait_completion *new_completion(void)
{
        struct plait_completion *completion;

        CHECK_INT(plait_completion_new(&completion), ==, 0);
        return completion;
}

TEST(futures_come_in_the_order_in_which_they_are_set)
{
        struct plait_completion *completion = new_completion();
        struct plait_future *futures[4], *future;
        const int order[] = {2, 0, 3, 1};
        uint64_t number;

        for (unsigned i = 0; i < 4; i++) {
                futures[i] = new_future();
                CHECK_INT(plait_completion_add(completion, futures[i], i + 10), ==, 0);
        }
        CHECK_INT(plait_completion_next(completion, 0, &future, &number), ==, -ETIMEDOUT);
        for (int i = 0; i < 4; i++)
                set(futures[order[i]], i);
        for (int i = 0; i < 4; i++) {
                CHECK_INT(plait_completion_next(completion, PLAIT_NEVER, &future, &number), ==, 1);
                CHECK_INT(number, ==, order[i] + 10);
                CHECK_PTR(future, ==, futures[order[i]]);
                plait_future_unref(future);
        }
        CHECK_INT(plait_completion_next(completion, PLAIT_NEVER, &future, &number), ==, 0);
        plait_completion_free(completion);
        for (int i = 0; i < 4; i++)
                plait_future_unref(futures[i]);
}

TEST(a_future_that_is_set_when_it_is_added_is_there)
{
        struct plait_completion *completion = new_completion();
        struct plait_future *future = new_future();

        set(future, 1);
        CHECK_INT(plait_completion_add(completion, future, 1), ==, 0);
        CHECK_INT(plait_completion_add(completion, future, 2), ==, 0);
        uint64_t number;
        CHECK_INT(plait_completion_next(completion, PLAIT_NEVER, NULL, &number), ==, 1);
        CHECK_INT(number, ==, 1);
        CHECK_INT(plait_completion_next(completion, PLAIT_NEVER, NULL, NULL), ==, 1);
        CHECK_INT(plait_completion_next(completion, 0, NULL, NULL), ==, 0);
        plait_completion_free(completion);
        plait_future_unref(future);
}

TEST(what_has_not_been_taken_is_let_go_of)
{
        struct plait_completion *completion = new_completion();
        struct plait_future *set_one = new_future(), *other = new_future();

        CHECK_INT(plait_completion_add(completion, set_one, 0), ==, 0);
        CHECK_INT(plait_completion_add(completion, other, 1), ==, 0);
        set(set_one, 0);
        plait_future_unref(set_one);
        plait_completion_free(completion);
        set(other, 0);
        plait_future_unref(other);
        plait_completion_free(NULL);
}

enum { FUTURES = 2000, TAKERS = 3 };

struct crowd {
        struct plait_completion *completion;
        struct plait_future *futures[FUTURES];
        _Atomic int taken[FUTURES];
        _Atomic int next;
};

static void *take_all(void *arg)
{
        struct crowd *crowd = arg;
        uint64_t number;
        int r;

        while ((r = plait_completion_next(crowd->completion, PLAIT_NEVER, NULL, &number)) > 0)
                atomic_fetch_add(&crowd->taken[number], 1);
        CHECK_INT(r, ==, 0);
        return NULL;
}

static void *set_all(void *arg)
{
        struct crowd *crowd = arg;
        int i;

        while ((i = atomic_fetch_add(&crowd->next, 1)) < FUTURES)
                set(crowd->futures[i], i);
        return NULL;
}

static int take_all_in_task(void *arg)
{
        take_all(arg);
        return 0;
}

static int tasks_and_threads(void *arg)
{
        struct crowd *crowd = arg;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        pthread_t threads[TAKERS * 2];

        for (int i = 0; i < TAKERS; i++) {
                plait_scope_go(&scope, take_all_in_task, crowd);
                CHECK_INT(pthread_create(&threads[i], NULL, take_all, crowd), ==, 0);
                CHECK_INT(pthread_create(&threads[TAKERS + i], NULL, set_all, crowd), ==, 0);
        }
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        for (int i = 0; i < TAKERS * 2; i++)
                CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
        return 0;
}

TEST(each_future_is_taken_once_by_many_who_wait)
{
        static struct crowd crowd;

        crowd.completion = new_completion();
        for (unsigned i = 0; i < FUTURES; i++) {
                crowd.futures[i] = new_future();
                CHECK_INT(plait_completion_add(crowd.completion, crowd.futures[i], i), ==, 0);
        }
        CHECK_INT(plait_run(tasks_and_threads, &crowd, NULL), ==, 0);
        for (int i = 0; i < FUTURES; i++) {
                CHECK_INT(crowd.taken[i], ==, 1);
                plait_future_unref(crowd.futures[i]);
        }
        plait_completion_free(crowd.completion);
}

static int wait_in_scope(void *arg)
{
        CHECK_INT(plait_completion_next(arg, PLAIT_NEVER, NULL, NULL), ==, -ECANCELED);
        return 0;
}

TEST(a_cancellation_ends_the_wait_and_loses_nothing, .run = in_task)
{
        struct plait_completion *completion = new_completion();
        struct plait_future *future = new_future();
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_INT(plait_completion_add(completion, future, 0), ==, 0);
        plait_scope_go(&scope, wait_in_scope, completion);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        set(future, 0);
        CHECK_INT(plait_completion_next(completion, PLAIT_NEVER, NULL, NULL), ==, 1);
        plait_completion_free(completion);
        plait_future_unref(future);
}

/* The callback of a future may be on its way while the completion is freed. */
TEST(a_completion_is_freed_while_its_futures_are_set)
{
        for (int round = 0; round < 200; round++) {
                struct crowd *crowd = &(struct crowd){.completion = new_completion()};
                pthread_t thread;

                crowd->next = FUTURES - 20;
                for (int i = FUTURES - 20; i < FUTURES; i++) {
                        crowd->futures[i] = new_future();
                        CHECK_INT(plait_completion_add(crowd->completion, crowd->futures[i], 0), ==, 0);
                }
                CHECK_INT(pthread_create(&thread, NULL, set_all, crowd), ==, 0);
                while (round % 2 && crowd->next < FUTURES - 10)
                        sched_yield();
                plait_completion_free(crowd->completion);
                CHECK_INT(pthread_join(thread, NULL), ==, 0);
                for (int i = FUTURES - 20; i < FUTURES; i++)
                        plait_future_unref(crowd->futures[i]);
        }
}
