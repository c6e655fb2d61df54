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
 * A scope's deadline holds for every wait inside it: they return -ETIMEDOUT once it has passed. Of nested deadlines the
 * earliest counts.
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
/**
 * For plait_scope.flags: a supervisor. A task that fails does not cancel its siblings, and the scope does not fail:
 * plait_scope_join() returns how many tasks failed, and the record, if there is one, tells which.
 */
#define PLAIT_SCOPE_SUPERVISOR 2U

/** How many failures plait_scope_record keeps in detail. */
#define PLAIT_SCOPE_ERRORS 16U
/** Room for the reason of a cancellation, with the NUL. */
#define PLAIT_REASON_BYTES 128U

/** A task of a scope that failed. */
struct plait_scope_error {
        uint64_t task_id;   /**< as plait_task_id() */
        char task_name[32]; /**< "" when it had none */
        int error;          /**< what it returned */
};

/**
 * What has become of a scope's tasks. Where a scope has one, it is kept up to date while the scope is open, to be had
 * from plait_scope_stats(); when plait_scope_join() has returned, it can be read directly. It counts what was started
 * by plait_scope_go() and plait_scope_start() in this very scope.
 */
struct plait_scope_record {
        uint64_t started;   /**< tasks */
        uint64_t queued;    /**< of those: held back by the scope's limit at the moment */
        uint64_t running;   /**< of those: neither held back nor ended */
        uint64_t finished;  /**< of those: ended, however */
        uint64_t failed;    /**< of the finished: those that returned another negative result than the next two */
        uint64_t cancelled; /**< of the finished: those that returned -ECANCELED */
        uint64_t timed_out; /**< of the finished: those that returned -ETIMEDOUT */
        unsigned n_errors;  /**< how many of *errors* are filled in */
        /** The first that failed or timed out, in the order in which they ended; *failed* + *timed_out* tells of all.
         */
        struct plait_scope_error errors[PLAIT_SCOPE_ERRORS];
        char reason[PLAIT_REASON_BYTES]; /**< why the scope was cancelled; "" when it was not */
};

/**
 * A scope, in its opener's storage. Set the first members before it is opened, by PLAIT_SCOPE_WITH() or after
 * PLAIT_SCOPE_INIT; the rest is the library's.
 */
struct plait_scope {
        int64_t deadline_ns; /**< everything inside is to end by then; 0: no deadline of its own */
        unsigned flags;      /**< PLAIT_SCOPE_SHIELD, PLAIT_SCOPE_SUPERVISOR, or 0 */
        /**
         * At most so many tasks of this scope run at the same time; 0: all. A task above that is queued when it is
         * started, and begins, first come, first served, when another one ends: starting never waits for the limit.
         * Tasks of scopes inside, and forks, do not count.
         */
        unsigned limit;
        struct plait_scope_record *record; /**< zeroed, filled in by the library while the scope is open; or NULL */
        /** @cond private */
        const char *pl_where;
        unsigned char pl_state;
        unsigned char pl_cancelled;
        unsigned char pl_linked;
        unsigned pl_lock;
        struct plait_scope *pl_parent;
        struct plait_task *pl_owner;
        const void *pl_opened_at;
        int64_t pl_owed;
        int64_t pl_pending;
        int pl_error;
        unsigned pl_running;
        void *pl_tasks;
        void *pl_children;
        void *pl_next;
        void **pl_prev;
        /** @endcond */
};

/** @cond private */
#define PLAIT_STRING_OF(x) #x
#define PLAIT_LINE_OF(line) PLAIT_STRING_OF(line)
#define PLAIT_HERE __FILE__ ":" PLAIT_LINE_OF(__LINE__)
/** @endcond */

/* clang-format off */
#ifdef __cplusplus
#define PLAIT_SCOPE_INIT {}
#else
/** A closed scope without deadline, limit or flag. It remembers where it stands, for messages. */
#define PLAIT_SCOPE_INIT {.pl_where = PLAIT_HERE}
/** The same with members set, as in PLAIT_SCOPE_WITH(.flags = PLAIT_SCOPE_SHIELD, .limit = 8). Not in C++. */
#define PLAIT_SCOPE_WITH(...) {.pl_where = PLAIT_HERE, __VA_ARGS__}
#endif
/* clang-format on */

/**
 * Open a scope: from here to the join, the caller's waits are inside it. plait_scope_go() and plait_scope_start() open
 * it when it is not open yet, so this is needed only to put the caller's own waits under a deadline or a shield.
 *
 * A scope that is open when the task that opened it returns ends the program with a message that says where the scope
 * stands in the source; so does one that is initialised anew while it is open.
 *
 * @param scope  initialised with PLAIT_SCOPE_INIT and not open
 * @return 0, or
 *   - -EINVAL  no task calls, or a compact one, the scope is open already, or *flags* has unknown bits
 *   - -ENOMEM  no memory for the queue of a scope with a limit
 *
 * Threads: tasks only. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_scope_open(struct plait_scope *scope);

/**
 * Start a task in a scope. When the scope has a limit and so many of its tasks run, the task is queued.
 * @param scope  open, or, when its future opener calls, closed
 * @param fn     the task; a negative result is an error and cancels the scope
 * @param arg    handed to *fn*
 * @return 0: *fn* will run exactly once, even if the scope is cancelled (its first wait then tells it). Or
 *   - -EINVAL  *fn* is NULL, or the scope is closed and no task calls
 *   - -ENOMEM  no memory for one more task; *fn* will not run, and the scope, unless it is a supervisor, is
 *              cancelled with this error
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
 * Cancel a scope and say why: plait_cancel_reason() tells it to the tasks inside. The first reason counts; a task whose
 * failure cancels the scope is one.
 * @param scope   as for plait_scope_cancel()
 * @param reason  copied, cut after 127 bytes; NULL gives none
 *
 * Threads: any, while the scope is known to be open. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_scope_cancel_because(struct plait_scope *scope, const char *reason);

/**
 * Why waits that begin now end at once: the reason of the nearest cancelled scope around the caller ("task 'x' (#12)
 * failed: -5 (Input/output error)" where a failure was it), else which scope's deadline has passed.
 * @param buf    filled in, when the result is negative
 * @param bytes  its size, 1 or more; #PLAIT_REASON_BYTES is enough for any reason. A longer one is cut.
 * @return as plait_cancelled(); with 0, *buf* is untouched
 *
 * Threads: any. Suspends: never. Cancellation: this is how to ask. Since: 0.1.
 */
PLAIT_API int plait_cancel_reason(char *buf, size_t bytes);

/**
 * What has become of a scope's tasks so far.
 * @param scope  open, with a record
 * @param ret    a copy of its record, consistent in itself
 * @return 0, or
 *   - -EINVAL  the scope is not open or has no record
 *
 * Threads: any, while the scope is known to be open. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_scope_stats(struct plait_scope *scope, struct plait_scope_record *ret);

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
 * Of a supervisor: -ECANCELED when it was cancelled, else how many of its tasks returned a negative result.
 *
 * Threads: the opener. Suspends: may. Cancellation: it waits for its tasks in any case; they see the cancellation.
 * Since: 0.1.
 */
PLAIT_API int plait_scope_join(struct plait_scope *scope);

PLAIT_END_DECLS

#endif
