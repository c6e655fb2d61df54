/*
 * The queue: a store (sync/store.h) and three queues of waiters under one lock, taken once by each operation that does
 * not wait.
 *
 * Invariants, whenever the lock is free:
 * - who waits to get waits because the store is empty; who puts gives him his item directly;
 * - who waits to put waits because the store is full, what is reserved counted in;
 * - who waits to join waits because something is unfinished;
 * - once it is shut down, nobody waits to put, nor to get.
 *
 * The slot of who waits to get points to where he wants the item. Who waits to put is not relieved of his item, which
 * may come with a priority: whoever makes room reserves it for him, and he puts the item in when he runs. The slot only
 * says that he has been admitted. Shutting down sets slots to NULL.
 */
#include "plait/queue.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "plat/panic.h"
#include "sync/store.h"
#include "sync/waiters.h"

enum {
        FIRST_ROOM = 16,             /* entries in the first block of a queue without a maximum */
        KEPT_STORE_BYTES = 64 * 1024 /* an empty block up to this is kept */
};

struct plait_queue {
        struct pl_spin lock;
        bool shut;
        size_t maxsize;
        size_t reserved; /* room for those who have been admitted and have not put their items in yet */
        size_t unfinished;
        void *getters;
        void *putters;
        void *joiners;
        struct pl_store store;
        void (*drop)(void *item);
};

static char admitted;

static int check_opts(const struct plait_queue_opts *opts)
{
        if (!opts)
                return 0;
        return opts->size == sizeof *opts && opts->order <= PLAIT_QUEUE_PRIORITY ? 0 : -EINVAL;
}

static int make_store(struct plait_queue *queue, size_t item_bytes, enum plait_queue_order order)
{
        if (!pl_sync_store_init(&queue->store, item_bytes, order))
                return -ENOMEM;
        if (!queue->maxsize)
                return 0;
        queue->store.entries = pl_sync_store_alloc(&queue->store, queue->maxsize);
        queue->store.capacity = queue->maxsize;
        return queue->store.entries ? 0 : -ENOMEM;
}

int plait_queue_new(size_t item_bytes, size_t maxsize, const struct plait_queue_opts *opts,
                    struct plait_queue **ret_queue)
{
        int r = item_bytes ? check_opts(opts) : -EINVAL;

        if (r < 0)
                return r;
        struct plait_queue *queue = calloc(1, sizeof *queue);
        if (!queue)
                return -ENOMEM;
        queue->maxsize = maxsize;
        queue->drop = opts ? opts->drop : NULL;
        r = make_store(queue, item_bytes, opts ? opts->order : PLAIT_QUEUE_FIFO);
        if (r < 0) {
                free(queue);
                return r;
        }
        *ret_queue = queue;
        return 0;
}

void plait_queue_free(struct plait_queue *queue)
{
        if (!queue)
                return;
        pl_spin_lock(&queue->lock);
        if (queue->getters || queue->putters || queue->joiners)
                pl_panic("queue %p was freed while somebody waits to %s: shut it down and join them first",
                         (void *)queue,
                         queue->getters   ? "get"
                         : queue->putters ? "put"
                                          : "join");
        pl_spin_unlock(&queue->lock);
        pl_sync_store_drop(&queue->store, queue->drop);
        free(queue);
}

static void leave(struct plait_queue *queue, void **waiters, struct pl_wait *wait)
{
        pl_spin_lock(&queue->lock);
        pl_sync_remove(waiters, &wait->node);
        pl_spin_unlock(&queue->lock);
}

/* Called with the lock held: wait in *waiters*, or say why not. */
static int wait_in(struct plait_queue *queue, void **waiters, enum pl_wait_cause cause, void *slot, int64_t deadline_ns,
                   bool try) PL_NO_LOCK_CHECK
{
        if (try || deadline_ns <= 0) {
                pl_spin_unlock(&queue->lock);
                return try ? -EAGAIN : pl_sync_refuse();
        }
        struct pl_wait *wait = pl_sync_enqueue(waiters, cause, queue, slot);
        pl_spin_unlock(&queue->lock);

        int r = pl_sched_wait_finish(wait, deadline_ns, 0);

        if (r < 0)
                leave(queue, waiters, wait);
        else if (!wait->node.slot)
                r = -EPIPE;
        return r;
}

/* --- putting --- */

static bool has_room(const struct plait_queue *queue)
{
        return !queue->maxsize || queue->store.count + queue->reserved < queue->maxsize;
}

/* Called with the lock held; releases it. 0: try again, there is or was room. Or -ENOMEM. */
static PL_COLD int grow(struct plait_queue *queue) PL_NO_LOCK_CHECK
{
        const size_t full = queue->store.capacity;
        const size_t capacity = full ? 2 * full : FIRST_ROOM;

        pl_spin_unlock(&queue->lock);
        char *entries = pl_sync_store_alloc(&queue->store, capacity);
        if (!entries)
                return -ENOMEM;
        pl_spin_lock(&queue->lock);
        if (!queue->shut && queue->store.count == queue->store.capacity && queue->store.capacity < capacity)
                entries = pl_sync_store_move(&queue->store, entries, capacity);
        pl_spin_unlock(&queue->lock);
        free(entries);
        return 0;
}

/* Under the lock, after room has been made: the first who waits to put, for whom it is reserved now; or NULL. */
static struct pl_wait_node *admit(struct plait_queue *queue)
{
        struct pl_wait_node *putter = pl_sync_claim(&queue->putters);

        if (putter)
                queue->reserved++;
        return putter;
}

/* Called with the lock held, with room in the store: releases it. *was_admitted*: the room had been reserved. */
static void put_in(struct plait_queue *queue, const void *item, int64_t priority, bool was_admitted) PL_NO_LOCK_CHECK
{
        struct pl_wait_node *getter = pl_sync_claim(&queue->getters);
        struct pl_wait_node *putter = NULL;

        queue->unfinished++;
        if (!getter)
                pl_sync_store_push(&queue->store, item, priority);
        else if (was_admitted)
                putter = admit(queue);
        pl_spin_unlock(&queue->lock);
        if (putter)
                pl_sched_wake_ready(putter->wait);
        if (getter) {
                memcpy(getter->slot, item, queue->store.item_bytes);
                pl_sched_wake_ready(getter->wait);
        }
}

/* Whoever made room has reserved it for the caller. */
static int put_admitted(struct plait_queue *queue, const void *item, int64_t priority) PL_NO_LOCK_CHECK
{
        pl_spin_lock(&queue->lock);
        queue->reserved--;
        if (queue->shut) {
                pl_spin_unlock(&queue->lock);
                return -EPIPE;
        }
        put_in(queue, item, priority, true);
        return 0;
}

static int put(struct plait_queue *queue, const void *item, int64_t priority, int64_t deadline_ns,
               bool try) PL_NO_LOCK_CHECK
{
        int r;

        for (;;) {
                pl_spin_lock(&queue->lock);
                if (queue->shut) {
                        pl_spin_unlock(&queue->lock);
                        return -EPIPE;
                }
                if (!has_room(queue)) {
                        r = wait_in(queue, &queue->putters, PL_WAIT_QUEUE_PUT, &admitted, deadline_ns, try);
                        return r < 0 ? r : put_admitted(queue, item, priority);
                }
                if (queue->store.count < queue->store.capacity) {
                        put_in(queue, item, priority, false);
                        return 0;
                }
                r = grow(queue);
                if (r < 0)
                        return r;
        }
}

int plait_queue_put(struct plait_queue *queue, const void *item, int64_t deadline_ns)
{
        return put(queue, item, 0, deadline_ns, false);
}

int plait_queue_put_with_priority(struct plait_queue *queue, const void *item, int64_t priority, int64_t deadline_ns)
{
        if (queue->store.order != PLAIT_QUEUE_PRIORITY)
                return -EINVAL;
        return put(queue, item, priority, deadline_ns, false);
}

int plait_queue_try_put(struct plait_queue *queue, const void *item)
{
        return put(queue, item, 0, 0, true);
}

/* --- getting --- */

/* Under the lock: a large block of a queue without a maximum, if it is empty, to be freed. */
static char *unneeded_entries(struct plait_queue *queue)
{
        struct pl_store *store = &queue->store;

        if (queue->maxsize || store->count || store->capacity * store->entry_bytes <= KEPT_STORE_BYTES)
                return NULL;
        return pl_sync_store_move(store, NULL, 0);
}

static int get(struct plait_queue *queue, void *ret_item, int64_t deadline_ns, bool try) PL_NO_LOCK_CHECK
{
        pl_spin_lock(&queue->lock);
        if (queue->store.count) {
                pl_sync_store_pop(&queue->store, ret_item);
                struct pl_wait_node *putter = admit(queue);
                char *unneeded = unneeded_entries(queue);
                pl_spin_unlock(&queue->lock);
                if (putter)
                        pl_sched_wake_ready(putter->wait);
                free(unneeded);
                return 0;
        }
        if (queue->shut) {
                pl_spin_unlock(&queue->lock);
                return -EPIPE;
        }
        return wait_in(queue, &queue->getters, PL_WAIT_QUEUE_GET, ret_item, deadline_ns, try);
}

int plait_queue_get(struct plait_queue *queue, void *ret_item, int64_t deadline_ns)
{
        return get(queue, ret_item, deadline_ns, false);
}

int plait_queue_try_get(struct plait_queue *queue, void *ret_item)
{
        return get(queue, ret_item, 0, true);
}

/* --- finishing --- */

int plait_queue_task_done(struct plait_queue *queue) PL_NO_LOCK_CHECK
{
        struct pl_list all;

        pl_spin_lock(&queue->lock);
        if (!queue->unfinished) {
                pl_spin_unlock(&queue->lock);
                return -EINVAL;
        }
        if (--queue->unfinished) {
                pl_spin_unlock(&queue->lock);
                return 0;
        }
        pl_sync_take_all(&queue->joiners, &all);
        pl_sync_wake_all(&queue->lock, &all);
        return 0;
}

int plait_queue_join(struct plait_queue *queue, int64_t deadline_ns) PL_NO_LOCK_CHECK
{
        pl_spin_lock(&queue->lock);
        if (!queue->unfinished) {
                pl_spin_unlock(&queue->lock);
                return 0;
        }
        int r = wait_in(queue, &queue->joiners, PL_WAIT_QUEUE_JOIN, NULL, deadline_ns, false);
        return r == -EPIPE ? 0 : r; /* woken: a slot says nothing here */
}

void plait_queue_shutdown(struct plait_queue *queue, unsigned flags) PL_NO_LOCK_CHECK
{
        void (*drop)(void *item) = queue->drop;
        struct pl_store dropped = {0};
        struct pl_list all, more;

        pl_spin_lock(&queue->lock);
        queue->shut = true;
        if (flags & PLAIT_QUEUE_NOW) {
                dropped = queue->store;
                queue->unfinished -= dropped.count;
                queue->store.count = 0;
                queue->store.capacity = 0;
                queue->store.first = 0;
                queue->store.entries = NULL;
        }
        pl_sync_take_all(&queue->putters, &all);
        pl_sync_take_all(&queue->getters, &more);
        pl_list_splice_back(&all, &more);
        if (!queue->unfinished) {
                pl_sync_take_all(&queue->joiners, &more);
                pl_list_splice_back(&all, &more);
        }
        pl_sync_wake_all(&queue->lock, &all);
        pl_sync_store_drop(&dropped, drop);
}

size_t plait_queue_count(struct plait_queue *queue)
{
        pl_spin_lock(&queue->lock);
        const size_t count = queue->store.count;
        pl_spin_unlock(&queue->lock);
        return count;
}

size_t plait_queue_unfinished(struct plait_queue *queue)
{
        pl_spin_lock(&queue->lock);
        const size_t unfinished = queue->unfinished;
        pl_spin_unlock(&queue->lock);
        return unfinished;
}

size_t plait_queue_maxsize(const struct plait_queue *queue)
{
        return queue->maxsize;
}
