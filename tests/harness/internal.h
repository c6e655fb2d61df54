/*
 * What the parts of the harness share: the report that a case leaves for its parent, and the parent's record of it.
 */
#ifndef HARNESS_INTERNAL_H
#define HARNESS_INTERNAL_H

#include "harness/test.h"

#include <sys/types.h>

enum test_state {
        TEST_RUNNING, /* as long as the body has not returned */
        TEST_PASSED,
        TEST_FAILED,
        TEST_SKIPPED,
};

/* Shared by the harness and the process of the case; only that process writes. */
struct test_report {
        enum test_state state;
        char text[2048];
};

/* What a case wrote to one of its two streams; what does not fit is counted, not kept. */
struct test_output {
        int fd;
        size_t n;
        size_t lost;
        char data[65536];
};

/* A case as its parent sees it. */
struct test_run {
        const struct test_case *test;
        struct test_report *report;
        pid_t pid;
        int status; /* as waitpid gives it */
        bool timed_out;
        bool left_processes;
        double seconds;
        struct test_output out;
        struct test_output err;
        char backtrace[32768];
};

extern struct test_report *test_report; /* of the case that this process runs */

/* case.c: runs the case in this process and ends it. */
TEST_NORETURN void test_run_here(const struct test_case *test);

/* watch.c: runs the case in a process of its own and waits for its end. */
void test_watch_init(void);
void test_watch(struct test_run *run);

/* fds.c: takes note of the open descriptors; tells which have been opened or closed since. */
void test_fds_note(void);
bool test_fds_changed(char *text, size_t size);

#endif
