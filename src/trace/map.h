/*
 * A map from a number that is unique in a space of numbers to a pointer.
 */
#ifndef PL_TRACE_MAP_H
#define PL_TRACE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct pl_trace_map_entry {
        uint64_t id;
        void *value; /* NULL: the entry is empty */
        uint32_t space;
};

/* Zeroed: empty. */
struct pl_trace_map {
        struct pl_trace_map_entry *entries;
        size_t n, room; /* room is a power of two */
};

void *pl_trace_map_get(const struct pl_trace_map *map, uint32_t space, uint64_t id); /* NULL: it is not there */

/* *value* is not NULL, and replaces what is there. 0, or -ENOMEM. */
int pl_trace_map_put(struct pl_trace_map *map, uint32_t space, uint64_t id, void *value);

/* Takes it out. NULL: it is not there. */
void *pl_trace_map_take(struct pl_trace_map *map, uint32_t space, uint64_t id);

void pl_trace_map_done(struct pl_trace_map *map);

#endif
