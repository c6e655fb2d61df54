/*
 * Objects of one size from slabs. See mem/slab.h.
 *
 * Locking: a pool's lock guards the pool and the headers of its slabs. A chunk is mapped under it (once in 64 slabs).
 * The memory of a slab is given back while it is in no list and none of its objects is outside the pool. Readers of
 * *chunks*, *n_slabs* and *carved* need no lock: those are stored when what they lead to is ready.
 */
#include "mem/slab.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/pools.h"
#include "plat/sys.h"

enum { SLABS_PER_CHUNK = PL_SLAB_CHUNK_BYTES / PL_SLAB_BYTES };

_Static_assert(sizeof(struct pl_slab) <= PL_SLAB_HEADER_BYTES, "the header of a slab outgrew its room");
_Static_assert(PL_SLAB_HEADER_BYTES % PL_CACHE_LINE == 0, "objects start on a cache line");

static _Atomic(struct pl_slab_pool *) pools; /* that have a slab; none ever leaves */

static struct pl_slab *slab_at(struct pl_list *link)
{
        return PL_CONTAINER_OF(link, struct pl_slab, link);
}

static struct pl_slab *slab_of(void *object)
{
        return (void *)((char *)object - (uintptr_t)object % PL_SLAB_BYTES);
}

static char *object_at(struct pl_slab *slab, uint32_t index)
{
        return (char *)slab + PL_SLAB_HEADER_BYTES + index * slab->pool->object_bytes;
}

static uint32_t index_of(const struct pl_slab *slab, const void *object)
{
        return (uint32_t)(((uintptr_t)object - (uintptr_t)slab - PL_SLAB_HEADER_BYTES) / slab->pool->object_bytes);
}

/* --- slabs and chunks --- */

/*
 * A chunk aligned to its size; NULL when there is no memory. The first, of which a few objects may be used, is not to
 * be in huge pages; none asks for them: in a virtual machine they can take longer to be filled with zeros than their
 * parts.
 */
static char *map_chunk(bool first)
{
        size_t bytes = PL_SLAB_CHUNK_BYTES;
        char *at = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        size_t before;

        if (at == MAP_FAILED)
                return NULL;
        before = (bytes - (uintptr_t)at % bytes) % bytes;
        if (before > 0)
                munmap(at, before);
        munmap(at + before + bytes, bytes - before);
        if (first)
                madvise(at + before, bytes, MADV_NOHUGEPAGE);
        return at + before;
}

static void set_up_pool(struct pl_slab_pool *pool)
{
        struct pl_slab_pool *first = atomic_load(&pools);

        pl_list_init(&pool->partial);
        pl_list_init(&pool->empty);
        pl_list_init(&pool->bare);
        do
                pool->next = first;
        while (!atomic_compare_exchange_weak(&pools, &first, pool));
}

static struct pl_slab *new_slab(struct pl_slab_pool *pool)
{
        uint32_t n = atomic_load_explicit(&pool->n_slabs, memory_order_relaxed);
        uint32_t chunk = n / SLABS_PER_CHUNK;
        struct pl_slab *slab;
        char *at;

        if (chunk >= PL_SLAB_CHUNKS)
                return NULL;
        at = atomic_load_explicit(&pool->chunks[chunk], memory_order_relaxed);
        if (!at) {
                at = map_chunk(chunk == 0);
                if (!at)
                        return NULL;
                atomic_store_explicit(&pool->chunks[chunk], at, memory_order_release);
        }
        slab = (void *)(at + (size_t)(n % SLABS_PER_CHUNK) * PL_SLAB_BYTES);
        slab->pool = pool;
        slab->objects = (uint32_t)((PL_SLAB_BYTES - PL_SLAB_HEADER_BYTES) / pool->object_bytes);
        pl_list_init(&slab->link);
        atomic_store_explicit(&pool->n_slabs, n + 1, memory_order_release);
        return slab;
}

/* A slab with a free object, taken out of the list it is in; NULL when there is no memory. */
static struct pl_slab *slab_with_room(struct pl_slab_pool *pool)
{
        struct pl_list *link;

        if (!pool->partial.next)
                set_up_pool(pool);
        link = pl_list_pop_front(&pool->partial);
        if (link)
                return slab_at(link);
        link = pl_list_pop_front(&pool->empty);
        if (link) {
                pool->n_empty--;
                return slab_at(link);
        }
        link = pl_list_pop_front(&pool->bare);
        return link ? slab_at(link) : new_slab(pool);
}

/* Up to *n* objects of *slab* that are free. Returns how many. */
static uint32_t take_from(struct pl_slab *slab, void **ret, uint32_t n)
{
        uint32_t carved = atomic_load_explicit(&slab->carved, memory_order_relaxed);
        uint32_t got = 0;

        for (uint32_t word = 0; got < n && slab->used + got < carved; word++) {
                uint64_t free = ~slab->taken[word];

                if (word == carved / 64) /* the last one, which has bits for objects not carved */
                        free &= (UINT64_C(1) << carved % 64) - 1;
                for (; got < n && free; free &= free - 1) {
                        uint32_t bit = (uint32_t)__builtin_ctzll(free);

                        slab->taken[word] |= UINT64_C(1) << bit;
                        ret[got++] = object_at(slab, word * 64 + bit);
                }
        }
        for (; got < n && carved < slab->objects; carved++) {
                slab->taken[carved / 64] |= UINT64_C(1) << carved % 64;
                ret[got++] = object_at(slab, carved);
        }
        atomic_store_explicit(&slab->carved, carved, memory_order_release);
        slab->used += got;
        return got;
}

/* --- the pool --- */

static uint32_t take(struct pl_slab_pool *pool, void **ret, uint32_t n)
{
        int saved = errno;
        uint32_t got = 0;

        pl_lock_acquire(&pool->lock);
        while (got < n) {
                struct pl_slab *slab = slab_with_room(pool);

                if (!slab)
                        break;
                got += take_from(slab, ret + got, n - got);
                if (slab->used < slab->objects)
                        pl_list_push_front(&pool->partial, &slab->link);
        }
        pool->in_use += got;
        if (pool->in_use > pool->peak)
                pool->peak = pool->in_use;
        pl_lock_release(&pool->lock);
        errno = saved;
        return got;
}

static void give_one(struct pl_slab_pool *pool, void *object)
{
        struct pl_slab *slab = slab_of(object);
        uint32_t index = index_of(slab, object);

        slab->taken[index / 64] &= ~(UINT64_C(1) << index % 64);
        if (slab->used == slab->objects)
                pl_list_push_front(&pool->partial, &slab->link);
        slab->used--;
        if (slab->used > 0)
                return;
        pl_list_remove(&slab->link);
        pl_list_push_front(&pool->empty, &slab->link);
        pool->n_empty++;
}

static int64_t trim_pool(struct pl_slab_pool *pool, int64_t now);

static void give(struct pl_slab_pool *pool, void *const *objects, uint32_t n)
{
        int64_t due;
        int64_t now = 0;

        pl_lock_acquire(&pool->lock);
        for (uint32_t i = 0; i < n; i++)
                give_one(pool, objects[i]);
        pool->in_use -= n;
        due = atomic_load_explicit(&pool->trim_ns, memory_order_relaxed);
        if (due != 0 || pool->n_empty > 1)
                now = pl_plat_now_ns();
        if (due == 0 && pool->n_empty > 1) {
                pool->peak = pool->in_use + n;
                due = now + PL_MEM_TRIM_NS;
                atomic_store_explicit(&pool->trim_ns, due, memory_order_relaxed);
        }
        pl_lock_release(&pool->lock);
        if (due != 0 && now >= due)
                trim_pool(pool, now);
}

void *pl_mem_slab_refill(struct pl_slab_cache *cache)
{
        if (cache->n_spare > 0) {
                memcpy(cache->hot, cache->spare, sizeof(cache->hot));
                cache->n = cache->n_spare;
                cache->n_spare = 0;
        } else {
                cache->n = take(cache->pool, cache->hot, PL_SLAB_BATCH);
                if (cache->n == 0)
                        return NULL;
        }
        return cache->hot[--cache->n];
}

void pl_mem_slab_spill(struct pl_slab_cache *cache)
{
        if (cache->n_spare > 0)
                give(cache->pool, cache->spare, cache->n_spare);
        memcpy(cache->spare, cache->hot, sizeof(cache->hot));
        cache->n_spare = cache->n;
        cache->n = 0;
}

void pl_mem_slab_cache_flush(struct pl_slab_cache *cache)
{
        if (cache->n > 0)
                give(cache->pool, cache->hot, cache->n);
        if (cache->n_spare > 0)
                give(cache->pool, cache->spare, cache->n_spare);
        cache->n = 0;
        cache->n_spare = 0;
}

void *pl_mem_slab_pool_get(struct pl_slab_pool *pool)
{
        void *object = NULL;

        return take(pool, &object, 1) == 1 ? object : NULL;
}

void pl_mem_slab_pool_put(struct pl_slab_pool *pool, void *object)
{
        give(pool, &object, 1);
}

void pl_mem_slab_for_each(struct pl_slab_pool *pool, bool (*visit)(void *object, void *arg), void *arg)
{
        uint32_t n = atomic_load_explicit(&pool->n_slabs, memory_order_acquire);

        for (uint32_t i = 0; i < n; i++) {
                char *chunk = atomic_load_explicit(&pool->chunks[i / SLABS_PER_CHUNK], memory_order_acquire);
                struct pl_slab *slab = (void *)(chunk + (size_t)(i % SLABS_PER_CHUNK) * PL_SLAB_BYTES);
                uint32_t carved = atomic_load_explicit(&slab->carved, memory_order_acquire);

                for (uint32_t k = 0; k < carved; k++)
                        if (!visit(object_at(slab, k), arg))
                                return;
        }
}

/* --- giving back --- */

/* Drop the memory of a slab that is in no list, all but the pages that its header touches. */
static void drop(struct pl_slab *slab)
{
        int saved = errno;
        long page = sysconf(_SC_PAGESIZE);
        size_t keep = page > PL_SLAB_HEADER_BYTES ? (size_t)page : PL_SLAB_BYTES;

        atomic_store_explicit(&slab->carved, 0, memory_order_relaxed);
        if (keep < PL_SLAB_BYTES)
                madvise((char *)slab + keep, PL_SLAB_BYTES - keep, MADV_DONTNEED);
        errno = saved;
}

/* Whether the pool can spare an empty slab: there is room for as many objects as were in use since the last trim. */
static bool has_surplus(const struct pl_slab_pool *pool)
{
        size_t per_slab = (PL_SLAB_BYTES - PL_SLAB_HEADER_BYTES) / pool->object_bytes;
        size_t wanted = pool->peak - pool->in_use;

        return pool->n_empty > 1 && (pool->n_empty - 1) * per_slab >= wanted;
}

/* Drops up to a chunk's worth of slabs. */
static int64_t trim_pool(struct pl_slab_pool *pool, int64_t now)
{
        int64_t due = atomic_load_explicit(&pool->trim_ns, memory_order_relaxed);

        if (due == 0 || now < due)
                return due == 0 ? PL_PLAT_NEVER : due;
        pl_lock_acquire(&pool->lock);
        for (int i = 0; i < SLABS_PER_CHUNK && has_surplus(pool); i++) {
                struct pl_slab *slab = slab_at(pool->empty.prev); /* the one that was empty first */

                pl_list_remove(&slab->link);
                pool->n_empty--;
                pl_lock_release(&pool->lock);
                drop(slab);
                pl_lock_acquire(&pool->lock);
                pl_list_push_front(&pool->bare, &slab->link);
        }
        due = now;
        if (!has_surplus(pool)) {
                pool->peak = pool->in_use;
                due = pool->n_empty > 1 ? now + PL_MEM_TRIM_NS : 0;
                atomic_store_explicit(&pool->trim_ns, due, memory_order_relaxed);
        }
        pl_lock_release(&pool->lock);
        return due == 0 ? PL_PLAT_NEVER : due;
}

int64_t pl_mem_slab_trim(int64_t now)
{
        int64_t next = PL_PLAT_NEVER;

        for (struct pl_slab_pool *pool = atomic_load(&pools); pool; pool = pool->next) {
                int64_t due = trim_pool(pool, now);

                if (due < next)
                        next = due;
        }
        return next;
}
