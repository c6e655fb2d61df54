/*
 * The poller on epoll: an instance per worker. The owner waits in it; any thread may arm descriptors, and another
 * worker may fetch the news of one that is held up, since each piece of news goes to one of them only.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/attributes.h"
#include "io/backend.h"
#include "io/fd_table.h"
#include "plat/panic.h"
#include "plat/sys.h"

enum { BATCH = 256, BATCH_FOR_OTHERS = 32, AHEAD = 3 };

struct epoll_poller {
        struct pl_poller common;
        int epoll_fd;
        struct epoll_event events[BATCH];
};

static struct pl_poller *pollers[PL_IO_POLLERS];
static _Atomic bool no_pwait2; /* the kernel, or a seccomp filter, has no epoll_pwait2() */

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLPRI == POLLPRI && EPOLLERR == POLLERR &&
                       EPOLLHUP == POLLHUP && EPOLLRDHUP == POLLRDHUP,
               "events are handed on as they are");

static struct epoll_poller *of(struct pl_poller *poller)
{
        return PL_CONTAINER_OF(poller, struct epoll_poller, common);
}

static int arm(struct pl_poller *poller, int fd, uint32_t seq, enum pl_io_arming arming, unsigned events, bool again)
{
        struct epoll_event event = {.events = events, .data.u64 = pl_io_tag(fd, seq)};
        int epoll_fd = of(poller)->epoll_fd;
        int saved = errno;

        if (arming == PL_IO_STANDING)
                event.events |= EPOLLET;
        else if (arming == PL_IO_ONCE)
                event.events |= EPOLLONESHOT;

        /* Closes and re-uses that went unseen make the first guess wrong, never the second. */
        int r = epoll_ctl(epoll_fd, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);

        if (r < 0 && (errno == ENOENT || errno == EEXIST))
                r = epoll_ctl(epoll_fd, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
        if (r < 0)
                r = -errno;
        errno = saved;
        return r;
}

/*
 * Late reports are ignored by their number, and the kernel itself forgets what is closed; but while it looks at a
 * descriptor that has news, it holds on to the file, and somebody's close() in that moment does not close it.
 */
static void disarm(struct pl_poller *poller, int fd, uint32_t seq, enum pl_io_reason reason)
{
        int saved = errno;

        (void)seq;
        if (reason == PL_IO_REPLACE || reason == PL_IO_CLOSE)
                return;
        pl_lock_acquire(&poller->lock);
        if (atomic_load(&poller->epoch) & 1)
                (void)epoll_ctl(of(poller)->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        pl_lock_release(&poller->lock);
        errno = saved;
}

static const struct pl_io_backend backend = {.shared = true, .arm = arm, .disarm = disarm};

static int open_epoll(struct epoll_poller *poller)
{
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = PL_IO_TAG_NOTIFY};
        int r = pl_io_poller_open(&poller->common);

        if (r < 0)
                return r;
        poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (poller->epoll_fd >= 0) {
                if (epoll_ctl(poller->epoll_fd, EPOLL_CTL_ADD, poller->common.notify_fd, &event) == 0)
                        return 0;
                r = -errno;
                close(poller->epoll_fd);
        } else {
                r = -errno;
        }
        pl_io_poller_close(&poller->common);
        return r;
}

static int open_poller(struct pl_poller **ret, unsigned index)
{
        struct pl_poller *poller = pl_io_poller_at(pollers, index, sizeof(struct epoll_poller), &backend);
        int saved = errno;

        if (!poller)
                return -ENOMEM;
        int r = open_epoll(of(poller));

        errno = saved;
        if (r == 0)
                *ret = poller;
        return r;
}

static void close_poller(struct pl_poller *poller)
{
        pl_io_poller_close(poller);
        close(of(poller)->epoll_fd);
}

/* Milliseconds, rounded up: early would be wrong. */
static int wait_ms(int epoll_fd, struct epoll_event *events, int batch, int64_t ns)
{
        int64_t ms = ns / 1000000 + (ns % 1000000 != 0);

        return epoll_wait(epoll_fd, events, batch, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

/* *ns*: how long; 0: do not block, PL_PLAT_NEVER: without limit. */
static int fetch(struct epoll_poller *poller, int64_t ns)
{
        struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
        int n;

        if (ns == 0)
                return epoll_wait(poller->epoll_fd, poller->events, BATCH, 0);
        if (ns == PL_PLAT_NEVER)
                return epoll_wait(poller->epoll_fd, poller->events, BATCH, -1);
        if (!atomic_load_explicit(&no_pwait2, memory_order_relaxed)) {
                n = epoll_pwait2(poller->epoll_fd, poller->events, BATCH, &time, NULL);
                if (n >= 0 || (errno != ENOSYS && errno != EPERM))
                        return n;
                atomic_store_explicit(&no_pwait2, true, memory_order_relaxed);
        }
        return wait_ms(poller->epoll_fd, poller->events, BATCH, ns);
}

/* With many connections neither their entries nor their tasks are in the cache any more: fetch them in two steps. */
static void report(const struct epoll_event *events, int n)
{
        for (int i = 0; i < n && i < 2 * AHEAD; i++)
                __builtin_prefetch(pl_io_fd_peek((int)(uint32_t)events[i].data.u64));
        for (int i = 0; i < n; i++) {
                if (i + 2 * AHEAD < n)
                        __builtin_prefetch(pl_io_fd_peek((int)(uint32_t)events[i + 2 * AHEAD].data.u64));
                if (i + AHEAD < n)
                        pl_io_fd_fetch_waiter((int)(uint32_t)events[i + AHEAD].data.u64);
                if (PL_LIKELY(events[i].data.u64 != PL_IO_TAG_NOTIFY))
                        pl_io_fd_report(events[i].data.u64, events[i].events, false);
        }
}

static void wait(struct pl_poller *poller, int64_t deadline_ns)
{
        int64_t ns = deadline_ns;
        int saved = errno;

        if (deadline_ns > 0 && pl_io_poller_sleep(poller, deadline_ns))
                return;
        if (ns > 0 && ns != PL_PLAT_NEVER) {
                ns -= pl_plat_now_ns();
                ns = ns < 0 ? 0 : ns;
        } else if (ns < 0) {
                ns = 0;
        }
        if (ns > 0 && !pl_io_poller_park(poller))
                ns = 0;

        int n = fetch(of(poller), ns);

        if (n < 0 && errno != EINTR)
                pl_panic("cannot wait for events: epoll_wait: %m; something closed a descriptor of plait's");
        errno = saved;
        pl_io_poller_unpark(poller);
        report(of(poller)->events, n);
}

static void look_for(struct pl_poller *poller)
{
        struct epoll_event events[BATCH_FOR_OTHERS];
        int saved = errno;

        if (!pl_io_poller_watching(poller))
                return;
        int n = epoll_wait(of(poller)->epoll_fd, events, BATCH_FOR_OTHERS, 0);

        for (int i = 0; i < n; i++) {
                /* This was for the owner, who may be blocked by now: give it back. */
                if (events[i].data.u64 == PL_IO_TAG_NOTIFY && atomic_load(&poller->sleep) == PL_IO_NOTIFIED)
                        (void)eventfd_write(poller->notify_fd, 1);
        }
        errno = saved;
        report(events, n);
}

const struct pl_poller_ops pl_io_epoll = {
        .name = "epoll",
        .open = open_poller,
        .close = close_poller,
        .wait = wait,
        .notify = pl_io_poller_notify,
        .watching = pl_io_poller_watching,
        .bell = pl_io_poller_bell,
        .look_for = look_for,
};
