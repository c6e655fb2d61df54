/**
 * @file plait/latch.h
 * Latches: wait until a number of things have been done.
 *
 * A latch starts with a count. Whoever has done a part counts it down; when nothing is left the latch opens, everybody
 * who waits goes on, and whoever waits later returns at once. It never closes again: for rounds use plait/barrier.h.
 * What was written before any of the counting is seen after the waiting.
 *
 * All zeroes is an open latch; none needs clean-up. It may be freed when nobody waits for it or is about to use it; in
 * particular by who has waited, if nobody else will use it.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * enum { PARTS = 100 };
 * static struct plait_latch loaded = PLAIT_LATCH_INIT(PARTS);
 * static int parts[PARTS];
 *
 * static int load(void *part)
 * {
 *         *(int *)part = 1;
 *         plait_latch_count_down(&loaded, 1);
 *         return plait_sleep(plait_in_ms(1)); // it may have more to do
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         for (int i = 0; i < PARTS; i++)
 *                 plait_scope_go(&scope, load, &parts[i]);
 *         int r = plait_latch_wait(&loaded, plait_in_s(10));
 *         for (int i = 0; i < PARTS && r == 0; i++)
 *                 assert(parts[i] == 1);
 *         int joined = plait_scope_join(&scope);
 *         return r < 0 ? r : joined;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_LATCH_H
#define PLAIT_LATCH_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** The most that a latch can count. */
#define PLAIT_LATCH_MAX 0x7fffffffU

/** A latch; two words; open when zeroed. */
struct plait_latch {
        /** @cond private */
        uint32_t pl_state;
        uint32_t pl_lock;
        void *pl_waiters;
        /** @endcond */
};

/* clang-format off */
/** A latch that opens when *count*, 0 to #PLAIT_LATCH_MAX, has been counted down. */
#define PLAIT_LATCH_INIT(count) {(uint32_t)(count) << 1, 0, NULL}
/* clang-format on */

/**
 * Initialise a latch whose count is not known when it is compiled.
 * @param latch  not in use
 * @param count  0 to #PLAIT_LATCH_MAX
 * @return 0, or
 *   - -EINVAL  the count is too large
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_latch_init(struct plait_latch *latch, unsigned count);

/**
 * Count down, and open the latch when nothing is left.
 * @param latch  what has been worked on
 * @param count  how much has been done; 0 does nothing
 * @return 0, or
 *   - -EINVAL  less than *count* is left: somebody counts too often. The count is as it was.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_latch_count_down(struct plait_latch *latch, unsigned count);

/**
 * Wait until a latch is open.
 * @param latch        what to wait for
 * @param deadline_ns  see plait/time.h; with one that has passed it looks once
 * @return 0: it is open. Or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait, and leaves the count alone; an open latch returns 0 in any
 * case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_latch_wait(struct plait_latch *latch, int64_t deadline_ns);

/**
 * What is left to count.
 * @param latch  which
 * @return 0: it is open, and stays so; else it may have changed when this returns
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API unsigned plait_latch_count(const struct plait_latch *latch);

PLAIT_END_DECLS

#endif
