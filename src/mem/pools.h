/* What pl_mem_trim() is made of. Internal to src/mem. */
#ifndef PL_MEM_POOLS_H
#define PL_MEM_POOLS_H

#include <stdint.h>

#include "mem/stack.h"
#include "mem/trim.h"

/*
 * Each gives back at most one slab's worth at *now*, and returns when to call it again: *now* if there is more to give
 * back at once, PL_PLAT_NEVER if nothing is left.
 */
int64_t pl_mem_stack_trim(enum pl_stack_class class, int64_t now);
int64_t pl_mem_slab_trim(int64_t now);

#endif
