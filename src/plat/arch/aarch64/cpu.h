/* Single instructions of aarch64. */
#ifndef PL_ARCH_CPU_H
#define PL_ARCH_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* Tell the processor that this is a spin loop. "isb" waits a little; "yield" does nothing on most cores. */
static inline void pl_cpu_relax(void)
{
        __asm__ volatile("isb" ::: "memory");
}

/* A counter that is cheap to read, of unknown frequency (pl_plat_ticks_per_ms()). Not ordered with other instructions.
 */
static inline uint64_t pl_plat_ticks(void)
{
        uint64_t ticks;

        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
        return ticks;
}

/* What Linux calls it, where it makes its clocks from it. */
#define PL_CPU_CLOCKSOURCE "arch_sys_counter"

/* Whether it runs at one rate, whatever the processors do. The architecture says so. */
static inline bool pl_cpu_ticks_are_steady(void)
{
        return true;
}

#endif
