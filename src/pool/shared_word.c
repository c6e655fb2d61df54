/* Waiting for a word in memory that processes share. */
#include "pool/shared_word.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "io/offload.h"
#include "plat/sys.h"
#include "sched/runtime.h"
#include "sched/wait.h"

/* A sleep for a task. In memory of its own: the task may leave before the thread wakes up. */
struct sleeper {
        struct pl_io_job job;
        _Atomic uint32_t *word;
        uint32_t expected;
        bool woken;
        int64_t until_ns;
};

static void sleep_there(struct pl_io_job *job)
{
        struct sleeper *self = PL_CONTAINER_OF(job, struct sleeper, job);

        self->woken = pl_plat_shared_wait(self->word, self->expected, self->until_ns) == 0;
}

/* Nobody is there any more who would use the wake-up. (The word may be unmapped by now: then nobody is woken.) */
static void leave_behind(struct pl_io_job *job)
{
        struct sleeper *self = PL_CONTAINER_OF(job, struct sleeper, job);

        if (self->woken)
                pl_plat_shared_wake(self->word, 1);
        free(self);
}

static int wait_in_task(_Atomic uint32_t *word, uint32_t expected, int64_t until_ns)
{
        struct sleeper *sleeper = malloc(sizeof *sleeper);

        if (!sleeper)
                return -ENOMEM;
        *sleeper = (struct sleeper){.job = {.run = sleep_there, .release = leave_behind},
                                    .word = word,
                                    .expected = expected,
                                    .until_ns = until_ns};
        int r = pl_io_offload(PL_IO_POOL_SHARED, &sleeper->job, until_ns);

        if (r == 0)
                free(sleeper);
        return r;
}

int pl_pool_shared_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
        int64_t until_ns = pl_plat_now_ns() + PL_POOL_SHARED_LOOK_NS;

        if (deadline_ns < until_ns)
                until_ns = deadline_ns;
        if (!pl_sched_in_task()) {
                (void)pl_plat_shared_wait(word, expected, until_ns);
                return pl_plat_now_ns() < deadline_ns ? 0 : -ETIMEDOUT;
        }
        int r = wait_in_task(word, expected, until_ns);

        if (r == -ENOMEM || r == -EAGAIN) { /* neither memory nor thread: look again soon */
                struct pl_wait *wait = pl_sched_wait_begin(PL_WAIT_SLEEP, word);

                r = pl_sched_wait_finish(wait, pl_plat_now_ns() + PL_POOL_SHARED_LOOK_NS / 50, 0);
        }
        if (r == -ETIMEDOUT && pl_plat_now_ns() < deadline_ns)
                r = pl_sched_wait_check();
        return r;
}
