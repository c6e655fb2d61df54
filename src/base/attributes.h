/* Attributes and small macros that every layer uses. */
#ifndef PL_BASE_ATTRIBUTES_H
#define PL_BASE_ATTRIBUTES_H

#include <stddef.h>

#define PL_LIKELY(x) __builtin_expect(!!(x), 1)
#define PL_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PL_NOINLINE __attribute__((noinline))
#define PL_ALWAYS_INLINE inline __attribute__((always_inline))
#define PL_COLD __attribute__((cold, noinline))
#define PL_NORETURN __attribute__((noreturn))
#define PL_WARN_UNUSED __attribute__((warn_unused_result))
#define PL_PRINTF(index, first) __attribute__((format(printf, index, first)))

#define PL_CACHE_LINE 64
#define PL_LINE_ALIGNED __attribute__((aligned(PL_CACHE_LINE)))

/* The structure of which *member* is a part. */
#define PL_CONTAINER_OF(member_ptr, type, member) ((type *)(void *)((char *)(member_ptr)-offsetof(type, member)))
#define PL_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
