/**
 * @file plait/channel.h
 * Channels: items of one size, passed on in order from those who send to those who receive.
 *
 * A channel has room for a number of items. Sending waits while it is full, receiving while it is empty. With room for
 * none (capacity 0), each sender waits until a receiver has taken his item; with room for any number
 * (#PLAIT_CHANNEL_UNBOUNDED), sending never waits and takes memory instead. Any number of tasks and plain threads may
 * send and receive at the same time; both sides are strictly served first come first served, and each item is received
 * once.
 *
 * Closing says that nothing more will be sent: receivers still get what is in the channel, and then -EPIPE. As in Go,
 * the senders close, when the last of them has finished; to send afterwards is an error, told by -EPIPE.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static struct plait_channel *squares;
 *
 * static int producer(void *arg)
 * {
 *         int r = 0;
 *
 *         (void)arg;
 *         for (int i = 1; i <= 100 && r == 0; i++) {
 *                 int item = i * i;
 *                 r = plait_channel_send(squares, &item, PLAIT_NEVER);
 *         }
 *         plait_channel_close(squares);
 *         return r;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         int item, sum = 0;
 *
 *         (void)arg;
 *         int r = plait_channel_new(sizeof item, 8, &squares);
 *         if (r < 0)
 *                 return r;
 *         plait_scope_go(&scope, producer, NULL);
 *         while ((r = plait_channel_receive(squares, &item, PLAIT_NEVER)) == 0)
 *                 sum += item;
 *         assert(r == -EPIPE && sum == 338350);
 *         r = plait_scope_join(&scope);
 *         plait_channel_free(squares);
 *         return r;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_CHANNEL_H
#define PLAIT_CHANNEL_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A channel; opaque. */
struct plait_channel;

/** For plait_channel_new(): a channel that takes any number of items. */
#define PLAIT_CHANNEL_UNBOUNDED SIZE_MAX

/**
 * Make a channel.
 * @param item_bytes   size of an item, 1 or more. Items are copied: pass pointers to what is large.
 * @param capacity     for how many items there is room; 0: senders and receivers meet; #PLAIT_CHANNEL_UNBOUNDED: the
 *                     room grows as needed, and memory that the channel no longer needs once it is empty is given back
 * @param ret_channel  the channel, to be freed by plait_channel_free()
 * @return 0, or
 *   - -EINVAL  *item_bytes* is 0
 *   - -ENOMEM  no memory for that many items
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_channel_new(size_t item_bytes, size_t capacity,
                                                 struct plait_channel **ret_channel);

/**
 * Free a channel, and drop what is in it. If somebody waits to send or receive, the program ends with a message.
 * @param channel  not used by anybody any more; NULL does nothing
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_channel_free(struct plait_channel *channel);

/**
 * Send an item, waiting until there is room, or with a capacity of 0 until somebody takes it.
 * @param channel      where to
 * @param item         *item_bytes* bytes, copied before this returns
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return 0: the item is in the channel or received. Or, the item not being sent,
 *   - -EPIPE      the channel is closed, or was closed while the caller waited
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *   - -ENOMEM     the channel is unbounded and there is no memory for more items
 *
 * Threads: any. Suspends: may; never when the channel is unbounded. Cancellation: ends the wait; where there is room,
 * the item is sent in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_channel_send(struct plait_channel *channel, const void *item, int64_t deadline_ns);

/**
 * Send an item if that is possible at once: there is room, or somebody waits to receive it.
 * @param channel  where to
 * @param item     *item_bytes* bytes, copied before this returns
 * @return 0: the item is in the channel or received. Or, the item not being sent,
 *   - -EAGAIN  there is no room
 *   - -EPIPE   the channel is closed
 *   - -ENOMEM  the channel is unbounded and there is no memory for more items
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_channel_try_send(struct plait_channel *channel, const void *item);

/**
 * Receive the oldest item, waiting until there is one.
 * @param channel      where from
 * @param ret_item     *item_bytes* bytes, written only when this returns 0
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return 0: *ret_item* has it. Or
 *   - -EPIPE      the channel is closed and empty
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; an item that is there is received in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_channel_receive(struct plait_channel *channel, void *ret_item,
                                                     int64_t deadline_ns);

/**
 * Receive the oldest item if there is one: in the channel, or with a sender who waits.
 * @param channel   where from
 * @param ret_item  *item_bytes* bytes, written only when this returns 0
 * @return 0: *ret_item* has it. Or
 *   - -EAGAIN  there is none
 *   - -EPIPE   the channel is closed and empty
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_channel_try_receive(struct plait_channel *channel, void *ret_item);

/**
 * Say that nothing more will be sent. Senders, those who wait included, get -EPIPE; receivers get what is in the
 * channel and then -EPIPE. Closing it again does nothing.
 * @param channel  which
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_channel_close(struct plait_channel *channel);

/**
 * How many items are in a channel, for statistics: it may have changed when this returns. Items of waiting senders do
 * not count.
 * @param channel  which
 * @return 0 to its capacity
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API size_t plait_channel_count(struct plait_channel *channel);

/**
 * For how many items a channel has room.
 * @param channel  which
 * @return what plait_channel_new() was given
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API size_t plait_channel_capacity(const struct plait_channel *channel);

PLAIT_END_DECLS

#endif
