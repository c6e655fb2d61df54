/*
 * A map from pairs of numbers to pointers: *id* is a number in *space*, which says what it is unique in (a process).
 */
#ifndef PL_COMMON_ID_MAP_H
#define PL_COMMON_ID_MAP_H

#include <stddef.h>
#include <stdint.h>

struct pl_id_map_entry {
        uint64_t space, id;
        void *value; /* NULL: the entry is empty */
};

/* Zeroed: empty. */
struct pl_id_map {
        struct pl_id_map_entry *entries;
        size_t n, room; /* room is a power of two */
};

void *pl_id_map_get(const struct pl_id_map *map, uint64_t space, uint64_t id); /* NULL: it is not there */

/* *value* is not NULL, and replaces what is there. 0, or -ENOMEM. */
int pl_id_map_put(struct pl_id_map *map, uint64_t space, uint64_t id, void *value);

/* Takes it out. NULL: it is not there. */
void *pl_id_map_take(struct pl_id_map *map, uint64_t space, uint64_t id);

void pl_id_map_done(struct pl_id_map *map);

#endif
