/* The loop around every read, write, accept: try, wait until trying again makes sense, try again. */
#ifndef PL_IO_TRANSFER_H
#define PL_IO_TRANSFER_H

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/attributes.h"

/* From an attempt: this is a file, and the data are not at hand. No read or write of data returns this otherwise. */
#define PL_IO_NEEDS_A_THREAD (-EINPROGRESS)

struct pl_io_op {
        /* Does it without blocking, also on a foreign descriptor; -EAGAIN: it would block. */
        ssize_t (*attempt)(int fd, const struct pl_io_op *op);
        short event; /* POLLIN or POLLOUT: what to wait for */
        int flags;   /* MSG_... */
        /* A count below this says that a TCP connection has nothing more to read; 0: nothing can be said. */
        size_t drained_below;
        void *buf;
        size_t bytes;
        const struct iovec *iov;
        int iov_count;
        off_t offset; /* -1: the descriptor's own */
        struct msghdr *msg;
};

/* As the attempt, but -EAGAIN; or -ETIMEDOUT, -ECANCELED, -EBADF (closed while it waited), -ENOMEM, -ENOSPC. */
PL_WARN_UNUSED ssize_t pl_io_transfer(int fd, const struct pl_io_op *op, int64_t deadline_ns);

/* Reading and writing descriptors that may be in blocking mode, or may be files. */
ssize_t pl_io_attempt_foreign_read(int fd, const struct pl_io_op *op);
ssize_t pl_io_attempt_foreign_write(int fd, const struct pl_io_op *op);

/* In a task: have a thread read or write. *deadline_ns* and cancellation count until it starts. */
ssize_t pl_io_offload_transfer(int fd, const struct pl_io_op *op, int64_t deadline_ns);

#endif
