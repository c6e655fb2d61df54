/**
 * @file plait/base.h
 * Version, and the attributes that the other headers use.
 *
 * @code{.c}
 * #include <plait/base.h>
 * #include <stdio.h>
 *
 * int main(void)
 * {
 *         printf("built against plait %s, running on %s\n", PLAIT_VERSION, plait_version());
 *         return 0;
 * }
 * @endcode
 */
#ifndef PLAIT_BASE_H
#define PLAIT_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define PLAIT_BEGIN_DECLS extern "C" {
#define PLAIT_END_DECLS }
#else
#define PLAIT_BEGIN_DECLS
#define PLAIT_END_DECLS
#endif

/** The version of these headers. */
#define PLAIT_VERSION "0.1.0"

/** A function of the shared library's interface. */
#define PLAIT_API __attribute__((visibility("default")))
/** The result must not be ignored. */
#define PLAIT_MUST_CHECK __attribute__((warn_unused_result))

PLAIT_BEGIN_DECLS

/**
 * The version of the library that runs, which may be newer than the headers.
 * @return a static string such as "0.1.0"
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API const char *plait_version(void);

/** @cond private */
/*
 * For the inline halves of functions: one thread-local pointer of the library. Its address is taken each time, since
 * after a wait it is another thread's.
 */
#if defined(__x86_64__)
#define PLAIT_TLS_LOAD(value, symbol) \
        __asm__ volatile("movq " symbol "@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(value))
#elif defined(__aarch64__)
#define PLAIT_TLS_LOAD(value, symbol)                                                                   \
        do {                                                                                            \
                uintptr_t pl_offset;                                                                    \
                __asm__ volatile("adrp %1, :gottprel:" symbol "\n\tldr %1, [%1, :gottprel_lo12:" symbol \
                                 "]\n\tmrs %0, tpidr_el0\n\tldr %0, [%0, %1]"                           \
                                 : "=&r"(value), "=&r"(pl_offset));                                     \
        } while (0)
#else
#error "plait runs on x86-64 and aarch64"
#endif

/* The calling flow, a task or a plain thread; see src/sched/flow.h. */
PLAIT_API extern __thread uintptr_t *plait_flow_tls;
/** @endcond */

PLAIT_END_DECLS

#endif
