/**
 * @file plait/blocking.h
 * Calls that block, made without holding up a worker.
 *
 * A function that blocks its thread (a library that knows nothing of tasks, a slow system call) keeps all tasks of its
 * worker waiting. plait_blocking() has such a call made by a thread that is kept for this, while the task waits.
 * Threads are started as they are needed, up to 64, and end when they have had nothing to do for five seconds.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 * #include <stdlib.h>
 * #include <unistd.h>
 *
 * static int flush(void *fd)
 * {
 *         return fsync(*(int *)fd) < 0 ? -errno : 0;
 * }
 *
 * static int app(void *arg)
 * {
 *         char name[] = "/tmp/plait-example-XXXXXX";
 *         int fd = mkstemp(name);
 *
 *         (void)arg;
 *         assert(fd >= 0);
 *         unlink(name);
 *         ssize_t n = plait_write_full(fd, "safe", 4, PLAIT_NEVER);
 *         assert(n == 4);
 *         int r = plait_blocking(flush, &fd, PLAIT_NEVER);
 *         close(fd);
 *         return r;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_BLOCKING_H
#define PLAIT_BLOCKING_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/**
 * Have *fn* called by a thread that may block, and wait for its end. *fn* runs once and to its end, or not at all.
 * @param fn           what to call. Within it the caller is a plain thread, not a task: plait's functions block.
 * @param arg          handed to *fn*; may be in the caller's frame
 * @param deadline_ns  until *fn* begins, if all 64 threads are busy; see plait/time.h. One that has passed begins only
 *                     if a thread is free.
 * @return what *fn* returned; or
 *   - -ETIMEDOUT, -ECANCELED  *fn* was not called
 *   - -EAGAIN  *fn* was not called: no thread can be had
 *   - -EINVAL  *fn* is NULL
 *
 * Threads: any; in a thread that is no worker, *fn* is just called. Suspends: may. Cancellation: until *fn* begins.
 * Since: 0.1.
 */
PLAIT_API int plait_blocking(int (*fn)(void *arg), void *arg, int64_t deadline_ns);

PLAIT_END_DECLS

#endif
