/* The future: set once, waited for, polled, called back, asked to be cancelled. */
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "api/alone.h"

static struct plait_future *new_future(void)
{
        struct plait_future *future;

        CHECK_OK(plait_future_new(NULL, &future));
        return future;
}

TEST(future_new_is_not_set)
{
        struct plait_future *future = new_future();
        int result = 7;
        void *value = &result;

        CHECK(!plait_future_is_set(future));
        CHECK(!plait_future_cancel_requested(future));
        CHECK_INT(plait_future_wait(future, 0, &result, &value), ==, -ETIMEDOUT);
        CHECK_INT(plait_future_wait(future, plait_in_ms(1), &result, &value), ==, -ETIMEDOUT);
        CHECK_INT(result, ==, 7);
        CHECK_PTR(value, ==, &result);
        plait_future_unref(future);
        plait_future_unref(NULL);
}

TEST(future_is_set_once)
{
        struct plait_future *future = new_future();
        int result, a, b;
        void *value;

        CHECK_OK(plait_future_set(future, 3, &a));
        CHECK_INT(plait_future_set(future, 4, &b), ==, -EALREADY);
        CHECK(plait_future_is_set(future));
        CHECK_OK(plait_future_wait(future, 0, &result, &value));
        CHECK_INT(result, ==, 3);
        CHECK_PTR(value, ==, &a);
        CHECK_OK(plait_future_wait(future, PLAIT_NEVER, NULL, NULL));
        plait_future_unref(future);
}

static void *destroyed;

static void destroy(void *value)
{
        destroyed = value;
}

TEST(future_destroys_its_value_with_the_last_reference)
{
        struct plait_future *future;
        int a, b;

        CHECK_OK(plait_future_new(destroy, &future));
        CHECK_PTR(plait_future_ref(future), ==, future);
        CHECK_OK(plait_future_set(future, 0, &a));
        CHECK_INT(plait_future_set(future, 0, &b), ==, -EALREADY);
        plait_future_unref(future);
        CHECK_PTR(destroyed, ==, NULL);
        plait_future_unref(future);
        CHECK_PTR(destroyed, ==, &a);
}

TEST(future_without_value_destroys_nothing)
{
        struct plait_future *future;

        destroyed = &destroyed;
        CHECK_OK(plait_future_new(destroy, &future));
        CHECK_OK(plait_future_set(future, 0, NULL));
        plait_future_unref(future);
        CHECK_PTR(destroyed, ==, &destroyed);
}

struct consumer {
        struct plait_future *future;
        int r, result;
        void *value;
};

static int consume(void *arg)
{
        struct consumer *consumer = arg;

        consumer->r = plait_future_wait(consumer->future, PLAIT_NEVER, &consumer->result, &consumer->value);
        return 0;
}

TEST(future_set_wakes_all_who_wait, .run = alone)
{
        enum { N = 200 };
        static struct consumer consumers[N];
        struct plait_future *future = new_future();
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int item;

        for (int i = 0; i < N; i++) {
                consumers[i] = (struct consumer){.future = future, .r = 1};
                CHECK_OK(plait_scope_go(&scope, consume, &consumers[i]));
        }
        for (int i = 0; i < 5; i++)
                let_others_run();
        CHECK_INT(consumers[N - 1].r, ==, 1);
        CHECK_OK(plait_future_set(future, -EIO, &item));
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < N; i++) {
                CHECK_INT(consumers[i].r, ==, 0);
                CHECK_INT(consumers[i].result, ==, -EIO);
                CHECK_PTR(consumers[i].value, ==, &item);
        }
        plait_future_unref(future);
}

TEST(future_wait_ends_with_its_scope, .run = alone)
{
        struct plait_future *future = new_future();
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct consumer consumer = {.future = future, .r = 1};

        CHECK_OK(plait_scope_go(&scope, consume, &consumer));
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(consumer.r, ==, -ECANCELED);
        CHECK(!plait_future_cancel_requested(future));
        CHECK_OK(plait_future_set(future, 0, NULL)); /* nobody is in its queue any more */
        plait_future_unref(future);
}

TEST(future_that_is_set_is_had_in_a_cancelled_scope, .run = in_task)
{
        struct plait_future *future = new_future();
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_future_wait(future, PLAIT_NEVER, NULL, NULL), ==, -ECANCELED);
        CHECK_INT(plait_future_wait(future, 0, NULL, NULL), ==, -ECANCELED);
        CHECK_OK(plait_future_set(future, 0, NULL));
        CHECK_OK(plait_future_wait(future, 0, NULL, NULL));
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        plait_future_unref(future);
}

static int produce(void *arg)
{
        CHECK_OK(plait_future_set(arg, 5, NULL));
        plait_future_unref(arg);
        return 0;
}

static void *produce_in_a_run(void *future)
{
        CHECK_OK(plait_run(produce, future, NULL));
        return NULL;
}

TEST(future_task_wakes_a_thread)
{
        struct plait_future *future = new_future();
        pthread_t thread;
        int result;

        CHECK_INT(pthread_create(&thread, NULL, produce_in_a_run, plait_future_ref(future)), ==, 0);
        CHECK_OK(plait_future_wait(future, PLAIT_NEVER, &result, NULL));
        CHECK_INT(result, ==, 5);
        plait_future_unref(future);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
}

static void *produce_in_a_thread(void *future)
{
        CHECK_OK(produce(future));
        return NULL;
}

TEST(future_thread_wakes_a_task, .run = in_task)
{
        struct plait_future *future = new_future();
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, produce_in_a_thread, plait_future_ref(future)), ==, 0);
        CHECK_OK(plait_future_wait(future, PLAIT_NEVER, NULL, NULL));
        plait_future_unref(future);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
}

/* --- callbacks --- */

struct call {
        struct plait_future_callback callback; /* first, so that the function finds the rest */
        int *counter;
        int order;
};

static void count(struct plait_future_callback *callback, void *arg)
{
        struct call *call = (struct call *)(void *)callback;

        CHECK_PTR(arg, ==, call->counter);
        call->order = ++*call->counter;
}

TEST(future_callbacks_are_called_in_order_by_who_sets_it)
{
        struct plait_future *future = new_future();
        int counter = 0;
        struct call calls[3] = {{.counter = &counter}, {.counter = &counter}, {.counter = &counter}};

        for (int i = 0; i < 3; i++)
                CHECK_OK(plait_future_on_set(future, &calls[i].callback, count, &counter));
        CHECK_INT(plait_future_on_set(future, &calls[0].callback, count, &counter), ==, -EBUSY);
        CHECK_INT(counter, ==, 0);
        CHECK_OK(plait_future_set(future, 0, NULL));
        CHECK_INT(counter, ==, 3);
        for (int i = 0; i < 3; i++) {
                CHECK_INT(calls[i].order, ==, i + 1);
                CHECK(!plait_future_remove(future, &calls[i].callback));
        }
        plait_future_unref(future);
}

TEST(future_callback_comes_at_once_when_it_is_set)
{
        struct plait_future *future = new_future();
        int counter = 0;
        struct call call = {.counter = &counter};

        CHECK_INT(plait_future_on_set(future, &call.callback, NULL, NULL), ==, -EINVAL);
        CHECK_OK(plait_future_set(future, 0, NULL));
        CHECK_OK(plait_future_on_set(future, &call.callback, count, &counter));
        CHECK_INT(counter, ==, 1);
        plait_future_unref(future);
}

TEST(future_callback_that_was_removed_is_not_called)
{
        struct plait_future *future = new_future();
        int counter = 0;
        struct call first = {.counter = &counter}, second = {.counter = &counter};

        CHECK(!plait_future_remove(future, &first.callback));
        CHECK_OK(plait_future_on_set(future, &first.callback, count, &counter));
        CHECK_OK(plait_future_on_set(future, &second.callback, count, &counter));
        CHECK(plait_future_remove(future, &first.callback));
        CHECK(!plait_future_remove(future, &first.callback));
        CHECK_OK(plait_future_set(future, 0, NULL));
        CHECK_INT(first.order, ==, 0);
        CHECK_INT(second.order, ==, 1);
        plait_future_unref(future);
}

static void free_it(struct plait_future_callback *callback, void *arg)
{
        struct plait_future *future = arg;

        CHECK(plait_future_is_set(future));
        free(callback);
        plait_future_unref(future);
}

TEST(future_callback_may_free_itself_and_its_reference)
{
        struct plait_future *future = new_future();
        struct plait_future_callback *callback = calloc(1, sizeof *callback);

        CHECK(callback);
        CHECK_OK(plait_future_on_set(future, callback, free_it, plait_future_ref(future)));
        CHECK_OK(plait_future_set(future, 0, NULL));
        plait_future_unref(future);
}

TEST(future_last_reference_with_a_callback_aborts, .signal = SIGABRT, .stderr_match = "has a callback registered")
{
        struct plait_future *future = new_future();
        int counter = 0;
        struct call call = {.counter = &counter};

        CHECK_OK(plait_future_on_set(future, &call.callback, count, &counter));
        plait_future_unref(future);
}

/* --- cancelling --- */

TEST(future_cancel_is_seen_and_called_back_once)
{
        struct plait_future *future = new_future();
        int counter = 0, late = 0;
        struct call call = {.counter = &counter}, later = {.counter = &late};

        CHECK_INT(plait_future_on_cancel(future, &call.callback, NULL, NULL), ==, -EINVAL);
        CHECK_OK(plait_future_on_cancel(future, &call.callback, count, &counter));
        CHECK_INT(plait_future_on_cancel(future, &call.callback, count, &counter), ==, -EBUSY);
        plait_future_cancel(future);
        plait_future_cancel(future);
        CHECK(plait_future_cancel_requested(future));
        CHECK(!plait_future_is_set(future));
        CHECK_INT(counter, ==, 1);
        CHECK_OK(plait_future_on_cancel(future, &later.callback, count, &late));
        CHECK_INT(late, ==, 1);
        CHECK_OK(plait_future_set(future, -ECANCELED, NULL));
        CHECK_INT(plait_future_on_cancel(future, &later.callback, count, &late), ==, -EALREADY);
        plait_future_unref(future);
}

TEST(future_cancel_does_nothing_when_it_is_set)
{
        struct plait_future *future = new_future();
        int counter = 0;
        struct call call = {.counter = &counter};

        CHECK_OK(plait_future_on_cancel(future, &call.callback, count, &counter));
        CHECK_OK(plait_future_set(future, 0, NULL));
        plait_future_cancel(future);
        CHECK(!plait_future_cancel_requested(future));
        CHECK_INT(counter, ==, 0);
        CHECK(!plait_future_remove(future, &call.callback));
        plait_future_unref(future);
}

static void set_cancelled(struct plait_future_callback *callback, void *arg)
{
        (void)callback;
        CHECK_OK(plait_future_set(arg, -ECANCELED, NULL));
}

TEST(future_producer_may_set_it_when_told_of_the_cancellation)
{
        struct plait_future *future = new_future();
        struct plait_future_callback callback = PLAIT_FUTURE_CALLBACK_INIT;
        int result;

        CHECK_OK(plait_future_on_cancel(future, &callback, set_cancelled, future));
        plait_future_cancel(future);
        CHECK_OK(plait_future_wait(future, 0, &result, NULL));
        CHECK_INT(result, ==, -ECANCELED);
        plait_future_unref(future);
}

/* --- races --- */

struct race {
        struct plait_future *future;
        atomic_int winners, sum;
};

static int try_to_set(void *arg)
{
        struct race *race = arg;
        static int value;

        if (plait_future_set(race->future, 11, &value) == 0)
                atomic_fetch_add(&race->winners, 1);
        return 0;
}

static int try_to_wait(void *arg)
{
        struct race *race = arg;
        int result;
        void *value;

        CHECK_OK(plait_future_wait(race->future, PLAIT_NEVER, &result, &value));
        CHECK(value);
        atomic_fetch_add(&race->sum, result);
        return 0;
}

TEST(future_has_one_winner, .run = in_task)
{
        for (int round = 0; round < 200; round++) {
                struct race race = {.future = new_future()};
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                for (int i = 0; i < 4; i++) {
                        CHECK_OK(plait_scope_go(&scope, try_to_wait, &race));
                        CHECK_OK(plait_scope_go(&scope, try_to_set, &race));
                }
                CHECK_OK(plait_scope_join(&scope));
                CHECK_INT(race.winners, ==, 1);
                CHECK_INT(race.sum, ==, 44);
                plait_future_unref(race.future);
        }
}
