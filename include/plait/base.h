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

PLAIT_END_DECLS

#endif
