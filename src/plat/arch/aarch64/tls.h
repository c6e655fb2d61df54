/* Access to a thread-local pointer by its symbol, for aarch64. See plat/tls.h. */
#ifndef PL_ARCH_TLS_H
#define PL_ARCH_TLS_H

#define PL_TLS_ADDRESS(symbol)              \
        "mrs %0, tpidr_el0\n\t"             \
        "adrp %1, :gottprel:" symbol "\n\t" \
        "ldr %1, [%1, :gottprel_lo12:" symbol "]\n\t"

#define PL_TLS_LOAD(value, symbol)                                                                            \
        do {                                                                                                  \
                void *pl_offset;                                                                              \
                __asm__ volatile(PL_TLS_ADDRESS(symbol) "ldr %0, [%0, %1]" : "=&r"(value), "=&r"(pl_offset)); \
        } while (0)

#define PL_TLS_STORE(value, symbol)                                        \
        do {                                                               \
                void *pl_base, *pl_offset;                                 \
                __asm__ volatile(PL_TLS_ADDRESS(symbol) "str %2, [%0, %1]" \
                                 : "=&r"(pl_base), "=&r"(pl_offset)        \
                                 : "r"(value));                            \
        } while (0)

#endif
