/*
 * What a queue holds: a ring, a stack or a heap of items in one block of memory. Guarded by the queue's lock.
 *
 * A ring starts at *first* and wraps. A heap (binary, the smallest at 0) has in front of each item its priority and a
 * number, which counts up, so that of equal ones the oldest is the smallest.
 */
#ifndef PL_SYNC_STORE_H
#define PL_SYNC_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "plait/queue.h"

struct pl_store {
        enum plait_queue_order order;
        size_t item_bytes;
        size_t entry_bytes; /* an item with what stands in front of it */
        size_t count;
        size_t capacity;
        size_t first;
        uint64_t next_number;
        char *entries;
};

/* An empty store without room. False: an item is too large. */
PL_WARN_UNUSED bool pl_sync_store_init(struct pl_store *store, size_t item_bytes, enum plait_queue_order order);

/* Memory for *capacity* entries; NULL when there is none. */
char *pl_sync_store_alloc(const struct pl_store *store, size_t capacity);

/* Move everything to *entries*, which has more room. Returns the memory it was in, to be freed. */
PL_WARN_UNUSED char *pl_sync_store_move(struct pl_store *store, char *entries, size_t capacity);

/* There is room: put *item* in. *priority* matters to a heap only. */
void pl_sync_store_push(struct pl_store *store, const void *item, int64_t priority);

/* There is something: take the next out. */
void pl_sync_store_pop(struct pl_store *store, void *ret_item);

/* Call *drop*, unless it is NULL, for each item, and free the memory. */
void pl_sync_store_drop(struct pl_store *store, void (*drop)(void *item));

#endif
