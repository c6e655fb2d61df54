/*
 * Tests of the harness: runs the cases of samples.c one by one and looks at what is reported about them.
 */
#include "harness/deny.h"
#include "harness/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char report[1 << 20];

/* Runs the sample program with these arguments; returns its exit code, its report is in `report`. */
static int run_samples(const char *args)
{
        const char *samples = getenv("HARNESS_SAMPLES");
        CHECK(samples != NULL);
        const char *wrapper = getenv("MESON_EXE_WRAPPER"); /* meson's word for an emulator */
        char command[4096];
        snprintf(command, sizeof(command), "%s %s %s", wrapper ? wrapper : "", samples, args);
        FILE *program = popen(command, "re");
        CHECK(program != NULL);
        const size_t n = fread(report, 1, sizeof(report) - 1, program);
        report[n] = '\0';
        const int status = pclose(program);
        CHECK(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void check_reported(const char *text)
{
        if (!strstr(report, text))
                FAIL("not reported: %s\nreport:\n%.700s", text, report);
}

static void check_passes(const char *name)
{
        CHECK_INT(run_samples(name), ==, 0);
        check_reported("TAP version 13\n1..1\nok 1 - ");
}

static void check_fails(const char *name, const char *why)
{
        CHECK_INT(run_samples(name), ==, 1);
        check_reported("TAP version 13\n1..1\nnot ok 1 - ");
        check_reported(why);
}

TEST(passing_case_is_ok)
{
        check_passes("passes");
}

TEST(failed_check_is_not_ok_and_quoted)
{
        check_fails("fails_a_check", "CHECK(1 + 1 == 3)");
        check_reported("samples.c:");
}

TEST(failed_check_shows_both_values)
{
        check_fails("fails_with_both_numbers", "ret == 7: -110 (-ETIMEDOUT) == 7 is false");
        check_fails("fails_with_both_strings", "\"left\" is not \"right\"");
        check_fails("fails_with_the_offset", "byte 2 of 4 is 0x63, not 0x58");
        check_fails("fails_with_errno", "No such file or directory (ENOENT)");
}

TEST(skip_is_ok_with_its_reason)
{
        CHECK_INT(run_samples("skips"), ==, 0);
        check_reported("ok 1 - skips # SKIP no moon here\n");
}

TEST(output_of_a_failed_case_is_shown)
{
        check_fails("prints_and_fails", "# stdout: a word on stdout\n");
        check_reported("# stderr: a word on stderr\n");
        check_reported("number 5");
}

TEST(much_output_does_not_block)
{
        check_fails("prints_much", "after much output");
        check_reported("bytes more)");
}

TEST(leaked_fd_fails)
{
        check_fails("leaks_an_fd", "left open: fd ");
        check_reported("/dev/null");
}

TEST(fd_closed_twice_fails)
{
        check_fails("closes_what_is_not_its_own", "closed, though not its own: fd 0");
}

TEST(hanging_case_is_killed_and_its_output_kept)
{
        check_fails("hangs", "timed out after");
        check_reported("# stdout: before the hang\n");
}

TEST(process_left_behind_fails)
{
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                SKIP("no PR_SET_CHILD_SUBREAPER here");
        check_fails("leaves_a_process", "left a process running");
}

TEST(process_about_to_end_is_waited_for)
{
        check_passes("leaves_a_process_that_soon_ends");
}

TEST(early_exit_fails)
{
        check_fails("exits_early", "ended with exit code 0 before its end");
}

TEST(crash_fails)
{
        check_fails("dies", "killed by signal 9");
}

TEST(expected_death_passes)
{
        check_passes("dies_as_expected");
        check_passes("exits_as_expected");
}

TEST(death_of_another_kind_fails)
{
        check_fails("dies_without_the_message", "standard error does not match: stack of task");
        check_fails("lives_though_it_should_die", "expected to be killed by signal 6");
        check_fails("exits_with_another_code", "expected to end with exit code 3, but ended with exit code 4");
        check_fails("fails_before_it_dies", "CHECK(0 > 1)");
}

TEST(glob_selects_cases)
{
        CHECK_INT(run_samples("--list 'dies*'"), ==, 0);
        CHECK_STR(report, "dies\ndies_as_expected\ndies_without_the_message\n");
        CHECK_INT(run_samples("--list"), ==, 0);
        check_reported("passes\nfails_a_check\n");
}

TEST(unknown_case_is_an_error)
{
        CHECK_INT(run_samples("no_such_case 2>&1"), ==, 1);
        check_reported("no case of that name");
}

TEST(one_failure_fails_the_program)
{
        CHECK_INT(run_samples("passes skips fails_a_check"), ==, 1);
        check_reported("1..3\nok 1 - passes\nnot ok 2 - fails_a_check\n");
        check_reported("ok 3 - skips");
}

TEST(denied_system_call_fails)
{
        test_deny(SYS_sched_get_priority_max, ENOTTY);
        errno = 0;
        CHECK_INT(syscall(SYS_sched_get_priority_max, 0), ==, -1);
        CHECK_INT(errno, ==, ENOTTY);
}

TEST(denied_io_uring_skips_the_whole_program)
{
        test_deny(SYS_io_uring_setup, EPERM);
        setenv("PLAIT_POLLER", "io_uring", 1);
        CHECK_INT(run_samples("passes fails_a_check"), ==, 0);
        CHECK_STR(report, "TAP version 13\n1..0 # SKIP the kernel denies io_uring: Operation not permitted\n");
        setenv("PLAIT_POLLER", "epoll", 1);
        check_passes("passes");
}
