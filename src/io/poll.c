/*
 * poll() for tasks: one wait that stands in the queues of several descriptors.
 *
 * What is ready is always asked of poll(2) itself. Reports from the poller only say when to ask again, so neither a
 * report that comes late nor a number that was closed and used again can be mistaken for an answer.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "io/call.h"
#include "io/fd_table.h"
#include "io/poll.h"
#include "plait/fd.h"
#include "plat/sys.h"
#include "sched/runtime.h"

enum { NODES_IN_FRAME = 4, EVENTS = PL_IO_POLL_EVENTS };

static bool owned(const struct pl_io_fd *entry)
{
        return atomic_load_explicit(&entry->state, memory_order_relaxed) & PL_IO_OWNED;
}

static unsigned flags_for(short events)
{
        return (events & (POLLIN | POLLRDHUP | POLLPRI) ? PL_IO_IN : 0U) | (events & POLLOUT ? PL_IO_OUT : 0U);
}

bool pl_io_poll_unlikely(const struct pollfd *fd)
{
        const struct pl_io_fd *entry = pl_io_fd_peek(fd->fd);

        return entry && owned(entry) &&
               !(atomic_load_explicit(&entry->state, memory_order_relaxed) & flags_for(fd->events));
}

int pl_io_poll_look(struct pollfd *fds, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                struct pl_io_fd *entry = pl_io_fd_peek(fds[i].fd);

                if (entry && owned(entry))
                        atomic_fetch_and_explicit(&entry->state, ~flags_for(fds[i].events), memory_order_acq_rel);
        }

        int r = pl_io_call_poll(fds, count, 0);

        for (size_t i = 0; i < count && r > 0; i++) {
                struct pl_io_fd *entry = fds[i].revents ? pl_io_fd_peek(fds[i].fd) : NULL;

                if (entry && owned(entry))
                        pl_io_fd_mark(entry, flags_for(fds[i].events));
        }
        return r;
}

/* What all who wait for a foreign descriptor want, together. */
static unsigned wanted(struct pl_io_fd *entry, unsigned events) PL_REQUIRES(entry->lock)
{
        for (struct pl_list *link = entry->waiters.next; link != &entry->waiters; link = link->next)
                events |= (unsigned)(uintptr_t)PL_CONTAINER_OF(link, struct pl_wait_node, link)->slot & EVENTS;
        return events;
}

int pl_io_poll_stand(struct pl_wait_node *node, const struct pollfd *fd, struct pl_wait *wait)
{
        struct pl_io_fd *entry = pl_io_fd_get(fd->fd);
        unsigned events = (unsigned)fd->events & EVENTS;
        int r = 0;

        node->slot = NULL;
        pl_list_init(&node->link);
        if (!entry)
                return -ENOMEM;
        pl_io_fd_lock(entry);
        if (atomic_load_explicit(&entry->state, memory_order_relaxed) & PL_IO_CLOSING) {
                node->slot = (void *)(uintptr_t)PL_IO_SLOT_CLOSED;
                r = 1;
        } else if (entry->watch) {
                r = -EBUSY;
        } else if (owned(entry)) {
                if (!pl_io_fd_armed(entry))
                        r = pl_io_fd_arm(entry, fd->fd, PL_IO_STANDING, EVENTS);
                if (r == 0 && atomic_load_explicit(&entry->state, memory_order_relaxed) & flags_for(fd->events))
                        r = 1;
        } else {
                r = pl_io_fd_arm(entry, fd->fd, PL_IO_ONCE, wanted(entry, events));
        }
        if (r == 0)
                pl_io_fd_queue(entry, node, wait, events);
        pl_lock_release(&entry->lock);
        /* What epoll refuses is a file, always ready; or was closed this very moment. poll() will say. */
        if (r == -EPERM || r == -EBADF)
                return 1;
        /* Of what cannot be watched nobody reports that it is ready; it may be nevertheless. */
        return r < 0 && pl_io_poll_look(&(struct pollfd){.fd = fd->fd, .events = fd->events}, 1) > 0 ? 1 : r;
}

bool pl_io_poll_unqueue(struct pl_wait_node *node, int fd)
{
        struct pl_io_fd *entry = pl_io_fd_peek(fd);

        if (entry)
                pl_io_fd_unqueue(entry, node);
        return (uintptr_t)node->slot & PL_IO_SLOT_CLOSED;
}

void pl_io_poll_let_go(int fd)
{
        struct pl_io_fd *entry = pl_io_fd_peek(fd);

        if (entry)
                pl_io_fd_let_go(entry, fd);
}

static void stand_down(struct pl_wait_node *nodes, struct pollfd *fds, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (fds[i].fd >= 0)
                        pl_io_poll_unqueue(&nodes[i], fds[i].fd);
        for (size_t i = 0; i < count; i++)
                if (fds[i].fd >= 0)
                        pl_io_poll_let_go(fds[i].fd);
}

/* How many were closed while waiting; those get POLLNVAL, and the others nothing. */
static int count_closed(const struct pl_wait_node *nodes, struct pollfd *fds, size_t count)
{
        int closed = 0;

        for (size_t i = 0; i < count; i++) {
                bool is_closed = (uintptr_t)nodes[i].slot & PL_IO_SLOT_CLOSED;

                fds[i].revents = is_closed ? POLLNVAL : 0;
                closed += is_closed;
        }
        return closed;
}

/* 0: look again; more: descriptors that were closed, see above. */
static int wait_for_news(struct pl_wait_node *nodes, struct pollfd *fds, size_t count, int64_t deadline_ns)
{
        struct pl_wait *wait = pl_sched_wait_begin(PL_WAIT_POLL, fds);
        size_t standing = 0;
        int r = 0;

        for (; standing < count && r == 0; standing++) {
                nodes[standing].slot = NULL;
                pl_list_init(&nodes[standing].link);
                if (fds[standing].fd >= 0)
                        r = pl_io_poll_stand(&nodes[standing], &fds[standing], wait);
        }

        /* If there is no need to wait, or no way, the wait ends at once; but somebody may have claimed it already. */
        int waited = pl_sched_wait_finish(wait, r ? 0 : deadline_ns, PL_WAIT_LENDS | (r ? PL_WAIT_UNINTERRUPTIBLE : 0));

        stand_down(nodes, fds, standing);
        if (r < 0)
                return r;
        return waited < 0 && r == 0 ? waited : count_closed(nodes, fds, standing);
}

static int wait_as_task(struct pl_wait_node *nodes, struct pollfd *fds, size_t count, int64_t deadline_ns)
{
        for (;;) {
                int r = pl_io_poll_look(fds, count);

                if (r != 0 && r != -EINTR)
                        return r;
                if (deadline_ns <= 0 || (deadline_ns != PL_PLAT_NEVER && deadline_ns <= pl_plat_now_ns()))
                        return -ETIMEDOUT;
                r = wait_for_news(nodes, fds, count, deadline_ns);
                if (r != 0)
                        return r;
        }
}

static int wait_as_thread(struct pollfd *fds, size_t count, int64_t deadline_ns)
{
        for (;;) {
                int64_t ns = deadline_ns;

                if (ns != PL_PLAT_NEVER) {
                        ns = ns > 0 ? ns - pl_plat_now_ns() : 0;
                        ns = ns > 0 ? ns : 0;
                }

                int r = pl_io_call_poll(fds, count, ns);

                if (r == 0)
                        return -ETIMEDOUT;
                if (r != -EINTR)
                        return r;
        }
}

int plait_poll(struct pollfd *fds, size_t count, int64_t deadline_ns)
{
        struct pl_wait_node in_frame[NODES_IN_FRAME];
        struct pl_wait_node *nodes = in_frame;

        if (!pl_sched_in_task())
                return wait_as_thread(fds, count, deadline_ns);
        if (count > NODES_IN_FRAME)
                nodes = calloc(count, sizeof *nodes);
        if (!nodes)
                return -ENOMEM;

        int r = wait_as_task(nodes, fds, count, deadline_ns);

        if (nodes != in_frame)
                free(nodes);
        return r;
}

int plait_wait_fd(int fd, short events, int64_t deadline_ns)
{
        struct pollfd one = {.fd = fd, .events = events};

        if (fd < 0)
                return -EBADF;
        if (events & ~EVENTS)
                return -EINVAL;

        int r = plait_poll(&one, 1, deadline_ns);

        if (r < 0)
                return r;
        return one.revents & POLLNVAL ? -EBADF : one.revents;
}
