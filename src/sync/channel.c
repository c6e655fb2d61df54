/*
 * The channel: a ring of items and two queues of waiters under one lock, taken once by each operation.
 *
 * Invariants, whenever the lock is free:
 * - receivers wait only if the ring is empty and nobody waits to send; senders only if it is full;
 * - once closed, nobody waits.
 * A plait_select() that would both send and receive waits on both sides at once, but meets nobody by itself.
 * Hence who comes later cannot overtake who waits: he finds the ring as it was when that one began to wait.
 *
 * A waiter's slot points to his item. Who meets a waiter of the other side claims him and copies the item straight from
 * or to the slot: the waiter cannot go on before he is made ready, so where order does not matter the copying is done
 * outside the lock. A receiver that makes room moves the item of the first waiting sender into the ring at once.
 * Closing sets the slots to NULL.
 *
 * A waiter is woken once, by the operation that completes his. After that he is not in a queue, so those who keep
 * sending or receiving meet no waiter and wake nobody: a full ring is drained, and an empty one filled, with one wake.
 *
 * The ring of an unbounded channel starts without room and is doubled when it is full: the memory is got without the
 * lock, so another sender may have been faster. A large one that has been emptied is given back. All else is as if it
 * had room for so many; nobody ever waits to send.
 *
 * The lock's release is an operation's last access to the channel, and plait_channel_free() takes the lock: so it may
 * be freed by who has just received the last item.
 */
#include "plait/channel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "plat/context.h"
#include "plat/panic.h"
#include "sync/selectable.h"
#include "sync/waiters.h"

enum {
        FIRST_ROOM = 16,            /* items in the first ring of an unbounded channel */
        KEPT_RING_BYTES = 64 * 1024 /* an empty ring up to this is kept */
};

struct plait_channel {
        struct pl_spin lock;
        bool closed;
        size_t count;
        size_t capacity; /* for how many the ring has room */
        char *put;       /* where the next item goes; wraps from end to start */
        char *get;
        char *end;
        void *receivers;
        void *senders;
        /* What does not change, or with the ring only. */
        PL_LINE_ALIGNED size_t item_bytes;
        char *start; /* the ring; of an unbounded channel on the heap or NULL, else the array below */
        bool unbounded;
        PL_LINE_ALIGNED char ring[];
};

_Static_assert(offsetof(struct plait_channel, item_bytes) == PL_CACHE_LINE, "what changes fits in one cache line");

/* Whether an item takes a single move. */
static PL_ALWAYS_INLINE bool is_small(size_t bytes)
{
        return PL_LIKELY(bytes == 8) || bytes == 16;
}

static PL_ALWAYS_INLINE void copy_item(void *to, const void *from, size_t bytes)
{
        if (PL_LIKELY(bytes == 8))
                memcpy(to, from, 8);
        else if (bytes == 16)
                memcpy(to, from, 16);
        else
                memcpy(to, from, bytes);
}

static PL_ALWAYS_INLINE void put_item(struct plait_channel *channel, const void *item, size_t bytes)
{
        char *put = channel->put;

        copy_item(put, item, bytes);
        put += bytes;
        channel->put = put == channel->end ? channel->start : put;
        channel->count++;
}

static PL_ALWAYS_INLINE void get_item(struct plait_channel *channel, void *ret_item, size_t bytes)
{
        char *get = channel->get;

        copy_item(ret_item, get, bytes);
        get += bytes;
        channel->get = get == channel->end ? channel->start : get;
        channel->count--;
}

static void use_ring(struct plait_channel *channel, char *ring, size_t bytes)
{
        channel->start = ring;
        channel->put = ring;
        channel->get = ring;
        channel->end = ring ? ring + bytes : NULL;
}

int plait_channel_new(size_t item_bytes, size_t capacity, struct plait_channel **ret_channel)
{
        size_t ring_bytes, all_bytes;
        struct plait_channel *channel;

        if (!item_bytes)
                return -EINVAL;
        const bool unbounded = capacity == PLAIT_CHANNEL_UNBOUNDED;
        if (unbounded)
                capacity = 0;
        if (__builtin_mul_overflow(item_bytes, capacity, &ring_bytes) ||
            __builtin_add_overflow(ring_bytes, sizeof *channel + PL_CACHE_LINE, &all_bytes))
                return -ENOMEM;
        channel = aligned_alloc(PL_CACHE_LINE, all_bytes & ~(size_t)(PL_CACHE_LINE - 1));
        if (!channel)
                return -ENOMEM;
        memset(channel, 0, sizeof *channel);
        channel->capacity = capacity;
        channel->item_bytes = item_bytes;
        channel->unbounded = unbounded;
        use_ring(channel, unbounded ? NULL : channel->ring, ring_bytes);
        *ret_channel = channel;
        return 0;
}

void plait_channel_free(struct plait_channel *channel)
{
        if (!channel)
                return;
        pl_spin_lock(&channel->lock);
        if (channel->receivers || channel->senders)
                pl_panic("channel %p was freed while somebody waits to %s: close it and join them first",
                         (void *)channel, channel->receivers ? "receive" : "send");
        pl_spin_unlock(&channel->lock);
        if (channel->unbounded)
                free(channel->start);
        free(channel);
}

/* Under the lock: move what is in the full ring to *ring*, which has room for *capacity*. Returns the old ring. */
static char *replace_ring(struct plait_channel *channel, char *ring, size_t capacity)
{
        char *old = channel->start;
        const size_t first = (size_t)(channel->end - channel->get);
        const size_t second = (size_t)(channel->get - old);

        if (old) {
                memcpy(ring, channel->get, first);
                memcpy(ring + first, old, second);
        }
        use_ring(channel, ring, capacity * channel->item_bytes);
        channel->put = ring + first + second;
        channel->capacity = capacity;
        return old;
}

/* Called with the lock held and the ring full; releases it. 0: try again, there is or was room. Or -ENOMEM. */
static PL_COLD int grow(struct plait_channel *channel) PL_NO_LOCK_CHECK
{
        const size_t full = channel->capacity;
        const size_t capacity = full ? 2 * full : FIRST_ROOM;
        size_t bytes;

        pl_spin_unlock(&channel->lock);
        char *ring = __builtin_mul_overflow(capacity, channel->item_bytes, &bytes) ? NULL : malloc(bytes);
        if (!ring)
                return -ENOMEM;
        pl_spin_lock(&channel->lock);
        if (channel->count == channel->capacity && channel->capacity < capacity)
                ring = replace_ring(channel, ring, capacity);
        pl_spin_unlock(&channel->lock);
        free(ring);
        return 0;
}

/* Under the lock, of an unbounded channel that is empty: the ring, if it is to be freed. */
static char *unneeded_ring(struct plait_channel *channel)
{
        char *ring = channel->start;

        if (channel->capacity * channel->item_bytes <= KEPT_RING_BYTES)
                return NULL;
        use_ring(channel, NULL, 0);
        channel->capacity = 0;
        return ring;
}

/* The wait ended with *error*, and may still be in its queue. Returns *error*. */
static PL_NOINLINE int withdraw(struct pl_wait *wait, int error)
{
        struct plait_channel *channel = (struct plait_channel *)(uintptr_t)wait->object;

        pl_spin_lock(&channel->lock);
        pl_sync_remove(wait->cause == PL_WAIT_CHANNEL_SEND ? &channel->senders : &channel->receivers, &wait->node);
        pl_spin_unlock(&channel->lock);
        return error;
}

/* Called with the lock held: *wait* has begun, but is not in its queue yet. */
static PL_ALWAYS_INLINE int wait_with(struct pl_wait *wait, struct plait_channel *channel, void **queue,
                                      int64_t deadline_ns) PL_NO_LOCK_CHECK
{
        pl_sync_push_back(queue, &wait->node);
        pl_spin_unlock(&channel->lock);

        int r = pl_sched_wait_finish(wait, deadline_ns, 0);

        if (PL_LIKELY(r == 0))
                return wait->node.slot ? 0 : -EPIPE;
        return withdraw(wait, r);
}

static PL_NOINLINE int wait_as_thread(struct plait_channel *channel, void **queue, enum pl_wait_cause cause, void *slot,
                                      int64_t deadline_ns)
{
        struct pl_wait *wait = pl_sched_wait_begin(cause, channel);

        wait->node.slot = slot;
        return wait_with(wait, channel, queue, deadline_ns);
}

/* Called with the lock held: wait in *queue* until the item at *slot* has been dealt with. */
static PL_NOINLINE PL_CONTEXT_RETURNS int wait_in(struct plait_channel *channel, void **queue, enum pl_wait_cause cause,
                                                  void *slot, int64_t deadline_ns)
{
        struct pl_wait *wait = pl_sched_flow_noted();

        if (PL_UNLIKELY(!wait->of_task))
                return wait_as_thread(channel, queue, cause, slot, deadline_ns);
        pl_sched_wait_begin_own(wait, cause, channel, slot);
        return wait_with(wait, channel, queue, deadline_ns);
}

/* Both sides have met: copy the item, and wake the one who waited. */
static PL_NOINLINE int hand_over(void *to, const void *from, size_t bytes, struct pl_wait *waiter)
{
        copy_item(to, from, bytes);
        pl_sched_wake_ready(waiter);
        return 0;
}

/* Called with the lock held and room in the ring; releases it. */
static PL_NOINLINE int put_large(struct plait_channel *channel, const void *item) PL_NO_LOCK_CHECK
{
        put_item(channel, item, channel->item_bytes);
        pl_spin_unlock(&channel->lock);
        return 0;
}

/* Called with the lock held and the ring of an unbounded channel full; releases it. */
static PL_COLD int grow_and_send(struct plait_channel *channel, const void *item) PL_NO_LOCK_CHECK
{
        int r = grow(channel);

        return r < 0 ? r : plait_channel_send(channel, item, PLAIT_NEVER); /* that does not wait */
}

/*
 * Called with the lock held; releases it. All that takes more than a few instructions is called last, so that there are
 * no registers to be saved.
 */
static PL_ALWAYS_INLINE int do_send(struct plait_channel *channel, const void *item, int64_t deadline_ns,
                                    bool try) PL_NO_LOCK_CHECK
{
        const size_t bytes = channel->item_bytes;

        if (PL_UNLIKELY(channel->closed)) {
                pl_spin_unlock(&channel->lock);
                return -EPIPE;
        }
        struct pl_wait_node *receiver = pl_sync_claim(&channel->receivers);

        if (receiver) {
                pl_spin_unlock(&channel->lock);
                return hand_over(receiver->slot, item, bytes, receiver->wait);
        }
        if (PL_LIKELY(channel->count < channel->capacity)) {
                if (PL_UNLIKELY(!is_small(bytes)))
                        return put_large(channel, item);
                put_item(channel, item, bytes);
                pl_spin_unlock(&channel->lock);
                return 0;
        }
        if (PL_UNLIKELY(channel->unbounded))
                return grow_and_send(channel, item);
        if (try || deadline_ns <= 0) {
                pl_spin_unlock(&channel->lock);
                return try ? -EAGAIN : pl_sync_refuse();
        }
        return wait_in(channel, &channel->senders, PL_WAIT_CHANNEL_SEND, (void *)(uintptr_t)item, deadline_ns);
}

static PL_COLD int send_contended(struct plait_channel *channel, const void *item, int64_t deadline_ns)
{
        pl_spin_wait(&channel->lock);
        return do_send(channel, item, deadline_ns, false);
}

int plait_channel_send(struct plait_channel *channel, const void *item, int64_t deadline_ns)
{
        if (PL_UNLIKELY(!pl_spin_try(&channel->lock)))
                return send_contended(channel, item, deadline_ns);
        return do_send(channel, item, deadline_ns, false);
}

int plait_channel_try_send(struct plait_channel *channel, const void *item)
{
        pl_spin_lock(&channel->lock);
        return do_send(channel, item, 0, true);
}

/* Called with the lock held and an item in the ring; *sender* has been claimed, or is NULL. Releases the lock. */
static PL_NOINLINE int get_specially(struct plait_channel *channel, void *ret_item,
                                     struct pl_wait_node *sender) PL_NO_LOCK_CHECK
{
        const size_t bytes = channel->item_bytes;

        get_item(channel, ret_item, bytes);
        if (sender)
                put_item(channel, sender->slot, bytes);
        char *unneeded = channel->unbounded && !channel->count ? unneeded_ring(channel) : NULL;
        pl_spin_unlock(&channel->lock);
        if (sender)
                pl_sched_wake_ready(sender->wait);
        free(unneeded);
        return 0;
}

/* As do_send(). */
static PL_ALWAYS_INLINE int do_receive(struct plait_channel *channel, void *ret_item, int64_t deadline_ns,
                                       bool try) PL_NO_LOCK_CHECK
{
        const size_t bytes = channel->item_bytes;
        struct pl_wait_node *sender = pl_sync_claim(&channel->senders);

        if (PL_LIKELY(channel->count)) {
                if (PL_UNLIKELY(sender || !is_small(bytes) || (channel->unbounded && channel->count == 1)))
                        return get_specially(channel, ret_item, sender);
                get_item(channel, ret_item, bytes);
                pl_spin_unlock(&channel->lock);
                return 0;
        }
        if (sender) { /* no room for any item: they meet */
                pl_spin_unlock(&channel->lock);
                return hand_over(ret_item, sender->slot, bytes, sender->wait);
        }
        if (PL_UNLIKELY(channel->closed)) {
                pl_spin_unlock(&channel->lock);
                return -EPIPE;
        }
        if (try || deadline_ns <= 0) {
                pl_spin_unlock(&channel->lock);
                return try ? -EAGAIN : pl_sync_refuse();
        }
        return wait_in(channel, &channel->receivers, PL_WAIT_CHANNEL_RECEIVE, ret_item, deadline_ns);
}

static PL_COLD int receive_contended(struct plait_channel *channel, void *ret_item, int64_t deadline_ns)
{
        pl_spin_wait(&channel->lock);
        return do_receive(channel, ret_item, deadline_ns, false);
}

int plait_channel_receive(struct plait_channel *channel, void *ret_item, int64_t deadline_ns)
{
        if (PL_UNLIKELY(!pl_spin_try(&channel->lock)))
                return receive_contended(channel, ret_item, deadline_ns);
        return do_receive(channel, ret_item, deadline_ns, false);
}

int plait_channel_try_receive(struct plait_channel *channel, void *ret_item)
{
        pl_spin_lock(&channel->lock);
        return do_receive(channel, ret_item, 0, true);
}

void plait_channel_close(struct plait_channel *channel)
{
        struct pl_list all, senders;

        pl_spin_lock(&channel->lock);
        channel->closed = true;
        pl_sync_take_all(&channel->receivers, &all);
        pl_sync_take_all(&channel->senders, &senders);
        pl_list_splice_back(&all, &senders);
        pl_sync_wake_all(&channel->lock, &all);
}

size_t plait_channel_count(struct plait_channel *channel)
{
        pl_spin_lock(&channel->lock);
        const size_t count = channel->count;
        pl_spin_unlock(&channel->lock);
        return count;
}

size_t plait_channel_capacity(const struct plait_channel *channel)
{
        return channel->unbounded ? PLAIT_CHANNEL_UNBOUNDED : channel->capacity;
}

/* --- as cases of plait_select(), with the locks of other channels held, too --- */

static struct pl_spin *case_lock(const struct plait_case *entry)
{
        return &((struct plait_channel *)entry->pl_object)->lock;
}

/* Rarely and briefly under the lock: plait_select() cannot release it. */
static PL_COLD bool grow_at_once(struct plait_channel *channel)
{
        const size_t capacity = channel->capacity ? 2 * channel->capacity : FIRST_ROOM;
        size_t bytes;
        char *ring = __builtin_mul_overflow(capacity, channel->item_bytes, &bytes) ? NULL : malloc(bytes);

        if (!ring)
                return false;
        free(replace_ring(channel, ring, capacity));
        return true;
}

static bool take_send(struct plait_case *entry, struct pl_select_after *after)
{
        struct plait_channel *channel = entry->pl_object;

        entry->result = channel->closed ? -EPIPE : 0;
        if (channel->closed)
                return true;

        struct pl_wait_node *receiver = pl_sync_claim(&channel->receivers);

        if (receiver) {
                copy_item(receiver->slot, entry->pl_item, channel->item_bytes);
                after->wake = receiver->wait;
                return true;
        }
        if (channel->unbounded && channel->count == channel->capacity && !grow_at_once(channel)) {
                entry->result = -ENOMEM;
                return true;
        }
        if (channel->count == channel->capacity)
                return false;
        put_item(channel, entry->pl_item, channel->item_bytes);
        return true;
}

static bool take_receive(struct plait_case *entry, struct pl_select_after *after)
{
        struct plait_channel *channel = entry->pl_object;
        struct pl_wait_node *sender = pl_sync_claim(&channel->senders);

        entry->result = 0;
        if (sender)
                after->wake = sender->wait;
        if (channel->count) {
                get_item(channel, entry->pl_item, channel->item_bytes);
                if (sender)
                        put_item(channel, sender->slot, channel->item_bytes);
                if (channel->unbounded && !channel->count)
                        after->unneeded = unneeded_ring(channel);
                return true;
        }
        if (sender) {
                copy_item(entry->pl_item, sender->slot, channel->item_bytes);
                return true;
        }
        entry->result = channel->closed ? -EPIPE : 0;
        return channel->closed;
}

static bool queue_send(struct plait_case *entry)
{
        pl_select_push(&((struct plait_channel *)entry->pl_object)->senders, entry, entry->pl_item);
        return false;
}

static bool queue_receive(struct plait_case *entry)
{
        pl_select_push(&((struct plait_channel *)entry->pl_object)->receivers, entry, entry->pl_item);
        return false;
}

static void withdraw_send(struct plait_case *entry)
{
        pl_sync_remove(&((struct plait_channel *)entry->pl_object)->senders, pl_select_node(entry));
}

static void withdraw_receive(struct plait_case *entry)
{
        pl_sync_remove(&((struct plait_channel *)entry->pl_object)->receivers, pl_select_node(entry));
}

static void case_won(struct plait_case *entry)
{
        entry->result = pl_select_node(entry)->slot ? 0 : -EPIPE;
}

static const struct plait_selectable send_kind = {
        .lock = case_lock, .take = take_send, .take_or_queue = queue_send, .withdraw = withdraw_send, .won = case_won};

static const struct plait_selectable receive_kind = {.lock = case_lock,
                                                     .take = take_receive,
                                                     .take_or_queue = queue_receive,
                                                     .withdraw = withdraw_receive,
                                                     .won = case_won};

struct plait_case plait_case_send(struct plait_channel *channel, const void *item)
{
        return (struct plait_case){.pl_kind = &send_kind, .pl_object = channel, .pl_item = (void *)(uintptr_t)item};
}

struct plait_case plait_case_receive(struct plait_channel *channel, void *ret_item)
{
        return (struct plait_case){.pl_kind = &receive_kind, .pl_object = channel, .pl_item = ret_item};
}
