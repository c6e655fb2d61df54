/*
 * The map: open addressing, never more than half full; what is taken out leaves no gap in the row of those that follow.
 */
#include "common/id_map.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_ROOM = 64 };

static size_t place_of(const struct pl_id_map *map, uint64_t space, uint64_t id)
{
        uint64_t hash = (id ^ space * UINT64_C(0xbf58476d1ce4e5b9)) * UINT64_C(0x9e3779b97f4a7c15);

        return (size_t)(hash ^ hash >> 32) & (map->room - 1);
}

/* Where it is, or the empty place where it would be. There is an empty place. */
static struct pl_id_map_entry *find(const struct pl_id_map *map, uint64_t space, uint64_t id)
{
        size_t at = place_of(map, space, id);

        while (map->entries[at].value && (map->entries[at].id != id || map->entries[at].space != space))
                at = (at + 1) & (map->room - 1);
        return &map->entries[at];
}

void *pl_id_map_get(const struct pl_id_map *map, uint64_t space, uint64_t id)
{
        return map->n ? find(map, space, id)->value : NULL;
}

static int grow(struct pl_id_map *map)
{
        struct pl_id_map bigger = {.n = map->n, .room = map->room ? 2 * map->room : FIRST_ROOM};

        bigger.entries = calloc(bigger.room, sizeof *bigger.entries);
        if (!bigger.entries)
                return -ENOMEM;
        for (size_t i = 0; i < map->room; i++)
                if (map->entries[i].value)
                        *find(&bigger, map->entries[i].space, map->entries[i].id) = map->entries[i];
        free(map->entries);
        *map = bigger;
        return 0;
}

int pl_id_map_put(struct pl_id_map *map, uint64_t space, uint64_t id, void *value)
{
        if (2 * (map->n + 1) > map->room) {
                int r = grow(map);

                if (r < 0)
                        return r;
        }
        struct pl_id_map_entry *entry = find(map, space, id);
        map->n += !entry->value;
        *entry = (struct pl_id_map_entry){.space = space, .id = id, .value = value};
        return 0;
}

void *pl_id_map_take(struct pl_id_map *map, uint64_t space, uint64_t id)
{
        struct pl_id_map_entry *entry = map->n ? find(map, space, id) : NULL;

        if (!entry || !entry->value)
                return NULL;
        void *value = entry->value;
        size_t gap = (size_t)(entry - map->entries);
        for (size_t at = (gap + 1) & (map->room - 1); map->entries[at].value; at = (at + 1) & (map->room - 1)) {
                size_t home = place_of(map, map->entries[at].space, map->entries[at].id);

                /* It may move into the gap if that is not before its home. */
                if (((at - home) & (map->room - 1)) >= ((at - gap) & (map->room - 1))) {
                        map->entries[gap] = map->entries[at];
                        gap = at;
                }
        }
        map->entries[gap].value = NULL;
        map->n--;
        return value;
}

void pl_id_map_done(struct pl_id_map *map)
{
        free(map->entries);
        *map = (struct pl_id_map){0};
}
