/**
 * @file plait/future.h
 * Futures: a result that somebody will have later, for anybody who wants to wait for it.
 *
 * A future is made empty and set once, to a result (an int, negative for an error) and a value (a pointer). Whoever
 * sets it is its producer; those who wait for it, look at it or are called when it is set are its consumers. Both hold
 * references, and both may be tasks or plain threads, in any number. What was written before plait_future_set() is seen
 * by whoever sees the result.
 *
 * A consumer that does not need the result any more may say so with plait_future_cancel(). That is a request: the
 * producer sees it when it looks, or is called when it has asked for that, and the future is set in any case, to
 * -ECANCELED perhaps. So who waits for a future waits for its producer, too.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int compute(void *arg)
 * {
 *         struct plait_future *answer = arg;
 *         static int value = 42;
 *
 *         plait_sleep(plait_in_ms(1));
 *         if (plait_future_cancel_requested(answer))
 *                 (void)!plait_future_set(answer, -ECANCELED, NULL);
 *         else
 *                 (void)!plait_future_set(answer, 0, &value);
 *         plait_future_unref(answer);
 *         return 0;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         struct plait_future *answer;
 *         void *value;
 *         int result;
 *
 *         (void)arg;
 *         int r = plait_future_new(NULL, &answer);
 *         if (r < 0)
 *                 return r;
 *         plait_scope_go(&scope, compute, plait_future_ref(answer));
 *         r = plait_future_wait(answer, plait_in_s(10), &result, &value);
 *         assert(r == 0 && result == 0 && *(int *)value == 42);
 *         plait_future_unref(answer);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_FUTURE_H
#define PLAIT_FUTURE_H

#include <stdbool.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A future; opaque. */
struct plait_future;

/** A function to be called by a future, in its user's storage. All zeroes: not registered. */
struct plait_future_callback {
        /** @cond private */
        void *pl_link[2];
        void (*pl_fn)(struct plait_future_callback *callback, void *arg);
        void *pl_arg;
        /** @endcond */
};

/* clang-format off */
/** A callback that is not registered. */
#define PLAIT_FUTURE_CALLBACK_INIT {0}
/* clang-format on */

/**
 * Make a future that is not set.
 * @param destroy     called with the value, if that is not NULL, when the last reference is given back, by whoever
 *                    gives it back; NULL: nothing is to be done about the value
 * @param ret_future  one reference, to be given back with plait_future_unref()
 * @return 0, or
 *   - -ENOMEM  no memory
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_future_new(void (*destroy)(void *value), struct plait_future **ret_future);

/**
 * Take one more reference.
 * @param future  not NULL
 * @return *future*
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_future *plait_future_ref(struct plait_future *future);

/**
 * Give a reference back. With the last one the future goes, and its value if it has a *destroy*. Giving the last one
 * back while a callback is registered ends the program with a message.
 * @param future  NULL does nothing
 *
 * Threads: any. Suspends: never, unless *destroy* does. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_future_unref(struct plait_future *future);

/**
 * Set a future. Whoever waits for it goes on, and then its callbacks are called, here, in the order in which they were
 * registered.
 * @param future  to which the caller holds a reference for the whole call
 * @param result  any number; negative: a -errno, by convention
 * @param value   any pointer
 * @return 0, or
 *   - -EALREADY  it is set already, and stays as it is; *value* remains the caller's
 *
 * Ownership: *value* is the future's from here on; whoever holds a reference may use it.
 * Threads: any. Suspends: never, unless a callback does. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_future_set(struct plait_future *future, int result, void *value);

/**
 * Whether a future is set. What was written before it was set is then seen.
 * @param future  which
 * @return true or false
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API bool plait_future_is_set(const struct plait_future *future);

/**
 * Wait until a future is set.
 * @param future       to which the caller holds a reference for the whole call
 * @param deadline_ns  see plait/time.h; with one that has passed it looks once
 * @param ret_result   what it was set to; NULL when it does not matter
 * @param ret_value    the value, borrowed, good for as long as the caller holds a reference; NULL when it does not
 *                     matter
 * @return 0: it is set. Or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the caller's scope was cancelled first; the future is not told
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; a future that is set returns 0 in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_future_wait(struct plait_future *future, int64_t deadline_ns, int *ret_result,
                                                 void **ret_value);

/**
 * Have *fn* called once when a future is set: inside plait_future_set(), in the flow that sets it, after those who wait
 * for it have been woken; or here and now, before this returns, if it is set already. *fn* should be short. It may wait
 * only where the producer may, who then waits with it.
 * @param future    to which somebody holds a reference until *fn* has been called or is removed
 * @param callback  not registered; the library does not touch it any more once *fn* has been entered, so *fn* may free
 *                  it or register it again
 * @param fn        not NULL
 * @param arg       handed to *fn*
 * @return 0, or
 *   - -EINVAL  *fn* is NULL
 *   - -EBUSY   *callback* is registered
 *
 * Threads: any; one at a time per callback. Suspends: never, unless *fn* does. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_future_on_set(struct plait_future *future, struct plait_future_callback *callback,
                                                   void (*fn)(struct plait_future_callback *callback, void *arg),
                                                   void *arg);

/**
 * Have *fn* called once when somebody calls plait_future_cancel(): inside that, in the flow that asks for it; or here
 * and now if somebody has. For producers, which can take a job off a queue then or cancel a scope. It is not called any
 * more, and need not be removed, once the future is set.
 * @param future    as for plait_future_on_set()
 * @param callback  as for plait_future_on_set(). If the future is set when it is to be registered, it is not.
 * @param fn        as for plait_future_on_set()
 * @param arg       handed to *fn*
 * @return 0, or
 *   - -EINVAL    *fn* is NULL
 *   - -EBUSY     *callback* is registered
 *   - -EALREADY  the future is set
 *
 * Threads: any; one at a time per callback. Suspends: never, unless *fn* does. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_future_on_cancel(struct plait_future *future,
                                                      struct plait_future_callback *callback,
                                                      void (*fn)(struct plait_future_callback *callback, void *arg),
                                                      void *arg);

/**
 * Take a callback back.
 * @param future    where it was registered, by either function
 * @param callback  registered there, or not any more
 * @return true: it was registered, and its function will not be called. False: its function has been called, or is
 *   being called at this moment (or, of plait_future_on_cancel(), the future has been set).
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API bool plait_future_remove(struct plait_future *future, struct plait_future_callback *callback);

/**
 * Ask the producer not to bother. Nothing happens to a future that is set; otherwise it remains to be set. Asking again
 * does nothing.
 * @param future  which
 *
 * Threads: any. Suspends: never, unless a callback of the producer's does. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_future_cancel(struct plait_future *future);

/**
 * Whether somebody has asked the producer not to bother.
 * @param future  which
 * @return true or false
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API bool plait_future_cancel_requested(const struct plait_future *future);

PLAIT_END_DECLS

#endif
