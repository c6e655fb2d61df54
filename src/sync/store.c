/* What a queue holds. The forms are described in sync/store.h. */
#include "sync/store.h"

#include <stdlib.h>
#include <string.h>

/* What stands in front of an item in a heap. */
struct key {
        int64_t priority;
        uint64_t number;
};

enum { ALIGNMENT = sizeof(uint64_t) };

static bool is_heap(const struct pl_store *store)
{
        return store->order == PLAIT_QUEUE_PRIORITY;
}

static char *entry_at(const struct pl_store *store, size_t i)
{
        return store->entries + i * store->entry_bytes;
}

static char *item_at(const struct pl_store *store, size_t i)
{
        return entry_at(store, i) + (is_heap(store) ? sizeof(struct key) : 0);
}

static struct key key_at(const struct pl_store *store, size_t i)
{
        struct key key;

        memcpy(&key, entry_at(store, i), sizeof key);
        return key;
}

static bool is_before(struct key a, struct key b)
{
        return a.priority != b.priority ? a.priority < b.priority : a.number < b.number;
}

bool pl_sync_store_init(struct pl_store *store, size_t item_bytes, enum plait_queue_order order)
{
        *store = (struct pl_store){.order = order, .item_bytes = item_bytes, .entry_bytes = item_bytes};
        if (!is_heap(store))
                return true;
        if (__builtin_add_overflow(item_bytes, sizeof(struct key) + ALIGNMENT - 1, &store->entry_bytes))
                return false;
        store->entry_bytes &= ~(size_t)(ALIGNMENT - 1);
        return true;
}

char *pl_sync_store_alloc(const struct pl_store *store, size_t capacity)
{
        size_t bytes;

        if (__builtin_mul_overflow(capacity, store->entry_bytes, &bytes) || bytes > PTRDIFF_MAX)
                return NULL;
        return malloc(bytes);
}

char *pl_sync_store_move(struct pl_store *store, char *entries, size_t capacity)
{
        char *old = store->entries;
        const size_t to_end = store->capacity - store->first;
        const size_t before_end = store->count < to_end ? store->count : to_end;

        if (store->count) {
                memcpy(entries, entry_at(store, store->first), before_end * store->entry_bytes);
                memcpy(entries + before_end * store->entry_bytes, old,
                       (store->count - before_end) * store->entry_bytes);
        }
        store->entries = entries;
        store->capacity = capacity;
        store->first = 0;
        return old;
}

static void push_to_heap(struct pl_store *store, const void *item, int64_t priority)
{
        const struct key key = {.priority = priority, .number = store->next_number++};
        size_t i = store->count;

        while (i > 0 && is_before(key, key_at(store, (i - 1) / 2))) {
                memcpy(entry_at(store, i), entry_at(store, (i - 1) / 2), store->entry_bytes);
                i = (i - 1) / 2;
        }
        memcpy(entry_at(store, i), &key, sizeof key);
        memcpy(item_at(store, i), item, store->item_bytes);
}

/* The smallest has been taken out; *count* does not include it any more. Fill its place with the last. */
static void close_gap(struct pl_store *store)
{
        const size_t last = store->count;
        const struct key key = key_at(store, last);
        size_t i = 0;

        for (;;) {
                size_t child = 2 * i + 1;

                if (child >= last)
                        break;
                if (child + 1 < last && is_before(key_at(store, child + 1), key_at(store, child)))
                        child++;
                if (!is_before(key_at(store, child), key))
                        break;
                memcpy(entry_at(store, i), entry_at(store, child), store->entry_bytes);
                i = child;
        }
        if (i != last)
                memcpy(entry_at(store, i), entry_at(store, last), store->entry_bytes);
}

static size_t wrapped(const struct pl_store *store, size_t i)
{
        return i < store->capacity ? i : i - store->capacity;
}

void pl_sync_store_push(struct pl_store *store, const void *item, int64_t priority)
{
        if (is_heap(store))
                push_to_heap(store, item, priority);
        else
                memcpy(entry_at(store, wrapped(store, store->first + store->count)), item, store->item_bytes);
        store->count++;
}

void pl_sync_store_pop(struct pl_store *store, void *ret_item)
{
        store->count--;
        switch (store->order) {
        case PLAIT_QUEUE_FIFO:
                memcpy(ret_item, item_at(store, store->first), store->item_bytes);
                store->first = wrapped(store, store->first + 1);
                break;
        case PLAIT_QUEUE_LIFO: memcpy(ret_item, item_at(store, store->count), store->item_bytes); break;
        case PLAIT_QUEUE_PRIORITY:
                memcpy(ret_item, item_at(store, 0), store->item_bytes);
                close_gap(store);
                break;
        }
}

void pl_sync_store_drop(struct pl_store *store, void (*drop)(void *item))
{
        for (size_t i = 0; drop && i < store->count; i++)
                drop(item_at(store, wrapped(store, store->first + i)));
        free(store->entries);
        store->entries = NULL;
        store->count = 0;
        store->capacity = 0;
        store->first = 0;
}
