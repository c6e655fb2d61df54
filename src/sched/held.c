/*
 * Lists of what flows hold. Blocks come from a slab; each thread keeps a spare one, since a flow that takes a second
 * lock and lets go of it again does so all the time.
 */
#include "sched/held.h"

#include <string.h>

#include "mem/slab.h"
#include "plat/tls.h"

static struct pl_slab_pool pool = PL_SLAB_POOL_INIT("held", sizeof(struct pl_held_block));

PL_TLS_DECLARE(struct pl_held_block, pl_sched_spare_block);
PL_TLS_DEFINE(struct pl_held_block, pl_sched_spare_block);

static struct pl_held_block *get_block(void)
{
        struct pl_held_block *block = pl_sched_spare_block_get();

        if (PL_LIKELY(block != NULL)) {
                pl_sched_spare_block_set(NULL);
                return block;
        }
        return pl_mem_slab_pool_get(&pool);
}

static void put_block(struct pl_held_block *block)
{
        if (PL_LIKELY(!pl_sched_spare_block_get()))
                pl_sched_spare_block_set(block);
        else
                pl_mem_slab_pool_put(&pool, block);
}

static uintptr_t load(const _Atomic uintptr_t *word)
{
        return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uintptr_t *word, uintptr_t value)
{
        atomic_store_explicit(word, value, memory_order_relaxed);
}

static void append(struct pl_held_block *block, uintptr_t lock, uint32_t node)
{
        uint32_t n = atomic_load_explicit(&block->n, memory_order_relaxed);

        if (n == PL_HELD_MOST)
                return;
        store(&block->locks[n].lock, lock);
        __atomic_store_n(&block->locks[n].node, node, __ATOMIC_RELAXED);
        block->locks[n].mark = pl_held_mark(lock);
        block->sum += block->locks[n].mark;
        atomic_store_explicit(&block->n, n + 1, memory_order_release);
}

void pl_sched_held_add(struct pl_wait *flow, uintptr_t lock, uint32_t node)
{
        uintptr_t word = load(&flow->held);
        struct pl_held_block *block = pl_held_block_of(word);

        if (!word) {
                store(&flow->held, lock);
                return;
        }
        if (!block) {
                block = get_block();
                if (PL_UNLIKELY(!block))
                        return;
                atomic_store_explicit(&block->n, 0, memory_order_relaxed);
                block->sum = 0;
                append(block, word, 0);
                atomic_store_explicit(&flow->held, (uintptr_t)block | PL_HELD_IN_BLOCK, memory_order_release);
        }
        append(block, lock, node);
}

static void remove_from(struct pl_held_block *block, const void *lock)
{
        uint32_t n = atomic_load_explicit(&block->n, memory_order_relaxed);
        uint32_t i = n;

        while (i > 0 && (load(&block->locks[i - 1].lock) & ~(uintptr_t)PL_HELD_MODE_MASK) != (uintptr_t)lock)
                i--;
        if (!i)
                return;
        block->sum -= block->locks[i - 1].mark;
        for (; i < n; i++) {
                store(&block->locks[i - 1].lock, load(&block->locks[i].lock));
                __atomic_store_n(&block->locks[i - 1].node, block->locks[i].node, __ATOMIC_RELAXED);
                block->locks[i - 1].mark = block->locks[i].mark;
        }
        atomic_store_explicit(&block->n, n - 1, memory_order_relaxed);
}

void pl_sched_held_remove(struct pl_wait *flow, const void *lock)
{
        uintptr_t word = load(&flow->held);
        struct pl_held_block *block = pl_held_block_of(word);

        if (!block) {
                if ((word & ~(uintptr_t)PL_HELD_MODE_MASK) == (uintptr_t)lock)
                        store(&flow->held, 0);
                return;
        }
        remove_from(block, lock);
        uint32_t n = atomic_load_explicit(&block->n, memory_order_relaxed);
        if (n > 1)
                return;
        store(&flow->held, n ? load(&block->locks[0].lock) : 0);
        put_block(block);
}

unsigned pl_sched_held_list(const struct pl_wait *flow, struct pl_held *ret, unsigned most)
{
        uintptr_t word = atomic_load_explicit(&flow->held, memory_order_acquire);
        const struct pl_held_block *block = pl_held_block_of(word);

        if (!word || !most)
                return 0;
        if (!block) {
                store(&ret->lock, word);
                ret->node = 0;
                return 1;
        }
        unsigned n = atomic_load_explicit(&block->n, memory_order_acquire);
        if (n > most)
                n = most;
        for (unsigned i = 0; i < n && i < PL_HELD_MOST; i++) {
                store(&ret[i].lock, load(&block->locks[i].lock));
                ret[i].node = __atomic_load_n(&block->locks[i].node, __ATOMIC_RELAXED);
        }
        return n;
}

void pl_sched_held_thread_end(void)
{
        struct pl_held_block *block = pl_sched_spare_block_get();

        pl_sched_spare_block_set(NULL);
        if (block)
                pl_mem_slab_pool_put(&pool, block);
}
