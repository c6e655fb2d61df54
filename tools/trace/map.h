/*
 * A map from a number that is unique in a process to a pointer.
 */
#ifndef TRACE_MAP_H
#define TRACE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_entry {
        uint64_t id;
        void *value; /* NULL: the entry is empty */
        uint32_t process;
};

/* Zeroed: empty. */
struct map {
        struct map_entry *entries;
        size_t n, room; /* room is a power of two */
};

void *map_get(const struct map *map, uint32_t process, uint64_t id); /* NULL: it is not there */

/* *value* is not NULL, and replaces what is there. 0, or -ENOMEM. */
int map_put(struct map *map, uint32_t process, uint64_t id, void *value);

/* Takes it out. NULL: it is not there. */
void *map_take(struct map *map, uint32_t process, uint64_t id);

void map_done(struct map *map);

#endif
