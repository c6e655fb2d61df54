/* The contract with the operating system: clock, futex, lock, threads, settings, last words. */
#include "harness/test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "plat/lock.h"
#include "plat/sys.h"

TEST(clock_goes_forward)
{
        int64_t a = pl_plat_now_ns();
        int64_t b = pl_plat_now_ns();

        CHECK_INT(a, >, 0);
        CHECK_INT(b, >=, a);
}

TEST(ticks_measure_time)
{
        uint64_t per_ms = pl_plat_ticks_per_ms();
        int64_t ns[4]; /* two just around each reading of the ticks */
        uint64_t ticks;
        double by_ticks;

        ns[0] = pl_plat_now_ns();
        ticks = pl_plat_ticks();
        ns[1] = pl_plat_now_ns();
        while (pl_plat_now_ns() < ns[1] + 20000000)
                ;
        ns[2] = pl_plat_now_ns();
        by_ticks = (double)(pl_plat_ticks() - ticks) / (double)per_ms;
        ns[3] = pl_plat_now_ns();
        CHECK(by_ticks > 0.95e-6 * (double)(ns[2] - ns[1]));
        CHECK(by_ticks < 1.05e-6 * (double)(ns[3] - ns[0]));
        CHECK_UINT(per_ms, ==, pl_plat_ticks_per_ms());
}

TEST(futex_wait_returns_at_once_when_the_word_differs)
{
        _Atomic uint32_t word = 3;

        errno = 77;
        CHECK_INT(pl_plat_futex_wait(&word, 4, PL_PLAT_NEVER), ==, -EAGAIN);
        CHECK_INT(errno, ==, 77);
}

TEST(futex_wait_ends_at_its_deadline)
{
        _Atomic uint32_t word = 3;
        int64_t deadline = pl_plat_now_ns() + 5000000;

        CHECK_INT(pl_plat_futex_wait(&word, 3, deadline), ==, -ETIMEDOUT);
        CHECK_INT(pl_plat_now_ns(), >=, deadline);
        CHECK_INT(pl_plat_futex_wait(&word, 3, 0), ==, -ETIMEDOUT);
        CHECK_INT(pl_plat_futex_wait(&word, 3, -5), ==, -ETIMEDOUT);
}

static void *wake_up(void *arg)
{
        _Atomic uint32_t *word = arg;

        atomic_store(word, 1);
        pl_plat_futex_wake(word, 1);
        return arg;
}

TEST(futex_wakes_a_sleeper)
{
        _Atomic uint32_t word = 0;
        struct pl_thread thread;

        CHECK_INT(pl_plat_thread_start(&thread, wake_up, &word, 0, "waker"), ==, 0);
        while (atomic_load(&word) == 0)
                pl_plat_futex_wait(&word, 0, PL_PLAT_NEVER);
        CHECK_PTR(pl_plat_thread_join(&thread), ==, &word);
}

/* --- lock --- */

static struct pl_lock lock;
static long counter;

static void *count(void *arg)
{
        for (int i = 0; i < *(int *)arg; i++) {
                pl_lock_acquire(&lock);
                counter++;
                pl_lock_release(&lock);
        }
        return NULL;
}

TEST(lock_excludes)
{
        struct pl_thread threads[4];
        int n = 100000 / test_slowness();

        for (int i = 0; i < 4; i++)
                CHECK_INT(pl_plat_thread_start(&threads[i], count, &n, 0, "counter"), ==, 0);
        for (int i = 0; i < 4; i++)
                pl_plat_thread_join(&threads[i]);
        CHECK_INT(counter, ==, 4L * n);
        CHECK_UINT(atomic_load(&lock.word), ==, 0);
}

TEST(try_fails_on_a_held_lock)
{
        CHECK(pl_lock_try(&lock));
        CHECK(!pl_lock_try(&lock));
        pl_lock_release(&lock);
        CHECK(pl_lock_try(&lock));
        pl_lock_release(&lock);
}

/* --- threads --- */

static void *report_thread(void *arg)
{
        sigset_t *mask = arg;

        pthread_sigmask(SIG_SETMASK, NULL, mask);
        return NULL;
}

TEST(library_threads_get_only_their_own_signals)
{
        struct pl_thread thread;
        sigset_t mask, mine;

        CHECK_INT(pl_plat_thread_start(&thread, report_thread, &mask, 1, "a name longer than fifteen"), ==, 0);
        pl_plat_thread_join(&thread);
        CHECK_INT(sigismember(&mask, SIGINT), ==, 1);
        CHECK_INT(sigismember(&mask, SIGCHLD), ==, 1);
        CHECK_INT(sigismember(&mask, SIGSEGV), ==, 0);
        CHECK_INT(sigismember(&mask, SIGBUS), ==, 0);
        pthread_sigmask(SIG_SETMASK, NULL, &mine);
        CHECK_INT(sigismember(&mine, SIGINT), ==, 0);
}

TEST(processor_time_of_a_thread_grows_while_it_computes)
{
        int64_t before = pl_plat_thread_cpu_ns(pl_plat_thread_id());

        while (pl_plat_thread_cpu_ns(pl_plat_thread_id()) == before) {}
        CHECK(pl_plat_thread_cpu_ns(pl_plat_thread_id()) > before);
        CHECK_INT(pl_plat_thread_cpu_ns(1U << 23), ==, 0);
}

struct sleeper {
        _Atomic uint32_t tid, word;
};

static void *sleep_on_word(void *arg)
{
        struct sleeper *sleeper = arg;

        atomic_store(&sleeper->tid, pl_plat_thread_id());
        while (atomic_load(&sleeper->word) == 0)
                (void)pl_plat_futex_wait(&sleeper->word, 0, PL_PLAT_NEVER);
        return NULL;
}

TEST(thread_that_computes_is_runnable_and_one_that_waits_is_not)
{
        struct sleeper sleeper = {0};
        struct pl_thread thread;

        CHECK(pl_plat_thread_is_runnable(pl_plat_thread_id()));
        CHECK(!pl_plat_thread_is_runnable(1U << 23));
        CHECK_INT(pl_plat_thread_start(&thread, sleep_on_word, &sleeper, 0, "sleeper"), ==, 0);
        while (!atomic_load(&sleeper.tid) || pl_plat_thread_is_runnable(atomic_load(&sleeper.tid)))
                sched_yield();
        atomic_store(&sleeper.word, 1);
        pl_plat_futex_wake(&sleeper.word, 1);
        pl_plat_thread_join(&thread);
}

/* --- settings --- */

TEST(number_in_the_environment_is_read)
{
        uint64_t n = 5;

        CHECK(!pl_plat_env_u64("PLAIT_TEST_N", 1, 100, &n));
        CHECK_SYS(setenv("PLAIT_TEST_N", "", 1));
        CHECK(!pl_plat_env_u64("PLAIT_TEST_N", 1, 100, &n));
        CHECK_UINT(n, ==, 5);
        CHECK_SYS(setenv("PLAIT_TEST_N", "42", 1));
        CHECK(pl_plat_env_u64("PLAIT_TEST_N", 1, 100, &n));
        CHECK_UINT(n, ==, 42);
}

TEST(nonsense_in_the_environment_is_named, .stderr_match = "^(plait: PLAIT_TEST_N=[^\n]* is ignored: it is not a whole "
                                                           "number from 1 to 100\n){6}$")
{
        static const char *const nonsense[] = {"0", "101", "-1", "4x", " 4", "99999999999999999999"};
        uint64_t n = 5;

        for (size_t i = 0; i < PL_ARRAY_SIZE(nonsense); i++) {
                CHECK_SYS(setenv("PLAIT_TEST_N", nonsense[i], 1));
                CHECK(!pl_plat_env_u64("PLAIT_TEST_N", 1, 100, &n));
        }
        CHECK_UINT(n, ==, 5);
}

TEST(debug_options_are_found_in_their_list)
{
        char value[8];

        CHECK(!pl_plat_debug("migrate", NULL, 0));
        CHECK_SYS(setenv("PLAIT_DEBUG", "migrate,guard=canary,x=,long=123456789", 1));
        CHECK(pl_plat_debug("migrate", value, sizeof(value)));
        CHECK_STR(value, "");
        CHECK(pl_plat_debug("guard", value, sizeof(value)));
        CHECK_STR(value, "canary");
        CHECK(pl_plat_debug("x", value, sizeof(value)));
        CHECK_STR(value, "");
        CHECK(!pl_plat_debug("migr", NULL, 0));
        CHECK(!pl_plat_debug("canary", NULL, 0));
        CHECK(!pl_plat_debug("long", value, sizeof(value)));
        CHECK(pl_plat_debug("long", NULL, 0));
}

TEST(seeds_differ)
{
        CHECK(pl_plat_random_u64() != pl_plat_random_u64());
}

TEST(panic_says_why_and_aborts, .signal = SIGABRT, .stderr_match = "^plait: the answer is 42\n")
{
        pl_panic("the answer is %d", 42);
}

TEST(warning_is_cut_to_one_line, .stderr_match = "^plait: x{1000,1020}\n$")
{
        char text[3000];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        pl_warn("%s", text);
}
