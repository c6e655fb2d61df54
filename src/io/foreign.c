/*
 * Reading and writing descriptors that plait did not make. They may be in blocking mode, shared with other processes
 * (so their flags are left alone), or regular files (which no poller knows).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "io/call.h"
#include "io/fd_table.h"
#include "io/offload.h"
#include "io/transfer.h"
#include "sched/runtime.h"

/* Files wait for their disk, which no poller reports. */
static bool is_file(mode_t mode)
{
        return S_ISREG(mode) || S_ISBLK(mode) || S_ISDIR(mode);
}

/* The kernel cannot be asked not to block: look first. What can be written then without blocking is limited. */
static ssize_t look_first(int fd, const struct pl_io_op *op, mode_t mode)
{
        struct pollfd look = {.fd = fd, .events = op->event};
        struct iovec part = {0};
        int flags = pl_io_call_fcntl(fd, F_GETFL, 0);

        if (flags < 0)
                return flags;
        if (!(flags & O_NONBLOCK)) {
                int r = pl_io_call_poll(&look, 1, 0);

                if (r <= 0)
                        return r == 0 || r == -EINTR ? -EAGAIN : r;
        }
        if (op->event == POLLIN)
                return pl_io_call_readv(fd, op->iov, op->iov_count, op->offset);
        if (flags & O_NONBLOCK)
                return pl_io_call_writev(fd, op->iov, op->iov_count, op->offset);
        for (int i = 0; i < op->iov_count && part.iov_len == 0; i++)
                part = op->iov[i];

        size_t most = S_ISCHR(mode) ? 256 : PIPE_BUF; /* a terminal is writable when it has room for 256 bytes */

        if (part.iov_len > most)
                part.iov_len = most;
        return pl_io_call_writev(fd, &part, 1, op->offset);
}

/* After an attempt that ended with *r*: what to do with this kind of descriptor. */
static ssize_t by_kind(int fd, const struct pl_io_op *op, ssize_t r)
{
        struct stat status;

        if (r != -EAGAIN && r != -EOPNOTSUPP)
                return r;
        if (fstat(fd, &status) < 0)
                return -EBADF;
        if (is_file(status.st_mode))
                return PL_IO_NEEDS_A_THREAD;
        return r == -EAGAIN ? r : look_first(fd, op, status.st_mode);
}

ssize_t pl_io_attempt_foreign_read(int fd, const struct pl_io_op *op)
{
        return by_kind(fd, op, pl_io_call_readv_nowait(fd, op->iov, op->iov_count, op->offset));
}

ssize_t pl_io_attempt_foreign_write(int fd, const struct pl_io_op *op)
{
        if (op->offset < 0) {
                struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)op->iov,
                                     .msg_iovlen = (size_t)op->iov_count};
                ssize_t r = pl_io_call_sendmsg(fd, &msg, 0);

                if (r != -ENOTSOCK)
                        return r;
        }
        return by_kind(fd, op, pl_io_call_writev_nowait(fd, op->iov, op->iov_count, op->offset));
}

struct transfer_job {
        struct pl_io_job job;
        int fd;
        const struct pl_io_op *op;
        ssize_t result;
};

static void run(struct pl_io_job *job)
{
        struct transfer_job *self = PL_CONTAINER_OF(job, struct transfer_job, job);
        const struct pl_io_op *op = self->op;

        if (op->event == POLLIN)
                self->result = pl_io_call_readv(self->fd, op->iov, op->iov_count, op->offset);
        else
                self->result = pl_io_call_writev(self->fd, op->iov, op->iov_count, op->offset);
}

ssize_t pl_io_offload_transfer(int fd, const struct pl_io_op *op, int64_t deadline_ns)
{
        struct transfer_job self = {.job.run = run, .fd = fd, .op = op};

        if (!pl_sched_in_task()) {
                run(&self.job);
                return self.result;
        }

        int r = pl_io_offload(PL_IO_POOL_FILES, &self.job, deadline_ns);

        return r < 0 ? r : self.result;
}
