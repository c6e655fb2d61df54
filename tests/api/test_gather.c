/* Many calls at once: gather, race, hedge, as_completed. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "api/alone.h"
#include "harness/task.h"
#include "harness/test.h"

enum { N = 90, LIMIT = 3 };

static atomic_int made, under_way, most;

static int return_it(void *result)
{
        atomic_fetch_add(&made, 1);
        return (int)(intptr_t)result;
}

static int nap_and_return_it(void *result)
{
        int r = plait_sleep(plait_in_ms(1));

        return r < 0 ? r : return_it(result);
}

static int sleep_forever(void *arg)
{
        (void)arg;
        atomic_fetch_add(&made, 1);
        return plait_sleep(PLAIT_NEVER);
}

static int count_at_once(void *arg)
{
        int now = atomic_fetch_add(&under_way, 1) + 1;
        int seen = atomic_load(&most);

        (void)arg;
        while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
                ;
        int r;
        do
                r = plait_sleep(plait_in_ms(1));
        while (r == 0 && atomic_load(&most) < LIMIT);
        atomic_fetch_sub(&under_way, 1);
        return r;
}

static void fill(struct plait_call *calls, int n, int (*fn)(void *), intptr_t first)
{
        for (int i = 0; i < n; i++)
                calls[i] = (struct plait_call){.fn = fn, .arg = (void *)(first + i), .result = 77};
}

/* --- gather --- */

TEST(gather_keeps_the_order_of_the_calls, .run = in_task)
{
        struct plait_call calls[N];

        fill(calls, N, nap_and_return_it, 1000);
        CHECK_INT(plait_gather(calls, N, NULL), ==, 0);
        for (int i = 0; i < N; i++)
                CHECK_INT(calls[i].result, ==, 1000 + i);
}

TEST(gathering_nothing_succeeds, .run = in_task)
{
        CHECK_INT(plait_gather(NULL, 0, NULL), ==, 0);
}

TEST(the_first_error_of_a_gather_cancels_the_others, .run = in_task)
{
        struct plait_call calls[N];

        fill(calls, N, sleep_forever, 0);
        calls[N / 2].fn = nap_and_return_it;
        calls[N / 2].arg = (void *)(intptr_t)-EPERM;
        CHECK_INT(plait_gather(calls, N, NULL), ==, -EPERM);
        for (int i = 0; i < N; i++)
                CHECK_INT(calls[i].result, ==, i == N / 2 ? -EPERM : -ECANCELED);
}

TEST(collecting_makes_all_calls_and_counts_the_failed, .run = in_task)
{
        struct plait_gather_opts opts = {.size = sizeof opts, .flags = PLAIT_GATHER_COLLECT};
        struct plait_call calls[N];

        fill(calls, N, nap_and_return_it, -9);
        CHECK_INT(plait_gather(calls, N, &opts), ==, 9);
        for (int i = 0; i < N; i++)
                CHECK_INT(calls[i].result, ==, i - 9);
}

TEST(the_deadline_of_a_gather_ends_the_waits, .run = in_task)
{
        struct plait_gather_opts opts = {.size = sizeof opts, .flags = PLAIT_GATHER_COLLECT};
        struct plait_call calls[N];
        int r, ms = 20;

        do { /* until the fourth is made in time */
                fill(calls, N, sleep_forever, 0);
                calls[3].fn = return_it;
                opts.deadline_ns = plait_in_ms(ms);
                r = plait_gather(calls, N, &opts);
                ms *= 2;
        } while (r == N && calls[3].result == -ETIMEDOUT && ms < 10000);
        CHECK_INT(r, ==, N - 1);
        CHECK_INT(calls[3].result, ==, 3);
        CHECK_INT(calls[4].result, ==, -ETIMEDOUT);
        CHECK_INT(plait_cancelled(), ==, 0);
}

TEST(the_limit_of_a_gather_holds, .run = in_task)
{
        struct plait_gather_opts opts = {.size = sizeof opts, .limit = LIMIT};
        struct plait_call calls[N];

        fill(calls, N, count_at_once, 0);
        CHECK_INT(plait_gather(calls, N, &opts), ==, 0);
        CHECK_INT(most, ==, LIMIT);
}

TEST(calls_that_have_not_begun_at_the_first_error_are_not_made, .run = in_task)
{
        struct plait_gather_opts opts = {.size = sizeof opts, .limit = 1};
        struct plait_call calls[N];

        fill(calls, N, return_it, 0);
        calls[4].arg = (void *)(intptr_t)-EIO;
        CHECK_INT(plait_gather(calls, N, &opts), ==, -EIO);
        CHECK_INT(made, ==, 5);
        CHECK_INT(calls[3].result, ==, 3);
        CHECK_INT(calls[5].result, ==, -ECANCELED);
        CHECK_INT(calls[N - 1].result, ==, -ECANCELED);
}

TEST(cancelling_the_callers_scope_reaches_the_calls, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_call calls[3];

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        fill(calls, 3, sleep_forever, 0);
        CHECK_INT(plait_gather(calls, 3, NULL), ==, -ECANCELED);
        CHECK_INT(made, ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

TEST(gather_refuses_what_is_out_of_range, .run = in_task)
{
        struct plait_gather_opts opts = {.size = sizeof opts, .flags = 2};
        struct plait_call calls[2];

        fill(calls, 2, return_it, 0);
        CHECK_INT(plait_gather(calls, 2, &opts), ==, -EINVAL);
        opts = (struct plait_gather_opts){.size = 1};
        CHECK_INT(plait_gather(calls, 2, &opts), ==, -EINVAL);
        opts = (struct plait_gather_opts){.size = sizeof opts, .deadline_ns = -1};
        CHECK_INT(plait_gather(calls, 2, &opts), ==, -EINVAL);
        calls[1].fn = NULL;
        CHECK_INT(plait_gather(calls, 2, NULL), ==, -EINVAL);
        CHECK_INT(made, ==, 0);
        CHECK_INT(calls[0].result, ==, 77);
}

TEST(a_thread_cannot_gather_or_race)
{
        struct plait_as_completed each;
        struct plait_call calls[1];
        size_t winner = 5;

        fill(calls, 1, return_it, 0);
        CHECK_INT(plait_gather(calls, 1, NULL), ==, -EINVAL);
        CHECK_INT(plait_race(calls, 1, PLAIT_NEVER, &winner), ==, -EINVAL);
        CHECK_INT(plait_hedge(calls, 1, 1, PLAIT_NEVER, &winner), ==, -EINVAL);
        CHECK_INT(plait_as_completed_start(&each, calls, 1, NULL), ==, -EINVAL);
        CHECK_INT((int)winner, ==, 5);
        CHECK_INT(made, ==, 0);
}

/* --- race --- */

static struct plait_event failed;

static int fail_and_tell(void *arg)
{
        (void)arg;
        plait_event_set(&failed);
        return -EIO;
}

static int succeed_when_told(void *result)
{
        int r = plait_event_wait(&failed, PLAIT_NEVER);

        return r < 0 ? r : (int)(intptr_t)result;
}

TEST(the_first_success_wins_and_the_losers_are_cancelled, .run = in_task)
{
        struct plait_call calls[N];
        size_t winner = 0;

        fill(calls, N, sleep_forever, 0);
        calls[1].fn = fail_and_tell;
        calls[40].fn = succeed_when_told;
        CHECK_INT(plait_race(calls, N, PLAIT_NEVER, &winner), ==, 40);
        CHECK_INT((int)winner, ==, 40);
        CHECK_INT(calls[1].result, ==, -EIO);
        CHECK_INT(calls[2].result, ==, -ECANCELED);
        CHECK_INT(calls[N - 1].result, ==, -ECANCELED);
        CHECK_INT(plait_cancelled(), ==, 0);
}

static int return_it_after_others(void *result)
{
        let_others_run();
        return return_it(result);
}

TEST(a_race_that_all_lose_has_the_first_error, .run = alone)
{
        struct plait_call calls[2];
        size_t winner = 5;

        fill(calls, 2, return_it_after_others, -2);
        calls[1].fn = return_it;
        CHECK_INT(plait_race(calls, 2, PLAIT_NEVER, &winner), ==, -1);
        CHECK_INT((int)winner, ==, 5);
        CHECK_INT(plait_race(calls, 2, PLAIT_NEVER, NULL), ==, -1);
}

TEST(a_race_ends_at_its_deadline, .run = in_task)
{
        struct plait_call calls[2];

        fill(calls, 2, sleep_forever, 0);
        CHECK_INT(plait_race(calls, 2, plait_in_ms(10), NULL), ==, -ETIMEDOUT);
        made = 0;
        CHECK_INT(plait_race(calls, 2, 0, NULL), ==, -ETIMEDOUT);
        CHECK_INT(made, ==, 0);
}

TEST(a_race_refuses_what_is_out_of_range, .run = in_task)
{
        struct plait_call calls[1] = {{.fn = NULL}};

        CHECK_INT(plait_race(calls, 0, PLAIT_NEVER, NULL), ==, -EINVAL);
        CHECK_INT(plait_race(calls, 1, PLAIT_NEVER, NULL), ==, -EINVAL);
        calls[0].fn = return_it;
        CHECK_INT(plait_hedge(calls, 1, -1, PLAIT_NEVER, NULL), ==, -EINVAL);
        CHECK_INT(made, ==, 0);
}

/* --- hedge --- */

TEST(a_hedge_makes_no_second_call_when_the_first_answers, .run = in_task)
{
        struct plait_call calls[2];
        size_t winner = 9;

        fill(calls, 2, nap_and_return_it, 0);
        CHECK_INT(plait_hedge(calls, 2, INT64_C(3600000000000), PLAIT_NEVER, &winner), ==, 0);
        CHECK_INT((int)winner, ==, 0);
        CHECK_INT(made, ==, 1);
        CHECK_INT(calls[1].result, ==, -ECANCELED);
}

TEST(a_hedge_makes_the_second_call_after_the_delay, .run = in_task)
{
        struct plait_call calls[3];
        size_t winner = 9;
        int64_t start_ns = plait_now_ns();

        fill(calls, 3, sleep_forever, 0);
        calls[1].fn = return_it;
        CHECK_INT(plait_hedge(calls, 3, 5000000, PLAIT_NEVER, &winner), ==, 1);
        CHECK_INT((int)winner, ==, 1);
        CHECK_INT(plait_now_ns() - start_ns, >=, 5000000);
        CHECK_INT(calls[0].result, ==, -ECANCELED);
}

TEST(a_hedge_makes_the_next_call_at_once_when_one_fails, .run = in_task)
{
        struct plait_call calls[3];
        size_t winner = 9;

        fill(calls, 3, return_it, 0);
        calls[0].arg = calls[1].arg = (void *)(intptr_t)-EIO;
        CHECK_INT(plait_hedge(calls, 3, INT64_C(3600000000000), PLAIT_NEVER, &winner), ==, 2);
        CHECK_INT((int)winner, ==, 2);
        CHECK_INT(made, ==, 3);
}

TEST(a_hedge_ends_at_its_deadline, .run = in_task)
{
        struct plait_call calls[3];
        int ms = 10;

        do { /* until the first is made in time */
                fill(calls, 3, sleep_forever, 0);
                CHECK_INT(plait_hedge(calls, 3, INT64_C(3600000000000), plait_in_ms(ms), NULL), ==, -ETIMEDOUT);
                ms *= 2;
        } while (made == 0 && ms < 10000);
        CHECK_INT(made, ==, 1);
}

/* --- as_completed --- */

static struct plait_event gate[4];

static int pass_gate(void *number)
{
        int r = plait_event_wait(&gate[(intptr_t)number], PLAIT_NEVER);

        return r < 0 ? r : (int)(intptr_t)number;
}

TEST(calls_come_in_the_order_in_which_they_end, .run = in_task)
{
        static const int order[4] = {2, 0, 3, 1};
        struct plait_as_completed each;
        struct plait_call calls[4], *call = NULL;

        fill(calls, 4, pass_gate, 0);
        CHECK_OK(plait_as_completed_start(&each, calls, 4, NULL));
        CHECK_INT(plait_as_completed_next(&each, 0, &call), ==, -ETIMEDOUT);
        CHECK_PTR(call, ==, NULL);
        for (int i = 0; i < 4; i++) {
                plait_event_set(&gate[order[i]]);
                CHECK_INT(plait_as_completed_next(&each, PLAIT_NEVER, &call), ==, 1);
                CHECK_PTR(call, ==, &calls[order[i]]);
                CHECK_INT(call->result, ==, order[i]);
        }
        CHECK_INT(plait_as_completed_next(&each, PLAIT_NEVER, &call), ==, 0);
        plait_as_completed_finish(&each);
}

TEST(an_error_is_one_of_the_results, .run = in_task)
{
        struct plait_as_completed each;
        struct plait_call calls[N], *call;
        int sum = 0, n = 0;

        fill(calls, N, nap_and_return_it, -3);
        CHECK_OK(plait_as_completed_start(&each, calls, N, NULL));
        while (plait_as_completed_next(&each, PLAIT_NEVER, &call) > 0) {
                sum += call->result;
                n++;
        }
        plait_as_completed_finish(&each);
        CHECK_INT(n, ==, N);
        CHECK_INT(sum, ==, (N - 3) * (N - 4) / 2 - 6);
}

TEST(leaving_an_iteration_cancels_the_rest, .run = in_task)
{
        struct plait_gather_opts opts = {.size = sizeof opts, .limit = 2};
        struct plait_as_completed each;
        struct plait_call calls[N], *call;

        fill(calls, N, sleep_forever, 0);
        calls[0].fn = return_it;
        CHECK_OK(plait_as_completed_start(&each, calls, N, &opts));
        CHECK_INT(plait_as_completed_next(&each, PLAIT_NEVER, &call), ==, 1);
        CHECK_PTR(call, ==, &calls[0]);
        plait_as_completed_finish(&each);
        CHECK_INT(made, <=, 3);
        CHECK_INT(calls[N - 1].result, ==, -ECANCELED);
        CHECK_INT(plait_cancelled(), ==, 0);
}

TEST(what_has_ended_is_to_be_had_in_a_cancelled_scope, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_as_completed each;
        struct plait_call calls[2], *call = NULL;

        CHECK_OK(plait_scope_open(&scope));
        fill(calls, 2, sleep_forever, 0);
        calls[0].fn = return_it;
        CHECK_OK(plait_as_completed_start(&each, calls, 2, NULL));
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_as_completed_next(&each, PLAIT_NEVER, &call), ==, 1);
        CHECK_INT(call->result, ==, 0);
        plait_as_completed_finish(&each);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

/* --- futures --- */

static struct plait_future *futures[3];

static void make_futures(struct plait_call *calls)
{
        for (int i = 0; i < 3; i++) {
                CHECK_OK(plait_future_new(NULL, &futures[i]));
                calls[i] = (struct plait_call){.fn = plait_call_future, .arg = futures[i]};
        }
}

static void drop_futures(void)
{
        for (int i = 0; i < 3; i++)
                plait_future_unref(futures[i]);
}

static int set_futures(void *arg)
{
        (void)arg;
        for (int i = 0; i < 3; i++)
                CHECK_OK(plait_future_set(futures[i], 40 + i, NULL));
        return 0;
}

TEST(futures_and_functions_gather_together, .run = in_task)
{
        struct plait_call calls[4];

        make_futures(calls);
        calls[3] = (struct plait_call){.fn = set_futures};
        CHECK_INT(plait_gather(calls, 4, NULL), ==, 0);
        for (int i = 0; i < 3; i++)
                CHECK_INT(calls[i].result, ==, 40 + i);
        drop_futures();
}

TEST(the_future_that_is_set_first_wins_and_the_others_are_told, .run = in_task)
{
        struct plait_call calls[3];
        size_t winner = 9;

        make_futures(calls);
        CHECK_OK(plait_future_set(futures[1], 7, NULL));
        CHECK_INT(plait_race(calls, 3, PLAIT_NEVER, &winner), ==, 7);
        CHECK_INT((int)winner, ==, 1);
        CHECK(!plait_future_cancel_requested(futures[1]));
        /* A call that the race left out has told nobody; one that was made has. */
        CHECK_INT(calls[0].result, ==, -ECANCELED);
        drop_futures();
}

TEST(a_future_that_is_late_is_told, .run = in_task)
{
        struct plait_gather_opts opts = {.size = sizeof opts, .flags = PLAIT_GATHER_COLLECT};
        struct plait_call calls[3];
        int r;

        for (int ms = 50;; ms *= 2) { /* until the calls are made in time */
                make_futures(calls);
                CHECK_OK(plait_future_set(futures[0], 5, NULL));
                opts.deadline_ns = plait_in_ms(ms);
                r = plait_gather(calls, 3, &opts);
                if ((r == 2 && plait_future_cancel_requested(futures[1]) &&
                     plait_future_cancel_requested(futures[2])) ||
                    ms > 5000)
                        break;
                drop_futures();
        }
        CHECK_INT(r, ==, 2);
        CHECK_INT(calls[0].result, ==, 5);
        CHECK_INT(calls[2].result, ==, -ETIMEDOUT);
        CHECK(plait_future_cancel_requested(futures[1]));
        CHECK(plait_future_cancel_requested(futures[2]));
        drop_futures();
}

TEST(futures_complete_in_the_order_in_which_they_are_set, .run = in_task)
{
        static const int order[3] = {2, 0, 1};
        struct plait_as_completed each;
        struct plait_call calls[3], *call;

        make_futures(calls);
        CHECK_OK(plait_as_completed_start(&each, calls, 3, NULL));
        for (int i = 0; i < 3; i++) {
                CHECK_OK(plait_future_set(futures[order[i]], i, NULL));
                CHECK_INT(plait_as_completed_next(&each, PLAIT_NEVER, &call), ==, 1);
                CHECK_PTR(call, ==, &calls[order[i]]);
                CHECK_INT(call->result, ==, i);
        }
        plait_as_completed_finish(&each);
        drop_futures();
}
