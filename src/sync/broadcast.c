/*
 * The broadcast: a ring of messages under one lock. Messages are numbered from 0; message n is in place n & mask. A
 * subscriber is the number of the message he receives next.
 *
 * Where sending waits for the slowest, each place counts the subscribers that have yet to receive its message. They
 * receive in order, so a place is free as soon as its count is 0, and then all older ones are. *capacity* messages are
 * kept, though the ring is a power of two.
 *
 * Invariants, whenever the lock is free: who waits to receive has received all there is; who waits to send waits
 * because the message *capacity* before the next is still to be received by somebody. Whoever makes room moves the
 * items of those who wait, in order, into the ring: a sender's slot points to his item, and is NULL when he was woken
 * by closing. A receiver that is woken looks again: his message may be another's, when several share a subscriber, or
 * be gone.
 */
#include "plait/broadcast.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "plat/panic.h"
#include "sync/waiters.h"

struct plait_broadcast {
        struct pl_spin lock;
        bool closed;
        enum plait_broadcast_lag lag;
        size_t subscribers;
        uint64_t next; /* the number of the next message */
        void *receivers;
        void *senders;
        size_t item_bytes;
        size_t capacity;
        size_t mask;
        size_t *behind; /* for each place: how many have yet to receive it; NULL where nobody waits for them */
        char *ring;
};

/* The places for *capacity* messages: a power of two. 0: there is none. */
static size_t places_for(size_t capacity)
{
        size_t places = 1;

        while (places && places < capacity)
                places *= 2;
        return places;
}

static int make_ring(struct plait_broadcast *broadcast)
{
        const size_t places = places_for(broadcast->capacity);
        size_t bytes;

        if (!places || __builtin_mul_overflow(places, broadcast->item_bytes, &bytes))
                return -ENOMEM;
        broadcast->mask = places - 1;
        broadcast->ring = malloc(bytes);
        if (!broadcast->ring)
                return -ENOMEM;
        if (broadcast->lag == PLAIT_BROADCAST_DROP)
                return 0;
        broadcast->behind = calloc(places, sizeof *broadcast->behind);
        if (broadcast->behind)
                return 0;
        free(broadcast->ring);
        return -ENOMEM;
}

int plait_broadcast_new(size_t item_bytes, size_t capacity, enum plait_broadcast_lag lag,
                        struct plait_broadcast **ret_broadcast)
{
        if (!item_bytes || !capacity || lag > PLAIT_BROADCAST_DROP)
                return -EINVAL;
        struct plait_broadcast *broadcast = calloc(1, sizeof *broadcast);
        if (!broadcast)
                return -ENOMEM;
        broadcast->item_bytes = item_bytes;
        broadcast->capacity = capacity;
        broadcast->lag = lag;
        int r = make_ring(broadcast);
        if (r < 0) {
                free(broadcast);
                return r;
        }
        *ret_broadcast = broadcast;
        return 0;
}

void plait_broadcast_free(struct plait_broadcast *broadcast)
{
        if (!broadcast)
                return;
        pl_spin_lock(&broadcast->lock);
        if (broadcast->subscribers || broadcast->senders)
                pl_panic("broadcast %p was freed while %s: close it and join them first", (void *)broadcast,
                         broadcast->subscribers ? "it has subscribers" : "somebody waits to send");
        pl_spin_unlock(&broadcast->lock);
        free(broadcast->behind);
        free(broadcast->ring);
        free(broadcast);
}

/* --- under the lock --- */

static char *place_of(const struct plait_broadcast *broadcast, uint64_t number)
{
        return broadcast->ring + (size_t)(number & broadcast->mask) * broadcast->item_bytes;
}

static bool has_room(const struct plait_broadcast *broadcast)
{
        if (!broadcast->behind || broadcast->next < broadcast->capacity)
                return true;
        return !broadcast->behind[(broadcast->next - broadcast->capacity) & broadcast->mask];
}

static void put(struct plait_broadcast *broadcast, const void *item)
{
        memcpy(place_of(broadcast, broadcast->next), item, broadcast->item_bytes);
        if (broadcast->behind)
                broadcast->behind[broadcast->next & broadcast->mask] = broadcast->subscribers;
        broadcast->next++;
}

/*
 * Called with the lock held, after room may have been made: put the items of those who wait to send into the ring, and
 * wake them and who waits to receive. Releases the lock.
 */
static void move_on(struct plait_broadcast *broadcast) PL_NO_LOCK_CHECK
{
        struct pl_sync_claimed moved = {0};
        struct pl_wait_node *sender;
        struct pl_list all;

        while (broadcast->senders && has_room(broadcast) && (sender = pl_sync_claim(&broadcast->senders))) {
                put(broadcast, sender->slot);
                pl_sync_claimed_add(&moved, sender);
        }
        if (!moved.first) {
                pl_spin_unlock(&broadcast->lock);
                return;
        }
        pl_sync_take_all(&broadcast->receivers, &all);
        pl_sync_wake_all(&broadcast->lock, &all);
        pl_sync_claimed_ready(&moved, false);
}

/* --- sending --- */

/* Called with the lock held: wait until the item has been put into the ring. */
static int wait_to_send(struct plait_broadcast *broadcast, const void *item, int64_t deadline_ns,
                        bool try) PL_NO_LOCK_CHECK
{
        if (try || deadline_ns <= 0) {
                pl_spin_unlock(&broadcast->lock);
                return try ? -EAGAIN : pl_sync_refuse();
        }
        struct pl_wait *wait = pl_sync_enqueue(&broadcast->senders, PL_WAIT_BROADCAST_SEND, broadcast,
                                               (void *)(uintptr_t)item);
        pl_spin_unlock(&broadcast->lock);

        int r = pl_sched_wait_finish(wait, deadline_ns, 0);

        if (r == 0)
                return wait->node.slot ? 0 : -EPIPE;
        pl_spin_lock(&broadcast->lock);
        pl_sync_remove(&broadcast->senders, &wait->node);
        pl_spin_unlock(&broadcast->lock);
        return r;
}

static int send_item(struct plait_broadcast *broadcast, const void *item, int64_t deadline_ns,
                     bool try) PL_NO_LOCK_CHECK
{
        struct pl_list all;

        pl_spin_lock(&broadcast->lock);
        if (broadcast->closed) {
                pl_spin_unlock(&broadcast->lock);
                return -EPIPE;
        }
        if (!has_room(broadcast))
                return wait_to_send(broadcast, item, deadline_ns, try);
        put(broadcast, item);
        pl_sync_take_all(&broadcast->receivers, &all);
        pl_sync_wake_all(&broadcast->lock, &all);
        return 0;
}

int plait_broadcast_send(struct plait_broadcast *broadcast, const void *item, int64_t deadline_ns)
{
        return send_item(broadcast, item, deadline_ns, false);
}

int plait_broadcast_try_send(struct plait_broadcast *broadcast, const void *item)
{
        return send_item(broadcast, item, 0, true);
}

void plait_broadcast_close(struct plait_broadcast *broadcast) PL_NO_LOCK_CHECK
{
        struct pl_list all, senders;

        pl_spin_lock(&broadcast->lock);
        broadcast->closed = true;
        pl_sync_take_all(&broadcast->receivers, &all);
        pl_sync_take_all(&broadcast->senders, &senders);
        pl_list_splice_back(&all, &senders);
        pl_sync_wake_all(&broadcast->lock, &all);
}

/* --- receiving --- */

void plait_broadcast_subscribe(struct plait_broadcast *broadcast, struct plait_subscriber *ret_subscriber)
{
        pl_spin_lock(&broadcast->lock);
        *ret_subscriber = (struct plait_subscriber){.pl_broadcast = broadcast, .pl_next = broadcast->next};
        broadcast->subscribers++;
        pl_spin_unlock(&broadcast->lock);
}

void plait_broadcast_unsubscribe(struct plait_subscriber *subscriber) PL_NO_LOCK_CHECK
{
        struct plait_broadcast *broadcast = subscriber->pl_broadcast;

        pl_spin_lock(&broadcast->lock);
        if (subscriber->pl_waiting)
                pl_panic("subscriber %p of broadcast %p was unsubscribed while somebody waits to receive through it: "
                         "join him first",
                         (void *)subscriber, (void *)broadcast);
        broadcast->subscribers--;
        for (uint64_t n = subscriber->pl_next; broadcast->behind && n != broadcast->next; n++)
                broadcast->behind[n & broadcast->mask]--;
        subscriber->pl_broadcast = NULL;
        move_on(broadcast);
}

/* Called with the lock held, which it releases: the subscriber's next message, or -EOVERFLOW. */
static int take(struct plait_broadcast *broadcast, struct plait_subscriber *subscriber, void *ret_item) PL_NO_LOCK_CHECK
{
        const uint64_t waiting = broadcast->next - subscriber->pl_next;

        if (waiting > broadcast->capacity) {
                subscriber->pl_next += waiting - broadcast->capacity;
                __atomic_store_n(&subscriber->pl_missed, subscriber->pl_missed + waiting - broadcast->capacity,
                                 __ATOMIC_RELAXED);
                pl_spin_unlock(&broadcast->lock);
                return -EOVERFLOW;
        }
        memcpy(ret_item, place_of(broadcast, subscriber->pl_next), broadcast->item_bytes);
        if (broadcast->behind)
                broadcast->behind[subscriber->pl_next & broadcast->mask]--;
        subscriber->pl_next++;
        move_on(broadcast);
        return 0;
}

/* Called with the lock held; returns with it held: 0 when it is worth looking again. */
static int wait_to_receive(struct plait_broadcast *broadcast, struct plait_subscriber *subscriber,
                           int64_t deadline_ns) PL_NO_LOCK_CHECK
{
        subscriber->pl_waiting++;
        struct pl_wait *wait = pl_sync_enqueue(&broadcast->receivers, PL_WAIT_BROADCAST_RECEIVE, broadcast, NULL);
        pl_spin_unlock(&broadcast->lock);

        int r = pl_sched_wait_finish(wait, deadline_ns, 0);

        pl_spin_lock(&broadcast->lock);
        subscriber->pl_waiting--;
        if (r < 0)
                pl_sync_remove(&broadcast->receivers, &wait->node);
        return r;
}

static int receive_item(struct plait_subscriber *subscriber, void *ret_item, int64_t deadline_ns,
                        bool try) PL_NO_LOCK_CHECK
{
        struct plait_broadcast *broadcast = subscriber->pl_broadcast;
        int r = 0;

        pl_spin_lock(&broadcast->lock);
        for (;;) {
                if (subscriber->pl_next != broadcast->next)
                        return take(broadcast, subscriber, ret_item);
                if (r == 0 && broadcast->closed)
                        r = -EPIPE;
                else if (r == 0 && try)
                        r = -EAGAIN;
                if (r < 0 || deadline_ns <= 0)
                        break;
                r = wait_to_receive(broadcast, subscriber, deadline_ns);
        }
        pl_spin_unlock(&broadcast->lock);
        return r < 0 ? r : pl_sync_refuse();
}

int plait_broadcast_receive(struct plait_subscriber *subscriber, void *ret_item, int64_t deadline_ns)
{
        return receive_item(subscriber, ret_item, deadline_ns, false);
}

int plait_broadcast_try_receive(struct plait_subscriber *subscriber, void *ret_item)
{
        return receive_item(subscriber, ret_item, 0, true);
}

uint64_t plait_broadcast_missed(const struct plait_subscriber *subscriber)
{
        return __atomic_load_n(&subscriber->pl_missed, __ATOMIC_RELAXED);
}

size_t plait_broadcast_subscribers(struct plait_broadcast *broadcast)
{
        pl_spin_lock(&broadcast->lock);
        const size_t subscribers = broadcast->subscribers;
        pl_spin_unlock(&broadcast->lock);
        return subscribers;
}
