/* Calls that block, made by threads that are kept for it, while the task waits. Behind plait_blocking(), files, names.
 */
#ifndef PL_IO_OFFLOAD_H
#define PL_IO_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"
#include "sched/wait.h"

/* Each has threads of its own, so that slow look-ups do not hold up files, nor either of them the user's calls. SHARED
 * sleeps on words of memory that processes share. */
enum pl_io_pool { PL_IO_POOL_CALLS, PL_IO_POOL_FILES, PL_IO_POOL_NAMES, PL_IO_POOL_SHARED, PL_IO_POOLS };

enum pl_io_job_state { PL_IO_JOB_NEW, PL_IO_JOB_QUEUED, PL_IO_JOB_RUNNING, PL_IO_JOB_ABANDONED, PL_IO_JOB_DONE };

struct pl_io_job {
        void (*run)(struct pl_io_job *job);
        /* Frees it; NULL: it is in its task's frame, and must be waited for. */
        void (*release)(struct pl_io_job *job);
        /* The pool's. */
        struct pl_list link;
        struct pl_wait *wait;
        enum pl_io_job_state state;
};

/*
 * In a task: have *job* run in a thread of *pool*, and wait. 0: it has run. Else it has not, and will not, or, if it
 * has a release(), nobody will know: then it is no longer the caller's. -ETIMEDOUT, -ECANCELED  while it waited for a
 * thread, or, if it has a release(), ran -EAGAIN                 no thread can be had
 */
PL_WARN_UNUSED int pl_io_offload(enum pl_io_pool pool, struct pl_io_job *job, int64_t deadline_ns);

#endif
