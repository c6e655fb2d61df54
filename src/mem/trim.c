/* Giving memory back: asks every pool. See mem/trim.h. */
#include "mem/trim.h"

#include "mem/pools.h"
#include "plat/sys.h"

static int64_t sooner(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

int64_t pl_mem_trim(int64_t now_ns)
{
        int64_t next = PL_PLAT_NEVER;

        for (int i = 0; i < PL_STACK_CLASSES; i++)
                next = sooner(next, pl_mem_stack_trim((enum pl_stack_class)i, now_ns));
        return sooner(next, pl_mem_slab_trim(now_ns));
}
