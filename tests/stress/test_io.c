/* Descriptors under pressure: races of reports, time-outs, cancellations and closes. */
#include "harness/task.h"
#include "harness/test.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS = 32, ROUNDS = 300 };

static int rounds(void)
{
        return ROUNDS / test_slowness() + 20;
}

static uint64_t next_random(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

/* Sends numbers; the other side must see each once and in order, however its waits end in between. */
static int send_numbers(void *arg)
{
        int fd = (int)(intptr_t)arg;
        uint64_t random = (uint64_t)fd * 77 + 1;

        for (uint32_t i = 0; i < (uint32_t)rounds(); i++) {
                if (next_random(&random) % 4 == 0)
                        (void)plait_sleep(plait_in_ns((int64_t)(next_random(&random) % 100000)));
                CHECK_INT(plait_write_full(fd, &i, sizeof i, PLAIT_NEVER), ==, sizeof i);
        }
        CHECK_OK(plait_close(fd));
        return 0;
}

static int receive_numbers(void *arg)
{
        int fd = (int)(intptr_t)arg;
        uint64_t random = (uint64_t)fd * 99 + 1;
        uint32_t expected = 0;

        for (;;) {
                uint32_t got = 0;
                size_t done = 0;

                while (done < sizeof got) {
                        int64_t deadline = plait_in_ns((int64_t)(next_random(&random) % 60000));
                        ssize_t n = plait_read(fd, (char *)&got + done, sizeof got - done, deadline);

                        if (n == -ETIMEDOUT)
                                continue;
                        CHECK_INT(n, >=, 0);
                        if (n == 0) {
                                CHECK_UINT(expected, ==, rounds());
                                CHECK_OK(plait_close(fd));
                                return 0;
                        }
                        done += (size_t)n;
                }
                CHECK_UINT(got, ==, expected);
                expected++;
        }
}

static void exchange(bool owned)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < PAIRS; i++) {
                int pair[2];

                CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
                if (owned) {
                        CHECK_OK(plait_adopt(pair[0]));
                        CHECK_OK(plait_adopt(pair[1]));
                }
                CHECK_OK(plait_scope_go(&scope, send_numbers, (void *)(intptr_t)pair[0]));
                CHECK_OK(plait_scope_go(&scope, receive_numbers, (void *)(intptr_t)pair[1]));
        }
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

TEST(timeouts_lose_nothing_on_owned_descriptors, .run = in_task, .timeout_ms = 120000)
{
        exchange(true);
}

TEST(timeouts_lose_nothing_on_foreign_descriptors, .run = in_task, .timeout_ms = 120000)
{
        exchange(false);
}

static _Atomic int victim;

static int wait_for_victim(void *arg)
{
        char byte;
        ssize_t n = arg ? plait_read(atomic_load(&victim), &byte, 1, PLAIT_NEVER)
                        : plait_wait_fd(atomic_load(&victim), POLLIN, PLAIT_NEVER);

        CHECK(n == -EBADF || n == POLLIN || n == 1 || n == -ECANCELED);
        return 0;
}

TEST(closing_races_with_waiting, .run = in_task, .timeout_ms = 120000)
{
        for (int i = 0; i < rounds(); i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                int ends[2];

                CHECK_OK(plait_pipe(ends));
                atomic_store(&victim, ends[0]);
                for (intptr_t j = 0; j < 6; j++)
                        CHECK_OK(plait_scope_go(&scope, wait_for_victim, (void *)(j % 2)));
                for (int j = 0; j < i % 8; j++)
                        plait_yield();
                if (i % 3 == 0)
                        CHECK_INT(plait_write(ends[1], "x", 1, PLAIT_NEVER), ==, 1);
                if (i % 5 == 0)
                        plait_scope_cancel(&scope);
                CHECK_OK(plait_close(ends[0]));

                int r = plait_scope_join(&scope);

                CHECK(r == 0 || r == -ECANCELED);
                CHECK_OK(plait_close(ends[1]));
        }
}

static int turn[2];

static int take_bytes(void *arg)
{
        char byte;

        for (;;) {
                ssize_t n = plait_read(turn[0], &byte, 1, PLAIT_NEVER);

                CHECK_INT(n, >=, 0);
                if (n == 0)
                        return 0;
                atomic_fetch_add((_Atomic int *)arg, 1);
        }
}

TEST(many_readers_miss_no_byte, .run = in_task, .timeout_ms = 120000)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        _Atomic int taken = 0;

        CHECK_OK(plait_pipe(turn));
        for (int i = 0; i < 16; i++)
                CHECK_OK(plait_scope_go(&scope, take_bytes, &taken));
        for (int i = 0; i < 20 * rounds(); i++) {
                CHECK_INT(plait_write(turn[1], "x", 1, PLAIT_NEVER), ==, 1);
                if (i % 7 == 0)
                        plait_yield();
        }
        CHECK_OK(plait_close(turn[1]));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(taken, ==, 20 * rounds());
        CHECK_OK(plait_close(turn[0]));
}
