/* Single instructions of x86-64. */
#ifndef PL_ARCH_CPU_H
#define PL_ARCH_CPU_H

#include <cpuid.h>
#include <stdbool.h>
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

/* What Linux calls it, where it makes its clocks from it. */
#define PL_CPU_CLOCKSOURCE "tsc"

/* Whether it runs at one rate, whatever the processors do. */
static inline bool pl_cpu_ticks_are_steady(void)
{
        unsigned eax, ebx, ecx, edx = 0;

        return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) && (edx & 1U << 8);
}

#endif
