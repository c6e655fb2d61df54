/* The loop around every read, write, accept. The rules of the flags are in fd_table.h. */
#include "io/transfer.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include "io/fd_table.h"
#include "plait/fd.h"
#include "plait/task.h"
#include "sched/runtime.h"

/* A task whose operations never have to wait lets others run, and the poller look, now and then. */
enum { OPERATIONS_PER_LOOK = 1024 };

static void spend(void)
{
        struct pl_poller *poller = pl_sched_poller();

        if (PL_UNLIKELY(++poller->spent >= OPERATIONS_PER_LOOK)) {
                poller->spent = 0;
                plait_yield();
        }
}

/* Waiting is over without success; a deadline that has passed still means to have tried. */
static ssize_t give_up(struct pl_io_fd *entry, int fd, const struct pl_io_op *op, bool tried, int r)
{
        if (r != -ETIMEDOUT || tried)
                return r;
        if (!pl_io_fd_begin(entry, 0))
                return -EBADF;

        ssize_t n = op->attempt(fd, op);

        pl_io_fd_end(entry);
        return n == -EAGAIN ? -ETIMEDOUT : n;
}

static bool drained(unsigned state, const struct pl_io_op *op, ssize_t n)
{
        return state & PL_IO_STREAM && !(state & PL_IO_URGENT) && n > 0 && (size_t)n < op->drained_below;
}

static ssize_t read_owned(struct pl_io_fd *entry, int fd, const struct pl_io_op *op, int64_t deadline_ns)
{
        bool tried = false;

        for (;;) {
                unsigned state = atomic_load_explicit(&entry->state, memory_order_relaxed);

                if (state & (PL_IO_IN | PL_IO_ENDED)) {
                        if (!pl_io_fd_begin(entry, PL_IO_IN))
                                return -EBADF;

                        ssize_t n = op->attempt(fd, op);

                        pl_io_fd_end(entry);
                        tried = true;
                        if (n != -EAGAIN) {
                                if (!drained(state, op, n))
                                        pl_io_fd_mark(entry, PL_IO_IN);
                                spend();
                                return n;
                        }
                        if (state & PL_IO_ENDED) { /* an error that passed: the next news count again */
                                atomic_fetch_and_explicit(&entry->state, ~(unsigned)PL_IO_ENDED, memory_order_relaxed);
                                pl_io_fd_mark(entry, PL_IO_IN);
                                continue;
                        }
                }

                int r = pl_io_fd_wait(entry, fd, POLLIN, deadline_ns);

                if (r < 0)
                        return give_up(entry, fd, op, tried, r);
        }
}

static ssize_t write_owned(struct pl_io_fd *entry, int fd, const struct pl_io_op *op, int64_t deadline_ns)
{
        bool tried = false, others = false;

        for (;;) {
                if (atomic_load_explicit(&entry->state, memory_order_relaxed) & PL_IO_OUT) {
                        if (!pl_io_fd_begin(entry, 0))
                                return -EBADF;

                        ssize_t n = op->attempt(fd, op);

                        if (n == -EAGAIN) { /* now with the flag cleared before the attempt */
                                atomic_fetch_and_explicit(&entry->state, ~(unsigned)PL_IO_OUT, memory_order_acq_rel);
                                others = true;
                                n = op->attempt(fd, op);
                        }
                        pl_io_fd_end(entry);
                        tried = true;
                        if (n != -EAGAIN) {
                                if (others)
                                        pl_io_fd_mark(entry, PL_IO_OUT);
                                spend();
                                return n;
                        }
                }

                int r = pl_io_fd_wait(entry, fd, POLLOUT, deadline_ns);

                if (r < 0)
                        return give_up(entry, fd, op, tried, r);
                others = true;
        }
}

/* Foreign descriptors, and threads that are no tasks. */
static ssize_t transfer_anything(int fd, const struct pl_io_op *op, int64_t deadline_ns)
{
        for (;;) {
                ssize_t n = op->attempt(fd, op);

                if (n != -EAGAIN) {
                        if (pl_sched_in_task())
                                spend();
                        return n;
                }

                int r = plait_wait_fd(fd, op->event, deadline_ns);

                if (r < 0)
                        return r;
        }
}

ssize_t pl_io_transfer(int fd, const struct pl_io_op *op, int64_t deadline_ns)
{
        struct pl_io_fd *entry = pl_io_fd_peek(fd);
        unsigned state = entry ? atomic_load_explicit(&entry->state, memory_order_relaxed) : 0;

        if (!(state & PL_IO_OWNED) || !pl_sched_in_task())
                return state & PL_IO_CLOSING ? -EBADF : transfer_anything(fd, op, deadline_ns);
        return op->event == POLLIN ? read_owned(entry, fd, op, deadline_ns) : write_owned(entry, fd, op, deadline_ns);
}
