/* Standing watches over descriptors: level-triggered callbacks on both pollers. */
#include "io/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/task.h"
#include "harness/test.h"
#include "plait/fd.h"
#include "plait/select.h"

struct watched {
        struct pl_io_watch watch;
        _Atomic unsigned events;
        _Atomic int calls;
};

static void note(struct pl_io_watch *watch, unsigned events)
{
        struct watched *self = (struct watched *)(void *)watch;

        atomic_fetch_or(&self->events, events);
        atomic_fetch_add(&self->calls, 1);
}

static void wait_for_calls(struct watched *self, int calls)
{
        while (atomic_load(&self->calls) < calls)
                CHECK_INT(plait_sleep(plait_in_ns(100000)), ==, 0);
}

static void open_pair(int pair[2])
{
        CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
}

TEST(watch_reports_for_as_long_as_it_is_ready, .run = in_task)
{
        struct watched self = {0};
        char byte;
        int pair[2];

        open_pair(pair);
        CHECK_OK(pl_io_watch_start(&self.watch, pair[0], POLLIN, note));
        CHECK_INT(plait_sleep(plait_in_ms(2)), ==, 0);
        CHECK_INT(self.calls, ==, 0);
        CHECK_INT(write(pair[1], "x", 1), ==, 1);
        wait_for_calls(&self, 3);
        CHECK_UINT(self.events, ==, POLLIN);
        CHECK_INT(read(pair[0], &byte, 1), ==, 1);
        pl_io_watch_stop(&self.watch);

        int calls = self.calls;

        CHECK_INT(write(pair[1], "x", 1), ==, 1);
        CHECK_INT(plait_sleep(plait_in_ms(2)), ==, 0);
        CHECK_INT(self.calls, ==, calls);
        close(pair[0]);
        close(pair[1]);
}

TEST(watch_reports_a_hang_up, .run = in_task)
{
        struct watched self = {0};
        int pair[2];

        open_pair(pair);
        CHECK_OK(pl_io_watch_start(&self.watch, pair[0], POLLIN, note));
        close(pair[1]);
        wait_for_calls(&self, 1);
        CHECK_UINT(self.events & POLLHUP, ==, POLLHUP);
        pl_io_watch_stop(&self.watch);
        close(pair[0]);
}

TEST(watched_descriptor_is_taken, .run = in_task)
{
        struct watched first = {0}, second = {0};
        int pair[2];

        open_pair(pair);
        CHECK_OK(pl_io_watch_start(&first.watch, pair[0], POLLIN, note));
        CHECK_INT(pl_io_watch_start(&second.watch, pair[0], POLLIN, note), ==, -EBUSY);
        CHECK_INT(plait_close(pair[0]), ==, -EBUSY);
        CHECK_INT(plait_wait_fd(pair[0], POLLIN, PLAIT_NEVER), ==, -EBUSY);
        pl_io_watch_stop(&first.watch);
        CHECK_OK(pl_io_watch_start(&second.watch, pair[0], POLLIN, note));
        pl_io_watch_stop(&second.watch);
        CHECK_INT(pl_io_watch_start(&first.watch, -1, POLLIN, note), ==, -EBADF);
        close(pair[0]);
        close(pair[1]);
}

/* Whatever it had begun before it met the watched one is undone: the other descriptor can be watched afterwards. */
TEST(select_of_a_watched_descriptor_is_refused, .run = in_task)
{
        struct watched self = {0}, other = {0};
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(0);
        int free_pair[2], taken_pair[2];

        open_pair(free_pair);
        open_pair(taken_pair);
        CHECK_OK(pl_io_watch_start(&self.watch, taken_pair[0], 0, note));

        struct plait_case cases[] = {plait_case_fd(free_pair[0], POLLIN), plait_case_fd(taken_pair[0], POLLIN),
                                     plait_case_acquire(&semaphore)};

        CHECK_INT(plait_select(cases, 3, PLAIT_NEVER), ==, -EBUSY);
        CHECK_INT(plait_select(cases, 3, 0), ==, -ETIMEDOUT);
        CHECK_OK(pl_io_watch_start(&other.watch, free_pair[0], POLLIN, note));
        pl_io_watch_stop(&other.watch);
        CHECK_OK(plait_semaphore_release(&semaphore, 1));
        CHECK_INT(plait_select(cases, 3, PLAIT_NEVER), ==, 2);

        pl_io_watch_stop(&self.watch);
        CHECK_INT(write(taken_pair[1], "x", 1), ==, 1);
        CHECK_INT(plait_select(cases, 3, PLAIT_NEVER), ==, 1);
        CHECK_INT(cases[1].result, ==, POLLIN);
        for (int i = 0; i < 2; i++) {
                close(free_pair[i]);
                close(taken_pair[i]);
        }
}

TEST(numbers_are_watched_again_and_again, .run = in_task)
{
        for (int i = 0; i < 200; i++) {
                struct watched self = {0};
                int pair[2];

                open_pair(pair);
                CHECK_OK(pl_io_watch_start(&self.watch, pair[0], i % 2 ? POLLIN : POLLIN | POLLOUT, note));
                if (i % 3 == 0)
                        plait_yield();
                CHECK_INT(write(pair[1], "x", 1), ==, 1);
                wait_for_calls(&self, 1);
                pl_io_watch_stop(&self.watch);
                close(pair[0]);
                close(pair[1]);
        }
}
