/*
 * Guards: what stands below a stack so that an overflow faults. Three kinds, the best that the system has:
 * MADV_GUARD_INSTALL (Linux 6.13; costs no mapping), PROT_NONE (two mappings each, and the system allows a process only
 * vm.max_map_count of them), and where that budget is used up a canary, which is said once on stderr.
 */
#ifndef PL_MEM_GUARD_H
#define PL_MEM_GUARD_H

#include <stddef.h>

#include "mem/stack.h"

/*
 * Make guards of *bytes* at *first*, *first* + *stride* and so on, *n* of them at most PL_MEM_GUARD_BATCH. Returns how
 * many of them were made, all of the kind in *ret*; at least one.
 */
enum { PL_MEM_GUARD_BATCH = 64 };
unsigned pl_mem_guard_install(char *first, size_t stride, size_t bytes, unsigned n, enum pl_stack_guard *ret);

/* *n* guards of kind PL_STACK_GUARD_MPROTECT have been unmapped. */
void pl_mem_guard_return(unsigned n);

/* Start no better than with *kind*, as PLAIT_DEBUG=guard=mprotect and guard=canary do. For tests; before the first
 * stack. */
void pl_mem_guard_force(enum pl_stack_guard kind);

#endif
