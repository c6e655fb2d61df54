/*
 * Stacks for flows, cut from slabs.
 *
 * A slab is one mapping with many slots of one class, each a guard and the stack above it. What describes a stack
 * stands outside of it, so that a free stack costs what its pages cost and no more. A worker takes stacks from and puts
 * them into its own cache, last in first out, without a lock; caches trade whole batches with a pool per class.
 *
 * Memory comes back: the pool remembers how many stacks were in use at most during the last PL_MEM_TRIM_NS (mem/trim.h)
 * or two. Free stacks beyond that lose their pages, a slab that is wholly free is unmapped. That is done while batches
 * come back, and in pl_mem_trim(), which a worker calls before it parks.
 */
#ifndef PL_MEM_STACK_H
#define PL_MEM_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "plat/fiber.h"

/* 16 KiB, 64 KiB (the default), 256 KiB, 1 MiB, 8 MiB; four times that in a build with a sanitizer. */
enum pl_stack_class {
        PL_STACK_16K,
        PL_STACK_64K,
        PL_STACK_256K,
        PL_STACK_1M,
        PL_STACK_8M,
        PL_STACK_CLASSES,
        PL_STACK_DEFAULT = PL_STACK_64K,
};

/* What stands below a stack. */
enum pl_stack_guard {
        PL_STACK_GUARD_NONE,     /* not carved yet */
        PL_STACK_GUARD_MADVISE,  /* guard pages that cost no mapping (Linux 6.13) */
        PL_STACK_GUARD_MPROTECT, /* an inaccessible mapping */
        PL_STACK_GUARD_CANARY,   /* nothing: the lowest PL_STACK_CANARY bytes must stay zero */
};

enum { PL_STACK_CANARY = 256 };

struct pl_stack_slab;

/* A stack. All but *owner* is fixed from the day it is carved, *next* belongs to whoever holds it. */
struct pl_stack {
        char *top; /* where the first frame starts: aligned to a cache line, coloured */
        struct pl_stack *next;
        void *owner;    /* the user's: who runs on it (read when it overflows) */
        uint32_t bytes; /* from base to the end of the slot, the colour included */
        uint16_t slot;  /* in its slab */
        uint8_t class;  /* enum pl_stack_class */
        uint8_t guard;  /* enum pl_stack_guard */
        struct pl_fiber fiber;
};

struct pl_stack_list {
        struct pl_stack *head;
        uint32_t n;
};

/* A worker's free stacks. Valid when zero. Only its owner touches it. */
struct pl_stack_cache {
        struct {
                struct pl_stack_list hot;   /* up to a batch */
                struct pl_stack_list spare; /* a whole batch or nothing */
        } of[PL_STACK_CLASSES];
};

/* The smallest class with that many usable bytes (0: the default), or -EINVAL when there is none. */
int pl_mem_stack_class(size_t bytes);

/* What a stack of that class can hold, nominally: 64 KiB and so on. */
size_t pl_mem_stack_class_bytes(enum pl_stack_class class);

/* The lowest usable address. The colour is less than a page, and pages have at least 4 KiB. */
static inline char *pl_mem_stack_base(const struct pl_stack *stack)
{
        return (char *)(((uintptr_t)stack->top + 4095) & ~(uintptr_t)4095) - stack->bytes;
}

/* How many stacks of each class a cache trades at once. */
extern const uint8_t pl_mem_stack_batch[PL_STACK_CLASSES];

/* The slow halves: trade a batch with the pool. refill() returns NULL when there is no memory. */
PL_NOINLINE struct pl_stack *pl_mem_stack_refill(struct pl_stack_cache *cache, enum pl_stack_class class);
PL_NOINLINE void pl_mem_stack_spill(struct pl_stack_cache *cache, enum pl_stack_class class);

/* A stack of *class*; NULL when there is no memory. Its contents are undefined. */
static inline struct pl_stack *pl_mem_stack_get(struct pl_stack_cache *cache, enum pl_stack_class class)
{
        struct pl_stack_list *hot = &cache->of[class].hot;
        struct pl_stack *stack = hot->head;

        if (PL_UNLIKELY(!stack))
                return pl_mem_stack_refill(cache, class);
        hot->head = stack->next;
        hot->n--;
        return stack;
}

/* Give a stack back, to any worker's cache. Nobody may stand on it any more. */
static inline void pl_mem_stack_put(struct pl_stack_cache *cache, struct pl_stack *stack)
{
        struct pl_stack_list *hot = &cache->of[stack->class].hot;

        stack->owner = NULL;
        pl_fiber_reset(&stack->fiber);
        if (PL_UNLIKELY(hot->n >= pl_mem_stack_batch[stack->class]))
                pl_mem_stack_spill(cache, stack->class);
        stack->next = hot->head;
        hot->head = stack;
        hot->n++;
}

/* Give everything that the cache has back to the pools. */
void pl_mem_stack_cache_flush(struct pl_stack_cache *cache);

/* Where only a canary stands guard: abort if it is damaged. To be called when a flow leaves *stack*. */
PL_COLD void pl_mem_stack_check_canary(const struct pl_stack *stack);
static inline void pl_mem_stack_check(const struct pl_stack *stack)
{
        if (PL_UNLIKELY(stack->guard == PL_STACK_GUARD_CANARY))
                pl_mem_stack_check_canary(stack);
}

/*
 * The stack whose slot *addr* lies in, and whether that is in its guard; NULL when it lies in none. Safe in a signal
 * handler. What it returns is stable only while somebody uses that stack.
 */
struct pl_stack *pl_mem_stack_owner(const void *addr, bool *ret_in_guard);

/* What the pool of a class has, for tests and reports. */
struct pl_stack_stats {
        size_t slabs;
        size_t carved; /* stacks in slabs that have been made so far */
        size_t in_use; /* outside the pool: running, suspended or in a cache */
        size_t warm;   /* in the pool, with their pages */
};
void pl_mem_stack_stats(enum pl_stack_class class, struct pl_stack_stats *ret);

#endif
