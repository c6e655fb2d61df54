/**
 * @file plait/within.h
 * Time-outs and shields in one line.
 *
 * Every wait takes a deadline of its own. What is here puts one around any code, with all the waits, tasks and calls
 * in it, as `asyncio.timeout()` and Trio's `move_on_after()` do. Each is a scope (plait/scope.h); they nest, and the
 * earliest deadline counts.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static struct plait_event never = PLAIT_EVENT_INIT;
 *
 * static int ask(void *arg)
 * {
 *         (void)arg;
 *         return plait_event_wait(&never, PLAIT_NEVER);
 * }
 *
 * static int app(void *arg)
 * {
 *         int r = 0;
 *
 *         (void)arg;
 *         assert(plait_call_within(plait_in_ms(5), ask, NULL) == -ETIMEDOUT);
 *
 *         PLAIT_WITH_DEADLINE(plait_in_ms(5)) {
 *                 r = plait_event_wait(&never, PLAIT_NEVER);
 *                 PLAIT_SHIELDED // the deadline has passed, but this wait is not to notice
 *                         assert(plait_sleep(plait_in_ms(1)) == 0);
 *         }
 *         assert(r == -ETIMEDOUT);
 *         return plait_cancelled();
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_WITHIN_H
#define PLAIT_WITHIN_H

#include <plait/base.h>
#include <plait/scope.h>

PLAIT_BEGIN_DECLS

/**
 * Call a function under a deadline.
 * @param deadline_ns  all waits of *fn* end with -ETIMEDOUT then; see plait/time.h
 * @param fn           not NULL; called by the caller's own task
 * @param arg          handed to *fn*
 * @return what *fn* returned, in time or not, or
 *   - -EINVAL  *fn* is NULL, or no task that can open scopes calls
 *
 * Threads: tasks that are not compact. Suspends: may, as *fn* does. Cancellation: *fn* sees it. Since: 0.1.
 */
PLAIT_API int plait_call_within(int64_t deadline_ns, int (*fn)(void *arg), void *arg);

/** @cond private */
PLAIT_API int plait_block_begin(struct plait_scope *scope);
PLAIT_API void plait_block_end(struct plait_scope *scope);
#define PLAIT_JOIN_NAME(name, line) name##line
#define PLAIT_UNIQUE(name, line) PLAIT_JOIN_NAME(name, line)
#define PLAIT_BLOCK(scope, ...)                                                                                  \
        for (struct plait_scope scope __attribute__((cleanup(plait_block_end))) = PLAIT_SCOPE_WITH(__VA_ARGS__); \
             plait_block_begin(&scope);)
/** @endcond */

#ifndef __cplusplus
/**
 * The statement or block that follows runs under a deadline: its waits return -ETIMEDOUT once it has passed. It may be
 * left in any way: by its end, `return`, `goto`, or `break`, which leaves nothing but this block. Only in a task that
 * can open scopes: anything else ends the program with a message. Not in C++.
 */
#define PLAIT_WITH_DEADLINE(deadline) PLAIT_BLOCK(PLAIT_UNIQUE(pl_block_, __LINE__), .deadline_ns = (deadline) | 1)
/** The same with a shield: cancellation and deadlines from outside do not reach the waits in the block. Not in C++. */
#define PLAIT_SHIELDED PLAIT_BLOCK(PLAIT_UNIQUE(pl_block_, __LINE__), .flags = PLAIT_SCOPE_SHIELD)
#endif

PLAIT_END_DECLS

#endif
