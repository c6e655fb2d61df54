/**
 * @file plait/queue.h
 * Queues between producers and consumers, which count what has been worked on, as Python's queue.Queue does.
 *
 * A queue takes items of one size, up to a number of them or as many as there is memory for, and gives back the oldest,
 * the newest, or the one with the smallest priority. A consumer says when it has finished with an item
 * (plait_queue_task_done()), and plait_queue_join() waits until all that was put has been finished. Where nobody has to
 * know that, a channel (plait/channel.h) does the same for less.
 *
 * Any number of tasks and plain threads may use a queue at the same time. Who waits to put or to get is served first
 * come first served; what one producer puts is gotten in that order, where the queue's own order does not say
 * otherwise.
 *
 * Shutting down says that nothing more will be put: consumers still get what is there, and then -EPIPE. Shutting down
 * at once drops what is there, and counts it as finished.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static struct plait_queue *jobs;
 * static long sum;
 *
 * static int consumer(void *arg)
 * {
 *         int job, r;
 *
 *         (void)arg;
 *         while ((r = plait_queue_get(jobs, &job, PLAIT_NEVER)) == 0) {
 *                 __atomic_add_fetch(&sum, job, __ATOMIC_RELAXED); // the work
 *                 plait_queue_task_done(jobs);
 *         }
 *         return r == -EPIPE ? 0 : r;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         int r = plait_queue_new(sizeof(int), 10, NULL, &jobs);
 *         if (r < 0)
 *                 return r;
 *         for (int i = 0; i < 4; i++)
 *                 plait_scope_go(&scope, consumer, NULL);
 *         for (int job = 1; job <= 1000 && r == 0; job++)
 *                 r = plait_queue_put(jobs, &job, PLAIT_NEVER);
 *         if (r == 0)
 *                 r = plait_queue_join(jobs, PLAIT_NEVER);
 *         assert(r < 0 || sum == 500500);
 *         plait_queue_shutdown(jobs, 0);
 *         int joined = plait_scope_join(&scope);
 *         plait_queue_free(jobs);
 *         return r < 0 ? r : joined;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_QUEUE_H
#define PLAIT_QUEUE_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A queue; opaque. */
struct plait_queue;

/** Which item is gotten next. */
enum plait_queue_order {
        PLAIT_QUEUE_FIFO,     /**< the oldest */
        PLAIT_QUEUE_LIFO,     /**< the newest */
        PLAIT_QUEUE_PRIORITY, /**< the one with the smallest priority; of equal ones the oldest */
};

/** What a queue is like. Zero means the default in every member but *size*. */
struct plait_queue_opts {
        size_t size;                  /**< sizeof(struct plait_queue_opts) */
        enum plait_queue_order order; /**< default: the oldest first */
        void (*drop)(void *item);     /**< called with each item that is dropped, by shutting down at once or by
                                           freeing the queue; *item* is good until it returns. It may wait. */
};

/** For plait_queue_shutdown(): drop what is in the queue. */
#define PLAIT_QUEUE_NOW 1U

/**
 * Make a queue.
 * @param item_bytes  size of an item, 1 or more. Items are copied: pass pointers to what is large.
 * @param maxsize     how many items it takes before putting waits; 0: as many as there is memory for
 * @param opts        NULL for the defaults
 * @param ret_queue   the queue, to be freed by plait_queue_free()
 * @return 0, or
 *   - -EINVAL  *item_bytes* is 0, or *opts* is out of range
 *   - -ENOMEM  no memory for that many items
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_new(size_t item_bytes, size_t maxsize, const struct plait_queue_opts *opts,
                                               struct plait_queue **ret_queue);

/**
 * Free a queue, and drop what is in it. If somebody waits to put, to get or to join, the program ends with a message.
 * @param queue  not used by anybody any more; NULL does nothing
 *
 * Threads: any. Suspends: never, but for what *drop* does. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_queue_free(struct plait_queue *queue);

/**
 * Put an item into the queue, waiting until there is room. In a queue with priorities it gets 0.
 * @param queue        where to
 * @param item         *item_bytes* bytes, copied before this returns
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return 0: it has been put, or given to somebody who waited for one, and counts as unfinished. Or, the item not being
 *   put,
 *   - -EPIPE      the queue is shut down, or was while the caller waited
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *   - -ENOMEM     the queue has no maximum and there is no memory for more items
 *
 * Threads: any. Suspends: may; never when the queue has no maximum. Cancellation: ends the wait; where there is room,
 * the item is put in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_put(struct plait_queue *queue, const void *item, int64_t deadline_ns);

/**
 * The same, with a priority.
 * @param queue        where to
 * @param item         as for plait_queue_put()
 * @param priority     the smaller, the sooner
 * @param deadline_ns  as for plait_queue_put()
 * @return as plait_queue_put(), and
 *   - -EINVAL  the queue's order is not #PLAIT_QUEUE_PRIORITY
 *
 * Threads, suspends, cancellation: as plait_queue_put(). Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_put_with_priority(struct plait_queue *queue, const void *item,
                                                             int64_t priority, int64_t deadline_ns);

/**
 * Put an item into the queue if that is possible at once. In a queue with priorities it gets 0.
 * @param queue  where to
 * @param item   *item_bytes* bytes, copied before this returns
 * @return 0: it has been put, as by plait_queue_put(). Or
 *   - -EAGAIN  there is no room
 *   - -EPIPE   the queue is shut down
 *   - -ENOMEM  the queue has no maximum and there is no memory for more items
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_try_put(struct plait_queue *queue, const void *item);

/**
 * Get the next item, waiting until there is one. Call plait_queue_task_done() when it is finished, if anybody joins.
 * @param queue        where from
 * @param ret_item     *item_bytes* bytes, written only when this returns 0
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return 0: *ret_item* has it. Or
 *   - -EPIPE      the queue is shut down and empty
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; an item that is there is gotten in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_get(struct plait_queue *queue, void *ret_item, int64_t deadline_ns);

/**
 * Get the next item if there is one.
 * @param queue     where from
 * @param ret_item  *item_bytes* bytes, written only when this returns 0
 * @return 0: *ret_item* has it. Or
 *   - -EAGAIN  there is none
 *   - -EPIPE   the queue is shut down and empty
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_try_get(struct plait_queue *queue, void *ret_item);

/**
 * Say that an item which was gotten is finished.
 * @param queue  where it came from
 * @return 0, or
 *   - -EINVAL  all items are finished already: this was called too often
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_queue_task_done(struct plait_queue *queue);

/**
 * Wait until everything that was put is finished.
 * @param queue        which
 * @param deadline_ns  see plait/time.h; with one that has passed it looks once
 * @return 0: nothing is unfinished, or was not for a moment while the caller waited. Or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait, and nothing else; when nothing is unfinished it returns 0
 * in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_join(struct plait_queue *queue, int64_t deadline_ns);

/**
 * Say that nothing more will be put. Producers, those who wait included, get -EPIPE; consumers get what is in the queue
 * and then -EPIPE. Doing it again does nothing, except that it can be done at once after all.
 * @param queue  which
 * @param flags  0, or #PLAIT_QUEUE_NOW: what is in the queue is dropped and counts as finished
 *
 * Threads: any. Suspends: never, but for what *drop* does. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_queue_shutdown(struct plait_queue *queue, unsigned flags);

/**
 * How many items are in a queue, for statistics: it may have changed when this returns. Items of waiting producers do
 * not count.
 * @param queue  which
 * @return 0 or more
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API size_t plait_queue_count(struct plait_queue *queue);

/**
 * How many items have been put and are not finished, for statistics.
 * @param queue  which
 * @return 0 or more; it may have changed when this returns
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API size_t plait_queue_unfinished(struct plait_queue *queue);

/**
 * How many items a queue takes.
 * @param queue  which
 * @return what plait_queue_new() was given
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API size_t plait_queue_maxsize(const struct plait_queue *queue);

PLAIT_END_DECLS

#endif
