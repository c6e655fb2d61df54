/**
 * @file plait/semaphore.h
 * Counting semaphores: a number of permits, to be had one by one.
 *
 * Strictly first come first served: a permit that is released goes to who has waited longest, and nobody overtakes.
 *
 * All zeroes is a semaphore without permits; none needs clean-up. It may be freed when nobody waits for it or is about
 * to use it; in particular by who has just got the last permit that will be released.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static struct plait_semaphore slots = PLAIT_SEMAPHORE_INIT(3);
 * static int busy, most;
 *
 * static int job(void *arg)
 * {
 *         (void)arg;
 *         int r = plait_semaphore_acquire(&slots, PLAIT_NEVER);
 *         if (r < 0)
 *                 return r;
 *         int now = __atomic_add_fetch(&busy, 1, __ATOMIC_RELAXED);
 *         if (now > __atomic_load_n(&most, __ATOMIC_RELAXED))
 *                 __atomic_store_n(&most, now, __ATOMIC_RELAXED);
 *         plait_sleep(plait_in_ms(1));
 *         __atomic_sub_fetch(&busy, 1, __ATOMIC_RELAXED);
 *         return plait_semaphore_release(&slots, 1);
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         for (int i = 0; i < 30; i++)
 *                 plait_scope_go(&scope, job, NULL);
 *         int r = plait_scope_join(&scope);
 *         assert(most <= 3);
 *         return r;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_SEMAPHORE_H
#define PLAIT_SEMAPHORE_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** The most permits that a semaphore can have. */
#define PLAIT_SEMAPHORE_MAX 0x7fffffffU

/** A semaphore; two words; without permits when zeroed. */
struct plait_semaphore {
        /** @cond private */
        uint32_t pl_state;
        uint32_t pl_lock;
        void *pl_waiters;
        /** @endcond */
};

/* clang-format off */
/** A semaphore with *permits* permits, 0 to #PLAIT_SEMAPHORE_MAX. */
#define PLAIT_SEMAPHORE_INIT(permits) {(uint32_t)(permits) << 1, 0, NULL}
/* clang-format on */

/**
 * Initialise a semaphore whose number of permits is not known when it is compiled.
 * @param semaphore  not in use
 * @param permits    0 to #PLAIT_SEMAPHORE_MAX
 * @return 0, or
 *   - -EINVAL  too many permits
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_semaphore_init(struct plait_semaphore *semaphore, unsigned permits);

/**
 * Take a permit, waiting until there is one.
 * @param semaphore    where to take it
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return 0: the caller has a permit, even if its scope was cancelled meanwhile. Or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; a permit that is there is taken in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_semaphore_acquire(struct plait_semaphore *semaphore, int64_t deadline_ns);

/**
 * Take a permit if there is one.
 * @param semaphore  where to take it
 * @return 0: the caller has a permit. Or
 *   - -EAGAIN  there is none, or it belongs to somebody who waits
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_semaphore_try_acquire(struct plait_semaphore *semaphore);

/**
 * Add permits; the first *permits* waiters get one each. Who releases a permit need not have acquired one.
 * @param semaphore  where to add them
 * @param permits    0 or more
 * @return 0, or
 *   - -EOVERFLOW  the semaphore would have more than #PLAIT_SEMAPHORE_MAX; nothing was released
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_semaphore_release(struct plait_semaphore *semaphore, unsigned permits);

/**
 * The number of permits there are, for statistics: it may have changed when this returns.
 * @param semaphore  which
 * @return 0 to #PLAIT_SEMAPHORE_MAX
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API unsigned plait_semaphore_count(const struct plait_semaphore *semaphore);

PLAIT_END_DECLS

#endif
