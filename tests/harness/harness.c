/*
 * The main function of every test program: finds the cases in their section, runs those asked for one after the other,
 * and reports in TAP 13.
 *
 *         test-x [--list] [--verbose] [--single] [GLOB...]
 *
 * --list names the cases, --verbose shows what passing cases print, --single runs one case in this very process (for a
 * debugger). PLAIT_TEST_SLOWER=N multiplies all time-outs; PLAIT_TEST_BACKTRACE=1 asks gdb about cases that hang.
 */
#include "harness/internal.h"

#include <errno.h>
#include <fnmatch.h>
#include <linux/io_uring.h>
#include <regex.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if TEST_WITH_TSAN
#define SANITIZER_SLOWNESS 6
#elif TEST_WITH_ASAN
#define SANITIZER_SLOWNESS 3
#else
#define SANITIZER_SLOWNESS 1
#endif

#if TEST_WITH_TSAN
/* At its end every process waits a second by default, for threads that may yet race: that is each case here. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
        return "atexit_sleep_ms=50";
}
#endif

/* The linker makes these for the section; weak, as a program without a case has no such section. */
extern const struct test_case *const __start_plait_tests[] __attribute__((weak));
extern const struct test_case *const __stop_plait_tests[] __attribute__((weak));

static struct {
        bool list;
        bool verbose;
        bool single;
        char **globs;
        int n_globs;
} options;

static const struct test_case **cases; /* those that are wanted */
static size_t n_cases;

int test_slowness(void)
{
        const char *slower = getenv("PLAIT_TEST_SLOWER");
        const long factor = slower ? strtol(slower, NULL, 10) : 1;
        return SANITIZER_SLOWNESS * (factor > 0 && factor <= 1000 ? (int)factor : 1);
}

static bool is_wanted(const struct test_case *test)
{
        for (int i = 0; i < options.n_globs; i++) {
                if (fnmatch(options.globs[i], test->name, 0) == 0)
                        return true;
        }
        return options.n_globs == 0;
}

/* Prints `n` bytes as TAP diagnostics, a comment per line. */
static void print_comment(const char *label, const char *text, size_t n)
{
        while (n > 0) {
                const char *newline = memchr(text, '\n', n);
                const size_t len = newline ? (size_t)(newline - text) : n;
                printf("# %s%.*s\n", label, (int)len, text);
                text += len + (newline ? 1 : 0);
                n -= len + (newline ? 1 : 0);
        }
}

static void print_output(const char *label, const struct test_output *output)
{
        print_comment(label, output->data, output->n);
        if (output->lost)
                printf("# %s(%zu bytes more)\n", label, output->lost);
}

static bool stderr_matches(const struct test_run *run, char *why, size_t size)
{
        static char text[sizeof(run->err.data) + 1];
        memcpy(text, run->err.data, run->err.n);
        text[run->err.n] = '\0';

        regex_t regex;
        if (regcomp(&regex, run->test->stderr_match, REG_EXTENDED | REG_NOSUB | REG_NEWLINE) != 0) {
                snprintf(why, size, "not a regular expression: %s", run->test->stderr_match);
                return false;
        }
        const bool matches = regexec(&regex, text, 0, NULL, 0) == 0;
        regfree(&regex);
        if (!matches)
                snprintf(why, size, "standard error does not match: %s", run->test->stderr_match);
        return matches;
}

static void say_end(char *why, size_t size, int status)
{
        if (WIFSIGNALED(status))
                snprintf(why, size, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
                snprintf(why, size, "ended with exit code %d", WEXITSTATUS(status));
}

/* Did the process end as the case says it should? */
static bool end_is_right(const struct test_run *run, char *why, size_t size)
{
        const struct test_case *test = run->test;
        char how[128];
        say_end(how, sizeof(how), run->status);

        if (test->signal) {
                if (WIFSIGNALED(run->status) && WTERMSIG(run->status) == test->signal)
                        return true;
                snprintf(why, size, "expected to be killed by signal %d (%s), but %s", test->signal,
                         strsignal(test->signal), how);
                return false;
        }
        if (test->exit_code) {
                if (WIFEXITED(run->status) && WEXITSTATUS(run->status) == test->exit_code)
                        return true;
                snprintf(why, size, "expected to end with exit code %d, but %s", test->exit_code, how);
                return false;
        }
        if (run->report->state == TEST_PASSED && WIFEXITED(run->status) && WEXITSTATUS(run->status) == 0)
                return true;
        snprintf(why, size, "%s%s", how, run->report->state == TEST_PASSED ? " after the body" : " before its end");
        return false;
}

static bool has_passed(const struct test_run *run, char *why, size_t size)
{
        if (run->timed_out) {
                snprintf(why, size, "timed out after %.1f s", run->seconds);
                return false;
        }
        if (run->report->state == TEST_FAILED) {
                snprintf(why, size, "%s", run->report->text);
                return false;
        }
        if (!end_is_right(run, why, size))
                return false;
        if (run->left_processes) {
                snprintf(why, size, "left a process running");
                return false;
        }
        return !run->test->stderr_match || stderr_matches(run, why, size);
}

static bool run_case(size_t number, const struct test_case *test)
{
        static struct test_run run;
        memset(&run, 0, sizeof(run));
        memset(test_report, 0, sizeof(*test_report));
        run.test = test;
        run.report = test_report;
        test_watch(&run);

        char why[2048] = "";
        const bool skipped = test_report->state == TEST_SKIPPED;
        const bool passed = skipped || has_passed(&run, why, sizeof(why));
        printf("%s %zu - %s%s%s\n", passed ? "ok" : "not ok", number, test->name, skipped ? " # SKIP " : "",
               skipped ? test_report->text : "");
        print_comment("", why, strlen(why));
        if (!passed || options.verbose) {
                print_output("stdout: ", &run.out);
                print_output("stderr: ", &run.err);
                print_comment("gdb: ", run.backtrace, strlen(run.backtrace));
        }
        if (run.seconds > 1.0)
                printf("# took %.1f s\n", run.seconds);
        fflush(stdout);
        return passed;
}

/* The kernel may deny io_uring (containers do): then a run that asks for it has nothing to test. */
static bool poller_is_denied(void)
{
        const char *poller = getenv("PLAIT_POLLER");
        if (!poller || strcmp(poller, "io_uring") != 0)
                return false;
        struct io_uring_params params = {.flags = 0};
        const long fd = syscall(SYS_io_uring_setup, 2, &params);
        if (fd < 0) {
                printf("TAP version 13\n1..0 # SKIP the kernel denies io_uring: %s\n", strerror(errno));
                return true;
        }
        close((int)fd);
        return false;
}

static int compare_places(const void *left, const void *right)
{
        const struct test_case *a = *(const struct test_case *const *)left;
        const struct test_case *b = *(const struct test_case *const *)right;
        const int files = strcmp(a->file, b->file);
        return files ? files : a->line - b->line;
}

/* Puts the cases that are wanted into the order of the source: the linker's is any. */
static void select_cases(void)
{
        const uintptr_t bytes = (uintptr_t)__stop_plait_tests - (uintptr_t)__start_plait_tests;
        const size_t max = bytes / sizeof(const struct test_case *);
        cases = calloc(max + 1, sizeof(const struct test_case *));
        if (!cases) {
                perror("test harness");
                exit(EXIT_FAILURE);
        }
        for (size_t i = 0; i < max; i++) {
                if (is_wanted(__start_plait_tests[i]))
                        cases[n_cases++] = __start_plait_tests[i];
        }
        qsort(cases, n_cases, sizeof(const struct test_case *), compare_places);
}

static int run_all(void)
{
        bool all_passed = true;
        printf("TAP version 13\n1..%zu\n", n_cases);
        for (size_t i = 0; i < n_cases; i++)
                all_passed &= run_case(i + 1, cases[i]);
        return all_passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool parse_options(int argc, char **argv)
{
        int i = 1;
        for (; i < argc && argv[i][0] == '-'; i++) {
                if (strcmp(argv[i], "--list") == 0)
                        options.list = true;
                else if (strcmp(argv[i], "--verbose") == 0)
                        options.verbose = true;
                else if (strcmp(argv[i], "--single") == 0)
                        options.single = true;
                else
                        return false;
        }
        options.globs = argv + i;
        options.n_globs = argc - i;
        return true;
}

int main(int argc, char **argv)
{
        if (!parse_options(argc, argv)) {
                fprintf(stderr, "usage: %s [--list] [--verbose] [--single] [GLOB...]\n", argv[0]);
                return 2;
        }
        select_cases();
        if (options.list) {
                for (size_t i = 0; i < n_cases; i++)
                        puts(cases[i]->name);
                return EXIT_SUCCESS;
        }
        if (n_cases == 0) {
                fprintf(stderr, "test harness: no case of that name\n");
                return EXIT_FAILURE;
        }
        if (poller_is_denied())
                return EXIT_SUCCESS;

        test_report = mmap(NULL, sizeof(*test_report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (test_report == MAP_FAILED) {
                perror("test harness: mmap");
                return EXIT_FAILURE;
        }
        if (options.single)
                test_run_here(cases[0]);
        test_watch_init();
        return run_all();
}
