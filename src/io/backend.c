/* The common parts of both pollers. */
#include "io/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "plat/sys.h"

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
        int fd = pl_plat_eventfd_open();

        if (fd < 0)
                return fd;
        poller->notify_fd = fd;
        poller->has_bell = false;
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
        close(poller->notify_fd);
        pl_lock_release(&poller->lock);
}

/*
 * The eventfd is watched edge-triggered and never read: each write is news. It is written to only when the owner may be
 * blocked in the kernel's poller and nobody has done so yet. A write that comes late makes one wait() return early,
 * which is allowed.
 */
void pl_io_poller_notify(struct pl_poller *poller)
{
        switch (atomic_exchange(&poller->sleep, PL_IO_NOTIFIED)) {
        case PL_IO_ASLEEP: pl_plat_futex_wake(&poller->sleep, 1); break;
        case PL_IO_PARKED: pl_plat_eventfd_write(poller->notify_fd); break;
        default: break;
        }
}

bool pl_io_poller_sleep(struct pl_poller *poller, int64_t deadline_ns)
{
        if (poller->has_bell || pl_io_poller_watching(poller))
                return false;
        if (atomic_exchange(&poller->sleep, PL_IO_ASLEEP) != PL_IO_NOTIFIED) {
                if (!atomic_load(&poller->armed))
                        (void)!pl_plat_futex_wait(&poller->sleep, PL_IO_ASLEEP, deadline_ns);
                else if (atomic_exchange(&poller->sleep, PL_IO_RUNNING) != PL_IO_NOTIFIED)
                        return false;
        }
        pl_io_poller_unpark(poller);
        return true;
}

void pl_io_poller_armed(struct pl_poller *poller)
{
        if (atomic_load(&poller->sleep) == PL_IO_ASLEEP)
                pl_io_poller_notify(poller);
}

/* From outside the process nobody can wake a futex of it. */
int pl_io_poller_bell(struct pl_poller *poller)
{
        poller->has_bell = true;
        return poller->notify_fd;
}

bool pl_io_poller_watching(const struct pl_poller *poller)
{
        return atomic_load_explicit(&poller->armed, memory_order_relaxed) != 0;
}
