/*
 * Slabs of stacks: mapping, carving and giving back. Internal to src/mem; the pool (stack.c) decides when.
 *
 * One mapping: a header that describes the stacks, then the slots, each a guard with its stack above. A slot has an odd
 * number of pages, so that the hot ends of neighbours do not share cache and TLB sets, and colours spread them further.
 */
#ifndef PL_MEM_STACK_SLAB_H
#define PL_MEM_STACK_SLAB_H

#include <stdint.h>

#include "base/list.h"
#include "mem/stack.h"

enum { PL_STACK_SLAB_SLOTS = 2048 }; /* at most */

struct pl_stack_slab {
        /* Fixed from the day it is mapped. */
        size_t bytes; /* of the mapping */
        char *slots_at;
        size_t stride;
        size_t guard_bytes;
        uint32_t slots;
        uint32_t table_index;
        enum pl_stack_class class;
        /* Guarded by the pool's lock. */
        struct pl_list link; /* in a list of the pool */
        bool in_warm;        /* in which one */
        uint32_t carved;     /* slots handed out for carving */
        uint32_t used;       /* stacks outside the pool */
        uint32_t n_warm;
        struct pl_stack *warm; /* free, with pages */
        struct pl_stack *cold; /* free, without */
        /* Written by whoever carves them; [slot]. */
        struct pl_stack stacks[];
};

static inline struct pl_stack_slab *pl_mem_stack_slab_of(struct pl_stack *stack)
{
        return PL_CONTAINER_OF(stack - stack->slot, struct pl_stack_slab, stacks);
}

/* A new slab; NULL when there is no memory, or no address space. */
struct pl_stack_slab *pl_mem_stack_slab_new(enum pl_stack_class class);

/* Unmap it: nobody may use any of its stacks. Slots from *carved* on have not been carved. */
void pl_mem_stack_slab_free(struct pl_stack_slab *slab);

/* Make stacks of the slots *first* to *first* + *n* - 1; *n* is at most a batch. Returns them linked. */
struct pl_stack *pl_mem_stack_slab_carve(struct pl_stack_slab *slab, uint32_t first, uint32_t n);

/* Give the pages of these free stacks of one slab back; what they held then reads as zero. Returns the list as it was.
 */
struct pl_stack *pl_mem_stack_slab_drop(struct pl_stack_slab *slab, struct pl_stack *list);

#endif
