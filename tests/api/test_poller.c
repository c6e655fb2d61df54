/* Which poller runs, what happens when it cannot be had, and that it is quiet when nothing happens. */
#include "harness/deny.h"
#include "harness/task.h"
#include "harness/test.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Whether the process has an open descriptor of this kind, as in "anon_inode:[io_uring]". */
static bool have(const char *kind)
{
        char path[64], target[64];
        bool found = false;

        for (int fd = 0; fd < 64 && !found; fd++) {
                (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);

                ssize_t n = readlink(path, target, sizeof target - 1);

                found = n > 0 && (target[n] = '\0', strcmp(target, kind) == 0);
        }
        return found;
}

static int carry(void *arg)
{
        char byte = 0;
        int ends[2];

        (void)arg;
        CHECK_OK(plait_pipe(ends));
        CHECK_INT(plait_read(ends[0], &byte, 1, plait_in_ms(1)), ==, -ETIMEDOUT);
        CHECK_INT(plait_write(ends[1], "x", 1, PLAIT_NEVER), ==, 1);
        CHECK_INT(plait_read(ends[0], &byte, 1, PLAIT_NEVER), ==, 1);
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
        return have("anon_inode:[io_uring]") ? 2 : have("anon_inode:[eventpoll]") ? 1 : 0;
}

static int run_with(const char *poller)
{
        if (poller)
                CHECK_SYS(setenv("PLAIT_POLLER", poller, 1));
        else
                CHECK_SYS(unsetenv("PLAIT_POLLER"));
        return plait_run(carry, NULL, NULL);
}

TEST(epoll_can_be_asked_for)
{
        CHECK_INT(run_with("epoll"), ==, 1);
}

TEST(io_uring_can_be_asked_for)
{
        int r = run_with("io_uring");

        if (r == 1)
                SKIP("no io_uring here");
        CHECK_INT(r, ==, 2);
}

TEST(pollers_can_take_turns)
{
        for (int i = 0; i < 4; i++)
                CHECK_INT(run_with(i % 2 ? "epoll" : "io_uring"), >, 0);
}

TEST(unknown_poller_is_named_and_ignored, .stderr_match = "PLAIT_POLLER=kqueue.*epoll or io_uring")
{
        CHECK_INT(run_with("kqueue"), >, 0);
}

TEST(denied_io_uring_falls_back_with_a_word, .stderr_match = "PLAIT_POLLER=io_uring.*going on with epoll")
{
        test_deny(SYS_io_uring_setup, EPERM);
        CHECK_INT(run_with("io_uring"), ==, 1);
}

TEST(missing_io_uring_falls_back_with_a_word, .stderr_match = "PLAIT_POLLER=io_uring.*going on with epoll")
{
        test_deny(SYS_io_uring_setup, ENOSYS);
        CHECK_INT(run_with("io_uring"), ==, 1);
}

TEST(denied_io_uring_goes_unnoticed_by_default, .stderr_match = "^$")
{
        test_deny(SYS_io_uring_setup, EPERM);
        CHECK_INT(run_with(NULL), ==, 1);
}

TEST(old_kernel_without_epoll_pwait2_is_enough)
{
        int64_t before = plait_now_ns();

        test_deny(SYS_epoll_pwait2, ENOSYS);
        CHECK_INT(run_with("epoll"), ==, 1);
        CHECK_INT(plait_now_ns() - before, >=, 1000000);
}

TEST(no_descriptors_for_a_poller_is_an_error)
{
        struct rlimit limit, less;

        CHECK_SYS(getrlimit(RLIMIT_NOFILE, &limit));
        less = limit;
        less.rlim_cur = 3;
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &less));

        int r = run_with("epoll");

        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
        CHECK_INT(r, ==, -EMFILE);
}

/* What can be had without watching anything still can; and whoever sends later does not meet this select. */
static int select_without_watches(void *arg)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(0);
        struct plait_channel *channel;
        int ends[2], item = 5;

        (void)arg;
        CHECK_OK(plait_channel_new(sizeof item, 0, &channel));
        CHECK_OK(plait_pipe(ends));

        struct plait_case cases[] = {plait_case_fd(ends[0], POLLIN), plait_case_receive(channel, &item),
                                     plait_case_acquire(&semaphore)};

        test_deny(SYS_epoll_ctl, ENOSPC);
        for (int i = 0; i < 2; i++) {
                CHECK_INT(plait_select(cases, 3, PLAIT_NEVER), ==, -ENOSPC);
                CHECK_INT(plait_wait_fd(ends[0], POLLIN, PLAIT_NEVER), ==, -ENOSPC);
                CHECK_INT(plait_select(cases, 3, 0), ==, -ETIMEDOUT);
        }
        CHECK_INT(plait_channel_send(channel, &item, plait_in_ms(1)), ==, -ETIMEDOUT);
        CHECK_OK(plait_semaphore_release(&semaphore, 2));
        CHECK_INT(plait_select(cases, 3, PLAIT_NEVER), ==, 2);
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, 1);
        CHECK_OK(plait_semaphore_acquire(&semaphore, 0));
        CHECK_INT(write(ends[1], "x", 1), ==, 1);
        CHECK_INT(plait_select(cases, 3, PLAIT_NEVER), ==, 0);
        CHECK_INT(cases[0].result, ==, POLLIN);
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
        plait_channel_free(channel);
        return 0;
}

TEST(when_watches_run_out_those_who_wait_are_told)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 1};

        CHECK_SYS(setenv("PLAIT_POLLER", "epoll", 1));
        CHECK_INT(plait_run(select_without_watches, NULL, &opts), ==, 0);
}

/* Context switches of all threads: each blocking system call that sleeps makes one. */
static long switches(void)
{
        struct rusage usage;

        CHECK_SYS(getrusage(RUSAGE_SELF, &usage));
        return usage.ru_nvcsw;
}

/* Other programs that want the processors may make it sleep once more, in one second or the other. */
static int idle(void *arg)
{
        char byte;
        int ends[2];
        long least = LONG_MAX;

        (void)arg;
        CHECK_OK(plait_pipe(ends));
        CHECK_INT(plait_read(ends[0], &byte, 1, plait_in_ms(300)), ==, -ETIMEDOUT); /* naps have come to their end */
        for (int i = 0; i < 6 && least > 12; i++) {
                long before = switches();

                CHECK_INT(plait_read(ends[0], &byte, 1, plait_in_ms(1000)), ==, -ETIMEDOUT);
                long more = switches() - before;
                least = more < least ? more : least;
        }
        CHECK_INT(least, <=, 12);
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
        return 0;
}

TEST(nothing_moves_when_nothing_happens)
{
        if (test_slowness() > 1)
                SKIP("a sanitizer has threads of its own");
        CHECK_INT(plait_run(idle, NULL, NULL), ==, 0);
}
