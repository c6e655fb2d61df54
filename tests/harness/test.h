/*
 * The test harness: what a test file includes.
 *
 *         TEST(list_keeps_order)
 *         {
 *                 ...
 *                 CHECK_INT(n, ==, 3);
 *         }
 *
 *         TEST(overflow_is_named, .signal = SIGABRT, .stderr_match = "stack overflow in task 'deep'")
 *         TEST(scope_joins_all, .run = in_task)         (harness/task.h: the body runs inside plait_run)
 *
 * Every case runs in a process of its own, with a time-out. It fails when a check fails, when it ends in another way
 * than by returning from its body (or as .signal or .exit_code say), when it leaves a file descriptor open or closes
 * one that it was given, when it leaves a process running, or when a sanitizer complains. Checks work in any thread or
 * task of the case; the first one that fails ends the process.
 */
#ifndef HARNESS_TEST_H
#define HARNESS_TEST_H

#include <stdbool.h>
#include <stddef.h>

/* Which sanitizers this build has. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define TEST_WITH_ASAN 1
#else
#define TEST_WITH_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define TEST_WITH_TSAN 1
#else
#define TEST_WITH_TSAN 0
#endif

struct test_case {
        const char *name;
        const char *file;
        int line;
        void (*body)(void);
        void (*run)(void (*body)(void)); /* calls the body; NULL calls it directly */
        int timeout_ms;                  /* 0: a minute; multiplied where the build or the machine is slow */
        int grace_ms;                    /* for descendants that are about to end when it has; 0: 10 s */
        int signal;                      /* the case is to die of this signal */
        int exit_code;                   /* the case is to end by exit(exit_code) */
        const char *stderr_match;        /* extended regular expression that standard error has to match */
};

#define TEST(name_, ...)                                                                                \
        static void test_##name_(void);                                                                 \
        static const struct test_case case_##name_ = {                                                  \
                .name = #name_, .file = __FILE__, .line = __LINE__, .body = test_##name_, __VA_ARGS__}; \
        static const struct test_case *const entry_##name_                                              \
                __attribute__((section("plait_tests"), used)) = &case_##name_;                          \
        static void test_##name_(void)

#define CHECK(expr)                                                        \
        do {                                                               \
                if (!(expr))                                               \
                        test_fail(__FILE__, __LINE__, "CHECK(%s)", #expr); \
        } while (0)

/* Compares two integers as long long: CHECK_INT(ret, ==, -ETIMEDOUT). */
#define CHECK_INT(a, op, b)                                                                            \
        do {                                                                                           \
                const long long check_a_ = (long long)(a);                                             \
                const long long check_b_ = (long long)(b);                                             \
                if (!(check_a_ op check_b_))                                                           \
                        test_fail_int(__FILE__, __LINE__, #a " " #op " " #b, check_a_, #op, check_b_); \
        } while (0)

/* The same for sizes and other unsigned numbers. */
#define CHECK_UINT(a, op, b)                                                                                         \
        do {                                                                                                         \
                const unsigned long long check_a_ = (unsigned long long)(a);                                         \
                const unsigned long long check_b_ = (unsigned long long)(b);                                         \
                if (!(check_a_ op check_b_))                                                                         \
                        test_fail(__FILE__, __LINE__, "%s: %llu %s %llu is false", #a " " #op " " #b, check_a_, #op, \
                                  check_b_);                                                                         \
        } while (0)

#define CHECK_PTR(a, op, b)                                                                                      \
        do {                                                                                                     \
                const void *check_a_ = (a);                                                                      \
                const void *check_b_ = (b);                                                                      \
                if (!(check_a_ op check_b_))                                                                     \
                        test_fail(__FILE__, __LINE__, "%s: %p %s %p is false", #a " " #op " " #b, check_a_, #op, \
                                  check_b_);                                                                     \
        } while (0)

/* Checks that two strings are equal; NULL equals only NULL. */
#define CHECK_STR(a, b) test_check_str(__FILE__, __LINE__, #a " is " #b, (a), (b))

/* Checks that `n` bytes are equal, and says at which offset they are not. */
#define CHECK_MEM(a, b, n) test_check_mem(__FILE__, __LINE__, #a " holds " #b, (a), (b), (n))

/* Checks that a result is no error (>= 0), and yields it: int fd = CHECK_OK(plait_open(...)). */
#define CHECK_OK(expr)                                                                                    \
        ({                                                                                                \
                __auto_type check_ret_ = (expr);                                                          \
                if (check_ret_ < 0)                                                                       \
                        test_fail_int(__FILE__, __LINE__, #expr " >= 0", (long long)check_ret_, ">=", 0); \
                check_ret_;                                                                               \
        })

/* Checks the result of a C library call that returns -1 and sets errno, and yields it. */
#define CHECK_SYS(expr)                                             \
        ({                                                          \
                __auto_type check_ret_ = (expr);                    \
                if (check_ret_ < 0)                                 \
                        test_fail_errno(__FILE__, __LINE__, #expr); \
                check_ret_;                                         \
        })

/* Ends the case as failed or as skipped; the arguments are those of printf. */
#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) test_skip(__VA_ARGS__)

/* How much slower than an ordinary run this one is (sanitizers, emulation): for sizes and deadlines in tests. */
int test_slowness(void);

/* Not _Noreturn: cppcheck knows only this form. */
#define TEST_NORETURN __attribute__((noreturn))

TEST_NORETURN void test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
TEST_NORETURN void test_fail_int(const char *file, int line, const char *what, long long a, const char *op,
                                 long long b);
TEST_NORETURN void test_fail_errno(const char *file, int line, const char *what);
TEST_NORETURN void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
void test_check_str(const char *file, int line, const char *what, const char *a, const char *b);
void test_check_mem(const char *file, int line, const char *what, const void *a, const void *b, size_t n);

#endif
