/* What the tests of executors share: each case with each kind, and some jobs. */
#ifndef API_EXECUTOR_H
#define API_EXECUTOR_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <plait/plait.h>

#include "harness/task.h"
#include "harness/test.h"

/* --- each case with each kind --- */

struct kind {
        const char *name;
        struct plait_scope *scope; /* for tasks */
};

static inline struct plait_executor *open_executor(const struct kind *kind, const struct plait_executor_opts *opts)
{
        struct plait_executor *executor;

        if (kind->scope)
                CHECK_INT(plait_executor_tasks(kind->scope, opts, &executor), ==, 0);
        else
                CHECK_INT(plait_executor_threads(opts, &executor), ==, 0);
        return executor;
}

struct in_a_task {
        void (*body)(const struct kind *kind);
};

static inline int with_tasks(void *arg)
{
        const struct in_a_task *self = arg;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        const struct kind threads = {.name = "threads"}, tasks = {.name = "tasks", .scope = &scope};

        self->body(&threads);
        self->body(&tasks);
        return plait_scope_join(&scope);
}

/* Threads without a run, then threads and tasks in one. */
static inline void with_each_kind(void (*body)(const struct kind *kind))
{
        const struct kind threads = {.name = "threads"};
        struct in_a_task self = {.body = body};

        body(&threads);
        CHECK_INT(plait_run(with_tasks, &self, NULL), ==, 0);
}

static inline int square(void *arg, void *result)
{
        long number = *(const long *)arg;

        *(long *)result = number * number;
        return 0;
}

static inline int return_it(void *arg, void *result)
{
        (void)result;
        return *(const int *)arg;
}

struct gate {
        struct plait_event entered, open;
        _Atomic int runs;
};

/* The argument is the very pointer: its size is given as 0. */
static inline int pass_gate(void *arg, void *result)
{
        struct gate *gate = arg;

        (void)result;
        atomic_fetch_add(&gate->runs, 1);
        plait_event_set(&gate->entered);
        int r = plait_event_wait(&gate->open, PLAIT_NEVER);
        return r;
}

static inline int count(void *arg, void *result)
{
        (void)result;
        atomic_fetch_add((_Atomic int *)arg, 1);
        return 0;
}

static inline struct plait_future *submit(struct plait_executor *executor, const struct plait_job *job)
{
        struct plait_future *future;

        CHECK_INT(plait_executor_submit(executor, job, &future), ==, 0);
        return future;
}

static inline struct plait_job_end end_of(struct plait_future *future)
{
        void *value;
        int result;

        CHECK_INT(plait_future_wait(future, PLAIT_NEVER, &result, &value), ==, 0);
        struct plait_job_end end = *(struct plait_job_end *)value;
        CHECK_INT(end.result, ==, result);
        plait_future_unref(future);
        return end;
}

static inline int until_cancelled(void *arg, void *result)
{
        struct gate *gate = arg;

        (void)result;
        atomic_fetch_add(&gate->runs, 1);
        plait_event_set(&gate->entered);
        while (!plait_job_cancelled()) {
                plait_yield();
                sched_yield();
        }
        return -ECANCELED;
}

#endif
