/*
 * Walking a program's slabs. What the program says of itself is not relied on: it may be damaged.
 */
#include "inspect/slabs.h"

#include <stdlib.h>
#include <string.h>

struct pool {
        uint64_t object_bytes, n_slabs;
        uint64_t *chunks; /* addresses */
        size_t n_chunks;
};

static bool read_field(struct inspect_program *program, uint64_t base, struct plait_registry_field field, uint64_t *ret)
{
        *ret = 0;
        return field.size > 0 && field.size <= sizeof *ret &&
               inspect_read(&program->memory, base + field.offset, ret, field.size);
}

static bool read_pool(struct inspect_program *program, uint64_t at, struct pool *ret)
{
        const struct plait_registry_slab *slab = &program->layout.slab;
        struct pool pool = {0};

        if (!read_field(program, at, slab->object_bytes, &pool.object_bytes) ||
            !read_field(program, at, slab->n_slabs, &pool.n_slabs) || slab->slabs_per_chunk == 0)
                return false;
        pool.n_chunks = (size_t)((pool.n_slabs + slab->slabs_per_chunk - 1) / slab->slabs_per_chunk);
        if (pool.n_chunks * sizeof *pool.chunks > slab->chunks.size)
                return false;
        pool.chunks = calloc(pool.n_chunks + 1, sizeof *pool.chunks);
        if (!pool.chunks || !inspect_read(&program->memory, at + slab->chunks.offset, pool.chunks,
                                          pool.n_chunks * sizeof *pool.chunks)) {
                free(pool.chunks);
                return false;
        }
        *ret = pool;
        return true;
}

static uint64_t slab_address(const struct plait_registry_slab *layout, const struct pool *pool, uint64_t index)
{
        return pool->chunks[index / layout->slabs_per_chunk] + index % layout->slabs_per_chunk * layout->slab_bytes;
}

static bool walk(struct inspect_program *program, const struct pool *pool, char *room,
                 bool (*visit)(const struct slab_view *slab, void *arg), void *arg)
{
        const struct plait_registry_slab *layout = &program->layout.slab;
        const size_t most = (layout->slab_bytes - layout->header_bytes) / (size_t)pool->object_bytes;

        for (uint64_t i = 0; i < pool->n_slabs; i++) {
                uint64_t at = slab_address(layout, pool, i);
                struct slab_view slab = {.address = at + layout->header_bytes,
                                         .objects = room,
                                         .again = room + layout->slab_bytes,
                                         .stride = (size_t)pool->object_bytes};
                uint64_t carved;

                if (!read_field(program, at, layout->carved, &carved))
                        return false;
                slab.count = carved < most ? (size_t)carved : most;
                if (slab.count == 0)
                        continue;
                if (!inspect_read(&program->memory, slab.address, slab.objects, slab.count * slab.stride))
                        return false;
                if (!visit(&slab, arg))
                        break;
        }
        return true;
}

bool inspect_walk_slabs(struct inspect_program *program, const void *pool_at, size_t bytes,
                        bool (*visit)(const struct slab_view *slab, void *arg), void *arg)
{
        const struct plait_registry_slab *layout = &program->layout.slab;
        struct pool pool;

        if (!read_pool(program, (uint64_t)(uintptr_t)pool_at, &pool))
                return false;
        bool ok = pool.n_slabs == 0;
        if (!ok && pool.object_bytes >= bytes && pool.object_bytes <= layout->slab_bytes) {
                char *room = malloc(2 * (size_t)layout->slab_bytes);

                ok = room && walk(program, &pool, room, visit, arg);
                free(room);
        }
        free(pool.chunks);
        return ok;
}
