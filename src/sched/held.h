/*
 * What a flow holds. The word at pl_wait.held is
 *
 *      0             nothing
 *      lock | mode   this lock alone, as the inline half of plait_mutex_lock() leaves it (mode 0)
 *      block | 1     what the block lists, in the order of locking
 *
 * Only the flow itself changes it. Others may read it, and the blocks, which are never given back to the system: what
 * they see may be out of date by the time they have seen it. At most PL_HELD_MOST locks are listed; a flow that holds
 * more still works, but nobody is told of the rest.
 */
#ifndef PL_SCHED_HELD_H
#define PL_SCHED_HELD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "sched/wait.h"

/* In the low bits of a lock's address; locks are aligned to 8 bytes. */
enum pl_held_mode {
        PL_HELD_IN_BLOCK = 1,
        PL_HELD_SHARED = 2, /* for reading, with others */
        PL_HELD_RWLOCK = 4, /* a reader-writer lock, not a mutex */
        PL_HELD_MODE_MASK = 7,
};

enum { PL_HELD_MOST = 30 };

struct pl_held {
        _Atomic uintptr_t lock; /* and its mode */
        uint32_t node;          /* what the lock-order detector calls it; 0: nothing yet; written atomically */
        uint32_t mark;          /* pl_held_mark() when it was added */
};

struct pl_held_block {
        _Atomic uint32_t n;
        uint32_t sum; /* of their marks: two equal sums are, as good as always, the same locks */
        struct pl_held locks[PL_HELD_MOST];
};

/* A number for this lock, its mode, and what the detector has made of it (the upper bits of its first word). */
static inline uint32_t pl_held_mark(uintptr_t lock)
{
        const uint64_t *word = (const uint64_t *)(lock & ~(uintptr_t)PL_HELD_MODE_MASK);
        uint64_t id = __atomic_load_n(word, __ATOMIC_RELAXED) >> 48;

        return (uint32_t)((lock ^ id << 48) * 0x9e3779b97f4a7c15 >> 32);
}

static inline struct pl_held_block *pl_held_block_of(uintptr_t word)
{
        return word & PL_HELD_IN_BLOCK ? (struct pl_held_block *)(word - PL_HELD_IN_BLOCK) : NULL;
}

/* The calling flow has got *lock* (its address and mode), which the detector calls *node*. */
void pl_sched_held_add(struct pl_wait *flow, uintptr_t lock, uint32_t node);

/* The calling flow lets go of *lock*, whatever its mode; if it is listed. */
void pl_sched_held_remove(struct pl_wait *flow, const void *lock);

/* Copy what *flow* holds, oldest first, as far as there is room; returns how many. Exact only for the calling flow. */
unsigned pl_sched_held_list(const struct pl_wait *flow, struct pl_held *ret, unsigned most);

/* How many *flow*, the caller's, holds, as far as they are listed. */
static inline unsigned pl_sched_held_count(const struct pl_wait *flow)
{
        uintptr_t word = atomic_load_explicit(&flow->held, memory_order_relaxed);
        const struct pl_held_block *block = pl_held_block_of(word);

        return block ? atomic_load_explicit(&block->n, memory_order_relaxed) : word != 0;
}

/* The calling thread ends, or stops to be a worker. */
void pl_sched_held_thread_end(void);

#endif
