/**
 * @file plait/scope.h
 * Scopes: tasks that start together, end together, and fail together.
 *
 * A scope lives in its opener's frame. Tasks started in it never outlive it: plait_scope_join() returns when the last
 * has ended. The first task that returns a negative result cancels its siblings, and that result is what join returns.
 *
 * Cancellation is level-triggered: from the moment a scope is cancelled, every wait inside it (in its tasks, in the
 * scopes they open, and in the opener while the scope is its innermost one) returns -ECANCELED, however often it is
 * tried. Nothing is unwound behind the program's back: code sees an error from a wait and returns. A wait whose
 * operation has completed returns its result, cancelled or not, so what it acquired is never lost. A *shielded* scope
 * does not pass on cancellation and deadlines from outside; clean-up that has to wait goes into one.
 *
 * A scope's deadline holds for every wait inside it: they return -ETIMEDOUT once it has passed.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int forever(void *arg)
 * {
 *         (void)arg;
 *         return plait_sleep(PLAIT_NEVER);
 * }
 *
 * static int fails(void *arg)
 * {
 *         (void)arg;
 *         return -EIO;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         scope.deadline_ns = plait_in_s(10);
 *         for (int i = 0; i < 1000; i++)
 *                 plait_scope_go(&scope, forever, NULL);
 *         plait_scope_go(&scope, fails, NULL);
 *         assert(plait_scope_join(&scope) == -EIO);
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_SCOPE_H
#define PLAIT_SCOPE_H

#include <plait/base.h>
#include <plait/task.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** For plait_scope.flags: cancellation and deadlines from outside stop here. */
#define PLAIT_SCOPE_SHIELD 1U

/** A scope, in its opener's storage. Set the first two members before it is opened; the rest is the library's. */
struct plait_scope {
        int64_t deadline_ns; /**< everything inside is to end by then; 0: no deadline of its own */
        unsigned flags;      /**< PLAIT_SCOPE_SHIELD or 0 */
        /** @cond private */
        int pl_state;
        struct plait_scope *pl_parent;
        struct plait_task *pl_owner;
        const void *pl_opened_at;
        int64_t pl_owed;
        int64_t pl_pending;
        int pl_error;
        unsigned pl_cancelled;
        unsigned pl_lock;
        unsigned pl_linked;
        void *pl_tasks;
        void *pl_children;
        void *pl_next;
        void **pl_prev;
        /** @endcond */
};

/* clang-format off */
/** A closed scope without deadline or shield. */
#define PLAIT_SCOPE_INIT {0}
/* clang-format on */

/**
 * Open a scope: from here to the join, the caller's waits are inside it. plait_scope_go() and plait_scope_start() open
 * it when it is not open yet, so this is needed only to put the caller's own waits under a deadline or a shield.
 * @param scope  initialised with PLAIT_SCOPE_INIT and not open
 * @return 0, or
 *   - -EINVAL  no task calls, the scope is open already, or *flags* has unknown bits
 *
 * Threads: tasks only. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_scope_open(struct plait_scope *scope);

/**
 * Start a task in a scope.
 * @param scope  open, or, when its future opener calls, closed
 * @param fn     the task; a negative result is an error and cancels the scope
 * @param arg    handed to *fn*
 * @return 0: *fn* will run exactly once, even if the scope is cancelled (its first wait then tells it). Or
 *   - -EINVAL  *fn* is NULL, or the scope is closed and no task calls
 *   - -ENOMEM  no memory for one more task; *fn* will not run, and the scope is cancelled with this error
 *
 * Ownership: *arg* is the task's from here on.
 * Threads: the opener; tasks inside the scope; any thread while a task inside it is known to run. Suspends: may: when
 * the worker's queue is full, the new task runs first. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_scope_go(struct plait_scope *scope, int (*fn)(void *arg), void *arg);

/**
 * Start a task with options, and get a handle to it.
 * @param scope     as for plait_scope_go()
 * @param fn        as for plait_scope_go()
 * @param arg       as for plait_scope_go()
 * @param opts      NULL for the defaults
 * @param ret_task  a reference to the task, to be given back with plait_task_unref(); NULL when none is wanted
 * @return as plait_scope_go(), and
 *   - -EINVAL  an option is out of its range
 *
 * Threads, suspends, cancellation: as plait_scope_go(). Since: 0.1.
 */
PLAIT_API int plait_scope_start(struct plait_scope *scope, int (*fn)(void *arg), void *arg,
                                const struct plait_task_opts *opts, struct plait_task **ret_task);

/**
 * Cancel a scope: all waits inside it end with -ECANCELED, now and later.
 * @param scope  open; NULL, or a scope that is not open, does nothing
 *
 * Threads: any, while the scope is known to be open. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_scope_cancel(struct plait_scope *scope);

/**
 * Whether waits that begin now would end at once because of cancellation or a deadline, for loops that compute.
 * @return 0, -ECANCELED or -ETIMEDOUT; 0 in a thread that runs no task
 *
 * Threads: any. Suspends: never. Cancellation: this is how to ask. Since: 0.1.
 */
PLAIT_API int plait_cancelled(void);

/**
 * Wait until every task of a scope has ended, and close it. The scope can be used again after PLAIT_SCOPE_INIT.
 * @param scope  the caller's innermost open scope, or one that was never opened. Anything else ends the program with a
 *               message, since tasks would be left without a scope.
 * @return 0 when all went well, else the first of:
 *   - the negative result of the first task that failed
 *   - -ECANCELED  plait_scope_cancel() was called for this scope
 *
 * Threads: the opener. Suspends: may. Cancellation: it waits for its tasks in any case; they see the cancellation.
 * Since: 0.1.
 */
PLAIT_API int plait_scope_join(struct plait_scope *scope);

PLAIT_END_DECLS

#endif
