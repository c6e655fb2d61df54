/**
 * @file plait/thread.h
 * How the system schedules threads: niceness, policy, priority and processors, of the workers of a run or of a thread
 * of one's own.
 *
 * What is not permitted is refused, not ignored: raising a priority takes CAP_SYS_NICE, or a limit that allows it
 * (RLIMIT_NICE, RLIMIT_RTPRIO; see getrlimit(2)).
 *
 * With the policies FIFO and RR a task that computes keeps everything of a lower priority off its processor, so they
 * are for programs that leave processors to others. Threads that the library starts from such a worker, for calls that
 * block, and child processes do not inherit the policy.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 * #include <sched.h>
 *
 * static int batch_job(void *arg)
 * {
 *         (void)arg;
 *         assert(sched_getscheduler(0) == SCHED_BATCH);
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         struct plait_thread_opts threads = {.size = sizeof threads, .nice = 10, .policy = PLAIT_POLICY_BATCH};
 *         struct plait_run_opts opts = {.size = sizeof opts, .threads = &threads};
 *
 *         return plait_run(batch_job, NULL, &opts);
 * }
 * @endcode
 */
#ifndef PLAIT_THREAD_H
#define PLAIT_THREAD_H

#include <plait/base.h>
#include <plait/errno.h>

PLAIT_BEGIN_DECLS

/** For plait_thread_opts.policy: as it is. */
#define PLAIT_POLICY_KEEP 0U
/** The ordinary policy, SCHED_OTHER. */
#define PLAIT_POLICY_OTHER 1U
/** The ordinary one for threads that compute, SCHED_BATCH: they are woken a little later. */
#define PLAIT_POLICY_BATCH 2U
/** Only when nothing else wants the processor, SCHED_IDLE. */
#define PLAIT_POLICY_IDLE 3U
/** Before all ordinary threads, until it waits: SCHED_FIFO. */
#define PLAIT_POLICY_FIFO 4U
/** The same, by turns with those of the same priority: SCHED_RR. */
#define PLAIT_POLICY_RR 5U

/** How a thread is to be scheduled. Zero leaves it as it is, in every member but *size*. */
struct plait_thread_opts {
        size_t size;          /**< sizeof(struct plait_thread_opts) */
        int nice;             /**< -20 (favoured) to 19 (others go first); 0: as it is */
        unsigned policy;      /**< PLAIT_POLICY_... */
        int priority;         /**< 1 to 99, with FIFO and RR, and 0 with the others */
        const unsigned *cpus; /**< numbers of the processors that it may run on, below 1024; borrowed for the call */
        size_t cpu_count;     /**< how many those are; 0: as it is */
};

/**
 * Have the calling thread scheduled in a certain way. For a thread of one's own: a worker is told by plait_run().
 * @param opts  how. On failure some of it may have been done.
 * @return 0, or
 *   - -EINVAL  a member is out of its range, *opts* is NULL, a task calls, or the process may use none of *cpus*
 *   - -EPERM   the system does not permit that niceness, policy or priority
 *
 * Threads: plain threads. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_thread_apply(const struct plait_thread_opts *opts);

PLAIT_END_DECLS

#endif
