/* The common parts of both pollers. */
#include "io/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "plat/panic.h"
#include "trace/trace.h"

struct pl_poller *pl_io_poller_at(struct pl_poller *pollers[PL_IO_POLLERS], unsigned index, size_t bytes,
                                  const struct pl_io_backend *backend)
{
        if (pollers[index])
                return pollers[index];
        size_t rounded = (bytes + PL_CACHE_LINE - 1) / PL_CACHE_LINE * PL_CACHE_LINE;
        struct pl_poller *poller = aligned_alloc(PL_CACHE_LINE, rounded);

        if (!poller)
                return NULL;
        memset(poller, 0, rounded);
        poller->backend = backend;
        poller->index = index;
        pollers[index] = poller;
        return poller;
}

int pl_io_poller_open(struct pl_poller *poller)
{
        int saved = errno;
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int r = fd < 0 ? -errno : 0;

        errno = saved;
        if (r < 0)
                return r;
        poller->notify_fd = fd;
        if (poller->index == 0)
                pl_trace_wake_by(fd);
        poller->spent = 0;
        atomic_store(&poller->armed, 0);
        atomic_store(&poller->sleep, PL_IO_RUNNING);
        pl_lock_acquire(&poller->lock);
        atomic_fetch_add(&poller->epoch, 1);
        pl_lock_release(&poller->lock);
        return 0;
}

void pl_io_poller_close(struct pl_poller *poller)
{
        pl_lock_acquire(&poller->lock);
        atomic_fetch_add(&poller->epoch, 1);
        if (poller->index == 0)
                pl_trace_wake_by(-1);
        close(poller->notify_fd);
        pl_lock_release(&poller->lock);
}

/*
 * The eventfd is watched edge-triggered and never read: each write is news. It is written to only when the owner may be
 * blocked and nobody has done so yet. A write that comes late makes one wait() return early, which is allowed.
 */
void pl_io_poller_notify(struct pl_poller *poller)
{
        if (atomic_exchange(&poller->sleep, PL_IO_NOTIFIED) == PL_IO_PARKED) {
                int saved = errno;

                if (eventfd_write(poller->notify_fd, 1) < 0)
                        pl_panic("cannot wake a worker: eventfd_write: %m; something closed a descriptor of plait's");
                errno = saved;
        }
}

bool pl_io_poller_watching(const struct pl_poller *poller)
{
        return atomic_load_explicit(&poller->armed, memory_order_relaxed) != 0;
}
