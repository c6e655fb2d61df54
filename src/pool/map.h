/* What map.c and stream.c share. */
#ifndef PL_POOL_MAP_H
#define PL_POOL_MAP_H

#include <errno.h>

#include "plait/time.h"
#include "plat/sys.h"
#include "pool/executor.h"

/* A map or a stream: what to do. */
struct pl_map {
        struct plait_executor *executor;
        struct plait_executor_flow flow; /* of a map, without next and done */
        char *args;                      /* of a map: its arrays */
        char *results;
        size_t n;                                   /* of a stream: SIZE_MAX */
        const struct plait_executor_map_opts *opts; /* not NULL */
        int64_t deadline_ns;                        /* or PLAIT_NEVER */
};

static inline bool pl_map_collects(const struct pl_map *map)
{
        return map->opts->flags & PLAIT_EXECUTOR_MAP_COLLECT;
}

static inline bool pl_map_is_over(const struct pl_map *map)
{
        return map->deadline_ns != PLAIT_NEVER && map->deadline_ns <= pl_plat_now_ns();
}

/* An item has failed with *error*. If it saw that the time is up, that is the reason. */
static inline int pl_map_error(const struct pl_map *map, int error)
{
        return error == -ECANCELED && pl_map_is_over(map) ? -ETIMEDOUT : error;
}

/* In chunks that go to and fro, a few per worker at a time, and are reported in order by the caller. */
PL_WARN_UNUSED int pl_map_in_chunks(const struct pl_map *map);

#endif
