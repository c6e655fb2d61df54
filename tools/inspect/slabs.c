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

/* Note those that have objects: *carved* says how many each has. */
static bool list_used(const struct plait_registry_slab *layout, const struct pool *pool, const uint64_t *carved,
                      struct slab_list *ret)
{
        const size_t most = (layout->slab_bytes - layout->header_bytes) / (size_t)pool->object_bytes;
        struct slab_list list = {.slabs = calloc((size_t)pool->n_slabs + 1, sizeof *list.slabs),
                                 .stride = (size_t)pool->object_bytes};

        for (uint64_t i = 0; list.slabs && i < pool->n_slabs; i++) {
                size_t count = carved[i] < most ? (size_t)carved[i] : most;

                if (count == 0)
                        continue;
                list.slabs[list.n++] = (struct slab){.address = slab_address(layout, pool, i) + layout->header_bytes,
                                                     .count = count,
                                                     .before = list.objects};
                list.objects += count;
        }
        *ret = list;
        return list.slabs != NULL;
}

static bool read_carved(struct inspect_program *program, const struct pool *pool, struct inspect_piece *pieces,
                        uint64_t *carved)
{
        const struct plait_registry_slab *layout = &program->layout.slab;

        if (layout->carved.size == 0 || layout->carved.size > sizeof *carved)
                return false;
        for (uint64_t i = 0; i < pool->n_slabs; i++)
                pieces[i] = (struct inspect_piece){.address = slab_address(layout, pool, i) + layout->carved.offset,
                                                   .to = &carved[i],
                                                   .bytes = layout->carved.size};
        inspect_read_all(&program->memory, pieces, (size_t)pool->n_slabs);
        for (uint64_t i = 0; i < pool->n_slabs; i++)
                if (!pieces[i].ok)
                        return false;
        return true;
}

static bool list_slabs(struct inspect_program *program, const struct pool *pool, struct slab_list *ret)
{
        uint64_t *carved = calloc((size_t)pool->n_slabs + 1, sizeof *carved);
        struct inspect_piece *pieces = calloc((size_t)pool->n_slabs + 1, sizeof *pieces);
        bool ok = carved && pieces && read_carved(program, pool, pieces, carved) &&
                  list_used(&program->layout.slab, pool, carved, ret);

        free(pieces);
        free(carved);
        return ok;
}

bool inspect_list_slabs(struct inspect_program *program, const void *pool_at, size_t bytes, struct slab_list *ret)
{
        struct pool pool;

        *ret = (struct slab_list){0};
        if (!read_pool(program, (uint64_t)(uintptr_t)pool_at, &pool))
                return false;
        bool ok = pool.n_slabs == 0;
        if (!ok && pool.object_bytes >= bytes && pool.object_bytes <= program->layout.slab.slab_bytes)
                ok = list_slabs(program, &pool, ret);
        free(pool.chunks);
        return ok;
}

void inspect_slabs_done(struct slab_list *list)
{
        free(list->slabs);
        *list = (struct slab_list){0};
}

bool inspect_walk_slabs(struct inspect_program *program, const struct slab_list *list, size_t from, size_t to,
                        bool (*visit)(const struct slab_view *slab, void *arg), void *arg)
{
        const size_t most = program->layout.slab.slab_bytes;
        char *room = malloc(2 * most);
        bool ok = room != NULL;

        for (size_t i = from; ok && i < to; i++) {
                struct slab_view slab = {.address = list->slabs[i].address,
                                         .objects = room,
                                         .again = room + most,
                                         .count = list->slabs[i].count,
                                         .stride = list->stride};

                ok = inspect_read(&program->memory, slab.address, slab.objects, slab.count * slab.stride);
                if (ok && !visit(&slab, arg))
                        break;
        }
        free(room);
        return ok;
}
