/* Single instructions of x86-64. */
#ifndef PL_ARCH_CPU_H
#define PL_ARCH_CPU_H

#include <stdint.h>

/* Tell the processor that this is a spin loop. */
static inline void pl_cpu_relax(void)
{
        __builtin_ia32_pause();
}

/* A counter that is cheap to read, of unknown frequency (pl_plat_ticks_per_ms()). Not ordered with other instructions.
 */
static inline uint64_t pl_plat_ticks(void)
{
        return __builtin_ia32_rdtsc();
}

#endif
