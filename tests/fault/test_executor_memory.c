/*
 * Executors without memory: each allocation fails in turn, once or with all that come after it. Whatever was submitted
 * ends, whatever was opened closes, and what fails says so. Each try is a process of its own.
 */
#include <plait/plait.h>

#include "attempt.h"
#include "uses.h"

/* --- what programs do --- */

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

TEST(threads_without_memory, .timeout_ms = 120000)
{
        starve_each(attempt, threads, false);
        starve_each(attempt, threads, true);
}

TEST(tasks_without_memory, .timeout_ms = 120000)
{
        starve_each(attempt, tasks, false);
        starve_each(attempt, tasks, true);
}

TEST(threads_of_a_task_without_memory, .timeout_ms = 120000)
{
        starve_each(attempt, threads_of_a_task, false);
        starve_each(attempt, threads_of_a_task, true);
}
