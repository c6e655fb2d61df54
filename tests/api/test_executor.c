/* Executors of threads and of tasks: jobs, their results, how they are waited for and cancelled. */
#include "api/executor.h"

/* --- jobs --- */

static void check_result(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        long number = 12, result = 0;
        struct plait_job job = {.fn = square,
                                .arg = &number,
                                .arg_bytes = sizeof number,
                                .result = &result,
                                .result_bytes = sizeof result};

        struct plait_job_end end = end_of(submit(executor, &job));
        CHECK_INT(result, ==, 144);
        CHECK_INT(end.status, ==, PLAIT_JOB_RETURNED);
        CHECK_PTR(end.data, ==, &result);
        CHECK_UINT(end.bytes, ==, sizeof result);
        CHECK_UINT(end.tries, ==, 1);
        plait_executor_free(executor);
}

TEST(a_job_gives_its_result)
{
        with_each_kind(check_result);
}

static void check_room(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        long number = 7;
        struct plait_job job = {.fn = square,
                                .arg = &number,
                                .arg_bytes = sizeof number,
                                .result_bytes = sizeof number,
                                .flags = PLAIT_JOB_COPY};
        struct plait_future *future = submit(executor, &job);
        void *value;

        number = 0; /* it has been copied */
        CHECK_INT(plait_future_wait(future, PLAIT_NEVER, NULL, &value), ==, 0);
        plait_executor_free(executor); /* the future stays */
        CHECK_INT(*(long *)((struct plait_job_end *)value)->data, ==, 49);
        plait_future_unref(future);
}

TEST(the_future_can_have_room_for_argument_and_result)
{
        with_each_kind(check_room);
}

static void check_error(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        int error = -EIO;
        struct plait_job job = {.fn = return_it, .arg = &error, .arg_bytes = sizeof error};
        struct plait_job_end end = end_of(submit(executor, &job));

        CHECK_INT(end.status, ==, PLAIT_JOB_RETURNED);
        CHECK_INT(end.result, ==, -EIO);
        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, &end), ==, -EIO);
        plait_executor_free(executor);
}

TEST(an_error_of_a_job_is_its_result)
{
        with_each_kind(check_error);
}

static int use_three_bytes(void *arg, void *result)
{
        (void)arg;
        memcpy(result, "abc", 3);
        plait_job_set_bytes(3);
        return 0;
}

static void check_bytes(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        char room[100] = "";
        struct plait_job job = {.fn = use_three_bytes, .result = room, .result_bytes = sizeof room};
        struct plait_job_end end = end_of(submit(executor, &job));

        CHECK_UINT(end.bytes, ==, 3);
        CHECK(memcmp(room, "abc", 3) == 0);
        plait_executor_free(executor);
}

TEST(a_job_may_use_less_than_the_room_for_its_result)
{
        with_each_kind(check_bytes);
}

static void check_many(const struct kind *kind)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 3};
        struct plait_executor *executor = open_executor(kind, &opts);
        struct plait_executor_stats stats = {.size = sizeof stats};
        _Atomic int runs = 0;
        struct plait_job job = {.fn = count, .arg = &runs};

        for (int i = 0; i < 2000; i++)
                CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, 0);
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
        CHECK_INT(runs, ==, 2000);
        CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, -EPIPE);
        CHECK_INT(plait_executor_get_stats(executor, &stats), ==, 0);
        CHECK(strcmp(stats.kind, kind->name) == 0);
        CHECK_UINT(stats.limit, ==, 3);
        CHECK_UINT(stats.submitted, ==, 2000);
        CHECK_UINT(stats.returned, ==, 2000);
        CHECK_UINT(stats.queued + stats.running + stats.workers, ==, 0);
        plait_executor_free(executor);
}

TEST(a_shutdown_that_drains_makes_all_jobs)
{
        with_each_kind(check_many);
}

/* --- waiting --- */

static void check_deadline(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        struct gate gate = {0};
        struct plait_job job = {.fn = pass_gate, .arg = &gate};
        struct plait_future *future = submit(executor, &job);

        CHECK_INT(plait_event_wait(&gate.entered, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_future_wait(future, 0, NULL, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, 0), ==, -ETIMEDOUT);
        plait_event_set(&gate.open);
        CHECK_INT(end_of(future).status, ==, PLAIT_JOB_RETURNED);
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
        plait_executor_free(executor);
}

TEST(who_waits_may_give_up)
{
        with_each_kind(check_deadline);
}

static void check_select(const struct kind *kind)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 2};
        struct plait_executor *executor = open_executor(kind, &opts);
        struct gate gate = {0};
        int seven = 7;
        struct plait_job shut = {.fn = pass_gate, .arg = &gate};
        struct plait_job quick = {.fn = return_it, .arg = &seven, .arg_bytes = sizeof seven};
        struct plait_future *futures[2] = {submit(executor, &shut), submit(executor, &quick)};
        struct plait_case cases[2] = {plait_case_future(futures[0]), plait_case_future(futures[1])};

        CHECK_INT(plait_select(cases, 2, PLAIT_NEVER), ==, 1);
        CHECK_INT(cases[1].result, ==, 7);
        plait_event_set(&gate.open);
        CHECK_INT(end_of(futures[0]).result, ==, 0);
        plait_future_unref(futures[1]);
        plait_executor_free(executor);
}

TEST(a_select_takes_the_first_result)
{
        with_each_kind(check_select);
}

static int sum_of_calls(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_executor *executor;
        int numbers[5] = {1, 2, 3, 4, 5};
        struct plait_call calls[5];
        struct plait_future *futures[5];
        size_t winner;

        (void)arg;
        CHECK_INT(plait_executor_tasks(&scope, NULL, &executor), ==, 0);
        for (int i = 0; i < 5; i++) {
                struct plait_job job = {.fn = return_it, .arg = &numbers[i], .arg_bytes = sizeof numbers[i]};

                futures[i] = submit(executor, &job);
                calls[i] = (struct plait_call){.fn = plait_call_future, .arg = futures[i]};
        }
        CHECK_INT(plait_gather(calls, 5, NULL), ==, 0);
        CHECK_INT(calls[4].result, ==, 5);
        CHECK_INT(plait_race(calls, 5, PLAIT_NEVER, &winner), ==, numbers[winner]);
        for (int i = 0; i < 5; i++)
                plait_future_unref(futures[i]);
        plait_executor_free(executor);
        return plait_scope_join(&scope);
}

TEST(gather_and_race_take_futures_of_jobs)
{
        CHECK_INT(plait_run(sum_of_calls, NULL, NULL), ==, 0);
}

/* --- cancelling --- */

static void check_cancel_queued(const struct kind *kind)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1};
        struct plait_executor *executor = open_executor(kind, &opts);
        struct gate gate = {0};
        _Atomic int runs = 0;
        struct plait_job first = {.fn = pass_gate, .arg = &gate};
        struct plait_job second = {.fn = count, .arg = &runs};
        struct plait_future *futures[2] = {submit(executor, &first), submit(executor, &second)};

        CHECK_INT(plait_event_wait(&gate.entered, PLAIT_NEVER), ==, 0);
        plait_future_cancel(futures[1]);
        CHECK_INT(end_of(futures[1]).status, ==, PLAIT_JOB_CANCELLED); /* while the first one runs */
        plait_event_set(&gate.open);
        CHECK_INT(end_of(futures[0]).status, ==, PLAIT_JOB_RETURNED);
        plait_executor_free(executor);
        CHECK_INT(runs, ==, 0);
}

TEST(a_queued_job_that_is_cancelled_never_runs)
{
        with_each_kind(check_cancel_queued);
}

static void check_cancel_running(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        struct gate gate = {0};
        struct plait_job job = {.fn = until_cancelled, .arg = &gate};
        struct plait_future *future = submit(executor, &job);

        CHECK_INT(plait_event_wait(&gate.entered, PLAIT_NEVER), ==, 0);
        plait_future_cancel(future);
        struct plait_job_end end = end_of(future);
        CHECK_INT(end.status, ==, PLAIT_JOB_CANCELLED);
        CHECK_INT(end.result, ==, -ECANCELED);
        plait_executor_free(executor);
}

TEST(a_running_job_is_told_of_its_cancellation)
{
        with_each_kind(check_cancel_running);
}

static void check_now(const struct kind *kind)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 2};
        struct plait_executor *executor = open_executor(kind, &opts);
        struct gate gate = {0};
        struct plait_job job = {.fn = until_cancelled, .arg = &gate};
        struct plait_future *futures[10];

        for (int i = 0; i < 10; i++)
                futures[i] = submit(executor, &job);
        CHECK_INT(plait_event_wait(&gate.entered, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_NOW, PLAIT_NEVER), ==, 0);
        for (int i = 0; i < 10; i++)
                CHECK_INT(end_of(futures[i]).status, ==, PLAIT_JOB_CANCELLED);
        CHECK_INT(gate.runs, <=, 2);
        plait_executor_free(executor);
}

TEST(a_shutdown_at_once_cancels_all_jobs)
{
        with_each_kind(check_now);
}

struct submitter {
        struct plait_executor *executor;
        struct gate *gate;
        struct plait_future *futures[3];
        struct plait_event submitted;
};

static int submit_and_wait(void *arg)
{
        struct submitter *self = arg;
        struct plait_job job = {.fn = until_cancelled, .arg = self->gate};

        for (int i = 0; i < 3; i++)
                self->futures[i] = submit(self->executor, &job);
        plait_event_set(&self->submitted);
        return plait_sleep(PLAIT_NEVER);
}

/* One job runs, two are queued, and nobody waits for them when the scope that they were submitted in is cancelled. */
static void check_scope(const struct kind *kind)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1};
        struct plait_executor *executor = open_executor(kind, &opts);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct gate gate = {0};
        struct submitter self = {.executor = executor, .gate = &gate};
        struct plait_job job = {.fn = count, .arg = &gate.runs};

        if (!plait_task_self()) {
                plait_executor_free(executor);
                return;
        }
        plait_scope_go(&scope, submit_and_wait, &self);
        CHECK_INT(plait_event_wait(&self.submitted, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_event_wait(&gate.entered, PLAIT_NEVER), ==, 0);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        for (int i = 0; i < 3; i++)
                CHECK_INT(end_of(self.futures[i]).status, ==, PLAIT_JOB_CANCELLED);
        CHECK_INT(gate.runs, ==, 1);
        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 0); /* others are not affected */
        plait_executor_free(executor);
}

TEST(a_scope_that_is_cancelled_takes_its_jobs_along)
{
        with_each_kind(check_scope);
}

/* A job that waits for another executor's, whose consumer takes his time when that is cancelled. */
struct nesting {
        struct plait_executor *threads;
        struct plait_future *inner;
        struct plait_event begun;
        _Atomic bool waited_for;
        _Atomic bool called; /* the consumer's function */
        bool has_returned;
};

static struct nesting nesting;

static int run_until_cancelled(void *arg, void *result)
{
        (void)arg;
        (void)result;
        while (!nesting.waited_for)
                sched_yield();
        plait_event_set(&nesting.begun);
        while (!nesting.called) /* once it has ended, nobody is told of the cancellation any more */
                sched_yield();
        return -ECANCELED;
}

static void be_slow(struct plait_future_callback *callback, void *arg)
{
        (void)callback;
        (void)arg;
        nesting.called = true;
        CHECK_INT(plait_sleep(plait_in_ms(10)), ==, 0);
        nesting.has_returned = true;
}

static int wait_for_inner(void *arg, void *result)
{
        static struct plait_future_callback callback;
        struct plait_job job = {.fn = run_until_cancelled};

        (void)arg;
        (void)result;
        CHECK_INT(plait_executor_submit(nesting.threads, &job, &nesting.inner), ==, 0);
        CHECK_INT(plait_future_on_cancel(nesting.inner, &callback, be_slow, NULL), ==, 0);
        nesting.waited_for = true;
        return plait_future_wait(nesting.inner, PLAIT_NEVER, NULL, NULL);
}

static int cancel_the_outer(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_executor *tasks;
        struct plait_job job = {.fn = wait_for_inner};

        (void)arg;
        CHECK_INT(plait_executor_threads(NULL, &nesting.threads), ==, 0);
        CHECK_INT(plait_executor_tasks(&scope, NULL, &tasks), ==, 0);
        struct plait_future *outer = submit(tasks, &job);
        CHECK_INT(plait_event_wait(&nesting.begun, PLAIT_NEVER), ==, 0);
        plait_future_cancel(outer);
        CHECK(nesting.has_returned);
        CHECK_INT(end_of(outer).status, ==, PLAIT_JOB_CANCELLED);
        plait_future_unref(nesting.inner);
        plait_executor_free(tasks);
        plait_executor_free(nesting.threads);
        return plait_scope_join(&scope);
}

TEST(a_job_ends_while_a_function_that_its_cancellation_calls_waits, .timeout_ms = 20000)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 1};

        CHECK_INT(plait_run(cancel_the_outer, NULL, &opts), ==, 0);
}

static int submit_in_cancelled_scope(void *arg)
{
        struct plait_executor *executor = arg;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        _Atomic int runs = 0;
        struct plait_job job = {.fn = count, .arg = &runs};

        CHECK_INT(plait_scope_open(&scope), ==, 0);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, -ECANCELED);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        scope = (struct plait_scope)PLAIT_SCOPE_INIT;
        scope.deadline_ns = 1;
        CHECK_INT(plait_scope_open(&scope), ==, 0);
        CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(runs, ==, 0);
        return 0;
}

TEST(a_cancelled_scope_submits_nothing)
{
        struct plait_executor *executor;

        CHECK_INT(plait_executor_threads(NULL, &executor), ==, 0);
        CHECK_INT(plait_run(submit_in_cancelled_scope, executor, NULL), ==, 0);
        plait_executor_free(executor);
}

static int joined_before_its_job(void *arg)
{
        struct submitter *self = arg;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_job job = {.fn = pass_gate, .arg = self->gate};

        CHECK_INT(plait_scope_open(&scope), ==, 0);
        self->futures[0] = submit(self->executor, &job);
        CHECK_INT(plait_scope_join(&scope), ==, 0); /* it waits for tasks, not for jobs */
        plait_event_set(&self->gate->open);
        CHECK_INT(end_of(self->futures[0]).status, ==, PLAIT_JOB_RETURNED);
        return 0;
}

TEST(a_job_outlives_the_scope_it_was_submitted_in)
{
        struct gate gate = {0};
        struct submitter self = {.gate = &gate};

        CHECK_INT(plait_executor_threads(NULL, &self.executor), ==, 0);
        CHECK_INT(plait_run(joined_before_its_job, &self, NULL), ==, 0);
        plait_executor_free(self.executor);
}

static void check_call_deadline(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        struct gate gate = {0};
        struct plait_job job = {.fn = until_cancelled, .arg = &gate};
        const int64_t deadlines[] = {plait_in_ms(1), 1}; /* one to come, and one that has passed */

        for (int i = 0; i < 2; i++) {
                struct plait_job_end end = {.status = PLAIT_JOB_REFUSED};

                CHECK_INT(plait_executor_call(executor, &job, deadlines[i], &end), ==, -ETIMEDOUT);
                CHECK_INT(end.status, ==, PLAIT_JOB_TIMED_OUT);
                CHECK_INT(end.result, ==, -ETIMEDOUT);
        }
        plait_executor_free(executor);
}

TEST(a_call_past_its_deadline_cancels_the_job_and_waits_for_it)
{
        with_each_kind(check_call_deadline);
}

static int forever(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return plait_sleep(PLAIT_NEVER);
}

static int tasks_time_out(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_executor_opts opts = {.size = sizeof opts, .job_timeout_ns = 1000000};
        struct plait_job job = {.fn = forever};
        struct plait_executor *executor;

        (void)arg;
        CHECK_INT(plait_executor_tasks(&scope, &opts, &executor), ==, 0);
        struct plait_job_end end = end_of(submit(executor, &job));
        CHECK_INT(end.status, ==, PLAIT_JOB_TIMED_OUT);
        CHECK_INT(end.result, ==, -ETIMEDOUT);
        plait_executor_free(executor);
        return plait_scope_join(&scope);
}

TEST(a_job_of_a_task_has_its_time_limited)
{
        CHECK_INT(plait_run(tasks_time_out, NULL, NULL), ==, 0);
}

static int cancelled_with_its_executor(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT, inner = PLAIT_SCOPE_INIT;
        struct plait_job job = {.fn = forever};
        struct plait_executor *executor;
        struct plait_future *future;

        (void)arg;
        CHECK_INT(plait_executor_tasks(&scope, NULL, &executor), ==, 0);
        inner.flags = PLAIT_SCOPE_SHIELD;
        CHECK_INT(plait_scope_open(&inner), ==, 0);
        future = submit(executor, &job); /* in another scope than the executor's */
        plait_scope_cancel(&scope);
        CHECK_INT(end_of(future).status, ==, PLAIT_JOB_CANCELLED);
        plait_executor_free(executor);
        CHECK_INT(plait_scope_join(&inner), ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        return 0;
}

TEST(jobs_of_tasks_are_cancelled_with_the_scope_of_their_executor)
{
        CHECK_INT(plait_run(cancelled_with_its_executor, NULL, NULL), ==, 0);
}
