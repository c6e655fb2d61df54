/**
 * @file plait/errno.h
 * An `errno` that is right in tasks.
 *
 * A task can go on in another thread after any function that suspends. The C library lets compilers remember the
 * address of `errno` across calls, and so read the errno of the thread the task left. Including any plait header
 * replaces the macro by one that asks again each time. The *value* does not travel: read it right after the call that
 * set it, before the next function that may suspend. plait's own functions return `-errno` and leave errno alone.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <stdlib.h>
 *
 * static int app(void *arg)
 * {
 *         (void)arg;
 *         plait_yield();
 *         errno = 0;
 *         (void)!strtol("99999999999999999999", NULL, 10);
 *         return errno == ERANGE ? 0 : -1;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL) ? EXIT_FAILURE : EXIT_SUCCESS;
 * }
 * @endcode
 */
#ifndef PLAIT_ERRNO_H
#define PLAIT_ERRNO_H

#include <errno.h>

#include <plait/base.h>

PLAIT_BEGIN_DECLS

/**
 * The address of the calling thread's errno, which compilers may not remember.
 * @return never NULL; good until the next function that may suspend
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int *plait_errno_location(void);

PLAIT_END_DECLS

#undef errno
#define errno (*plait_errno_location())

#endif
