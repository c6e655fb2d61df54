/* A table from pairs of numbers to indices: open addressing, never more than half full (page_map.h). */
#include "trace/page_map.h"

#include <stdlib.h>
#include <string.h>

struct page_slot {
        uint64_t a, b;
        uint32_t value; /* PAGE_NONE: free */
};

static uint64_t mix(uint64_t a, uint64_t b)
{
        uint64_t hash = (a ^ (b * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xbf58476d1ce4e5b9);

        hash = (hash ^ (hash >> 29)) * UINT64_C(0x94d049bb133111eb);
        return hash ^ (hash >> 32);
}

/* The slot of a key, or the free one where it belongs. There is a free one. */
static struct page_slot *find(const struct page_map *map, uint64_t a, uint64_t b)
{
        size_t mask = map->capacity - 1;

        for (size_t i = mix(a, b) & mask;; i = (i + 1) & mask) {
                struct page_slot *slot = &map->slots[i];
                if (slot->value == PAGE_NONE || (slot->a == a && slot->b == b))
                        return slot;
        }
}

uint32_t page_map_get(const struct page_map *map, uint64_t a, uint64_t b)
{
        return map->capacity ? find(map, a, b)->value : PAGE_NONE;
}

static bool grow(struct page_map *map)
{
        struct page_map larger = {.capacity = map->capacity ? map->capacity * 2 : 64, .count = map->count};

        larger.slots = malloc(larger.capacity * sizeof *larger.slots);
        if (!larger.slots)
                return false;
        for (size_t i = 0; i < larger.capacity; i++)
                larger.slots[i] = (struct page_slot){.value = PAGE_NONE};
        for (size_t i = 0; i < map->capacity; i++) {
                if (map->slots[i].value != PAGE_NONE)
                        *find(&larger, map->slots[i].a, map->slots[i].b) = map->slots[i];
        }
        free(map->slots);
        *map = larger;
        return true;
}

bool page_map_put(struct page_map *map, uint64_t a, uint64_t b, uint32_t value)
{
        if (map->count * 2 >= map->capacity && !grow(map))
                return false;

        struct page_slot *slot = find(map, a, b);
        if (slot->value == PAGE_NONE)
                map->count++;
        *slot = (struct page_slot){.a = a, .b = b, .value = value};
        return true;
}

void page_map_free(struct page_map *map)
{
        free(map->slots);
        *map = (struct page_map){0};
}

bool page_grow(void *array, size_t *capacity, size_t count, size_t element_bytes)
{
        void *old, *new;

        if (count < *capacity)
                return true;
        size_t larger = *capacity ? *capacity * 2 : 64;
        memcpy(&old, array, sizeof old);
        new = reallocarray(old, larger, element_bytes);
        if (!new)
                return false;
        memcpy(array, &new, sizeof new);
        *capacity = larger;
        /* cppcheck-suppress memleak ; the caller's pointer has it */
        return true;
}
