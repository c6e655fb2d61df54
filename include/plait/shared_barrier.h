/**
 * @file plait/shared_barrier.h
 * Barriers between processes, which notice that a party has died.
 *
 * As plait/barrier.h, but in memory that processes share: a number of parties, tasks and threads of any of them, wait
 * for each other, round after round. A party that leaves a round because of a deadline or a cancellation breaks the
 * barrier, and all get -EPIPE. If a process ends while it waits in a round, the barrier is broken, too: the others get
 * -EOWNERDEAD, within 50 ms, instead of waiting for ever.
 *
 * Of a process that is not waiting, nobody can know whether it was to come. It says so by plait_shared_barrier_enter():
 * from then on, until plait_shared_barrier_leave(), its end breaks the barrier, wherever it comes.
 *
 * A broken barrier stays broken; plait_shared_barrier_init() makes it anew when nobody uses it. A zeroed one is for
 * nobody: waiting at it is -EINVAL. Processes know each other by their numbers, so all must be in the same PID
 * namespace. None of its functions holds a lock, so no process can be stopped or killed at a bad moment.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 * #include <signal.h>
 * #include <sys/mman.h>
 * #include <sys/wait.h>
 * #include <unistd.h>
 *
 * int main(void)
 * {
 *         struct plait_shared_barrier *barrier =
 *                 mmap(NULL, sizeof *barrier, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
 *
 *         if (barrier == MAP_FAILED || plait_shared_barrier_init(barrier, 2) < 0)
 *                 return 1;
 *         pid_t child = fork();
 *         if (child == 0) {
 *                 int r = plait_shared_barrier_enter(barrier);
 *                 if (r == 0)
 *                         r = plait_shared_barrier_wait(barrier, PLAIT_NEVER);
 *                 if (r >= 0)
 *                         raise(SIGKILL); // it will not come to the second round
 *                 _exit(1);
 *         }
 *         int r = plait_shared_barrier_wait(barrier, PLAIT_NEVER);
 *         assert(r >= 0);
 *         r = plait_shared_barrier_wait(barrier, PLAIT_NEVER);
 *         assert(r == -EOWNERDEAD);
 *         waitpid(child, NULL, 0);
 *         return 0;
 * }
 * @endcode
 */
#ifndef PLAIT_SHARED_BARRIER_H
#define PLAIT_SHARED_BARRIER_H

#include <stdbool.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** The most parties that a shared barrier can have. */
#define PLAIT_SHARED_BARRIER_MAX 256U

/** A barrier in shared memory, at an address that is a multiple of 8; 4 KiB and a little. */
struct plait_shared_barrier {
        /** @cond private */
        uint64_t pl_state;
        uint32_t pl_parties;
        uint32_t pl_reserved;
        uint64_t pl_places[2 * PLAIT_SHARED_BARRIER_MAX];
        /** @endcond */
};

/**
 * Make a barrier, or make one anew.
 * @param barrier  in shared memory; nobody uses it
 * @param parties  1 to #PLAIT_SHARED_BARRIER_MAX
 * @return 0, or
 *   - -EINVAL  the number is out of range
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_barrier_init(struct plait_shared_barrier *barrier, unsigned parties);

/**
 * Arrive, and wait until all parties have.
 * @param barrier      where
 * @param deadline_ns  see plait/time.h; with one that has passed it goes through if the caller is the last to arrive,
 *                     and otherwise does not arrive at all, which breaks nothing
 * @return 0 or more: all have arrived. It is the number of those that were still missing when the caller came, so it is
 *   different in each party and 0 in exactly one. Or
 *   - -EOWNERDEAD  the barrier is broken: a process has ended that waited or had entered
 *   - -EPIPE       the barrier is broken by another cause
 *   - -ETIMEDOUT   the deadline, or the deadline of a scope, came first; the barrier is broken if the caller had
 * arrived
 *   - -ECANCELED   the scope was cancelled first; the barrier is broken if the caller had arrived
 *   - -EINVAL      it is a barrier for nobody
 *
 * Threads: any; not compact tasks. Suspends: may. Cancellation: ends the wait and breaks the barrier; a round that is
 * complete returns its result in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_barrier_wait(struct plait_shared_barrier *barrier, int64_t deadline_ns);

/**
 * Say that this process is going to come to each round: its end breaks the barrier. Once for each of its parties, or
 * once for all.
 * @param barrier  where
 * @return 0, or
 *   - -ENOSPC  twice #PLAIT_SHARED_BARRIER_MAX have entered or wait
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_barrier_enter(struct plait_shared_barrier *barrier);

/**
 * Take plait_shared_barrier_enter() back, once.
 * @param barrier  where; if this process has not entered, nothing happens
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_shared_barrier_leave(struct plait_shared_barrier *barrier);

/**
 * Break a barrier: for a party that cannot go on and will not arrive.
 * @param barrier  those that wait at it, now and later, get -EPIPE
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_shared_barrier_break(struct plait_shared_barrier *barrier);

/**
 * Whether a barrier is broken.
 * @param barrier  which
 * @return true or false; it may have changed when this returns
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API bool plait_shared_barrier_is_broken(const struct plait_shared_barrier *barrier);

PLAIT_END_DECLS

#endif
