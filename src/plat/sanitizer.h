/* Which sanitizers this build has: PL_WITH_ASAN, PL_WITH_TSAN, and PL_WITH_SANITIZER for any of them, 0 or 1. */
#ifndef PL_PLAT_SANITIZER_H
#define PL_PLAT_SANITIZER_H

#ifdef __has_feature
#define PL_HAS_FEATURE(x) __has_feature(x)
#else
#define PL_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || PL_HAS_FEATURE(address_sanitizer)
#define PL_WITH_ASAN 1
#else
#define PL_WITH_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || PL_HAS_FEATURE(thread_sanitizer)
#define PL_WITH_TSAN 1
#else
#define PL_WITH_TSAN 0
#endif

#if PL_WITH_ASAN || PL_WITH_TSAN
#define PL_WITH_SANITIZER 1
#else
#define PL_WITH_SANITIZER 0
#endif

/*
 * For the entry function of a flow, and for a function that a flow leaves for good: without it TSan counts a call that
 * never returns, and a stack that is used over and over runs out of its shadow of the call stack.
 */
#if PL_WITH_TSAN && defined(__clang__)
#define PL_NO_TSAN __attribute__((disable_sanitizer_instrumentation, no_sanitize("thread")))
#elif PL_WITH_TSAN
#define PL_NO_TSAN __attribute__((no_sanitize("thread")))
#else
#define PL_NO_TSAN
#endif

#endif
