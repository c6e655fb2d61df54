/* Reading, writing and waiting for descriptors. */
#include "api/alone.h"
#include "harness/task.h"
#include "harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct io {
        int fd;
        ssize_t result;
        char byte;
};

static int read_byte(void *arg)
{
        struct io *io = arg;

        io->result = plait_read(io->fd, &io->byte, 1, PLAIT_NEVER);
        return 0;
}

static int wait_readable(void *arg)
{
        struct io *io = arg;

        io->result = plait_wait_fd(io->fd, POLLIN, PLAIT_NEVER);
        return 0;
}

static int write_byte_later(void *arg)
{
        const struct io *io = arg;

        let_others_run();
        CHECK_INT(plait_write(io->fd, &io->byte, 1, PLAIT_NEVER), ==, 1);
        return 0;
}

TEST(pipe_carries_bytes_and_its_end, .run = in_task)
{
        char text[16];
        int ends[2];

        CHECK_OK(plait_pipe(ends));
        CHECK_INT(plait_write(ends[1], "abc", 3, PLAIT_NEVER), ==, 3);
        CHECK_INT(plait_read(ends[0], text, sizeof text, PLAIT_NEVER), ==, 3);
        CHECK_MEM(text, "abc", 3);
        CHECK_OK(plait_close(ends[1]));
        CHECK_INT(plait_read(ends[0], text, sizeof text, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_read(ends[0], text, sizeof text, PLAIT_NEVER), ==, 0);
        CHECK_OK(plait_close(ends[0]));
}

TEST(read_waits_for_a_writer, .run = in_task)
{
        int ends[2];

        CHECK_OK(plait_pipe(ends));
        for (int i = 0; i < 20; i++) {
                struct plait_scope round = PLAIT_SCOPE_INIT;
                struct io reader = {.fd = ends[0]}, writer = {.fd = ends[1], .byte = (char)i};

                CHECK_OK(plait_scope_go(&round, read_byte, &reader));
                CHECK_OK(plait_scope_go(&round, write_byte_later, &writer));
                CHECK_INT(plait_scope_join(&round), ==, 0);
                CHECK_INT(reader.result, ==, 1);
                CHECK_INT(reader.byte, ==, i);
        }
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
}

TEST(deadlines_end_every_wait, .run = in_task)
{
        struct pollfd one;
        char byte = 0;
        int ends[2];

        CHECK_OK(plait_pipe(ends));
        one = (struct pollfd){.fd = ends[0], .events = POLLIN};
        for (int i = 0; i < 3; i++) {
                int64_t deadline = plait_in_ms(i * 10);

                CHECK_INT(plait_read(ends[0], &byte, 1, deadline), ==, -ETIMEDOUT);
                CHECK_INT(plait_now_ns(), >=, deadline);
                deadline = plait_in_ms(i * 10);
                CHECK_INT(plait_wait_fd(ends[0], POLLIN, deadline), ==, -ETIMEDOUT);
                CHECK_INT(plait_now_ns(), >=, deadline);
                CHECK_INT(plait_poll(&one, 1, plait_in_ms(i * 10)), ==, -ETIMEDOUT);
        }
        while (plait_write(ends[1], "0123456789", 10, 0) > 0)
                ;
        while (plait_write(ends[1], "0", 1, 0) > 0)
                ;
        CHECK_INT(plait_write(ends[1], &byte, 1, plait_in_ms(10)), ==, -ETIMEDOUT);
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
}

TEST(past_deadline_takes_what_is_there, .run = in_task)
{
        char text[8];
        int ends[2];

        CHECK_OK(plait_pipe(ends));
        CHECK_INT(plait_read(ends[0], text, sizeof text, 0), ==, -ETIMEDOUT);
        CHECK_INT(write(ends[1], "xy", 2), ==, 2);
        CHECK_INT(plait_read(ends[0], text, sizeof text, 0), ==, 2);
        CHECK_INT(plait_read(ends[0], text, sizeof text, 0), ==, -ETIMEDOUT);
        CHECK_INT(write(ends[1], "z", 1), ==, 1);
        CHECK_INT(plait_wait_fd(ends[0], POLLIN, 0), ==, POLLIN);
        CHECK_INT(plait_read(ends[0], text, sizeof text, 0), ==, 1);
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
}

TEST(cancellation_ends_every_wait, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct io reader, waiter, foreign;
        int ends[2], raw[2];

        CHECK_OK(plait_pipe(ends));
        CHECK_SYS(pipe2(raw, O_CLOEXEC));
        reader.fd = waiter.fd = ends[0];
        foreign.fd = raw[0];
        CHECK_OK(plait_scope_go(&scope, read_byte, &reader));
        CHECK_OK(plait_scope_go(&scope, wait_readable, &waiter));
        CHECK_OK(plait_scope_go(&scope, read_byte, &foreign));
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(reader.result, ==, -ECANCELED);
        CHECK_INT(waiter.result, ==, -ECANCELED);
        CHECK_INT(foreign.result, ==, -ECANCELED);
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
        close(raw[0]);
        close(raw[1]);
}

TEST(close_wakes_all_who_wait, .run = alone)
{
        enum { WAITERS = 20 };
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct io waiters[WAITERS];
        int ends[2];

        CHECK_OK(plait_pipe(ends));
        for (int i = 0; i < WAITERS; i++) {
                waiters[i].fd = ends[0];
                CHECK_OK(plait_scope_go(&scope, i % 2 ? read_byte : wait_readable, &waiters[i]));
        }
        let_others_run();
        CHECK_OK(plait_close(ends[0]));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        for (int i = 0; i < WAITERS; i++)
                CHECK_INT(waiters[i].result, ==, -EBADF);
        CHECK_OK(plait_close(ends[1]));
}

TEST(number_used_again_starts_afresh, .run = in_task)
{
        for (int i = 0; i < 50; i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct io reader = {0}, writer = {0};
                int ends[2];

                CHECK_OK(plait_pipe(ends));
                reader.fd = ends[0];
                writer.fd = ends[1];
                CHECK_OK(plait_scope_go(&scope, read_byte, &reader));
                CHECK_OK(plait_scope_go(&scope, write_byte_later, &writer));
                CHECK_INT(plait_scope_join(&scope), ==, 0);
                CHECK_INT(reader.result, ==, 1);
                CHECK_OK(plait_close(ends[0]));
                CHECK_OK(plait_close(ends[1]));
        }
}

TEST(foreign_number_used_again_starts_afresh, .run = in_task)
{
        for (int i = 0; i < 50; i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct io reader = {0}, writer = {0};
                int ends[2];

                CHECK_SYS(pipe2(ends, O_CLOEXEC));
                reader.fd = ends[0];
                writer.fd = ends[1];
                CHECK_OK(plait_scope_go(&scope, read_byte, &reader));
                CHECK_OK(plait_scope_go(&scope, write_byte_later, &writer));
                CHECK_INT(plait_scope_join(&scope), ==, 0);
                CHECK_INT(reader.result, ==, 1);
                CHECK_INT(fcntl(ends[0], F_GETFL) & O_NONBLOCK, ==, 0);
                close(ends[0]);
                close(ends[1]);
        }
}

TEST(many_waiters_each_get_a_byte, .run = alone)
{
        enum { WAITERS = 100 };
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        static struct io waiters[WAITERS];
        char bytes[WAITERS] = {0};
        int ends[2];

        CHECK_OK(plait_pipe(ends));
        for (int i = 0; i < WAITERS; i++) {
                waiters[i].fd = ends[0];
                CHECK_OK(plait_scope_go(&scope, read_byte, &waiters[i]));
        }
        let_others_run();
        CHECK_INT(plait_write_full(ends[1], bytes, sizeof bytes, PLAIT_NEVER), ==, WAITERS);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        for (int i = 0; i < WAITERS; i++)
                CHECK_INT(waiters[i].result, ==, 1);
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
}

static int pump_out(void *arg)
{
        const struct io *io = arg;
        static char block[100000];

        for (int i = 0; i < 50; i++)
                CHECK_INT(plait_write_full(io->fd, block, sizeof block, PLAIT_NEVER), ==, sizeof block);
        CHECK_OK(plait_close(io->fd));
        return 0;
}

TEST(large_transfers_fill_and_empty_the_pipe, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        static char block[70000];
        struct io writer;
        ssize_t n, total = 0;
        int ends[2];

        CHECK_OK(plait_pipe(ends));
        writer.fd = ends[1];
        CHECK_OK(plait_scope_go(&scope, pump_out, &writer));
        while ((n = plait_read(ends[0], block, sizeof block, PLAIT_NEVER)) > 0)
                total += n;
        CHECK_INT(n, ==, 0);
        CHECK_INT(total, ==, 5000000);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_OK(plait_close(ends[0]));
}

TEST(write_to_a_pipe_without_reader_is_an_error, .run = in_task)
{
        int ends[2], raw[2];

        CHECK_OK(plait_pipe(ends));
        CHECK_OK(plait_close(ends[0]));
        CHECK_INT(plait_write(ends[1], "x", 1, PLAIT_NEVER), ==, -EPIPE);
        CHECK_OK(plait_close(ends[1]));
        CHECK_SYS(pipe2(raw, O_CLOEXEC));
        close(raw[0]);
        CHECK_INT(plait_write(raw[1], "x", 1, PLAIT_NEVER), ==, -EPIPE);
        close(raw[1]);
}

TEST(wait_fd_reports_what_is_there, .run = in_task)
{
        int ends[2];

        CHECK_OK(plait_pipe(ends));
        CHECK_INT(plait_wait_fd(ends[1], POLLOUT, PLAIT_NEVER), ==, POLLOUT);
        CHECK_OK(plait_close(ends[1]));
        CHECK_INT(plait_wait_fd(ends[0], POLLIN, PLAIT_NEVER), ==, POLLHUP);
        CHECK_INT(plait_wait_fd(ends[0], (short)0x4000, PLAIT_NEVER), ==, -EINVAL);
        CHECK_OK(plait_close(ends[0]));
        CHECK_INT(plait_wait_fd(ends[0], POLLIN, PLAIT_NEVER), ==, -EBADF);
        CHECK_INT(plait_wait_fd(-1, POLLIN, PLAIT_NEVER), ==, -EBADF);
}

TEST(wait_fd_works_for_timers_and_eventfds, .run = in_task)
{
        struct itimerspec spec = {.it_value.tv_nsec = 10000000};
        int timer = CHECK_SYS(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
        int event = CHECK_SYS(eventfd(0, EFD_CLOEXEC));
        uint64_t count = 0;

        CHECK_SYS(timerfd_settime(timer, 0, &spec, NULL));
        CHECK_INT(plait_wait_fd(timer, POLLIN, PLAIT_NEVER), ==, POLLIN);
        CHECK_INT(plait_read(timer, &count, sizeof count, PLAIT_NEVER), ==, 8);
        CHECK_UINT(count, ==, 1);
        count = 7;
        CHECK_INT(plait_write(event, &count, sizeof count, PLAIT_NEVER), ==, 8);
        count = 0;
        CHECK_INT(plait_read(event, &count, sizeof count, PLAIT_NEVER), ==, 8);
        CHECK_UINT(count, ==, 7);
        CHECK_INT(plait_read(event, &count, sizeof count, plait_in_ms(5)), ==, -ETIMEDOUT);
        close(timer);
        close(event);
}

TEST(poll_finds_the_one_that_is_ready, .run = in_task)
{
        enum { PIPES = 10 };
        struct pollfd fds[PIPES + 1];
        int ends[PIPES][2];

        for (int i = 0; i < PIPES; i++) {
                if (i % 2)
                        CHECK_OK(plait_pipe(ends[i]));
                else
                        CHECK_SYS(pipe2(ends[i], O_CLOEXEC));
                fds[i] = (struct pollfd){.fd = ends[i][0], .events = POLLIN};
        }
        fds[PIPES] = (struct pollfd){.fd = -1, .events = POLLIN};
        for (int i = 0; i < PIPES; i++) {
                struct plait_scope round = PLAIT_SCOPE_INIT;
                struct io writer = {.fd = ends[i][1]};
                char byte;

                CHECK_OK(plait_scope_go(&round, write_byte_later, &writer));
                CHECK_INT(plait_poll(fds, PIPES + 1, PLAIT_NEVER), ==, 1);
                for (int j = 0; j < PIPES; j++)
                        CHECK_INT(fds[j].revents, ==, i == j ? POLLIN : 0);
                CHECK_INT(plait_read(ends[i][0], &byte, 1, PLAIT_NEVER), ==, 1);
                CHECK_INT(plait_scope_join(&round), ==, 0);
        }
        for (int i = 0; i < PIPES; i++) {
                CHECK_OK(plait_close(ends[i][0]));
                CHECK_OK(plait_close(ends[i][1]));
        }
}

TEST(poll_leaves_the_byte_for_a_reader, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct io reader, waiter;
        int ends[2];

        CHECK_OK(plait_pipe(ends));
        reader.fd = waiter.fd = ends[0];
        CHECK_OK(plait_scope_go(&scope, wait_readable, &waiter));
        CHECK_OK(plait_scope_go(&scope, read_byte, &reader));
        let_others_run();
        CHECK_INT(plait_write(ends[1], "x", 1, PLAIT_NEVER), ==, 1);
        let_others_run();
        CHECK_INT(plait_write(ends[1], "y", 1, PLAIT_NEVER), ==, 1);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(reader.result, ==, 1);
        CHECK_INT(waiter.result, ==, POLLIN);
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
}

TEST(regular_files_are_read_and_written, .run = in_task)
{
        char name[] = "/tmp/plait-test-XXXXXX", text[8];
        int fd = CHECK_SYS(mkostemp(name, O_CLOEXEC));

        unlink(name);
        CHECK_INT(plait_read(fd, text, sizeof text, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_write_full(fd, "contents", 8, PLAIT_NEVER), ==, 8);
        CHECK_INT(plait_pread(fd, text, 4, 2, PLAIT_NEVER), ==, 4);
        CHECK_MEM(text, "nten", 4);
        CHECK_INT(plait_pwrite(fd, "XY", 2, 0, PLAIT_NEVER), ==, 2);
        CHECK_INT(plait_pread(fd, text, 8, 0, PLAIT_NEVER), ==, 8);
        CHECK_MEM(text, "XYntents", 8);
        CHECK_INT(plait_pread(fd, text, 8, -1, PLAIT_NEVER), ==, -EINVAL);
        CHECK_INT(plait_read(fd, text, sizeof text, PLAIT_NEVER), ==, 0);
        CHECK_SYS(lseek(fd, 0, SEEK_SET));
        CHECK_INT(plait_read(fd, text, sizeof text, 0), ==, 8);
        CHECK_INT(plait_wait_fd(fd, POLLIN, PLAIT_NEVER), ==, POLLIN);
        CHECK_INT(plait_adopt(fd), ==, -EPERM);
        CHECK_OK(plait_close(fd));
}

TEST(uncached_file_is_read_by_a_thread, .run = in_task)
{
        char name[] = "/var/tmp/plait-test-XXXXXX";
        static char block[1 << 20];
        int fd = CHECK_SYS(mkostemp(name, O_CLOEXEC));
        ssize_t n, total = 0;

        unlink(name);
        CHECK_INT(plait_write_full(fd, block, sizeof block, PLAIT_NEVER), ==, sizeof block);
        CHECK_SYS(fsync(fd));
        CHECK_INT(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), ==, 0);
        CHECK_SYS(lseek(fd, 0, SEEK_SET));
        while ((n = plait_read(fd, block, sizeof block, PLAIT_NEVER)) > 0)
                total += n;
        CHECK_INT(n, ==, 0);
        CHECK_INT(total, ==, sizeof block);
        close(fd);
}

TEST(devices_are_read_and_written, .run = in_task)
{
        char text[100];
        int zero = CHECK_SYS(open("/dev/zero", O_RDWR | O_CLOEXEC));
        int null = CHECK_SYS(open("/dev/null", O_RDWR | O_CLOEXEC));

        CHECK_INT(plait_read(zero, text, sizeof text, PLAIT_NEVER), ==, sizeof text);
        CHECK_INT(plait_write_full(null, text, sizeof text, PLAIT_NEVER), ==, sizeof text);
        CHECK_INT(plait_read(null, text, sizeof text, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_wait_fd(null, POLLIN, PLAIT_NEVER), ==, POLLIN);
        close(zero);
        close(null);
}

TEST(terminal_keeps_its_mode, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int master = CHECK_SYS(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
        struct io reader = {0};
        char text[16];

        CHECK_SYS(grantpt(master));
        CHECK_SYS(unlockpt(master));

        int slave = CHECK_SYS(open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC));

        CHECK_INT(plait_write_full(slave, "hello", 5, PLAIT_NEVER), ==, 5);
        CHECK_INT(plait_read_full(master, text, 5, PLAIT_NEVER), ==, 5);
        reader.fd = slave;
        CHECK_OK(plait_scope_go(&scope, read_byte, &reader));
        let_others_run();
        CHECK_INT(plait_write_full(master, "a\n", 2, PLAIT_NEVER), ==, 2);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(reader.byte, ==, 'a');
        CHECK_INT(fcntl(slave, F_GETFL) & O_NONBLOCK, ==, 0);
        CHECK_OK(plait_close(slave));
        CHECK_OK(plait_close(master));
}

TEST(readv_and_writev_use_all_pieces, .run = in_task)
{
        char a[3], b[4];
        struct iovec out[2] = {{(char[]){'a', 'b'}, 2}, {(char[]){'c', 'd', 'e'}, 3}};
        struct iovec in[2] = {{a, sizeof a}, {b, sizeof b}};
        int pair[2], ends[2];

        CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        CHECK_INT(plait_writev(pair[0], out, 2, PLAIT_NEVER), ==, 5);
        CHECK_INT(plait_readv(pair[1], in, 2, PLAIT_NEVER), ==, 5);
        CHECK_OK(plait_adopt(pair[0]));
        CHECK_OK(plait_adopt(pair[1]));
        CHECK_INT(plait_writev(pair[0], out, 2, PLAIT_NEVER), ==, 5);
        CHECK_INT(plait_readv(pair[1], in, 2, PLAIT_NEVER), ==, 5);
        CHECK_MEM(a, "abc", 3);
        CHECK_MEM(b, "de", 2);
        CHECK_OK(plait_pipe(ends));
        CHECK_INT(plait_writev(ends[1], out, 2, PLAIT_NEVER), ==, 5);
        CHECK_INT(plait_readv(ends[0], in, 2, PLAIT_NEVER), ==, 5);
        CHECK_INT(plait_readv(ends[0], in, 0, PLAIT_NEVER), ==, -EINVAL);
        for (int i = 0; i < 2; i++) {
                CHECK_OK(plait_close(pair[i]));
                CHECK_OK(plait_close(ends[i]));
        }
}

TEST(released_descriptor_belongs_to_others, .run = in_task)
{
        int ends[2];
        char byte;

        CHECK_OK(plait_pipe(ends));
        CHECK_INT(plait_read(ends[0], &byte, 1, plait_in_ms(1)), ==, -ETIMEDOUT);
        CHECK_OK(plait_release(ends[0]));
        CHECK_OK(plait_release(ends[1]));
        close(ends[0]);
        close(ends[1]);
        CHECK_SYS(pipe2(ends, O_CLOEXEC));
        CHECK_INT(plait_read(ends[0], &byte, 1, plait_in_ms(1)), ==, -ETIMEDOUT);
        close(ends[0]);
        close(ends[1]);
}

TEST(closing_what_is_not_open_is_an_error, .run = in_task)
{
        CHECK_INT(plait_close(-1), ==, -EBADF);
        CHECK_INT(plait_close(987), ==, -EBADF);
        CHECK_INT(plait_adopt(987), ==, -EBADF);
}

static int shared_ends[2];

static int one_round(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct io reader = {.fd = shared_ends[0]}, writer = {.fd = shared_ends[1]};

        (void)arg;
        CHECK_OK(plait_scope_go(&scope, read_byte, &reader));
        CHECK_OK(plait_scope_go(&scope, write_byte_later, &writer));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(reader.result, ==, 1);
        return 0;
}

TEST(descriptors_serve_one_run_after_another)
{
        CHECK_OK(plait_pipe(shared_ends));
        for (int i = 0; i < 5; i++)
                CHECK_INT(plait_run(one_round, NULL, NULL), ==, 0);
        CHECK_OK(plait_close(shared_ends[0]));
        CHECK_OK(plait_close(shared_ends[1]));
}

TEST(threads_may_wait_too)
{
        struct pollfd one;
        char byte;
        int ends[2];

        CHECK_OK(plait_pipe(ends));
        one = (struct pollfd){.fd = ends[0], .events = POLLIN};
        CHECK_INT(plait_read(ends[0], &byte, 1, plait_in_ms(5)), ==, -ETIMEDOUT);
        CHECK_INT(plait_poll(&one, 1, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_write(ends[1], "x", 1, PLAIT_NEVER), ==, 1);
        CHECK_INT(plait_poll(&one, 1, PLAIT_NEVER), ==, 1);
        CHECK_INT(plait_read(ends[0], &byte, 1, PLAIT_NEVER), ==, 1);
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
}

TEST(errno_stays_as_it_was, .run = in_task)
{
        int ends[2];
        char byte;

        CHECK_OK(plait_pipe(ends));
        errno = 12345;
        CHECK_INT(plait_read(ends[0], &byte, 1, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_close(987), ==, -EBADF);
        CHECK_INT(plait_wait_fd(ends[0], POLLIN, 0), ==, -ETIMEDOUT);
        CHECK_INT(errno, ==, 12345);
        errno = 0;
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
}

TEST(table_has_room_for_high_numbers, .run = in_task)
{
        struct rlimit limit;
        int ends[2], high;
        char byte;

        CHECK_SYS(getrlimit(RLIMIT_NOFILE, &limit));
        CHECK_SYS(pipe2(ends, O_CLOEXEC));
        high = CHECK_SYS(fcntl(ends[0], F_DUPFD_CLOEXEC, (int)limit.rlim_cur - 1));
        CHECK_OK(plait_adopt(high));
        CHECK_INT(plait_read(high, &byte, 1, plait_in_ms(1)), ==, -ETIMEDOUT);
        CHECK_INT(plait_write(ends[1], "x", 1, PLAIT_NEVER), ==, 1);
        CHECK_INT(plait_read(high, &byte, 1, PLAIT_NEVER), ==, 1);
        CHECK_OK(plait_close(high));
        close(ends[0]);
        close(ends[1]);
}

TEST(out_of_descriptors_is_an_error, .run = in_task)
{
        struct rlimit limit, less;
        int ends[2] = {-7, -7};

        CHECK_SYS(getrlimit(RLIMIT_NOFILE, &limit));
        less = limit;
        less.rlim_cur = 3;
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &less));
        CHECK_INT(plait_pipe(ends), ==, -EMFILE);
        CHECK_INT(ends[0], ==, -7);
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
}
