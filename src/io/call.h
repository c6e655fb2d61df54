/*
 * System calls that never block: the result or a negative errno, errno as it was, EINTR retried. Out of line, because
 * the address of errno must not be kept across a suspension by the functions that use them.
 */
#ifndef PL_IO_CALL_H
#define PL_IO_CALL_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

ssize_t pl_io_call_recv(int fd, void *buf, size_t bytes, int flags);
ssize_t pl_io_call_send(int fd, const void *buf, size_t bytes, int flags);
ssize_t pl_io_call_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t pl_io_call_sendmsg(int fd, const struct msghdr *msg, int flags);
int pl_io_call_accept(int fd, struct sockaddr *address, socklen_t *length);
int pl_io_call_connect(int fd, const struct sockaddr *address, socklen_t length);
int pl_io_call_socket(int domain, int type, int protocol);
int pl_io_call_setsockopt(int fd, int level, int name, int value);
int pl_io_call_getsockopt(int fd, int level, int name);
int pl_io_call_close(int fd);
int pl_io_call_fcntl(int fd, int command, int arg);

/* poll() with a time limit in ns; *ns* 0: look only, PL_PLAT_NEVER: no limit. May block if asked to. -EINTR as it is.
 */
int pl_io_call_poll(struct pollfd *fds, size_t n, int64_t ns);

/* For descriptors that may be in blocking mode (RWF_NOWAIT): -EOPNOTSUPP where that cannot be asked for. */
ssize_t pl_io_call_readv_nowait(int fd, const struct iovec *iov, int n, off_t offset);
ssize_t pl_io_call_writev_nowait(int fd, const struct iovec *iov, int n, off_t offset);

/* These may block. *offset* -1: the descriptor's own. SIGPIPE is not raised. */
ssize_t pl_io_call_readv(int fd, const struct iovec *iov, int n, off_t offset);
ssize_t pl_io_call_writev(int fd, const struct iovec *iov, int n, off_t offset);

#endif
