/* Reading and writing descriptors of any kind. */
#include "plait/fd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "io/call.h"
#include "io/fd_table.h"
#include "io/transfer.h"

static ssize_t attempt_recv(int fd, const struct pl_io_op *op)
{
        return pl_io_call_recv(fd, op->buf, op->bytes, 0);
}

static ssize_t attempt_send(int fd, const struct pl_io_op *op)
{
        return pl_io_call_send(fd, op->buf, op->bytes, 0);
}

static ssize_t attempt_readv(int fd, const struct pl_io_op *op)
{
        return pl_io_call_readv(fd, op->iov, op->iov_count, -1);
}

static ssize_t attempt_writev(int fd, const struct pl_io_op *op)
{
        return pl_io_call_writev(fd, op->iov, op->iov_count, -1);
}

static ssize_t attempt_sendmsg(int fd, const struct pl_io_op *op)
{
        struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)op->iov, .msg_iovlen = (size_t)op->iov_count};

        return pl_io_call_sendmsg(fd, &msg, 0);
}

static unsigned state_of(int fd)
{
        const struct pl_io_fd *entry = pl_io_fd_peek(fd);

        return entry ? atomic_load_explicit(&entry->state, memory_order_relaxed) : 0;
}

static ssize_t transfer(int fd, const struct pl_io_op *op, int64_t deadline_ns)
{
        ssize_t n = pl_io_transfer(fd, op, deadline_ns);

        return PL_UNLIKELY(n == PL_IO_NEEDS_A_THREAD) ? pl_io_offload_transfer(fd, op, deadline_ns) : n;
}

static size_t total(const struct iovec *iov, int count)
{
        size_t bytes = 0;

        for (int i = 0; i < count; i++)
                bytes += iov[i].iov_len;
        return bytes;
}

/* Sizes above what one call moves are cut by the kernel; the count that says "drained" must not be fooled by that. */
static size_t drained_below(size_t bytes)
{
        return bytes > INT_MAX / 2 ? 1 : bytes;
}

ssize_t plait_readv(int fd, const struct iovec *iov, int count, int64_t deadline_ns)
{
        if (count < 1 || count > IOV_MAX)
                return -EINVAL;

        size_t bytes = total(iov, count);
        unsigned state = state_of(fd);
        struct pl_io_op op = {.attempt = state & PL_IO_OWNED ? attempt_readv : pl_io_attempt_foreign_read,
                              .event = POLLIN,
                              .drained_below = drained_below(bytes),
                              .iov = iov,
                              .iov_count = count,
                              .offset = -1};

        return bytes ? transfer(fd, &op, deadline_ns) : 0;
}

ssize_t plait_writev(int fd, const struct iovec *iov, int count, int64_t deadline_ns)
{
        if (count < 1 || count > IOV_MAX)
                return -EINVAL;

        unsigned state = state_of(fd);
        struct pl_io_op op = {
                .attempt = pl_io_attempt_foreign_write, .event = POLLOUT, .iov = iov, .iov_count = count, .offset = -1};

        if (state & PL_IO_OWNED)
                op.attempt = state & PL_IO_SOCKET ? attempt_sendmsg : attempt_writev;
        return total(iov, count) ? transfer(fd, &op, deadline_ns) : 0;
}

ssize_t plait_read(int fd, void *buf, size_t bytes, int64_t deadline_ns)
{
        struct iovec iov = {.iov_base = buf, .iov_len = bytes};

        if (PL_LIKELY(state_of(fd) & PL_IO_SOCKET)) {
                struct pl_io_op op = {.attempt = attempt_recv,
                                      .event = POLLIN,
                                      .buf = buf,
                                      .bytes = bytes,
                                      .drained_below = drained_below(bytes)};

                return bytes ? pl_io_transfer(fd, &op, deadline_ns) : 0;
        }
        return plait_readv(fd, &iov, 1, deadline_ns);
}

ssize_t plait_write(int fd, const void *buf, size_t bytes, int64_t deadline_ns)
{
        struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = bytes};

        if (PL_LIKELY(state_of(fd) & PL_IO_SOCKET)) {
                struct pl_io_op op = {.attempt = attempt_send, .event = POLLOUT, .buf = iov.iov_base, .bytes = bytes};

                return bytes ? pl_io_transfer(fd, &op, deadline_ns) : 0;
        }
        return plait_writev(fd, &iov, 1, deadline_ns);
}

ssize_t plait_read_full(int fd, void *buf, size_t bytes, int64_t deadline_ns)
{
        size_t done = 0;

        while (done < bytes) {
                ssize_t n = plait_read(fd, (char *)buf + done, bytes - done, deadline_ns);

                if (n < 0)
                        return n;
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

ssize_t plait_write_full(int fd, const void *buf, size_t bytes, int64_t deadline_ns)
{
        size_t done = 0;

        while (done < bytes) {
                ssize_t n = plait_write(fd, (const char *)buf + done, bytes - done, deadline_ns);

                if (n < 0)
                        return n;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

ssize_t plait_pread(int fd, void *buf, size_t bytes, off_t offset, int64_t deadline_ns)
{
        struct iovec iov = {.iov_base = buf, .iov_len = bytes};
        struct pl_io_op op = {
                .attempt = pl_io_attempt_foreign_read, .event = POLLIN, .iov = &iov, .iov_count = 1, .offset = offset};

        return offset < 0 ? -EINVAL : transfer(fd, &op, deadline_ns);
}

ssize_t plait_pwrite(int fd, const void *buf, size_t bytes, off_t offset, int64_t deadline_ns)
{
        struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = bytes};
        struct pl_io_op op = {.attempt = pl_io_attempt_foreign_write,
                              .event = POLLOUT,
                              .iov = &iov,
                              .iov_count = 1,
                              .offset = offset};

        return offset < 0 ? -EINVAL : transfer(fd, &op, deadline_ns);
}
