/* Trying again, with pauses. */
#include <stdatomic.h>

#include "harness/task.h"
#include "harness/test.h"

static atomic_int attempts;

/* Fails so many times with the error, then returns 5. */
struct failing {
        int times, error;
};

static int fail_some_times(void *arg)
{
        const struct failing *failing = arg;

        return ++attempts <= failing->times ? failing->error : 5;
}

static int sleep_forever(void *arg)
{
        (void)arg;
        attempts++;
        return plait_sleep(PLAIT_NEVER);
}

static bool only_domain_errors(int error, unsigned attempt, void *arg)
{
        (void)arg;
        CHECK_INT((int)attempt, ==, attempts);
        return error == -EDOM;
}

static struct plait_retry_opts quick(unsigned n)
{
        return (struct plait_retry_opts){
                .size = sizeof(struct plait_retry_opts), .attempts = n, .first_ns = 1000, .most_ns = 50000};
}

TEST(a_success_is_not_tried_again, .run = in_task)
{
        struct failing failing = {0, 0};

        CHECK_INT(plait_retry(fail_some_times, &failing, NULL), ==, 5);
        CHECK_INT(attempts, ==, 1);
}

TEST(what_fails_for_a_while_is_tried_until_it_succeeds, .run = in_task)
{
        struct failing failing = {70, -ECONNREFUSED};
        struct plait_retry_opts opts = quick(100);

        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, 5);
        CHECK_INT(attempts, ==, 71);
}

TEST(the_last_error_is_returned_when_there_were_enough_attempts, .run = in_task)
{
        struct failing failing = {70, -EAGAIN};
        struct plait_retry_opts opts = quick(3);

        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, -EAGAIN);
        CHECK_INT(attempts, ==, 3);
}

TEST(what_will_not_pass_is_not_tried_again, .run = in_task)
{
        struct failing failing = {70, -EACCES};

        CHECK_INT(plait_retry(fail_some_times, &failing, NULL), ==, -EACCES);
        CHECK_INT(attempts, ==, 1);
}

TEST(a_predicate_says_what_is_tried_again, .run = in_task)
{
        struct failing failing = {2, -EDOM};
        struct plait_retry_opts opts = quick(5);

        opts.retryable = only_domain_errors;
        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, 5);
        CHECK_INT(attempts, ==, 3);
        attempts = 0;
        failing.error = -EAGAIN;
        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, -EAGAIN);
        CHECK_INT(attempts, ==, 1);
}

TEST(an_attempt_that_takes_too_long_is_tried_again, .run = in_task)
{
        struct plait_retry_opts opts = quick(3);

        opts.attempt_ns = 2000000;
        CHECK_INT(plait_retry(sleep_forever, NULL, &opts), ==, -ETIMEDOUT);
        CHECK_INT(attempts, ==, 3);
        CHECK_INT(plait_cancelled(), ==, 0);
}

TEST(the_deadline_ends_all_attempts, .run = in_task)
{
        struct plait_retry_opts opts = quick(1000000);

        opts.deadline_ns = plait_in_ms(10);
        CHECK_INT(plait_retry(sleep_forever, NULL, &opts), ==, -ETIMEDOUT);
        CHECK_INT(attempts, ==, 1);
        CHECK_INT(plait_cancelled(), ==, 0);
}

TEST(no_pause_is_begun_that_would_outlast_the_deadline, .run = in_task)
{
        struct failing failing = {1000, -EAGAIN};
        struct plait_retry_opts opts = quick(1000);
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        opts.first_ns = opts.most_ns = INT64_MAX;
        opts.deadline_ns = plait_in_s(600);
        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, -EAGAIN);
        CHECK_INT(attempts, ==, 1);

        opts.deadline_ns = 0;
        scope.deadline_ns = plait_in_ms(5);
        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, -EAGAIN);
        CHECK_INT(attempts, ==, 2);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static int cancel_and_fail(void *scope)
{
        attempts++;
        plait_scope_cancel(scope);
        return -EAGAIN;
}

TEST(a_cancelled_scope_is_not_tried_again_in, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_retry(cancel_and_fail, &scope, NULL), ==, -ECANCELED);
        CHECK_INT(attempts, ==, 1);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

static int retry_slowly(void *arg)
{
        struct plait_retry_opts opts = {.size = sizeof opts, .first_ns = INT64_MAX, .most_ns = INT64_MAX};

        return plait_retry(fail_some_times, arg, &opts);
}

TEST(a_pause_can_be_cancelled, .run = in_task)
{
        static struct failing failing = {1000, -EAGAIN};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task *task;
        int result = 0;

        CHECK_OK(plait_scope_start(&scope, retry_slowly, &failing, NULL, &task));
        while (!attempts)
                plait_yield();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_OK(plait_task_wait(task, PLAIT_NEVER, &result));
        CHECK_INT(result, ==, -ECANCELED);
        plait_task_unref(task);
}

TEST(a_thread_can_retry_without_time_outs)
{
        struct failing failing = {4, -ECONNRESET};
        struct plait_retry_opts opts = quick(5);

        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, 5);
        CHECK_INT(attempts, ==, 5);
        opts.attempt_ns = 1;
        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, -EINVAL);
}

TEST(retry_refuses_what_is_out_of_range, .run = in_task)
{
        struct failing failing = {0, 0};
        struct plait_retry_opts opts = quick(1);

        CHECK_INT(plait_retry(NULL, NULL, NULL), ==, -EINVAL);
        opts.size = 0;
        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, -EINVAL);
        opts = quick(1);
        opts.first_ns = -1;
        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, -EINVAL);
        opts = quick(1);
        opts.most_ns = -1;
        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, -EINVAL);
        opts = quick(1);
        opts.attempt_ns = -1;
        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, -EINVAL);
        opts = quick(1);
        opts.deadline_ns = -1;
        CHECK_INT(plait_retry(fail_some_times, &failing, &opts), ==, -EINVAL);
        CHECK_INT(attempts, ==, 0);
}

TEST(transient_errors_are_told_from_others)
{
        CHECK(plait_is_transient(-ETIMEDOUT));
        CHECK(plait_is_transient(-ECONNRESET));
        CHECK(!plait_is_transient(-EINVAL));
        CHECK(!plait_is_transient(-ECANCELED));
        CHECK(!plait_is_transient(0));
        CHECK(!plait_is_transient(EAGAIN));
}
