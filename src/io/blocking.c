/* plait_blocking(): a user's call in a thread that may block. */
#include "plait/blocking.h"

#include <errno.h>

#include "io/offload.h"
#include "sched/runtime.h"

struct call {
        struct pl_io_job job;
        int (*fn)(void *arg);
        void *arg;
        int result;
};

static void run(struct pl_io_job *job)
{
        struct call *self = PL_CONTAINER_OF(job, struct call, job);

        self->result = self->fn(self->arg);
}

int plait_blocking(int (*fn)(void *arg), void *arg, int64_t deadline_ns)
{
        struct call self = {.job.run = run, .fn = fn, .arg = arg};

        if (!fn)
                return -EINVAL;
        if (!pl_sched_in_task())
                return fn(arg);

        int r = pl_io_offload(PL_IO_POOL_CALLS, &self.job, deadline_ns);

        return r < 0 ? r : self.result;
}
