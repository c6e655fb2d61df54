/* Descriptors as cases of plait_select(): the watcher (sync/selectable.h) on top of what plait_poll() does. */
#include "plait/select.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "io/call.h"
#include "io/poll.h"
#include "io/select.h"
#include "plat/sys.h"
#include "sched/runtime.h"

static struct pollfd polled(const struct plait_case *entry)
{
        return (struct pollfd){.fd = entry->pl_fd, .events = entry->pl_events};
}

static bool look(struct plait_case *entry, bool sure)
{
        struct pollfd fd = polled(entry);
        int r;

        if (!sure && pl_io_poll_unlikely(&fd))
                return false;
        do
                r = pl_sched_in_task() ? pl_io_poll_look(&fd, 1) : pl_io_call_poll(&fd, 1, 0);
        while (r == -EINTR);
        if (r == 0)
                return false;
        entry->result = r < 0 ? r : fd.revents & POLLNVAL ? -EBADF : fd.revents;
        return true;
}

static int stand(struct plait_case *entry, struct pl_wait *wait)
{
        struct pollfd fd = polled(entry);

        return pl_io_poll_stand(pl_select_node(entry), &fd, wait);
}

static bool unqueue(struct plait_case *entry)
{
        if (!pl_io_poll_unqueue(pl_select_node(entry), entry->pl_fd))
                return false;
        entry->result = -EBADF;
        return true;
}

static void let_go(struct plait_case *entry)
{
        pl_io_poll_let_go(entry->pl_fd);
}

/* --- plain threads --- */

static int prepare(void)
{
        int saved = errno;
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int r = fd < 0 ? -errno : fd;

        errno = saved;
        return r;
}

static void finish(int fd)
{
        (void)pl_io_call_close(fd);
}

static int64_t left_of(int64_t deadline_ns)
{
        if (deadline_ns == PL_PLAT_NEVER)
                return PL_PLAT_NEVER;

        int64_t ns = deadline_ns - pl_plat_now_ns();

        return ns > 0 ? ns : 0;
}

static int block(const struct plait_case *cases, size_t count, struct pl_wait *wait, int notify_fd, int64_t deadline_ns)
{
        struct pollfd fds[1 + PLAIT_SELECT_THREAD_FDS] = {{.fd = notify_fd, .events = POLLIN}};
        size_t n = 1;
        int r;

        for (size_t i = 0; i < count; i++)
                if (cases[i].pl_kind && cases[i].pl_kind->watcher)
                        fds[n++] = polled(&cases[i]);
        do
                r = pl_io_call_poll(fds, n, left_of(deadline_ns));
        while (r == -EINTR);
        if (pl_sched_wait_finish(wait, 0, 0) == 0)
                return 0;
        return r > 0 ? 1 : r == 0 ? -ETIMEDOUT : r;
}

const struct pl_select_watcher pl_io_select_watcher = {.look = look,
                                                       .stand = stand,
                                                       .unqueue = unqueue,
                                                       .let_go = let_go,
                                                       .prepare = prepare,
                                                       .block = block,
                                                       .finish = finish};

/* --- the plain descriptor --- */

static const struct plait_selectable fd_kind = {.watcher = &pl_io_select_watcher};

struct plait_case pl_io_select_case(int fd, short events, const struct plait_selectable *kind, void *object)
{
        if (fd < 0)
                return (struct plait_case){0};
        return (struct plait_case){
                .pl_kind = kind, .pl_object = object, .pl_fd = fd, .pl_events = (short)(events & PL_IO_POLL_EVENTS)};
}

struct plait_case plait_case_fd(int fd, short events)
{
        return pl_io_select_case(fd, events, &fd_kind, NULL);
}
