/* Giving memory back to the system after a peak. */
#ifndef PL_MEM_TRIM_H
#define PL_MEM_TRIM_H

#include <stdint.h>

#define PL_MEM_TRIM_NS 50000000 /* 50 ms */

/*
 * Give back what the pools of stacks and objects have not needed since PL_MEM_TRIM_NS or two. A worker calls it before
 * it parks and parks no longer than until the time that it returns (PL_PLAT_NEVER: nothing is left to give back), so
 * that memory comes back in a process that does nothing any more. Cheap when there is nothing to do. Any thread.
 */
int64_t pl_mem_trim(int64_t now_ns);

#endif
