/**
 * @file plait/worker_local.h
 * Values of which each worker has its own, such as a session, a connection or a large buffer: made when they are first
 * needed, destroyed when the run ends.
 *
 * A pool thread owns what it made, because it does one job at a time. A task does not own its worker: while it waits,
 * other tasks run there, and it may go on at another worker. So there are two ways to use a value, and both are safe
 * across waits:
 *
 * - plait_worker_local_get() gives the value of the worker that the caller runs on. All tasks that run there get the
 *   same, and a task keeps using it when it goes on elsewhere: it is *shared*, and has to be something that several
 *   tasks may use at the same time. plait_session (plait/http.h) is. The pointer is good until the run ends.
 * - plait_worker_local_borrow() gives a value to the caller *alone*, until it is given back: whatever it waits for, and
 *   wherever it goes on. One that is idle at its worker is taken first, then one of another worker, and a new one is
 * made only when all are in use: there are as many as were ever borrowed at the same time.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 * #include <stdlib.h>
 * #include <string.h>
 *
 * enum { BYTES = 1 << 20 };
 *
 * static int make_buffer(void *arg, void **ret_value)
 * {
 *         (void)arg;
 *         *ret_value = malloc(BYTES);
 *         return *ret_value ? 0 : -ENOMEM;
 * }
 *
 * static struct plait_worker_local buffers = PLAIT_WORKER_LOCAL_INIT(make_buffer, free, NULL);
 *
 * static int job(void *arg)
 * {
 *         struct plait_worker_lease lease;
 *
 *         (void)arg;
 *         int r = plait_worker_local_borrow(&buffers, &lease);
 *         if (r < 0)
 *                 return r;
 *         memset(lease.value, 7, BYTES);
 *         r = plait_sleep(plait_in_ms(1)); // wherever it goes on, the buffer is its own
 *         assert(memchr(lease.value, 7, BYTES) == lease.value);
 *         plait_worker_local_give_back(&lease);
 *         return r;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         for (int i = 0; i < 20; i++)
 *                 plait_scope_go(&scope, job, NULL);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_WORKER_LOCAL_H
#define PLAIT_WORKER_LOCAL_H

#include <plait/base.h>
#include <plait/errno.h>

PLAIT_BEGIN_DECLS

/** The name of a value that each worker has for itself. A static variable: it has to outlive the run. */
struct plait_worker_local {
        /**
         * Makes a value: stores it, not NULL, and returns 0, or returns a -errno. Called in the task that needs it; it
         * may wait.
         */
        int (*make)(void *arg, void **ret_value);
        void (*destroy)(void *value); /**< called for each value in the first task, after all others have ended; it may
                                           wait. NULL: nothing is to be done. */
        void *arg;                    /**< handed to *make* */
        /** @cond private */
        uint64_t pl_run;
        void *pl_values;
        uint32_t pl_lock;
        uint32_t pl_unused;
        /** @endcond */
};

/* clang-format off */
/** Values made by *make*, which gets *arg*, and destroyed by *destroy*, which may be NULL. */
#define PLAIT_WORKER_LOCAL_INIT(make, destroy, arg) {(make), (destroy), (arg), 0, NULL, 0, 0}
/* clang-format on */

/** A value that has been borrowed; in the storage of the borrower. */
struct plait_worker_lease {
        void *value; /**< the borrower's until it is given back */
        /** @cond private */
        void *pl_entry;
        void *pl_values;
        /** @endcond */
};

/**
 * The value of the worker that the caller runs on, shared with other tasks. It is made now if the worker has none;
 * others who need it then wait until it is.
 * @param local      whose value
 * @param ret_value  the value
 * @return 0, or
 *   - -EINVAL     the caller is no task, or *make* stored NULL
 *   - -ENOMEM     no memory to keep it
 *   - -ETIMEDOUT  the deadline of a scope came while another task was making it
 *   - -ECANCELED  the scope was cancelled while another task was making it
 *   - otherwise   what *make* returned; the next one who asks calls it again
 *
 * Ownership: the value is the worker's, and good until the run ends.
 * Threads: tasks only. Suspends: may, when it has to be made. Cancellation: ends the wait for another one who makes it;
 * a value that is there is returned in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_worker_local_get(struct plait_worker_local *local, void **ret_value);

/**
 * Have a value for the caller alone.
 * @param local      what to have one of; those that are borrowed and those that plait_worker_local_get() returns are
 *                   different ones
 * @param ret_lease  the value, and what is needed to give it back
 * @return 0, or
 *   - -EINVAL    the caller is no task, or *make* stored NULL
 *   - -ENOMEM    no memory to keep it
 *   - otherwise  what *make* returned
 *
 * Ownership: the value is the caller's, until plait_worker_local_give_back(). One that is not given back before the run
 * ends makes the program end with a message.
 * Threads: tasks only. Suspends: never, but for what *make* does. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_worker_local_borrow(struct plait_worker_local *local,
                                                         struct plait_worker_lease *ret_lease);

/**
 * Give a value back, as it is: who borrows it next finds it so.
 * @param lease  from plait_worker_local_borrow(); afterwards its value is NULL, and giving it back again does nothing
 *
 * Threads: tasks only, also another one than the borrower. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_worker_local_give_back(struct plait_worker_lease *lease);

PLAIT_END_DECLS

#endif
