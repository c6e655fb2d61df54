/*
 * One case in its own process: runs the body, keeps the report, and the checks that a body calls.
 *
 * The report is written by whichever thread comes to an end first: the others find it taken and just end the process.
 */
#include "harness/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test_report *test_report;

static bool take_report(enum test_state state)
{
        enum test_state running = TEST_RUNNING;
        return __atomic_compare_exchange_n(&test_report->state, &running, state, false, __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE);
}

/* The first end counts. */
static void report_end(enum test_state state, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void report_end(enum test_state state, const char *format, va_list args)
{
        if (take_report(state))
                vsnprintf(test_report->text, sizeof(test_report->text), format, args);
        fflush(NULL);
}

static TEST_NORETURN void end_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
static TEST_NORETURN void end_failed(const char *format, ...)
{
        va_list args;
        va_start(args, format);
        report_end(TEST_FAILED, format, args);
        va_end(args);
        _exit(EXIT_FAILURE);
}

void test_fail(const char *file, int line, const char *format, ...)
{
        char text[1024];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        end_failed("%s:%d: %s", file, line, text);
}

void test_skip(const char *format, ...)
{
        va_list args;
        va_start(args, format);
        report_end(TEST_SKIPPED, format, args);
        va_end(args);
        _exit(EXIT_SUCCESS);
}

/* "-110 (-ETIMEDOUT)" for what looks like a negative errno, else the number alone. */
static const char *number(char *text, size_t size, long long v)
{
        const char *name = v < 0 && v > -4096 ? strerrorname_np((int)-v) : NULL;
        if (name)
                snprintf(text, size, "%lld (-%s)", v, name);
        else
                snprintf(text, size, "%lld", v);
        return text;
}

void test_fail_int(const char *file, int line, const char *what, long long a, const char *op, long long b)
{
        char left[48];
        char right[48];
        test_fail(file, line, "%s: %s %s %s is false", what, number(left, sizeof(left), a), op,
                  number(right, sizeof(right), b));
}

void test_fail_errno(const char *file, int line, const char *what)
{
        const int error = errno;
        test_fail(file, line, "%s: %s (%s)", what, strerror(error), strerrorname_np(error));
}

void test_check_str(const char *file, int line, const char *what, const char *a, const char *b)
{
        if (a == b || (a && b && strcmp(a, b) == 0))
                return;
        test_fail(file, line, "%s: %s%.400s%s is not %s%.400s%s", what, a ? "\"" : "", a ? a : "NULL", a ? "\"" : "",
                  b ? "\"" : "", b ? b : "NULL", b ? "\"" : "");
}

void test_check_mem(const char *file, int line, const char *what, const void *a, const void *b, size_t n)
{
        const uint8_t *left = a;
        const uint8_t *right = b;
        for (size_t i = 0; i < n; i++) {
                if (left[i] != right[i])
                        test_fail(file, line, "%s: byte %zu of %zu is 0x%02x, not 0x%02x", what, i, n, left[i],
                                  right[i]);
        }
}

void test_run_here(const struct test_case *test)
{
        test_fds_note();
        if (test->run)
                test->run(test->body);
        else
                test->body();

        char text[1024] = "";
        if (test_fds_changed(text, sizeof(text)))
                end_failed("%s:%d: file descriptors at the end of the case:\n%s", test->file, test->line, text);
        take_report(TEST_PASSED);
        exit(EXIT_SUCCESS); /* not _exit: the leak checker runs now */
}
