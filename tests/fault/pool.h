/* For tests of what goes wrong in pools of processes: opening, submitting, and jobs of several tests. */
#ifndef FAULT_POOL_H
#define FAULT_POOL_H

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <plait/plait.h>

#include "api/worker.h"
#include "harness/test.h"

static inline struct plait_future *submit(struct plait_executor *executor, int (*fn)(void *arg, void *result),
                                          void *arg, size_t arg_bytes)
{
        struct plait_job job = {
                .fn = fn, .arg = arg, .arg_bytes = arg_bytes, .flags = PLAIT_JOB_COPY, .name = "faulty"};
        struct plait_future *future;

        CHECK_INT(plait_executor_submit(executor, &job, &future), ==, 0);
        return future;
}

/* The end of a job; to be given back with its future. */
static inline const struct plait_job_end *end_of(struct plait_future *future)
{
        void *value;

        CHECK_INT(plait_future_wait(future, PLAIT_NEVER, NULL, &value), ==, 0);
        return value;
}

static inline int square(void *arg, void *result)
{
        int number = *(const int *)arg;

        (void)result;
        return number * number;
}

static inline void check_it_works(struct plait_executor *executor)
{
        int number = 7;
        struct plait_job job = {.fn = square, .arg = &number, .arg_bytes = sizeof number};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 49);
}

static inline int hang(void *arg, void *result)
{
        (void)arg;
        (void)result;
        while (pause() < 0) {}
        return 0;
}

static inline int be_killed(void *arg, void *result)
{
        (void)arg;
        (void)result;
        kill(getpid(), SIGKILL); /* as the kernel does it when memory is out */
        return 0;
}

#endif
