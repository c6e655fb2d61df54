/* What the tests of worker processes share, those of their faults, too. */
#ifndef API_WORKER_H
#define API_WORKER_H

#include <plait/plait.h>

#include "harness/test.h"

static inline struct plait_executor *open_with(const struct plait_executor_opts *opts)
{
        struct plait_executor *executor;

        CHECK_INT(plait_executor_processes(opts, &executor), ==, 0);
        return executor;
}

static inline struct plait_executor *open_executor(unsigned workers)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = workers};

        return open_with(&opts);
}

static inline int call(struct plait_executor *executor, int (*fn)(void *arg, void *result), int number)
{
        struct plait_job job = {.fn = fn, .arg = &number, .arg_bytes = sizeof number};

        return plait_executor_call(executor, &job, PLAIT_NEVER, NULL);
}

#endif
