/**
 * @file plait/local.h
 * Task-local storage: a variable of which every task, and every plain thread, has its own.
 *
 * Use it in place of thread-local variables, which are shared by all tasks that a thread runs and do not follow a task
 * to another thread. A value belongs to its task wherever that goes on, and is destroyed when the task ends, as a plain
 * thread's is when the thread ends.
 *
 * A task starts without values, unless the local says how they are inherited (#PLAIT_LOCAL_INIT_INHERITED): then it
 * starts with one made of the value that its starter has at that moment, be it a copy, another reference, or the same
 * value. What either sets later is his own. That is what a request's number or a logger's prefix wants, which all tasks
 * that work for the request are to know. The first task of a run inherits nothing, nor does the half of a fork
 * (plait/parallel.h) that another worker takes.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 * #include <stdlib.h>
 *
 * static struct plait_local buffer = PLAIT_LOCAL_INIT(free);
 *
 * static int work(void *arg)
 * {
 *         (void)arg;
 *         assert(plait_local_get(&buffer) == NULL); // nobody else's
 *         char *mine = malloc(4096);
 *         if (mine == NULL || plait_local_set(&buffer, mine) < 0)
 *                 abort();
 *         plait_yield();
 *         assert(plait_local_get(&buffer) == mine);
 *         return 0; // free(mine) follows
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         for (int i = 0; i < 100; i++)
 *                 plait_scope_go(&scope, work, NULL);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_LOCAL_H
#define PLAIT_LOCAL_H

#include <plait/base.h>
#include <plait/errno.h>

PLAIT_BEGIN_DECLS

/**
 * The name of a value that each task has for itself. A static variable: it has to outlive all tasks and threads that
 * set a value, and each one that is ever used takes sixteen bytes in every task that uses it or a later one.
 */
struct plait_local {
        void (*destroy)(void *value);  /**< called with a task's value, if that is not NULL, when the task ends; may be
                                            NULL. It must not wait. */
        void *(*inherit)(void *value); /**< called in a starter that has a value, for each task that it starts: returns
                                            the task's value, or NULL for none. It must not wait, nor set values. NULL:
                                            nothing is inherited. */
        /** @cond private */
        uint32_t pl_number;
        uint32_t pl_unused;
        /** @endcond */
};

/* clang-format off */
/** Values that are destroyed by *destroy*, which may be NULL. */
#define PLAIT_LOCAL_INIT(destroy) {(destroy), NULL, 0, 0}
/** The same for values that a task inherits from who starts it, as *inherit* makes them. */
#define PLAIT_LOCAL_INIT_INHERITED(destroy, inherit) {(destroy), (inherit), 0, 0}
/* clang-format on */

/**
 * Set the caller's value. The one it had is not destroyed.
 * @param local  whose value
 * @param value  NULL takes the value away
 * @return 0, or
 *   - -ENOMEM  no memory to keep it; the value is as it was
 *
 * Ownership: *value* is the task's, until it ends or sets another.
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_local_set(struct plait_local *local, void *value);

/**
 * The caller's value.
 * @param local  whose value
 * @return what the caller set last; NULL when it set none
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void *plait_local_get(const struct plait_local *local);

/**
 * For #PLAIT_LOCAL_INIT_INHERITED: the task has the same value as who started it. Then nobody is to destroy it:
 * *destroy* is to be NULL, and the value to be there for as long as the last of them runs.
 * @param value  the starter's
 * @return *value*
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void *plait_local_share(void *value);

PLAIT_END_DECLS

#endif
