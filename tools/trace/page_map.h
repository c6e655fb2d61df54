/*
 * A map from pairs of numbers to indices, for what the page's writer looks up by address or by process and task; and
 * arrays that grow.
 */
#ifndef TRACE_PAGE_MAP_H
#define TRACE_PAGE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/id_map.h"

#define PAGE_NONE UINT32_MAX

/* Zeroed: empty. */
struct page_map {
        struct pl_id_map of; /* the indices, plus 1, as pointers */
};

/* The value of a key, or PAGE_NONE. */
uint32_t page_map_get(const struct page_map *map, uint64_t a, uint64_t b);

/* Sets the value of a key, which is not PAGE_NONE. Returns false when there is no memory. */
bool page_map_put(struct page_map *map, uint64_t a, uint64_t b, uint32_t value);

void page_map_free(struct page_map *map);

/* Makes room in an array for one more element; false: no memory, and nothing has changed. */
bool page_grow(void *array, size_t *capacity, size_t count, size_t element_bytes);

#endif
