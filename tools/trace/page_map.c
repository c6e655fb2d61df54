/* A map from pairs of numbers to indices, and arrays that grow (page_map.h). */
#include "trace/page_map.h"

#include <stdlib.h>
#include <string.h>

uint32_t page_map_get(const struct page_map *map, uint64_t a, uint64_t b)
{
        return (uint32_t)(uintptr_t)pl_id_map_get(&map->of, a, b) - 1; /* NULL: PAGE_NONE */
}

bool page_map_put(struct page_map *map, uint64_t a, uint64_t b, uint32_t value)
{
        return pl_id_map_put(&map->of, a, b, (void *)((uintptr_t)value + 1)) == 0;
}

void page_map_free(struct page_map *map)
{
        pl_id_map_done(&map->of);
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
