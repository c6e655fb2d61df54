/*
 * Objects of one size from slabs: for what there may be a million of, such as tasks.
 *
 * Objects are type-stable: their memory stays mapped and is never used for anything else, so that a stale pointer may
 * be looked through as long as what is read is checked. A free object keeps what its last user left in it, until the
 * memory of its slab is given back; then it reads as zero. An object that was never used reads as zero.
 *
 * A slab is a block of PL_SLAB_BYTES, aligned to its size, with a header that says which objects are outside the pool.
 * Slabs are cut from chunks of PL_SLAB_CHUNK_BYTES, and the pool lists its chunks: whoever can read the pool's memory,
 * from inside or from another process, finds every object.
 */
#ifndef PL_MEM_SLAB_H
#define PL_MEM_SLAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"
#include "plat/lock.h"

enum {
        PL_SLAB_BYTES = 256 * 1024,
        PL_SLAB_CHUNK_BYTES = 64 * PL_SLAB_BYTES,
        PL_SLAB_CHUNKS = 4096, /* 64 GiB of objects */
        PL_SLAB_BATCH = 64,
        PL_SLAB_HEADER_BYTES = 640, /* where the first object of a slab starts */
        PL_SLAB_MAX_OBJECTS = PL_SLAB_BYTES / PL_CACHE_LINE,
};

struct pl_slab_pool;

/* The start of each slab. The pool's lock guards it. */
struct pl_slab {
        struct pl_slab_pool *pool;
        struct pl_list link;     /* in one of the pool's lists, unless every object is outside the pool */
        uint32_t objects;        /* how many fit */
        _Atomic uint32_t carved; /* the first so many have been handed out since the slab last had no memory */
        uint32_t used;           /* outside the pool: in use or in a cache */
        uint64_t taken[PL_SLAB_MAX_OBJECTS / 64]; /* a bit for each of those */
};

/* Static; see PL_SLAB_POOL_INIT. */
struct pl_slab_pool {
        const char *name;
        size_t object_bytes;    /* a multiple of a cache line */
        struct pl_lock lock;    /* guards what follows, where it is not atomic */
        struct pl_list partial; /* slabs with objects inside and outside the pool */
        struct pl_list empty;   /* slabs with no object outside, but with memory */
        struct pl_list bare;    /* slabs with no object outside and no memory but their header */
        size_t n_empty;
        size_t in_use;             /* objects outside the pool */
        size_t peak;               /* the most since the last trim */
        _Atomic int64_t trim_ns;   /* when to trim next; 0: nothing to give back */
        struct pl_slab_pool *next; /* of all pools that have a slab */
        _Atomic uint32_t n_slabs;  /* slabs ever made; the n-th is in chunk n / 64 */
        char *_Atomic chunks[PL_SLAB_CHUNKS];
};

/* A pool of objects of so many bytes (rounded up to whole cache lines). */
#define PL_SLAB_POOL_INIT(pool_name, bytes)                                                                        \
        {                                                                                                          \
                .name = (pool_name), .object_bytes = ((bytes) + PL_CACHE_LINE - 1) / PL_CACHE_LINE * PL_CACHE_LINE \
        }

/* A worker's free objects. Only its owner touches it. Valid when zero but for *pool*. */
struct pl_slab_cache {
        struct pl_slab_pool *pool;
        uint32_t n;
        uint32_t n_spare; /* PL_SLAB_BATCH or 0 */
        void *hot[PL_SLAB_BATCH];
        void *spare[PL_SLAB_BATCH];
};

static inline void pl_mem_slab_cache_init(struct pl_slab_cache *cache, struct pl_slab_pool *pool)
{
        cache->pool = pool;
        cache->n = 0;
        cache->n_spare = 0;
}

/* The slow halves: trade a batch with the pool. */
PL_NOINLINE void *pl_mem_slab_refill(struct pl_slab_cache *cache);
PL_NOINLINE void pl_mem_slab_spill(struct pl_slab_cache *cache);

/* An object, aligned to a cache line; NULL when there is no memory. */
static inline void *pl_mem_slab_get(struct pl_slab_cache *cache)
{
        if (PL_UNLIKELY(!cache->n))
                return pl_mem_slab_refill(cache);
        return cache->hot[--cache->n];
}

/* The same, of a cache whose *n* is not 0. */
static inline void *pl_mem_slab_get_hot(struct pl_slab_cache *cache)
{
        return cache->hot[--cache->n];
}

/* Give an object back, to any worker's cache. */
static inline void pl_mem_slab_put(struct pl_slab_cache *cache, void *object)
{
        if (PL_UNLIKELY(cache->n == PL_SLAB_BATCH))
                pl_mem_slab_spill(cache);
        cache->hot[cache->n++] = object;
}

/* Give everything that the cache has back to the pool. */
void pl_mem_slab_cache_flush(struct pl_slab_cache *cache);

/* For threads without a cache: straight from and to the pool, under its lock. get() is NULL when there is no memory. */
void *pl_mem_slab_pool_get(struct pl_slab_pool *pool);
void pl_mem_slab_pool_put(struct pl_slab_pool *pool, void *object);

/*
 * Call *visit* for every object that has been handed out and whose memory has not been given back since, in use or not:
 * only its contents tell. Others get, put and change objects meanwhile. Stops when *visit* returns false.
 */
void pl_mem_slab_for_each(struct pl_slab_pool *pool, bool (*visit)(void *object, void *arg), void *arg);

/*
 * For who has found the address of an object in memory that he has read past the compiler (pl_plat_peek()), which
 * orders nothing: from now on he sees what was stored when the object's slab was made.
 */
static inline void pl_mem_slab_catch_up(const struct pl_slab_pool *pool)
{
        (void)atomic_load_explicit(&pool->n_slabs, memory_order_acquire);
}

#endif
