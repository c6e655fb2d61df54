/**
 * @file plait/timer.h
 * Timers: a function called at a time, unless it is cancelled first.
 *
 * A task that has nothing else to do simply sleeps, and every wait takes a deadline; a timer is for what should happen
 * *unless* something else happens first, a million times over. Setting and cancelling one takes tens of nanoseconds and
 * no memory but the timer itself.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static void ring(void *event)
 * {
 *         plait_event_set(event);
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_event rung = PLAIT_EVENT_INIT;
 *         struct plait_timer soon = PLAIT_TIMER_INIT, later = PLAIT_TIMER_INIT;
 *         int r;
 *
 *         (void)arg;
 *         if ((r = plait_timer_start(&soon, plait_in_ms(5), ring, &rung)) < 0 ||
 *             (r = plait_timer_start(&later, plait_in_s(3600), ring, &rung)) < 0)
 *                 return r;
 *         r = plait_event_wait(&rung, PLAIT_NEVER);
 *         assert(!plait_timer_cancel(&soon));
 *         assert(plait_timer_cancel(&later));
 *         return r;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_TIMER_H
#define PLAIT_TIMER_H

#include <plait/base.h>

#include <stdbool.h>

PLAIT_BEGIN_DECLS

/** A timer, in its user's storage. Zeroed, it is not set. */
struct plait_timer {
        /** @cond private */
        void *pl_link[2];
        int64_t pl_deadline_ns;
        const void *pl_kind;
        void *pl_wheel;
        void (*pl_fn)(void *arg);
        void *pl_arg;
        unsigned pl_state;
        unsigned pl_touched;
        /** @endcond */
};

/* clang-format off */
/** A timer that is not set. */
#define PLAIT_TIMER_INIT {0}
/* clang-format on */

/**
 * Set a timer: *fn* is called once, at *deadline_ns* or up to 16 us later, or later still if all workers are busy.
 *
 * *fn* runs between two tasks of a worker. It should be short, and it may not wait (that ends the program with a
 * message): it sets an event, releases a semaphore, cancels a scope, starts a task. It may set the timer again.
 *
 * @param timer        not set, and valid until *fn* has returned or it is cancelled (which *fn* itself may do, to free
 *                     it), or the run ends
 * @param deadline_ns  see plait/time.h; one that has passed fires as soon as possible
 * @param fn           not NULL
 * @param arg          handed to *fn*
 * @return 0, or
 *   - -EINVAL  *fn* is NULL, or no task calls
 *   - -EBUSY   the timer is set
 *
 * Ownership: *arg* must stay valid until *fn* has returned or the timer is cancelled.
 * Threads: tasks, and timers' functions. Suspends: never. Cancellation: not affected. When the run ends, timers that
 * are set are forgotten. Source: hierarchical timing wheels, Varghese and Lauck, SOSP 1987. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_timer_start(struct plait_timer *timer, int64_t deadline_ns, void (*fn)(void *arg),
                                                 void *arg);

/**
 * Cancel a timer. When this returns, its function is not running and will not be called, even if it was setting the
 * timer again. Called from a timer's function, it does not wait: that function, and that of another timer which is
 * being called on another worker at the moment, run on.
 * @param timer  set or not
 * @return whether it was set: if so, that call of *fn* will not be made
 *
 * Threads: any. Suspends: never; it spins while another worker is inside *fn*. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API bool plait_timer_cancel(struct plait_timer *timer);

PLAIT_END_DECLS

#endif
