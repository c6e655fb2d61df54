/*
 * Executors without memory: each allocation fails in turn, once or with all that come after it. Whatever was submitted
 * ends, whatever was opened closes, and what fails says so. Each try is a process of its own.
 */
#include <plait/plait.h>

#include "attempt.h"

enum { JOBS = 5 };

/* --- what programs do; each returns 0 or the first error --- */

static int square(void *arg, void *result)
{
        long number = *(const long *)arg;

        *(long *)result = number * number;
        return 0;
}

/* Submit some, and see each of those that were end. */
static int use_jobs(struct plait_executor *executor)
{
        struct plait_future *futures[JOBS];
        long numbers[JOBS], results[JOBS] = {0};
        int n = 0, first = 0;

        while (n < JOBS && first == 0) {
                struct plait_job job = {.fn = square,
                                        .arg = &numbers[n],
                                        .arg_bytes = sizeof numbers[n],
                                        .result = &results[n],
                                        .result_bytes = sizeof results[n]};

                numbers[n] = n;
                first = plait_executor_submit(executor, &job, &futures[n]);
                n += first == 0;
        }
        for (int i = 0; i < n; i++) {
                int result = 0;
                int r = plait_future_wait(futures[i], PLAIT_NEVER, &result, NULL);

                if (r == 0)
                        r = result;
                if (r == 0 && results[i] != (long)i * i)
                        _exit(WRONG);
                if (first == 0)
                        first = r;
                plait_future_unref(futures[i]);
        }
        return first;
}

static int use_map(struct plait_executor *executor)
{
        long numbers[JOBS], results[JOBS];

        for (int i = 0; i < JOBS; i++)
                numbers[i] = i;
        int r = plait_executor_map(executor, square, numbers, sizeof *numbers, results, sizeof *results, JOBS, NULL);
        for (int i = 0; r == 0 && i < JOBS; i++)
                if (results[i] != (long)i * i)
                        _exit(WRONG);
        return r;
}

struct source {
        long next, reported;
};

static int next_number(void *context, void *item)
{
        struct source *source = context;

        if (source->next == 40)
                return 0;
        *(long *)item = source->next++;
        return 1;
}

static int see(void *context, void *item, const struct plait_job_end *end)
{
        struct source *source = context;

        if (*(long *)item != source->reported++ ||
            (end->result == 0 && *(long *)end->data != *(long *)item * *(long *)item))
                _exit(WRONG);
        return 0;
}

static int use_stream(struct plait_executor *executor)
{
        struct source source = {0};
        const struct plait_executor_flow flow = {.next = next_number,
                                                 .fn = square,
                                                 .done = see,
                                                 .context = &source,
                                                 .arg_bytes = sizeof(long),
                                                 .result_bytes = sizeof(long)};
        int r = plait_executor_stream(executor, &flow, NULL);

        if (source.next != source.reported)
                _exit(WRONG);
        return r;
}

static int use_completion(struct plait_executor *executor)
{
        struct plait_completion *completion;
        long numbers[JOBS];
        int submitted = 0, seen = 0;
        int r = plait_completion_new(&completion);

        for (int i = 0; i < JOBS && r == 0; i++) {
                struct plait_job job = {
                        .fn = square, .arg = &numbers[i], .arg_bytes = sizeof(long), .result_bytes = sizeof(long)};
                struct plait_future *future;

                numbers[i] = i;
                r = plait_executor_submit(executor, &job, &future);
                if (r < 0)
                        break;
                r = plait_completion_add(completion, future, (uint64_t)i);
                submitted += r == 0;
                if (r < 0) /* it uses this frame */
                        (void)!plait_future_wait(future, PLAIT_NEVER, NULL, NULL);
                plait_future_unref(future);
        }
        if (r == -ENOMEM && submitted == 0)
                return r;
        while (plait_completion_next(completion, PLAIT_NEVER, NULL, NULL) > 0)
                seen++;
        if (seen != submitted)
                _exit(WRONG);
        plait_completion_free(completion);
        return r;
}

static int use_all(struct plait_executor *executor)
{
        int (*const uses[])(struct plait_executor *) = {use_jobs, use_map, use_stream, use_completion};
        int first = 0;

        for (size_t i = 0; i < sizeof uses / sizeof uses[0] && first == 0; i++)
                first = uses[i](executor);
        return first;
}

static int threads(void *arg)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 2};
        struct plait_executor *executor;

        (void)arg;
        int r = plait_executor_threads(&opts, &executor);

        if (r < 0)
                return r;
        r = use_all(executor);
        plait_executor_free(executor);
        return r;
}

static int in_scope(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 2};
        struct plait_executor *executor;

        (void)arg;
        int r = plait_executor_tasks(&scope, &opts, &executor);
        if (r == 0) {
                r = use_all(executor);
                plait_executor_free(executor);
        }
        int joined = plait_scope_join(&scope); /* no memory for a task cancels the scope: then it says so */
        return joined ? joined : r;
}

static int tasks(void *arg)
{
        (void)arg;
        return plait_run(in_scope, NULL, NULL);
}

static int threads_in_scope(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        int r = plait_scope_open(&scope);
        if (r == 0)
                r = threads(NULL);
        int joined = plait_scope_join(&scope);
        return r ? r : joined;
}

static int threads_of_a_task(void *arg)
{
        (void)arg;
        return plait_run(threads_in_scope, NULL, NULL);
}

/* --- each allocation in turn --- */

static void attempt(int (*scenario)(void *), long number, bool for_good)
{
        int before = descriptors();

        alarm(HANG_S);
        atomic_store(&starve_for_good, for_good);
        atomic_store(&starve_in, number);
        int r = scenario(NULL);
        atomic_store(&starve_in, 0);
        /* Where no task can be made for a job, the executor's scope is cancelled. */
        if (!allowed(r) && r != -ECANCELED) {
                fprintf(stderr, "allocation %ld fails: %d\n", number, r);
                _exit(WRONG);
        }
        if (descriptors() != before) {
                fprintf(stderr, "a descriptor stays open\n");
                _exit(WRONG);
        }
        r = scenario(NULL); /* with memory again */
        if (r != 0)
                fprintf(stderr, "after the failure of allocation %ld: %d\n", number, r);
        _exit(r ? WRONG : atomic_load(&starved) ? 0 : UNTOUCHED);
}

TEST(threads_without_memory, .timeout_ms = 60000)
{
        starve_each(attempt, threads, false);
        starve_each(attempt, threads, true);
}

TEST(tasks_without_memory, .timeout_ms = 60000)
{
        starve_each(attempt, tasks, false);
        starve_each(attempt, tasks, true);
}

TEST(threads_of_a_task_without_memory, .timeout_ms = 60000)
{
        starve_each(attempt, threads_of_a_task, false);
        starve_each(attempt, threads_of_a_task, true);
}
