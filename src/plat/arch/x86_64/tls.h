/* Access to a thread-local pointer by its symbol, for x86-64. See plat/tls.h. */
#ifndef PL_ARCH_TLS_H
#define PL_ARCH_TLS_H

#define PL_TLS_LOAD(value, symbol)                                 \
        __asm__ volatile("movq " symbol "@gottpoff(%%rip), %0\n\t" \
                         "movq %%fs:(%0), %0"                      \
                         : "=r"(value))

#define PL_TLS_STORE(value, symbol)                                        \
        do {                                                               \
                void *pl_offset;                                           \
                __asm__ volatile("movq " symbol "@gottpoff(%%rip), %0\n\t" \
                                 "movq %1, %%fs:(%0)"                      \
                                 : "=&r"(pl_offset)                        \
                                 : "r"(value));                            \
        } while (0)

#endif
