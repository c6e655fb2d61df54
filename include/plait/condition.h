/**
 * @file plait/condition.h
 * Condition variables: wait until something that a mutex guards has changed.
 *
 * A waiter is woken by plait_condition_signal() or plait_condition_broadcast() and by nothing else: there are no
 * spurious wake-ups. Still test the condition in a loop, because somebody else may have taken the mutex in between and
 * changed things again. Signal after changing what the mutex guards, with the mutex held or just after unlocking it.
 *
 * All zeroes is a condition that nobody waits for; none needs clean-up. It may be freed when nobody waits for it.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static struct plait_mutex mutex;
 * static struct plait_condition changed;
 * static int tokens;
 *
 * static int producer(void *arg)
 * {
 *         (void)arg;
 *         for (int i = 0; i < 100; i++) {
 *                 int r = plait_mutex_lock(&mutex, PLAIT_NEVER);
 *                 if (r < 0)
 *                         return r;
 *                 tokens++;
 *                 plait_condition_signal(&changed);
 *                 plait_mutex_unlock(&mutex);
 *         }
 *         return 0;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         int taken = 0;
 *
 *         (void)arg;
 *         plait_scope_go(&scope, producer, NULL);
 *         int r = plait_mutex_lock(&mutex, PLAIT_NEVER);
 *         while (r == 0 && taken < 100) {
 *                 while (tokens == 0 && r == 0)
 *                         r = plait_condition_wait(&changed, &mutex, PLAIT_NEVER);
 *                 taken += tokens;
 *                 tokens = 0;
 *         }
 *         plait_mutex_unlock(&mutex);
 *         assert(taken == 100);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_CONDITION_H
#define PLAIT_CONDITION_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/mutex.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A condition; two words; nobody waits for it when zeroed. */
struct plait_condition {
        /** @cond private */
        uint32_t pl_state;
        uint32_t pl_lock;
        void *pl_waiters;
        /** @endcond */
};

/* clang-format off */
/** A condition that nobody waits for. */
#define PLAIT_CONDITION_INIT {0}
/* clang-format on */

/**
 * Unlock *mutex*, wait for a signal, and lock it again, as one step: a signal that comes after the unlocking is not
 * missed.
 * @param condition    what to wait for
 * @param mutex        held by the caller, who holds it again when this returns, whatever it returns; locking it again
 *                     can take longer than the deadline and is not ended by a cancellation
 * @param deadline_ns  see plait/time.h; with one that has passed the mutex is unlocked and locked again
 * @return 0: signalled. Or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait, and takes no signal away from others. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_condition_wait(struct plait_condition *condition, struct plait_mutex *mutex,
                                                    int64_t deadline_ns);

/**
 * Wake the one who has waited longest, if anybody waits.
 * @param condition  what has changed
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_condition_signal(struct plait_condition *condition);

/**
 * Wake all who wait. Those who come later are not woken.
 * @param condition  what has changed
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_condition_broadcast(struct plait_condition *condition);

PLAIT_END_DECLS

#endif
