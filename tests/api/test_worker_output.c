/* What workers print, when whoever reads this program's output takes his time. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <plait/plait.h>

#include "harness/test.h"

enum { BLOCKS = 20, BLOCK_BYTES = 16384, LINE_BYTES = 64 };

static int print_blocks(void *arg, void *result)
{
        static char block[BLOCK_BYTES];

        (void)arg;
        (void)result;
        memset(block, 'x', sizeof block);
        for (size_t i = LINE_BYTES - 1; i < sizeof block; i += LINE_BYTES)
                block[i] = '\n';
        for (int i = 0; i < BLOCKS; i++)
                if (write(STDOUT_FILENO, block, sizeof block) != sizeof block)
                        return -EIO;
        return 0;
}

static void *count(void *arg)
{
        const int *from = arg;
        static char text[BLOCK_BYTES];
        static size_t total;
        ssize_t n;

        while ((n = read(*from, text, sizeof text)) > 0)
                total += (size_t)n;
        return &total;
}

/* A pipe of one page is full again and again, and then nobody can write to it. */
TEST(a_slow_reader_holds_a_worker_up_but_not_for_ever)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1};
        struct plait_job job = {.fn = print_blocks, .name = "blocks"};
        struct plait_executor *executor;
        pthread_t reader;
        void *total;
        int ends[2], out = CHECK_SYS(dup(STDOUT_FILENO));

        CHECK_SYS(pipe2(ends, O_CLOEXEC));
        CHECK_SYS(fcntl(ends[1], F_SETPIPE_SZ, 4096));
        fflush(stdout);
        CHECK_SYS(dup2(ends[1], STDOUT_FILENO));
        close(ends[1]);
        CHECK_INT(plait_executor_processes(&opts, &executor), ==, 0);
        CHECK_INT(pthread_create(&reader, NULL, count, &ends[0]), ==, 0);
        int r = plait_executor_call(executor, &job, PLAIT_NEVER, NULL);
        plait_executor_free(executor);
        CHECK_SYS(dup2(out, STDOUT_FILENO)); /* closes the last writing end */
        close(out);
        CHECK_INT(pthread_join(reader, &total), ==, 0);
        close(ends[0]);
        CHECK_INT(r, ==, 0);
        CHECK_UINT(*(size_t *)total, ==, (size_t)BLOCKS * BLOCK_BYTES);
}
