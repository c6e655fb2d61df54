/**
 * @file plait/barrier.h
 * Barriers: a number of tasks and threads wait for each other, round after round.
 *
 * A barrier is for so many parties. Each that arrives waits until all have; then all go on together, and the barrier is
 * ready for the next round. What was written before arriving is seen by all others afterwards.
 *
 * A party that leaves a round because of a deadline or a cancellation breaks the barrier, as in Python: the others
 * would wait for ever. Those that wait, and those that come later, get -EPIPE, until plait_barrier_reset() makes it
 * whole.
 *
 * There is no barrier for nobody: give the number by #PLAIT_BARRIER_INIT or plait_barrier_init(). A zeroed one is
 * valid, but waiting at it is -EINVAL. None needs clean-up. It may be freed when nobody waits or is about to; in
 * particular by a party that went on, when all know that this round was the last. But not so where a party waits with a
 * deadline, or in a scope that may be cancelled: if that comes just when the round is complete, this party looks at the
 * barrier once more before it goes on, too.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * enum { PARTIES = 4, ROUNDS = 10 };
 * static struct plait_barrier barrier = PLAIT_BARRIER_INIT(PARTIES);
 * static int done[PARTIES], rounds;
 *
 * static int step(void *mine)
 * {
 *         for (int i = 0; i < ROUNDS; i++) {
 *                 *(int *)mine += 1;
 *                 int r = plait_barrier_wait(&barrier, PLAIT_NEVER);
 *                 if (r < 0)
 *                         return r;
 *                 if (r == 0) // one of them
 *                         rounds++;
 *                 for (int k = 0; k < PARTIES; k++)
 *                         assert(done[k] == i + 1);
 *                 r = plait_barrier_wait(&barrier, PLAIT_NEVER); // until all have looked
 *                 if (r < 0)
 *                         return r;
 *         }
 *         return 0;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         for (int i = 0; i < PARTIES; i++)
 *                 plait_scope_go(&scope, step, &done[i]);
 *         int r = plait_scope_join(&scope);
 *         assert(r < 0 || rounds == ROUNDS);
 *         return r;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_BARRIER_H
#define PLAIT_BARRIER_H

#include <stdbool.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** The most parties that a barrier can have. */
#define PLAIT_BARRIER_MAX 0x7fffffffU

/** A barrier; three words. */
struct plait_barrier {
        /** @cond private */
        uint32_t pl_parties;
        uint32_t pl_lock;
        void *pl_waiters;
        uint32_t pl_arrived;
        uint32_t pl_broken;
        /** @endcond */
};

/* clang-format off */
/** A whole barrier for *parties* parties, 1 to #PLAIT_BARRIER_MAX. */
#define PLAIT_BARRIER_INIT(parties) {(uint32_t)(parties), 0, NULL, 0, 0}
/* clang-format on */

/**
 * Initialise a barrier whose number of parties is not known when it is compiled.
 * @param barrier  not in use
 * @param parties  1 to #PLAIT_BARRIER_MAX
 * @return 0, or
 *   - -EINVAL  the number is out of range
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_barrier_init(struct plait_barrier *barrier, unsigned parties);

/**
 * Arrive, and wait until all parties have.
 * @param barrier      where
 * @param deadline_ns  see plait/time.h; with one that has passed it goes through if the caller is the last to arrive,
 *                     and otherwise does not arrive at all, which breaks nothing
 * @return 0 or more: all have arrived. It is the number of those that were still missing when the caller came, so it is
 *   different in each party and 0 in exactly one. Or
 *   - -EPIPE      the barrier is broken, or was broken or reset while the caller waited
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first; the barrier is broken if the caller had arrived
 *   - -ECANCELED  the scope was cancelled first; the barrier is broken if the caller had arrived
 *   - -EINVAL     it is a barrier for nobody
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait and breaks the barrier; a round that is complete returns its
 * result in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_barrier_wait(struct plait_barrier *barrier, int64_t deadline_ns);

/**
 * Break a barrier: for a party that cannot go on and will not arrive.
 * @param barrier  those that wait at it, now and later, get -EPIPE
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_barrier_break(struct plait_barrier *barrier);

/**
 * Make a barrier whole and empty. Those that wait get -EPIPE; those that come from now on begin a new round.
 * @param barrier  which
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_barrier_reset(struct plait_barrier *barrier);

/**
 * Whether a barrier is broken.
 * @param barrier  which
 * @return true or false; it may have changed when this returns
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API bool plait_barrier_is_broken(const struct plait_barrier *barrier);

/**
 * How many parties wait.
 * @param barrier  which
 * @return 0 to one less than its parties; it may have changed when this returns
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API unsigned plait_barrier_arrived(const struct plait_barrier *barrier);

PLAIT_END_DECLS

#endif
