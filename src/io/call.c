/* System calls with plait's conventions for results. */
#include "io/call.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "plat/sys.h"

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100 /* Linux 6.18 */
#endif

/* The call's result, or -errno; errno is what it was before. */
#define CALL(expr)                                \
        ({                                        \
                int saved_ = errno;               \
                __typeof__(expr) r_;              \
                do                                \
                        r_ = (expr);              \
                while (r_ < 0 && errno == EINTR); \
                if (r_ < 0) {                     \
                        r_ = -errno;              \
                        errno = saved_;           \
                }                                 \
                r_;                               \
        })

ssize_t pl_io_call_recv(int fd, void *buf, size_t bytes, int flags)
{
        return CALL(recv(fd, buf, bytes, flags | MSG_DONTWAIT));
}

ssize_t pl_io_call_send(int fd, const void *buf, size_t bytes, int flags)
{
        return CALL(send(fd, buf, bytes, flags | MSG_DONTWAIT | MSG_NOSIGNAL));
}

ssize_t pl_io_call_recvmsg(int fd, struct msghdr *msg, int flags)
{
        return CALL(recvmsg(fd, msg, flags | MSG_DONTWAIT));
}

ssize_t pl_io_call_sendmsg(int fd, const struct msghdr *msg, int flags)
{
        return CALL(sendmsg(fd, msg, flags | MSG_DONTWAIT | MSG_NOSIGNAL));
}

int pl_io_call_accept(int fd, struct sockaddr *address, socklen_t *length)
{
        return CALL(accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int pl_io_call_connect(int fd, const struct sockaddr *address, socklen_t length)
{
        int saved = errno;
        int r = connect(fd, address, length) < 0 ? -errno : 0;

        errno = saved;
        return r == -EINTR ? -EINPROGRESS : r; /* interrupted or not, it goes on */
}

int pl_io_call_socket(int domain, int type, int protocol)
{
        return CALL(socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

int pl_io_call_setsockopt(int fd, int level, int name, int value)
{
        return CALL(setsockopt(fd, level, name, &value, sizeof value));
}

int pl_io_call_getsockopt(int fd, int level, int name)
{
        int value = 0;
        socklen_t length = sizeof value;
        int r = CALL(getsockopt(fd, level, name, &value, &length));

        return r < 0 ? r : value;
}

int pl_io_call_close(int fd)
{
        int saved = errno;
        int r = close(fd) < 0 ? -errno : 0;

        errno = saved;
        return r == -EINTR ? 0 : r; /* Linux has closed it */
}

int pl_io_call_fcntl(int fd, int command, int arg)
{
        return CALL(fcntl(fd, command, arg));
}

int pl_io_call_poll(struct pollfd *fds, size_t n, int64_t ns)
{
        struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
        int saved = errno;
        int r = ppoll(fds, n, ns == PL_PLAT_NEVER ? NULL : &time, NULL);

        if (r < 0)
                r = -errno;
        errno = saved;
        return r;
}

/*
 * Writing to a pipe that nobody reads raises SIGPIPE, which would end the program. Where the kernel cannot be told not
 * to, the signal is blocked around the write and, if it came from that, taken away.
 */
static ssize_t write_quietly(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
        static const struct timespec at_once;
        sigset_t pipe_signal, before, pending;

        sigemptyset(&pipe_signal);
        sigaddset(&pipe_signal, SIGPIPE);
        sigpending(&pending);
        pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);

        ssize_t r = CALL(pwritev2(fd, iov, n, offset, flags));

        if (r == -EPIPE && !sigismember(&pending, SIGPIPE))
                while (sigtimedwait(&pipe_signal, NULL, &at_once) < 0 && errno == EINTR)
                        ;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return r;
}

enum { UNKNOWN, YES, NO };
static _Atomic int nosignal_works;

/* Whether the kernel knows RWF_NOSIGNAL: tried on a pipe, where nothing else can be wrong. */
static PL_COLD bool ask_for_nosignal(void)
{
        struct iovec one = {.iov_base = (char[1]){0}, .iov_len = 1};
        int ends[2];
        int saved = errno;
        bool works = false;

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
                works = pwritev2(ends[1], &one, 1, -1, RWF_NOSIGNAL) == 1;
                close(ends[0]);
                close(ends[1]);
                atomic_store(&nosignal_works, works ? YES : NO);
        }
        errno = saved;
        return works;
}

static ssize_t write_flags(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
        int known = atomic_load_explicit(&nosignal_works, memory_order_relaxed);

        if (known == YES || (known == UNKNOWN && ask_for_nosignal())) {
                ssize_t r = CALL(pwritev2(fd, iov, n, offset, flags | RWF_NOSIGNAL));

                if (r != -EOPNOTSUPP)
                        return r;
        }
        return write_quietly(fd, iov, n, offset, flags);
}

ssize_t pl_io_call_readv_nowait(int fd, const struct iovec *iov, int n, off_t offset)
{
        return CALL(preadv2(fd, iov, n, offset, RWF_NOWAIT));
}

ssize_t pl_io_call_writev_nowait(int fd, const struct iovec *iov, int n, off_t offset)
{
        return write_flags(fd, iov, n, offset, RWF_NOWAIT);
}

ssize_t pl_io_call_readv(int fd, const struct iovec *iov, int n, off_t offset)
{
        return offset < 0 ? CALL(readv(fd, iov, n)) : CALL(preadv(fd, iov, n, offset));
}

ssize_t pl_io_call_writev(int fd, const struct iovec *iov, int n, off_t offset)
{
        return write_flags(fd, iov, n, offset, 0);
}
