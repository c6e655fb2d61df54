/* Standing watches: a descriptor whose reports go to a callback. See watch.h. */
#include "io/watch.h"

#include <errno.h>

#include "io/fd_table.h"

/* With the lock held. */
static int arm(struct pl_io_fd *entry, struct pl_io_watch *watch, unsigned events) PL_REQUIRES(entry->lock)
{
        int r = pl_io_fd_arm(entry, watch->fd, PL_IO_LEVEL, events);

        if (r == 0)
                watch->events = events;
        return r;
}

int pl_io_watch_start(struct pl_io_watch *watch, int fd, unsigned events,
                      void (*ready)(struct pl_io_watch *watch, unsigned events))
{
        struct pl_io_fd *entry = pl_io_fd_get(fd);

        watch->fd = -1;
        if (!entry)
                return fd < 0 ? -EBADF : -ENOMEM;
        pl_io_fd_lock(entry);

        int r = -EBUSY;

        if (!entry->watch && pl_list_empty(&entry->waiters)) {
                watch->fd = fd;
                watch->ready = ready;
                r = arm(entry, watch, events);
                if (r < 0)
                        watch->fd = -1;
                else
                        entry->watch = watch;
        }
        pl_lock_release(&entry->lock);
        return r;
}

void pl_io_watch_stop(struct pl_io_watch *watch)
{
        struct pl_io_fd *entry = pl_io_fd_peek(watch->fd);

        if (!entry)
                return;
        pl_io_fd_lock(entry);
        if (entry->watch == watch) {
                entry->watch = NULL;
                pl_io_fd_disarm(entry, watch->fd, PL_IO_UNWATCH);
        }
        pl_lock_release(&entry->lock);
        watch->fd = -1;
}
