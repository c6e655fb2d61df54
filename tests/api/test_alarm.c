/* plait_timer: firing, cancelling, and both at once. */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "harness/task.h"
#include "harness/test.h"

static void count(void *counter)
{
        atomic_fetch_add((atomic_int *)counter, 1);
}

static void until(atomic_int *counter, int value)
{
        while (atomic_load(counter) < value)
                CHECK_OK(plait_sleep(plait_in_ms(1)));
}

TEST(a_timer_calls_its_function_once, .run = in_task)
{
        struct plait_timer timer = PLAIT_TIMER_INIT;
        atomic_int counter = 0;
        int64_t deadline_ns = plait_in_ms(5);

        CHECK_OK(plait_timer_start(&timer, deadline_ns, count, &counter));
        until(&counter, 1);
        CHECK_INT(plait_now_ns(), >=, deadline_ns);
        CHECK(!plait_timer_cancel(&timer));
        CHECK_OK(plait_timer_start(&timer, 0, count, &counter));
        until(&counter, 2);
        CHECK(!plait_timer_cancel(&timer));
}

TEST(a_cancelled_timer_calls_nothing, .run = in_task)
{
        struct plait_timer timer = PLAIT_TIMER_INIT;
        atomic_int counter = 0;

        int64_t deadline_ns;
        bool cancelled;

        CHECK(!plait_timer_cancel(&timer));
        do { /* until it is cancelled before its time, which takes a processor that is not taken away */
                atomic_store(&counter, 0);
                deadline_ns = plait_in_ms(2);
                CHECK_OK(plait_timer_start(&timer, deadline_ns, count, &counter));
                cancelled = plait_timer_cancel(&timer);
                CHECK_INT(counter, ==, !cancelled);
        } while (!cancelled);
        CHECK(!plait_timer_cancel(&timer));
        CHECK_OK(plait_sleep(deadline_ns + 8000000));
        CHECK_INT(counter, ==, 0);
}

TEST(what_cannot_be_started_is_refused, .run = in_task)
{
        struct plait_timer timer = PLAIT_TIMER_INIT;

        CHECK_INT(plait_timer_start(&timer, PLAIT_NEVER, NULL, NULL), ==, -EINVAL);
        CHECK_OK(plait_timer_start(&timer, PLAIT_NEVER, count, NULL));
        CHECK_INT(plait_timer_start(&timer, PLAIT_NEVER, count, NULL), ==, -EBUSY);
        CHECK(plait_timer_cancel(&timer));
}

TEST(a_thread_without_tasks_has_no_timers)
{
        struct plait_timer timer = PLAIT_TIMER_INIT;

        CHECK_INT(plait_timer_start(&timer, PLAIT_NEVER, count, NULL), ==, -EINVAL);
        CHECK(!plait_timer_cancel(&timer));
}

struct ticker {
        struct plait_timer timer;
        atomic_int ticks;
};

static void tick(void *arg)
{
        struct ticker *ticker = arg;

        if (atomic_fetch_add(&ticker->ticks, 1) < 4)
                CHECK_OK(plait_timer_start(&ticker->timer, plait_in_ms(1), tick, ticker));
}

TEST(a_function_can_set_its_timer_again, .run = in_task)
{
        struct ticker ticker = {0};

        CHECK_OK(plait_timer_start(&ticker.timer, plait_in_ms(1), tick, &ticker));
        until(&ticker.ticks, 5);
        CHECK(!plait_timer_cancel(&ticker.timer));
        CHECK_INT(ticker.ticks, ==, 5);
}

static atomic_int freed;

static void free_self(void *arg)
{
        struct ticker *ticker = arg;

        CHECK(!plait_timer_cancel(&ticker->timer));
        free(ticker);
        atomic_fetch_add(&freed, 1);
}

TEST(a_function_can_free_its_timer_after_cancelling_it, .run = in_task)
{
        for (int i = 0; i < 100; i++) {
                struct ticker *ticker = calloc(1, sizeof *ticker);

                CHECK_OK(plait_timer_start(&ticker->timer, plait_in_ns(i * 10000), free_self, ticker));
        }
        until(&freed, 100);
}

static void sleep_in_callback(void *arg)
{
        (void)arg;
        plait_sleep(plait_in_ms(1));
}

TEST(a_function_that_waits_is_told_not_to, .run = in_task, .signal = SIGABRT, .stderr_match = "timer's function waits")
{
        struct plait_timer timer = PLAIT_TIMER_INIT;

        CHECK_OK(plait_timer_start(&timer, 0, sleep_in_callback, NULL));
        CHECK_OK(plait_sleep(plait_in_s(5)));
}

static void cancel_scope(void *scope)
{
        plait_scope_cancel(scope);
}

TEST(a_timer_can_cancel_a_scope, .run = in_task)
{
        struct plait_timer timer = PLAIT_TIMER_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        CHECK_OK(plait_timer_start(&timer, plait_in_ms(2), cancel_scope, &scope));
        CHECK_INT(plait_sleep(PLAIT_NEVER), ==, -ECANCELED);
        CHECK(!plait_timer_cancel(&timer));
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

enum { RACERS = 16, ROUNDS = 400 };

/* Each timer is either cancelled or called, never both, however close the two are. */
static int race(void *arg)
{
        unsigned seed = (unsigned)(uintptr_t)arg;

        for (int i = 0; i < ROUNDS / test_slowness() + 1; i++) {
                struct plait_timer timer = PLAIT_TIMER_INIT;
                atomic_int called = 0;

                CHECK_OK(plait_timer_start(&timer, plait_in_ns(rand_r(&seed) % 60000), count, &called));
                CHECK_OK(plait_sleep(plait_in_ns(rand_r(&seed) % 60000)));
                bool cancelled = plait_timer_cancel(&timer);
                CHECK_INT(atomic_load(&called), ==, !cancelled);
        }
        return 0;
}

TEST(a_timer_is_either_called_or_cancelled, .run = in_task, .timeout_ms = 120000)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (uintptr_t i = 0; i < RACERS; i++)
                plait_scope_go(&scope, race, (void *)(i + 1));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}
