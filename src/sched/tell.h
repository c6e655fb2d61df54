/* What the scheduler tells a recording. Each function is called only behind pl_trace_is_on(), off the fast paths. */
#ifndef PL_SCHED_TELL_H
#define PL_SCHED_TELL_H

#include "sched/task.h"
#include "trace/trace.h"

/* *task*, which will call *fn*, is new; the name that it has comes along. */
PL_NOINLINE void pl_tell_spawned(const struct plait_task *task, int (*fn)(void *arg));

/* *task* runs here from now on; for the first time, if it has no stack yet. */
PL_NOINLINE void pl_tell_resumed(const struct plait_task *task);

static PL_ALWAYS_INLINE void pl_tell_runs(const struct plait_task *task, bool begins)
{
        if (pl_trace_is_on())
                pl_trace_record(PLAIT_RECORDING_RUNS | (begins ? 1U << PL_TRACE_SMALL_SHIFT : 0U), task->id, 0);
}

/* The caller is about to sleep: *wait* is its own. */
PL_NOINLINE void pl_tell_waits(const struct pl_wait *wait, int64_t deadline_ns);

/* The caller's wait ends before it sleeps, with *error*. */
PL_NOINLINE void pl_tell_refused(const struct pl_wait *wait, int error);

/* *wait* has been claimed, and its flow is about to be made runnable. */
PL_NOINLINE void pl_tell_wakes(const struct pl_wait *wait, enum plait_recording_wake how);

/* A plain thread goes on. */
PL_NOINLINE void pl_tell_thread_runs(const struct pl_wait *wait);

/* The thread that starts a run waits for its end; and has seen it. */
void pl_tell_run_begins(void);
void pl_tell_run_ends(void);

/* Whether the workers may be looked at. */
void pl_tell_workers(bool there);

#endif
