/**
 * @file plait/select.h
 * Wait for the first of several things: channels, descriptors, a time, events, semaphores, futures, child processes,
 * signals.
 *
 * plait_select() is given cases, and makes exactly one of them happen: an item is received or sent, a permit taken; of
 * the others nothing is. If several could happen, one is picked at random, each as likely as the others. If none can,
 * it waits. With a deadline that has passed it does not wait, and says -ETIMEDOUT when no case could happen: that is
 * how to have a default case.
 *
 * Cases are made by the functions plait_case_...(); those for child processes and signals are in plait/child.h and
 * plait/signal.h. They can be used again for the next call. A zeroed case never happens, so a case is switched off by
 * assigning (struct plait_case){0} to it. Nothing is allocated.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * struct pipes {
 *         struct plait_channel *numbers;
 *         struct plait_event stop;
 * };
 *
 * static int producer(void *arg)
 * {
 *         struct pipes *pipes = arg;
 *
 *         for (int i = 1;; i++) {
 *                 struct plait_case cases[] = {
 *                         plait_case_send(pipes->numbers, &i),
 *                         plait_case_event(&pipes->stop),
 *                 };
 *                 int chosen = plait_select(cases, 2, PLAIT_NEVER);
 *                 if (chosen != 0)
 *                         return chosen < 0 ? chosen : 0;
 *         }
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         struct pipes pipes = {.stop = PLAIT_EVENT_INIT};
 *         int item, sum = 0;
 *
 *         (void)arg;
 *         int r = plait_channel_new(sizeof item, 0, &pipes.numbers);
 *         if (r < 0)
 *                 return r;
 *         plait_scope_go(&scope, producer, &pipes);
 *         while (sum < 55) {
 *                 struct plait_case cases[] = {
 *                         plait_case_receive(pipes.numbers, &item),
 *                         plait_case_at(plait_in_s(10)),
 *                 };
 *                 if (plait_select(cases, 2, PLAIT_NEVER) != 0)
 *                         break;
 *                 sum += item;
 *         }
 *         assert(sum == 55);
 *         plait_event_set(&pipes.stop);
 *         r = plait_scope_join(&scope);
 *         plait_channel_free(pipes.numbers);
 *         return r;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_SELECT_H
#define PLAIT_SELECT_H

#include <plait/base.h>
#include <plait/channel.h>
#include <plait/errno.h>
#include <plait/event.h>
#include <plait/future.h>
#include <plait/semaphore.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** The largest number of cases. */
#define PLAIT_SELECT_MAX 65535U

/** The largest number of descriptors, child processes and signals among the cases of a plain thread. */
#define PLAIT_SELECT_THREAD_FDS 64U

/** A case, in its user's storage; made by plait_case_...(). Zeroed, it never happens. */
struct plait_case {
        int result; /**< of the case that happened: what its plait_case_...() says */
        /** @cond private */
        int pl_fd;
        short pl_events;
        unsigned short pl_order;
        unsigned short pl_lock_order;
        unsigned char pl_ready;
        unsigned char pl_queued;
        const struct plait_selectable *pl_kind;
        void *pl_object;
        void *pl_item;
        int64_t pl_at_ns;
        struct {
                void *pl_link[2];
                void *pl_wait;
                void *pl_slot;
        } pl_node;
        /** @endcond */
};

/**
 * Make one of *cases* happen, waiting until one can.
 * @param cases        in the caller's storage until this returns; the same object may be in several
 * @param count        0 to #PLAIT_SELECT_MAX; with none that can happen it waits for the deadline or a cancellation
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return the index of the case that happened, whose *result* then says more. Or, no case having happened,
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *   - -EINVAL     *count* is too large; or, of a plain thread, there are more than #PLAIT_SELECT_THREAD_FDS descriptors
 *   - -EBUSY      a library of plait's uses one of the descriptors
 *   - -ENOMEM, -ENOSPC, -EMFILE, -ENFILE  no memory or descriptor is left to watch descriptors with
 *
 * Threads: any; compact tasks (#PLAIT_TASK_COMPACT) only if it need not wait. Suspends: may. Cancellation: ends the
 * wait; a case that can happen does so in any case. Source: select of Go, and its random choice. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_select(struct plait_case *cases, size_t count, int64_t deadline_ns);

/**
 * A case: send an item.
 * @param channel  where to
 * @param item     what plait_channel_send() would send; valid until plait_select() returns
 * @return the case; its *result* will be 0, or
 *   - -EPIPE   the channel is closed, and the item not sent
 *   - -ENOMEM  no memory for one more item in an unbounded channel; it is not sent
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_case plait_case_send(struct plait_channel *channel, const void *item);

/**
 * A case: receive an item.
 * @param channel   where from
 * @param ret_item  written if this case happens and its *result* is 0
 * @return the case; its *result* will be 0, or
 *   - -EPIPE  the channel is closed and empty
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_case plait_case_receive(struct plait_channel *channel, void *ret_item);

/**
 * A case: an event is set, or was while the caller waited.
 * @param event  which
 * @return the case; its *result* will be 0
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_case plait_case_event(struct plait_event *event);

/**
 * A case: take a permit of a semaphore.
 * @param semaphore  which
 * @return the case; its *result* will be 0
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_case plait_case_acquire(struct plait_semaphore *semaphore);

/**
 * A case: a future is set. plait_future_wait() then gives what it was set to.
 * @param future  to which the caller holds a reference until plait_select() returns
 * @return the case; its *result* will be what the future was set to, negative or not
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_case plait_case_future(struct plait_future *future);

/**
 * A case: a time has come.
 * @param at_ns  see plait/time.h; #PLAIT_NEVER never comes
 * @return the case; its *result* will be 0
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_case plait_case_at(int64_t at_ns);

/**
 * A case: a descriptor is ready. Nothing is read or written, and if others use the same descriptor, it may not be ready
 * any more when plait_select() returns.
 * @param fd      any descriptor, as for plait_wait_fd(); a negative one never is ready
 * @param events  POLLIN, POLLOUT, POLLPRI, POLLRDHUP; other bits are ignored
 * @return the case; its *result* will be the events that are there, as plait_wait_fd() returns them; or
 *   - -EBADF  *fd* is not open, or plait_close() was called while waiting
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_case plait_case_fd(int fd, short events);

PLAIT_END_DECLS

#endif
