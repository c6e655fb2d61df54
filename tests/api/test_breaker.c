/* Circuit breakers. */
#include <stdatomic.h>

#include "harness/task.h"
#include "harness/test.h"

static atomic_int calls;
static const int64_t hour_ns = INT64_C(3600) * 1000 * 1000 * 1000;

static int return_it(void *result)
{
        atomic_fetch_add(&calls, 1);
        return (int)(intptr_t)result;
}

static int sleep_forever(void *arg)
{
        (void)arg;
        atomic_fetch_add(&calls, 1);
        return plait_sleep(PLAIT_NEVER);
}

static int call(struct plait_breaker *breaker, int result)
{
        return plait_breaker_call(breaker, return_it, (void *)(intptr_t)result);
}

TEST(a_breaker_opens_after_failures_in_a_row, .run = in_task)
{
        struct plait_breaker breaker = PLAIT_BREAKER_INIT(3, 0, hour_ns);

        for (int i = 0; i < 10; i++) {
                CHECK_INT(call(&breaker, -ETIMEDOUT), ==, -ETIMEDOUT);
                CHECK_INT(call(&breaker, -ECONNREFUSED), ==, -ECONNREFUSED);
                CHECK_INT(call(&breaker, 9), ==, 9); /* not in a row */
        }
        CHECK(!plait_breaker_is_open(&breaker));
        for (int i = 0; i < 3; i++)
                CHECK_INT(call(&breaker, -ETIMEDOUT), ==, -ETIMEDOUT);
        CHECK(plait_breaker_is_open(&breaker));
        CHECK_INT(call(&breaker, 9), ==, -EAGAIN);
        CHECK_INT(calls, ==, 33);
}

TEST(errors_that_show_that_somebody_is_there_do_not_open_a_breaker, .run = in_task)
{
        struct plait_breaker breaker = PLAIT_BREAKER_INIT(1, 0, hour_ns);

        for (int i = 0; i < 10; i++)
                CHECK_INT(call(&breaker, -EACCES), ==, -EACCES);
        CHECK(!plait_breaker_is_open(&breaker));
}

TEST(a_breaker_limits_the_time_of_each_call, .run = in_task)
{
        struct plait_breaker breaker = PLAIT_BREAKER_INIT(2, 2000000, hour_ns);

        CHECK_INT(plait_breaker_call(&breaker, sleep_forever, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_breaker_call(&breaker, sleep_forever, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_breaker_call(&breaker, sleep_forever, NULL), ==, -EAGAIN);
        CHECK_INT(calls, ==, 2);
        CHECK_INT(plait_cancelled(), ==, 0);
}

static struct plait_event answer;

static int answer_later(void *result)
{
        atomic_fetch_add(&calls, 1);
        int r = plait_event_wait(&answer, PLAIT_NEVER);

        return r < 0 ? r : (int)(intptr_t)result;
}

static struct plait_breaker shared = PLAIT_BREAKER_INIT(1, 0, 2000000);

static int probe(void *result)
{
        return plait_breaker_call(&shared, answer_later, result);
}

/* One caller finds out whether the service is back, and the others fail at once meanwhile. */
static int probe_with(int result)
{
        struct plait_scope scope = PLAIT_SCOPE_WITH(.flags = PLAIT_SCOPE_SUPERVISOR);

        CHECK_INT(call(&shared, -ETIMEDOUT), ==, -ETIMEDOUT);
        while (plait_breaker_is_open(&shared))
                CHECK_OK(plait_sleep(plait_in_ms(1)));
        int before = calls;
        plait_event_clear(&answer);
        plait_scope_go(&scope, probe, (void *)(intptr_t)result);
        while (calls == before)
                plait_yield();
        CHECK(plait_breaker_is_open(&shared));
        CHECK_INT(call(&shared, 1), ==, -EAGAIN);
        CHECK_INT(calls, ==, before + 1);
        shared.open_ns = hour_ns;
        plait_event_set(&answer);
        return plait_scope_join(&scope);
}

TEST(a_success_while_half_open_closes_a_breaker, .run = in_task)
{
        CHECK_INT(probe_with(7), ==, 0);
        CHECK(!plait_breaker_is_open(&shared));
        CHECK_INT(call(&shared, 4), ==, 4);
}

TEST(a_failure_while_half_open_keeps_a_breaker_open, .run = in_task)
{
        CHECK_INT(probe_with(-ECONNRESET), ==, 1);
        CHECK(plait_breaker_is_open(&shared));
        CHECK_INT(call(&shared, 4), ==, -EAGAIN);
}

TEST(what_the_caller_cancels_does_not_count, .run = in_task)
{
        struct plait_breaker breaker = PLAIT_BREAKER_INIT(1, hour_ns, hour_ns);
        struct plait_scope late = PLAIT_SCOPE_WITH(.deadline_ns = 1);

        CHECK_OK(plait_scope_open(&late));
        CHECK_INT(plait_breaker_call(&breaker, sleep_forever, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_scope_join(&late), ==, 0);
        CHECK(!plait_breaker_is_open(&breaker));
}

TEST(a_breaker_refuses_what_is_out_of_range)
{
        struct plait_breaker breaker = PLAIT_BREAKER_INIT(0, 0, 0);

        CHECK_INT(plait_breaker_call(&breaker, NULL, NULL), ==, -EINVAL);
        CHECK_INT(call(&breaker, 3), ==, 3);
        breaker.timeout_ns = 1;
        CHECK_INT(call(&breaker, 3), ==, -EINVAL);
        breaker.timeout_ns = -1;
        CHECK_INT(call(&breaker, 3), ==, -EINVAL);
        CHECK_INT(calls, ==, 1);
}
