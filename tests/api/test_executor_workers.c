/* Executors of threads and of tasks: queues, workers, executors in each other, and their end. */
#include "api/executor.h"

/* --- queues --- */

struct log {
        _Atomic int n;
        int order[8];
};

struct entry {
        struct log *log;
        int number;
};

static int write_down(void *arg, void *result)
{
        const struct entry *entry = arg;

        (void)result;
        entry->log->order[atomic_fetch_add(&entry->log->n, 1)] = entry->number;
        return 0;
}

static void check_priority(const struct kind *kind)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1};
        struct plait_executor *executor = open_executor(kind, &opts);
        struct gate gate = {0};
        struct log log = {0};
        struct plait_job shut = {.fn = pass_gate, .arg = &gate};

        CHECK_INT(plait_executor_submit(executor, &shut, NULL), ==, 0);
        CHECK_INT(plait_event_wait(&gate.entered, PLAIT_NEVER), ==, 0);
        const int priorities[] = {0, -5, 3, 0, 127};
        for (int i = 0; i < 5; i++) {
                struct entry entry = {.log = &log, .number = i};
                struct plait_job job = {.fn = write_down,
                                        .arg = &entry,
                                        .arg_bytes = sizeof entry,
                                        .flags = PLAIT_JOB_COPY,
                                        .priority = priorities[i]};

                CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, 0);
        }
        plait_event_set(&gate.open);
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
        plait_executor_free(executor);
        const int expected[] = {4, 2, 0, 3, 1};
        for (int i = 0; i < 5; i++)
                CHECK_INT(log.order[i], ==, expected[i]);
}

TEST(the_highest_priority_goes_first_and_then_the_first_to_come)
{
        with_each_kind(check_priority);
}

struct filler {
        struct plait_executor *executor;
        struct gate gate;
        _Atomic int submitted;
};

static void *fill(void *arg)
{
        struct filler *self = arg;
        struct plait_job job = {.fn = pass_gate, .arg = &self->gate};

        for (int i = 0; i < 6; i++) {
                CHECK_INT(plait_executor_submit(self->executor, &job, NULL), ==, 0);
                atomic_fetch_add(&self->submitted, 1);
        }
        return NULL;
}

TEST(a_full_queue_makes_submitters_wait)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .queue_limit = 2};
        struct filler self = {0};
        pthread_t thread;

        CHECK_INT(plait_executor_threads(&opts, &self.executor), ==, 0);
        CHECK_INT(pthread_create(&thread, NULL, fill, &self), ==, 0);
        CHECK_INT(plait_event_wait(&self.gate.entered, PLAIT_NEVER), ==, 0);
        while (self.submitted < 3)
                sched_yield();
        CHECK_INT(self.submitted, ==, 3); /* one runs, two wait */
        plait_event_set(&self.gate.open);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(plait_executor_shutdown(self.executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
        CHECK_INT(self.gate.runs, ==, 6);
        plait_executor_free(self.executor);
}

static void *fill_until_refused(void *arg)
{
        struct filler *self = arg;
        struct plait_job job = {.fn = pass_gate, .arg = &self->gate};
        int r;

        while ((r = plait_executor_submit(self->executor, &job, NULL)) == 0)
                atomic_fetch_add(&self->submitted, 1);
        CHECK_INT(r, ==, -EPIPE);
        return NULL;
}

TEST(who_waits_for_a_place_in_the_queue_hears_of_the_shutdown)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .queue_limit = 1};
        struct filler self = {0};
        pthread_t thread;

        CHECK_INT(plait_executor_threads(&opts, &self.executor), ==, 0);
        CHECK_INT(pthread_create(&thread, NULL, fill_until_refused, &self), ==, 0);
        while (self.submitted < 2)
                sched_yield();
        CHECK_INT(plait_executor_shutdown(self.executor, PLAIT_SHUTDOWN_DRAIN, 0), ==, -ETIMEDOUT);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        plait_event_set(&self.gate.open);
        plait_executor_free(self.executor);
}

/* --- workers --- */

static _Atomic int initialized, finalised;
static _Thread_local int is_initialized;

static int initialize(void *arg)
{
        is_initialized = *(int *)arg;
        atomic_fetch_add(&initialized, 1);
        return 0;
}

static void finalise(void *arg)
{
        CHECK_INT(is_initialized, ==, *(int *)arg);
        atomic_fetch_add(&finalised, 1);
}

static int get_initialized(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return is_initialized;
}

TEST(each_thread_is_initialized_and_finalised_once)
{
        int value = 5;
        struct plait_executor_opts opts = {.size = sizeof opts,
                                           .name = "initialized",
                                           .workers = 2,
                                           .initializer = initialize,
                                           .finaliser = finalise,
                                           .arg = &value,
                                           .arg_bytes = sizeof value,
                                           .jobs_per_worker = 10};
        struct plait_executor_stats stats = {.size = sizeof stats};
        struct plait_job job = {.fn = get_initialized};
        struct plait_executor *executor;

        CHECK_INT(plait_executor_threads(&opts, &executor), ==, 0);
        for (int i = 0; i < 100; i++)
                CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 5);
        CHECK_INT(plait_executor_get_stats(executor, &stats), ==, 0);
        CHECK_UINT(stats.started, >=, 10); /* each made ten at most */
        while (stats.workers > 2) {        /* the others are about to end */
                sched_yield();
                CHECK_INT(plait_executor_get_stats(executor, &stats), ==, 0);
        }
        plait_executor_free(executor);
        CHECK_INT(initialized, >=, 10);
        CHECK_INT(initialized, ==, finalised);
}

static int fail_to_initialize(void *arg)
{
        (void)arg;
        return -ENOENT;
}

TEST(jobs_are_refused_when_no_worker_can_be_initialized)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 2, .initializer = fail_to_initialize};
        struct plait_job job = {.fn = get_initialized};
        struct plait_executor *executor;
        struct plait_future *futures[20];

        CHECK_INT(plait_executor_threads(&opts, &executor), ==, 0);
        for (int i = 0; i < 20; i++)
                futures[i] = submit(executor, &job);
        for (int i = 0; i < 20; i++) {
                struct plait_job_end end = end_of(futures[i]);

                CHECK_INT(end.status, ==, PLAIT_JOB_REFUSED);
                CHECK_INT(end.result, ==, -ENOENT);
        }
        plait_executor_free(executor);
}

static int get_cpus(void *arg, void *result)
{
        cpu_set_t cpus;

        (void)arg;
        (void)result;
        CHECK_INT(sched_getaffinity(0, sizeof cpus, &cpus), ==, 0);
        return CPU_COUNT(&cpus);
}

TEST(threads_are_pinned_and_scheduled_as_asked)
{
        struct plait_thread_opts threads = {.size = sizeof threads, .nice = 3, .policy = PLAIT_POLICY_BATCH};
        struct plait_executor_opts opts = {.size = sizeof opts, .flags = PLAIT_EXECUTOR_PIN, .threads = &threads};
        struct plait_job job = {.fn = get_cpus};
        struct plait_executor *executor;

        CHECK_INT(plait_executor_threads(&opts, &executor), ==, 0);
        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 1);
        plait_executor_free(executor);
}

static void check_resize(const struct kind *kind)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1};
        struct plait_executor *executor = open_executor(kind, &opts);
        struct plait_executor_stats stats = {.size = sizeof stats};
        struct gate gates[3] = {0};

        for (int i = 0; i < 3; i++) {
                struct plait_job job = {.fn = pass_gate, .arg = &gates[i]};

                CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, 0);
        }
        CHECK_INT(plait_event_wait(&gates[0].entered, PLAIT_NEVER), ==, 0);
        CHECK(!plait_event_is_set(&gates[1].entered));
        CHECK_INT(plait_executor_resize(executor, 3), ==, 0);
        CHECK_INT(plait_event_wait(&gates[1].entered, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_event_wait(&gates[2].entered, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_executor_resize(executor, 1), ==, 0);
        for (int i = 0; i < 3; i++)
                plait_event_set(&gates[i].open);
        _Atomic int runs = 0;
        struct plait_job job = {.fn = count, .arg = &runs};
        for (int i = 0; i < 10; i++)
                CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 0);
        CHECK_INT(runs, ==, 10);
        CHECK_INT(plait_executor_get_stats(executor, &stats), ==, 0);
        CHECK_UINT(stats.limit, ==, 1);
        CHECK_INT(plait_executor_resize(executor, 0), ==, -EINVAL);
        plait_executor_free(executor);
}

TEST(the_number_of_workers_can_be_changed)
{
        with_each_kind(check_resize);
}

/* --- in each other --- */

static int call_inner(void *arg, void *result)
{
        struct plait_executor *executor = arg;
        long number = 9, square_of = 0;
        struct plait_job job = {.fn = square,
                                .arg = &number,
                                .arg_bytes = sizeof number,
                                .result = &square_of,
                                .result_bytes = sizeof square_of};

        (void)result;
        int r = plait_executor_call(executor, &job, PLAIT_NEVER, NULL);
        return r < 0 ? r : (int)square_of;
}

static void check_inside(const struct kind *kind)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1};
        struct plait_executor *executor = open_executor(kind, &opts);
        struct plait_job job = {.fn = call_inner, .arg = executor};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 81);
        plait_executor_free(executor);
}

TEST(a_job_may_call_in_its_own_executor)
{
        with_each_kind(check_inside);
}

static int use_two_bytes(void *arg, void *result)
{
        (void)arg;
        memcpy(result, "xy", 2);
        plait_job_set_bytes(2);
        return 0;
}

/* Neither the bytes nor the time of a call inside are those of the job around it. */
static int call_with_limits(void *arg, void *result)
{
        struct plait_executor *executor = arg;
        char room[50];
        struct plait_job bytes = {.fn = use_two_bytes, .result = room, .result_bytes = sizeof room};
        struct gate gate = {0};
        struct plait_job slow = {.fn = until_cancelled, .arg = &gate};
        struct plait_job_end end;

        memset(result, 'r', 9);
        plait_job_set_bytes(9);
        CHECK_INT(plait_executor_call(executor, &bytes, PLAIT_NEVER, &end), ==, 0);
        CHECK_UINT(end.bytes, ==, 2);
        CHECK_INT(plait_executor_map(executor, use_two_bytes, NULL, 0, room, 2, 20, NULL), ==, 0);
        for (int64_t ms = 1; gate.runs == 0; ms *= 2) { /* until it has begun in time */
                CHECK_INT(plait_executor_call(executor, &slow, plait_in_ms(ms), &end), ==, -ETIMEDOUT);
                CHECK_INT(end.status, ==, PLAIT_JOB_TIMED_OUT);
        }
        CHECK_INT(plait_executor_call(executor, &slow, 0, NULL), ==, -ETIMEDOUT);
        CHECK_INT(gate.runs, ==, 1);
        CHECK(!plait_job_cancelled());
        return 0;
}

static void check_limits_inside(const struct kind *kind)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1};
        struct plait_executor *executor = open_executor(kind, &opts);
        char room[10];
        struct plait_job job = {.fn = call_with_limits, .arg = executor, .result = room, .result_bytes = sizeof room};
        struct plait_job_end end;

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, &end), ==, 0);
        CHECK_UINT(end.bytes, ==, 9);
        plait_executor_free(executor);
}

TEST(a_call_inside_a_job_has_its_own_limits)
{
        with_each_kind(check_limits_inside);
}

static int open_inner(void *arg, void *result)
{
        struct plait_executor *executor;

        (void)arg;
        CHECK_INT(plait_executor_threads(NULL, &executor), ==, 0);
        int r = call_inner(executor, result);
        plait_executor_free(executor);
        return r;
}

static void check_nested(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL), *other = open_executor(kind, NULL);
        struct plait_job job = {.fn = open_inner}, over_there = {.fn = call_inner, .arg = other};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 81);
        CHECK_INT(plait_executor_call(executor, &over_there, PLAIT_NEVER, NULL), ==, 81);
        plait_executor_free(other);
        plait_executor_free(executor);
}

TEST(executors_can_be_opened_in_jobs_and_two_at_once)
{
        with_each_kind(check_nested);
}

static int shut_down_from_inside(void *arg, void *result)
{
        (void)result;
        return plait_executor_shutdown(arg, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER);
}

static void check_deadlock(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        struct plait_job job = {.fn = shut_down_from_inside, .arg = executor};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, -EDEADLK);
        plait_executor_free(executor);
}

TEST(a_job_cannot_wait_for_the_end_of_its_executor)
{
        with_each_kind(check_deadlock);
}

static int free_from_inside(void *arg, void *result)
{
        (void)result;
        plait_executor_free(arg);
        return 0;
}

TEST(a_job_that_frees_its_executor_is_named, .signal = SIGABRT, .stderr_match = "executor 'doomed'")
{
        struct plait_executor_opts opts = {.size = sizeof opts, .name = "doomed"};
        struct plait_executor *executor;

        CHECK_INT(plait_executor_threads(&opts, &executor), ==, 0);
        struct plait_job job = {.fn = free_from_inside, .arg = executor};
        (void)!plait_executor_call(executor, &job, PLAIT_NEVER, NULL);
}

/* --- opening and closing --- */

static void check_cycles(const struct kind *kind)
{
        _Atomic int runs = 0;
        struct plait_job job = {.fn = count, .arg = &runs};

        for (int i = 0; i < 300; i++) {
                struct plait_executor_opts opts = {.size = sizeof opts, .workers = 2};
                struct plait_executor *executor = open_executor(kind, &opts);

                for (int k = 0; k < i % 4; k++)
                        CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, 0);
                if (i % 2)
                        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
                plait_executor_free(executor);
        }
        CHECK_INT(runs, >=, 300); /* those of the odd ones */
}

TEST(executors_come_and_go)
{
        with_each_kind(check_cycles);
}

TEST(what_threads_cannot_honour_is_refused)
{
        struct plait_executor *executor = NULL;
        struct plait_job job = {.fn = get_initialized, .timeout_ns = 1}, none = {0};

        struct plait_executor_opts rss = {.size = sizeof rss, .rss_bytes = 1};
        struct plait_executor_opts timeout = {.size = sizeof timeout, .job_timeout_ns = 1};
        struct plait_executor_opts retries = {.size = sizeof retries, .retries = 1};
        struct plait_executor_opts workers = {.size = sizeof workers, .workers = 1025};
        struct plait_executor_opts flags = {.size = sizeof flags, .flags = 1U << 31};
        struct plait_executor_opts size = {.size = sizeof size - 1};
        CHECK_INT(plait_executor_threads(&rss, &executor), ==, -ENOTSUP);
        CHECK_INT(plait_executor_threads(&timeout, &executor), ==, -ENOTSUP);
        CHECK_INT(plait_executor_threads(&retries, &executor), ==, -ENOTSUP);
        CHECK_INT(plait_executor_threads(&workers, &executor), ==, -EINVAL);
        CHECK_INT(plait_executor_threads(&flags, &executor), ==, -EINVAL);
        CHECK_INT(plait_executor_threads(&size, &executor), ==, -EINVAL);
        CHECK_PTR(executor, ==, NULL);
        CHECK_INT(plait_executor_threads(NULL, &executor), ==, 0);
        CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, -ENOTSUP);
        CHECK_INT(plait_executor_submit(executor, &none, NULL), ==, -EINVAL);
        job = (struct plait_job){.fn = get_initialized, .priority = 128};
        CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, -EINVAL);
        job = (struct plait_job){.fn = get_initialized, .arg_bytes = 1};
        CHECK_INT(plait_executor_submit(executor, &job, NULL), ==, -EINVAL);
        CHECK_INT(plait_executor_shutdown(executor, 2, PLAIT_NEVER), ==, -EINVAL);
        plait_executor_free(executor);
        plait_executor_free(NULL);
}

TEST(what_tasks_cannot_honour_is_refused, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_thread_opts threads = {.size = sizeof threads};
        struct plait_executor *executor = NULL;
        struct plait_executor_opts init = {.size = sizeof init, .initializer = initialize};
        struct plait_executor_opts order = {.size = sizeof order, .threads = &threads};
        struct plait_executor_opts jobs = {.size = sizeof jobs, .jobs_per_worker = 3};
        struct plait_executor_opts stack = {.size = sizeof stack, .stack_bytes = 1UL << 40};

        CHECK_INT(plait_executor_tasks(&scope, &init, &executor), ==, -ENOTSUP);
        CHECK_INT(plait_executor_tasks(&scope, &order, &executor), ==, -ENOTSUP);
        CHECK_INT(plait_executor_tasks(&scope, &jobs, &executor), ==, -ENOTSUP);
        CHECK_INT(plait_executor_tasks(&scope, &stack, &executor), ==, -EINVAL);
        CHECK_PTR(executor, ==, NULL);
}

TEST(tasks_need_a_scope)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_executor *executor = NULL;

        CHECK_INT(plait_executor_tasks(&scope, NULL, &executor), ==, -EINVAL);
        CHECK_PTR(executor, ==, NULL);
}
