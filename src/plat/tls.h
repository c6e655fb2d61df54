/*
 * One thread-local pointer that is right after a migration, too.
 *
 * A compiler may keep the address of a thread-local variable in a register, and after a suspension that address belongs
 * to the thread the flow came from. These accessors read and write the variable in a single volatile asm, which is
 * executed each time and gives the compiler no address to keep. Initial-exec TLS: two instructions, in the shared
 * library, the static one and an executable alike.
 *
 *      header:  PL_TLS_DECLARE(struct pl_worker, pl_sched_worker);
 *      source:  PL_TLS_DEFINE(struct pl_worker, pl_sched_worker);
 *      use:     struct pl_worker *w = pl_sched_worker_get();  pl_sched_worker_set(w);
 */
#ifndef PL_PLAT_TLS_H
#define PL_PLAT_TLS_H

#include "arch/tls.h"
#include "base/attributes.h"

#define PL_TLS_DECLARE(type, name)                                                                         \
        extern __attribute__((visibility("hidden"), tls_model("initial-exec"))) __thread type *name##_tls; \
        static PL_ALWAYS_INLINE type *name##_get(void)                                                     \
        {                                                                                                  \
                void *value;                                                                               \
                PL_TLS_LOAD(value, #name "_tls");                                                          \
                return (type *)value;                                                                      \
        }                                                                                                  \
        static PL_ALWAYS_INLINE void name##_set(type *value)                                               \
        {                                                                                                  \
                PL_TLS_STORE(value, #name "_tls");                                                         \
        }                                                                                                  \
        struct pl_tls_semicolon

#define PL_TLS_DEFINE(type, name) \
        __attribute__((used, visibility("hidden"), tls_model("initial-exec"))) __thread type *name##_tls

#endif
