/**
 * @file plait/event.h
 * Events: something has happened, and stays so until it is cleared.
 *
 * Any number of tasks and threads can wait for an event; setting it lets all of them go on, and everybody who waits
 * later returns at once, until plait_event_clear(). What was written before plait_event_set() is seen after
 * plait_event_wait().
 *
 * All zeroes is an event that is not set; none needs clean-up. It may be freed when nobody waits for it or is about to
 * use it; in particular by who has waited, if nobody else will use it.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static struct plait_event ready;
 * static int configuration;
 *
 * static int server(void *arg)
 * {
 *         (void)arg;
 *         int r = plait_event_wait(&ready, plait_in_s(10));
 *         assert(r < 0 || configuration == 42);
 *         return r;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         for (int i = 0; i < 100; i++)
 *                 plait_scope_go(&scope, server, NULL);
 *         configuration = 42;
 *         plait_event_set(&ready);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_EVENT_H
#define PLAIT_EVENT_H

#include <stdbool.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** An event; two words; not set when zeroed. */
struct plait_event {
        /** @cond private */
        uint32_t pl_state;
        uint32_t pl_lock;
        void *pl_waiters;
        /** @endcond */
};

/* clang-format off */
/** An event that is not set. */
#define PLAIT_EVENT_INIT {0}
/* clang-format on */

/**
 * Set an event and wake all who wait for it. One that is set stays so.
 * @param event  what has happened
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_event_set(struct plait_event *event);

/**
 * Make an event be not set. Who was waiting when it was set goes on in any case.
 * @param event  what has to happen anew
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_event_clear(struct plait_event *event);

/**
 * Whether an event is set. What was written before it was set is then seen.
 * @param event  which
 * @return true or false; it may have changed when this returns
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API bool plait_event_is_set(const struct plait_event *event);

/**
 * Wait until an event is set.
 * @param event        what to wait for
 * @param deadline_ns  see plait/time.h; with one that has passed it looks once
 * @return 0: it is set, or was while the caller waited. Or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; an event that is set returns 0 in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_event_wait(struct plait_event *event, int64_t deadline_ns);

PLAIT_END_DECLS

#endif
