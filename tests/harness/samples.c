/*
 * Cases that end in every way a case can end, most of them badly, for test_harness.c to look at.
 */
#include "harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

TEST(passes)
{
        CHECK(1 + 1 == 2);
        CHECK_INT(-3, <, 2);
        CHECK_STR("same", "same");
        CHECK_MEM("bytes", "bytes", 6);
}

TEST(fails_a_check)
{
        CHECK(1 + 1 == 3);
}

TEST(fails_with_both_numbers)
{
        const int ret = -ETIMEDOUT;
        CHECK_INT(ret, ==, 7);
}

TEST(fails_with_both_strings)
{
        CHECK_STR("left", "right");
}

TEST(fails_with_the_offset)
{
        CHECK_MEM("abcd", "abXd", 4);
}

TEST(fails_with_errno)
{
        CHECK_SYS(open("/does/not/exist", O_RDONLY | O_CLOEXEC));
}

TEST(skips)
{
        SKIP("no %s here", "moon");
}

TEST(prints_and_fails)
{
        printf("a word on stdout\n");
        fprintf(stderr, "a word on stderr\n");
        FAIL("number %d", 5);
}

TEST(prints_much)
{
        for (int i = 0; i < 100000; i++)
                printf("line %d\n", i);
        FAIL("after much output");
}

TEST(leaks_an_fd)
{
        CHECK_SYS(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

TEST(closes_what_is_not_its_own)
{
        close(STDIN_FILENO);
}

TEST(hangs, .timeout_ms = 50)
{
        printf("before the hang\n");
        fflush(stdout);
        for (;;)
                pause();
}

TEST(leaves_a_process, .grace_ms = 50)
{
        if (CHECK_SYS(fork()) == 0) {
                for (;;)
                        pause();
        }
}

TEST(leaves_a_process_that_soon_ends)
{
        const pid_t parent = getpid();
        if (CHECK_SYS(fork()) == 0) {
                prctl(PR_SET_PDEATHSIG, SIGTERM); /* ends when the case has ended, not before */
                while (getppid() == parent)
                        pause();
                _exit(0);
        }
}

TEST(exits_early)
{
        exit(0);
}

TEST(dies)
{
        raise(SIGKILL);
}

TEST(dies_as_expected, .signal = SIGABRT, .stderr_match = "^stack of task '[a-z]+' is full$")
{
        fprintf(stderr, "plait:\nstack of task 'deep' is full\n");
        abort();
}

TEST(dies_without_the_message, .signal = SIGABRT, .stderr_match = "stack of task")
{
        abort();
}

TEST(lives_though_it_should_die, .signal = SIGABRT)
{
}

TEST(exits_as_expected, .exit_code = 3)
{
        exit(3);
}

TEST(exits_with_another_code, .exit_code = 3)
{
        exit(4);
}

TEST(fails_before_it_dies, .signal = SIGABRT)
{
        CHECK(0 > 1);
        abort();
}
