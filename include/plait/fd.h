/**
 * @file plait/fd.h
 * Reading, writing and waiting for file descriptors, without holding up a worker.
 *
 * Any descriptor will do. Those that plait made (plait_pipe(), plait_accept(), plait_dial(), ...) and those it was
 * given with plait_adopt() are *owned*: waiting for them is cheapest, and they are to be closed with plait_close(),
 * never with close(). All others stay as they are: their blocking mode, which other processes may share, is not
 * touched, and close() is right for them once nobody waits. Reading and writing regular files is done at once where the
 * kernel has the data at hand, and by a thread where it has not.
 *
 * These functions work in threads that are no workers, too; there they block the thread.
 *
 * Several tasks can wait for the same descriptor. After fork() the child must not use plait, until it has called
 * exec().
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 * #include <string.h>
 *
 * static int ends[2];
 *
 * static int reader(void *arg)
 * {
 *         char text[64];
 *
 *         (void)arg;
 *         ssize_t n = plait_read_full(ends[0], text, sizeof text, plait_in_s(10));
 *         assert(n == 5 && memcmp(text, "hello", 5) == 0);
 *         return plait_close(ends[0]);
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         int r = plait_pipe(ends);
 *         if (r < 0)
 *                 return r;
 *         plait_scope_go(&scope, reader, NULL);
 *         ssize_t n = plait_write_full(ends[1], "hello", 5, PLAIT_NEVER);
 *         assert(n == 5);
 *         plait_close(ends[1]);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_FD_H
#define PLAIT_FD_H

#include <poll.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/**
 * Read what there is, waiting until there is something.
 * @param fd           open for reading
 * @param buf          room for *bytes* bytes
 * @param bytes        0 reads nothing
 * @param deadline_ns  see plait/time.h; if it has passed, what is there is read
 * @return bytes read, 0 at the end, or
 *   - -ETIMEDOUT, -ECANCELED  while waiting
 *   - -EBADF   *fd* is not open for reading, or plait_close() was called while waiting
 *   - -ENOMEM, -ENOSPC  the poller has no memory, or its user no more watches
 *   - -EAGAIN  *fd* is a file, and no thread can be had to read it
 *   - what read(2) says, such as -ECONNRESET or -EIO
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; a read of a file that has begun is waited for. Since: 0.1.
 */
PLAIT_API ssize_t plait_read(int fd, void *buf, size_t bytes, int64_t deadline_ns);

/**
 * Write as much as there is room for, waiting until there is some. SIGPIPE is not raised.
 * @param fd           open for writing
 * @param buf          what to write
 * @param bytes        0 writes nothing
 * @param deadline_ns  see plait/time.h; if it has passed, what there is room for is written
 * @return bytes written, 1 or more unless *bytes* is 0, or
 *   - -EPIPE   nobody can read it any more
 *   - otherwise as plait_read() and write(2) say
 *
 * Threads: any. Suspends: may. Cancellation: as plait_read(). Since: 0.1.
 */
PLAIT_API ssize_t plait_write(int fd, const void *buf, size_t bytes, int64_t deadline_ns);

/**
 * plait_read() into several pieces of memory.
 * @param fd           as for plait_read()
 * @param iov          the pieces
 * @param count        1 to 1024
 * @param deadline_ns  as for plait_read()
 * @return as plait_read(), and -EINVAL for a wrong *count*
 *
 * Threads: any. Suspends: may. Cancellation: as plait_read(). Since: 0.1.
 */
PLAIT_API ssize_t plait_readv(int fd, const struct iovec *iov, int count, int64_t deadline_ns);

/**
 * plait_write() from several pieces of memory.
 * @param fd           as for plait_write()
 * @param iov          the pieces
 * @param count        1 to 1024
 * @param deadline_ns  as for plait_write()
 * @return as plait_write(), and -EINVAL for a wrong *count*
 *
 * Threads: any. Suspends: may. Cancellation: as plait_read(). Since: 0.1.
 */
PLAIT_API ssize_t plait_writev(int fd, const struct iovec *iov, int count, int64_t deadline_ns);

/**
 * Read until *bytes* bytes have come, or the end.
 * @param fd           as for plait_read()
 * @param buf          room for *bytes* bytes
 * @param bytes        how many are wanted
 * @param deadline_ns  for the whole; see plait/time.h
 * @return bytes read, fewer than *bytes* only at the end; or an error as plait_read(). After an error an unknown part
 *   has been read.
 *
 * Threads: any. Suspends: may. Cancellation: as plait_read(). Since: 0.1.
 */
PLAIT_API ssize_t plait_read_full(int fd, void *buf, size_t bytes, int64_t deadline_ns);

/**
 * Write everything.
 * @param fd           as for plait_write()
 * @param buf          what to write
 * @param bytes        how much
 * @param deadline_ns  for the whole; see plait/time.h
 * @return *bytes*, or an error as plait_write(). After an error an unknown part has been written.
 *
 * Threads: any. Suspends: may. Cancellation: as plait_read(). Since: 0.1.
 */
PLAIT_API ssize_t plait_write_full(int fd, const void *buf, size_t bytes, int64_t deadline_ns);

/**
 * Read from a place in a file.
 * @param fd           a file
 * @param buf          room for *bytes* bytes
 * @param bytes        how many are wanted
 * @param offset       0 or more
 * @param deadline_ns  until the read begins; see plait/time.h
 * @return bytes read, 0 at or beyond the end; or as plait_read(), and
 *   - -EINVAL  *offset* is negative
 *   - -ESPIPE  *fd* has no places
 *
 * Threads: any. Suspends: may. Cancellation: until the read begins. Since: 0.1.
 */
PLAIT_API ssize_t plait_pread(int fd, void *buf, size_t bytes, off_t offset, int64_t deadline_ns);

/**
 * Write to a place in a file.
 * @param fd           a file
 * @param buf          what to write
 * @param bytes        how much
 * @param offset       0 or more
 * @param deadline_ns  until the write begins; see plait/time.h
 * @return bytes written; or as plait_write(), and
 *   - -EINVAL  *offset* is negative
 *   - -ESPIPE  *fd* has no places
 *
 * Threads: any. Suspends: may. Cancellation: until the write begins. Since: 0.1.
 */
PLAIT_API ssize_t plait_pwrite(int fd, const void *buf, size_t bytes, off_t offset, int64_t deadline_ns);

/**
 * Make a pipe: non-blocking, closed on exec.
 * @param ret_fds  ret_fds[0] to read from, ret_fds[1] to write to; each to be closed with plait_close()
 * @return 0, or
 *   - -EMFILE, -ENFILE  no descriptor left
 *   - -ENOMEM  no memory
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_pipe(int ret_fds[2]);

/**
 * Close a descriptor. Whoever waits for it gets -EBADF.
 * @param fd  any descriptor, owned or not
 * @return 0, or
 *   - -EBADF  *fd* is not open
 *   - -EBUSY  a library of plait's uses it; it stays open
 *   - -EIO, -ENOSPC, -EDQUOT  it is closed, but something written earlier may be lost
 *
 * Threads: any. Suspends: may. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_close(int fd);

/**
 * Make a descriptor owned: set it to non-blocking mode, and from now on wait for it at the least cost.
 * @param fd  a socket, pipe or anything else that poll() works for. From here on it is to be closed with plait_close()
 *            or handed away with plait_release(): closed with close(), its number would mislead plait when it is used
 *            again.
 * @return 0, or
 *   - -EBADF   *fd* is not open
 *   - -EPERM   it is a regular file, or another thing that is always ready
 *   - -ENOMEM  no memory
 *
 * Threads: any; nobody may be using *fd*. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_adopt(int fd);

/**
 * Hand a descriptor away, to be used and closed by others: plait forgets it. It stays non-blocking.
 * @param fd  any descriptor. Whoever waits for it gets -EBADF.
 * @return 0, or -EBUSY: a library of plait's uses it
 *
 * Threads: any. Suspends: may. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_release(int fd);

/**
 * Wait until a descriptor is ready. Works for any descriptor, at any time, whoever opened it and whoever closes it.
 * @param fd           any descriptor
 * @param events       POLLIN, POLLOUT, POLLPRI, POLLRDHUP, as for poll(2)
 * @param deadline_ns  see plait/time.h; if it has passed, this only looks
 * @return the events that are there (of *events*, POLLERR and POLLHUP), never 0; or
 *   - -ETIMEDOUT, -ECANCELED  while waiting
 *   - -EBADF   *fd* is not open, or plait_close() was called while waiting
 *   - -EINVAL  *events* has other bits
 *   - -ENOMEM, -ENOSPC  the poller has no memory, or its user no more watches
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API int plait_wait_fd(int fd, short events, int64_t deadline_ns);

/**
 * Wait until one of several descriptors is ready: poll(2) for tasks.
 * @param fds          as for poll(2): *revents* is set in each; a negative *fd* is skipped
 * @param count        how many
 * @param deadline_ns  see plait/time.h; if it has passed, this only looks
 * @return how many have a *revents* other than 0, never 0; or
 *   - -ETIMEDOUT, -ECANCELED  while waiting
 *   - -EINVAL  *count* is above RLIMIT_NOFILE
 *   - -ENOMEM, -ENOSPC  no memory, or the user has no more watches
 *
 * A descriptor that is not open, or is closed with plait_close() meanwhile, gets POLLNVAL.
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API int plait_poll(struct pollfd *fds, size_t count, int64_t deadline_ns);

PLAIT_END_DECLS

#endif
