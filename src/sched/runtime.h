/* The run that is under way: started by the layer that has a poller (src/io), used by every layer above. */
#ifndef PL_SCHED_RUNTIME_H
#define PL_SCHED_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "plait/run.h"
#include "plait/scope.h"
#include "sched/poller.h"

/* plait_run(), given its poller. *opts* may be NULL. */
int pl_sched_run(int (*fn)(void *), void *arg, const struct plait_run_opts *opts, const struct pl_poller_ops *poller);

/*
 * Start a task that serves others for as long as the run lasts, on worker *index* only: its scope is cancelled once the
 * first task and all it started have ended, and the run waits for it. Only in a task. 0 or -ENOMEM.
 */
int pl_sched_start_service(int (*fn)(void *), void *arg, const struct plait_task_opts *opts, unsigned index);

/*
 * Call *hook(arg)* in the first task when the user's tasks have ended, in the opposite order of registration. Services
 * still run, and the hook may use them and wait. 0 or -ENOMEM.
 */
int pl_sched_at_end(void (*hook)(void *arg), void *arg);

/*
 * Call *hook(arg)* on the way out of the run, after the last task has ended and before workers stop, in the opposite
 * order of registration. For layers that keep state per run. 0 or -ENOMEM.
 */
int pl_sched_at_stop(void (*hook)(void *arg), void *arg);

/* A number that differs from run to run (so that state kept per run is not mistaken for this run's); 0: none runs. */
uint64_t pl_sched_run_id(void);

/* Whether the caller is a task. */
bool pl_sched_in_task(void);

/*
 * The calling worker's index; only in a task or worker, and only until it may
 * suspend. Beyond plait_workers() - 1 are spare workers.
 */
unsigned pl_sched_worker_index(void);
/* In a task: whether there is anything that its worker could do instead, so that it had better not spin. False
 * elsewhere. */
bool pl_sched_work_in_sight(void);

/*
 * In a task that is about to be in the kernel for a while: fetch the frames of the task that will probably run next,
 * which after a thousand others have left the cache.
 */
void pl_sched_fetch_next(void);

#endif
