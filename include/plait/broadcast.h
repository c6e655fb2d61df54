/**
 * @file plait/broadcast.h
 * Broadcasts: every subscriber gets every message that is sent while he is one, in order.
 *
 * A channel (plait/channel.h) gives each item to one receiver; a broadcast gives each to all. It keeps a number of
 * messages for those who have not received them yet. What happens when a subscriber lags behind by more than that is
 * said when it is made:
 *
 * - #PLAIT_BROADCAST_WAIT: sending waits until the slowest has received the oldest. Nobody misses anything, and one who
 *   does not receive holds up all. Who waits to send is served first come first served.
 * - #PLAIT_BROADCAST_DROP: the oldest message makes room; sending never waits. Who has missed messages is told by
 *   -EOVERFLOW, and how many by plait_broadcast_missed(), and then goes on with the oldest that is left.
 *
 * Closing says that nothing more will be sent: subscribers still get what is left for them, and then -EPIPE.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static struct plait_broadcast *prices;
 *
 * static int listener(void *subscriber)
 * {
 *         int price, n = 0, r;
 *
 *         while ((r = plait_broadcast_receive(subscriber, &price, PLAIT_NEVER)) == 0)
 *                 assert(price == 100 + n++);
 *         assert(r == -EPIPE && n == 50); // each has got all
 *         plait_broadcast_unsubscribe(subscriber);
 *         return 0;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         struct plait_subscriber subscribers[10];
 *
 *         (void)arg;
 *         int r = plait_broadcast_new(sizeof(int), 8, PLAIT_BROADCAST_WAIT, &prices);
 *         if (r < 0)
 *                 return r;
 *         for (int i = 0; i < 10; i++) {
 *                 plait_broadcast_subscribe(prices, &subscribers[i]);
 *                 plait_scope_go(&scope, listener, &subscribers[i]);
 *         }
 *         for (int price = 100; price < 150 && r == 0; price++)
 *                 r = plait_broadcast_send(prices, &price, PLAIT_NEVER);
 *         plait_broadcast_close(prices);
 *         int joined = plait_scope_join(&scope);
 *         plait_broadcast_free(prices);
 *         return r < 0 ? r : joined;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_BROADCAST_H
#define PLAIT_BROADCAST_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A broadcast; opaque. */
struct plait_broadcast;

/** What happens when a subscriber lags behind. */
enum plait_broadcast_lag {
        PLAIT_BROADCAST_WAIT, /**< sending waits for the slowest */
        PLAIT_BROADCAST_DROP, /**< the slowest miss the oldest messages */
};

/** Who receives; in the storage of the caller. */
struct plait_subscriber {
        /** @cond private */
        struct plait_broadcast *pl_broadcast;
        uint64_t pl_next;
        uint64_t pl_missed;
        uint32_t pl_waiting;
        uint32_t pl_unused;
        /** @endcond */
};

/**
 * Make a broadcast.
 * @param item_bytes     size of a message, 1 or more. Messages are copied: pass pointers to what is large.
 * @param capacity       how many messages it keeps for who lags behind, 1 or more
 * @param lag            what happens to who lags behind by more than that
 * @param ret_broadcast  the broadcast, to be freed by plait_broadcast_free()
 * @return 0, or
 *   - -EINVAL  *item_bytes* or *capacity* is 0, or *lag* is out of range
 *   - -ENOMEM  no memory for that many messages
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_broadcast_new(size_t item_bytes, size_t capacity, enum plait_broadcast_lag lag,
                                                   struct plait_broadcast **ret_broadcast);

/**
 * Free a broadcast. If it has subscribers or somebody waits to send, the program ends with a message.
 * @param broadcast  not used by anybody any more; NULL does nothing
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_broadcast_free(struct plait_broadcast *broadcast);

/**
 * Send a message to all who are subscribers now; to nobody when there are none.
 * @param broadcast    where to
 * @param item         *item_bytes* bytes, copied before this returns
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return 0: it has been sent. Or, the message not being sent,
 *   - -EPIPE      the broadcast is closed, or was closed while the caller waited
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may with #PLAIT_BROADCAST_WAIT, else never. Cancellation: ends the wait; where there is room,
 * the message is sent in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_broadcast_send(struct plait_broadcast *broadcast, const void *item,
                                                    int64_t deadline_ns);

/**
 * Send a message if that is possible at once.
 * @param broadcast  where to
 * @param item       *item_bytes* bytes, copied before this returns
 * @return 0: it has been sent. Or, the message not being sent,
 *   - -EAGAIN  somebody lags behind so far that it would have to wait
 *   - -EPIPE   the broadcast is closed
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_broadcast_try_send(struct plait_broadcast *broadcast, const void *item);

/**
 * Subscribe: every message that is sent from now on will be kept for the subscriber.
 * @param broadcast       to which; it may be closed
 * @param ret_subscriber  any storage that is not a subscriber already; it is one until plait_broadcast_unsubscribe().
 *                        Several tasks and threads may receive through one subscriber: each message goes to one of
 * them.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_broadcast_subscribe(struct plait_broadcast *broadcast, struct plait_subscriber *ret_subscriber);

/**
 * Stop subscribing. What has not been received is not kept for this one any more, so senders may go on.
 * @param subscriber  through which nobody waits to receive: else the program ends with a message
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_broadcast_unsubscribe(struct plait_subscriber *subscriber);

/**
 * Receive the next message, waiting until there is one.
 * @param subscriber   who receives
 * @param ret_item     *item_bytes* bytes, written only when this returns 0
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return 0: *ret_item* has it. Or
 *   - -EOVERFLOW  the subscriber has missed messages; the next call receives the oldest that is left
 *   - -EPIPE      the broadcast is closed, and there is no message left for this subscriber
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; a message that is there is received in any case. Since:
 * 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_broadcast_receive(struct plait_subscriber *subscriber, void *ret_item,
                                                       int64_t deadline_ns);

/**
 * Receive the next message if there is one.
 * @param subscriber  who receives
 * @param ret_item    *item_bytes* bytes, written only when this returns 0
 * @return 0: *ret_item* has it. Or
 *   - -EAGAIN     there is none
 *   - -EOVERFLOW  as for plait_broadcast_receive()
 *   - -EPIPE      as for plait_broadcast_receive()
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_broadcast_try_receive(struct plait_subscriber *subscriber, void *ret_item);

/**
 * How many messages a subscriber has missed so far, as -EOVERFLOW has told.
 * @param subscriber  who
 * @return 0 or more
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API uint64_t plait_broadcast_missed(const struct plait_subscriber *subscriber);

/**
 * Say that nothing more will be sent. Senders, those who wait included, get -EPIPE; subscribers get what is left for
 * them and then -EPIPE. Closing it again does nothing.
 * @param broadcast  which
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_broadcast_close(struct plait_broadcast *broadcast);

/**
 * How many subscribers a broadcast has.
 * @param broadcast  which
 * @return 0 or more; it may have changed when this returns
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API size_t plait_broadcast_subscribers(struct plait_broadcast *broadcast);

PLAIT_END_DECLS

#endif
