/**
 * @file plait/map.h
 * Do the same with each of many items, so many at a time, taking them from a producer as they are needed.
 *
 * The items need not be there at the start, nor fit into memory: a function hands them out one by one (lines of a file,
 * rows of a query, numbers), and is asked for the next one only when somebody is free to work on it.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * struct job { int next, squares[1000], reported; };
 *
 * static int next_number(void *arg, void **ret_item)
 * {
 *         struct job *job = arg;
 *
 *         if (job->next == 1000)
 *                 return 0;
 *         *ret_item = &job->squares[job->next];
 *         job->squares[job->next] = job->next;
 *         job->next++;
 *         return 1;
 * }
 *
 * static int square(void *item, void *arg)
 * {
 *         int *number = item;
 *
 *         (void)arg;
 *         plait_yield();
 *         *number *= *number;
 *         return 0;
 * }
 *
 * static int report(void *item, int result, void *arg)
 * {
 *         struct job *job = arg;
 *
 *         assert(result == 0 && item == &job->squares[job->reported]); // in order, one at a time
 *         job->reported++;
 *         return 0;
 * }
 *
 * static int app(void *arg)
 * {
 *         static struct job job;
 *         struct plait_map_opts opts = {.size = sizeof opts, .limit = 20, .flags = PLAIT_MAP_ORDERED, .done = report};
 *
 *         (void)arg;
 *         int r = plait_map(next_number, square, &job, &opts);
 *         assert(r == 0 && job.reported == 1000 && job.squares[30] == 900);
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_MAP_H
#define PLAIT_MAP_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** For plait_map_opts.flags: an error of *fn* does not end the others. */
#define PLAIT_MAP_COLLECT 1U
/** For plait_map_opts.flags: *done* is called in the order in which the items were handed out. */
#define PLAIT_MAP_ORDERED 2U

/** How to map. Zero means the default in every member but *size*. */
struct plait_map_opts {
        size_t size;         /**< sizeof(struct plait_map_opts) */
        unsigned flags;      /**< #PLAIT_MAP_COLLECT, #PLAIT_MAP_ORDERED, or 0 */
        unsigned limit;      /**< at most so many items at the same time, up to 1048576; default: one per worker */
        int64_t deadline_ns; /**< all waits end with -ETIMEDOUT then; 0: none but those of the caller's scopes */
        /**
         * Called once for each item that was handed out, with what *fn* returned for it; by one task at a time. A
         * negative result is an error and ends the map. With #PLAIT_MAP_ORDERED no more than twice *limit* items are
         * out at the same time, those that wait for an earlier one included.
         */
        int (*done)(void *item, int result, void *arg);
};

/**
 * Call *fn* for each item that *next* hands out, several at the same time, and return when all have ended.
 *
 * Up to *limit* tasks are started, as they are needed; each takes an item, works on it, and comes back for the next.
 *
 * @param next  not NULL; fills in the next item and returns 1, or returns 0 when there is none left, or an error.
 *              Called by one task at a time, and not again after 0 or an error. It may wait.
 * @param fn    not NULL; works on an item. A negative result is an error: without #PLAIT_MAP_COLLECT it cancels the
 *              others, and no more items are asked for.
 * @param arg   handed to *next*, *fn* and *done*
 * @param opts  NULL for the defaults
 * @return 0 when there is no item left and *fn* and *done* returned 0 or more for each. With #PLAIT_MAP_COLLECT, the
 * number of items for which *fn* did not. Else
 *   - the error that came first, of *next*, *fn* or *done*
 *   - -ECANCELED, -ETIMEDOUT  the caller's scope was cancelled, or a deadline passed, before *next* returned 0
 *   - -EINVAL  no task that can open scopes calls, *next* or *fn* is NULL, or an option is out of its range
 *   - -ENOMEM  no memory for a task or for keeping the order
 *
 * Ownership: *arg* may stand in the caller's frame. Every item that was handed out is handed to *done*, whatever
 * happens, so what *next* allocated can be freed there.
 * Threads: tasks that are not compact. Suspends: may. Cancellation: reaches *next*, *fn* and *done*; no more items are
 * asked for, and it waits for those that are out in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_map(int (*next)(void *arg, void **ret_item), int (*fn)(void *item, void *arg),
                                         void *arg, const struct plait_map_opts *opts);

PLAIT_END_DECLS

#endif
