/* Signals as something to wait for. */
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/alone.h"

static struct plait_signals *open_signals(int a, int b)
{
        const int numbers[] = {a, b};
        struct plait_signals *signals;

        CHECK_OK(plait_signals_open(numbers, b ? 2 : 1, &signals));
        return signals;
}

/*
 * To the process, and so to any thread. ThreadSanitizer runs a handler only when the thread that was hit calls
 * something it knows of, which a worker asleep in its ring does not: with it, the calling thread is hit.
 */
static void raise_in_process(int number)
{
        sigset_t mask;

        if (!TEST_WITH_TSAN) {
                CHECK_SYS(kill(getpid(), number));
                return;
        }
        sigemptyset(&mask);
        sigaddset(&mask, number);
        CHECK_INT(pthread_sigmask(SIG_UNBLOCK, &mask, NULL), ==, 0);
        CHECK_INT(raise(number), ==, 0);
}

static void check_waiting(void)
{
        struct plait_signals *signals = open_signals(SIGUSR1, SIGUSR2);
        struct plait_signal_info info = {.number = -1};

        CHECK_INT(plait_signals_wait(signals, 0, &info), ==, -ETIMEDOUT);
        CHECK_INT(plait_signals_wait(signals, plait_in_ms(2), &info), ==, -ETIMEDOUT);
        CHECK_INT(info.number, ==, -1);
        raise_in_process(SIGUSR2);
        CHECK_INT(plait_signals_wait(signals, PLAIT_NEVER, &info), ==, SIGUSR2);
        CHECK_INT(info.number, ==, SIGUSR2);
        CHECK_INT(info.sender_pid, ==, getpid());
        CHECK_INT(info.sender_uid, ==, (int)getuid());
        CHECK_INT(plait_signals_wait(signals, 0, NULL), ==, -ETIMEDOUT);
        plait_signals_close(signals);
        plait_signals_close(NULL);
}

TEST(signal_is_waited_for)
{
        check_waiting();
}

TEST(signal_is_waited_for_in_a_task, .run = in_task)
{
        check_waiting();
}

TEST(signal_each_number_comes_once, .run = in_task)
{
        struct plait_signals *signals = open_signals(SIGUSR1, SIGTERM);

        /* To this very thread: each is handled before raise() returns, which those to the process need not be. */
        CHECK_SYS(raise(SIGTERM));
        CHECK_SYS(raise(SIGUSR1));
        CHECK_SYS(raise(SIGUSR1));
        CHECK_INT(plait_signals_wait(signals, PLAIT_NEVER, NULL), ==, SIGUSR1);
        CHECK_INT(plait_signals_wait(signals, PLAIT_NEVER, NULL), ==, SIGTERM);
        CHECK_INT(plait_signals_wait(signals, plait_in_ms(1), NULL), ==, -ETIMEDOUT);
        plait_signals_close(signals);
}

TEST(signal_of_real_time_is_waited_for)
{
        struct plait_signals *signals = open_signals(SIGRTMIN + 3, SIGRTMAX);

        raise_in_process(SIGRTMAX);
        CHECK_INT(plait_signals_wait(signals, PLAIT_NEVER, NULL), ==, SIGRTMAX);
        plait_signals_close(signals);
}

TEST(signal_that_cannot_be_watched_is_refused)
{
        static const int wrong[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, 0, -1, 32, 65};
        struct plait_signals *signals = NULL;

        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
                CHECK_INT(plait_signals_open(&wrong[i], 1, &signals), ==, -EINVAL);
        CHECK_INT(plait_signals_open((const int[]){SIGUSR1}, 0, &signals), ==, -EINVAL);
        CHECK_PTR(signals, ==, NULL);
}

TEST(signal_is_watched_by_one_at_a_time)
{
        struct plait_signals *first = open_signals(SIGUSR1, SIGUSR2), *second = NULL;

        CHECK_INT(plait_signals_open((const int[]){SIGHUP, SIGUSR2}, 2, &second), ==, -EBUSY);
        CHECK_PTR(second, ==, NULL);
        second = open_signals(SIGHUP, 0);
        raise_in_process(SIGUSR1);
        CHECK_INT(plait_signals_wait(second, plait_in_ms(2), NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_signals_wait(first, PLAIT_NEVER, NULL), ==, SIGUSR1);
        plait_signals_close(first);
        plait_signals_close(second);
        first = open_signals(SIGUSR2, 0);
        plait_signals_close(first);
}

TEST(signal_without_descriptors_left)
{
        struct plait_signals *signals = NULL;
        struct rlimit limit, none;

        CHECK_SYS(getrlimit(RLIMIT_NOFILE, &limit));
        none = limit;
        none.rlim_cur = 3;
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &none));
        CHECK_INT(plait_signals_open((const int[]){SIGUSR1}, 1, &signals), ==, -EMFILE);
        CHECK_PTR(signals, ==, NULL);
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
}

static atomic_int handled;

static void handler(int number)
{
        handled = number;
}

TEST(signal_has_its_old_effect_after_close)
{
        struct sigaction action = {.sa_handler = handler};

        CHECK_SYS(sigaction(SIGUSR1, &action, NULL));
        struct plait_signals *signals = open_signals(SIGUSR1, 0);

        raise_in_process(SIGUSR1);
        CHECK_INT(plait_signals_wait(signals, PLAIT_NEVER, NULL), ==, SIGUSR1);
        CHECK_INT(handled, ==, 0);
        plait_signals_close(signals);
        CHECK_INT(raise(SIGUSR1), ==, 0);
        CHECK_INT(handled, ==, SIGUSR1);
}

TEST(signal_ends_the_program_after_close, .signal = SIGTERM)
{
        plait_signals_close(open_signals(SIGTERM, 0));
        raise(SIGTERM);
}

TEST(signal_not_waited_for_is_forgotten, .run = alone)
{
        struct plait_signals *signals = open_signals(SIGUSR1, 0);

        CHECK_INT(raise(SIGUSR1), ==, 0);
        plait_signals_close(signals);
        signals = open_signals(SIGUSR1, 0);
        CHECK_INT(plait_signals_wait(signals, 0, NULL), ==, -ETIMEDOUT);
        plait_signals_close(signals);
}

TEST(signal_that_was_blocked_everywhere_comes)
{
        sigset_t mask;

        sigemptyset(&mask);
        sigaddset(&mask, SIGUSR1);
        CHECK_INT(pthread_sigmask(SIG_BLOCK, &mask, NULL), ==, 0);
        struct plait_signals *signals = open_signals(SIGUSR1, 0);

        raise_in_process(SIGUSR1);
        CHECK_INT(plait_signals_wait(signals, PLAIT_NEVER, NULL), ==, SIGUSR1);
        plait_signals_close(signals);
}

/* --- waiting with others --- */

struct waiter {
        struct plait_signals *signals;
        int result;
};

static int wait_once(void *arg)
{
        struct waiter *waiter = arg;

        waiter->result = plait_signals_wait(waiter->signals, PLAIT_NEVER, NULL);
        return 0;
}

TEST(signal_goes_to_one_of_those_who_wait, .run = alone)
{
        struct plait_signals *signals = open_signals(SIGUSR1, SIGUSR2);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct waiter waiters[2] = {{signals, 1}, {signals, 1}};

        CHECK_OK(plait_scope_go(&scope, wait_once, &waiters[0]));
        CHECK_OK(plait_scope_go(&scope, wait_once, &waiters[1]));
        let_others_run();
        raise_in_process(SIGUSR1);
        while (waiters[0].result == 1 && waiters[1].result == 1)
                CHECK_OK(plait_sleep(plait_in_ms(1)));
        let_others_run();
        CHECK_INT(waiters[0].result + waiters[1].result, ==, SIGUSR1 + 1);
        raise_in_process(SIGUSR2);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(waiters[0].result + waiters[1].result, ==, SIGUSR1 + SIGUSR2);
        plait_signals_close(signals);
}

TEST(signal_wait_ends_with_its_scope, .run = alone)
{
        struct plait_signals *signals = open_signals(SIGUSR1, 0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct waiter waiter = {signals, 1};

        CHECK_OK(plait_scope_go(&scope, wait_once, &waiter));
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(waiter.result, ==, -ECANCELED);
        plait_signals_close(signals);
}

static void check_select(void)
{
        struct plait_signals *signals = open_signals(SIGUSR1, SIGUSR2);
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(1);
        struct plait_signal_info info = {0};
        struct plait_case cases[] = {plait_case_acquire(&semaphore), plait_case_signal(signals, &info)};

        CHECK_INT(plait_select(cases, 2, PLAIT_NEVER), ==, 0);
        raise_in_process(SIGUSR2);
        CHECK_INT(plait_select(cases, 2, PLAIT_NEVER), ==, 1);
        CHECK_INT(cases[1].result, ==, SIGUSR2);
        CHECK_INT(info.sender_pid, ==, getpid());
        CHECK_INT(plait_select(cases, 2, plait_in_ms(1)), ==, -ETIMEDOUT);
        plait_signals_close(signals);
}

TEST(signal_is_a_case_of_select)
{
        check_select();
}

TEST(signal_is_a_case_of_select_in_a_task, .run = in_task)
{
        check_select();
}

/* Waits for more than were sent time out; none is lost, since each is waited for before the next is sent. */
static void *send_many(void *arg)
{
        for (int i = 0; i < 500; i++) {
                raise_in_process(i % 2 ? SIGUSR1 : SIGUSR2);
                CHECK_OK(plait_semaphore_acquire(arg, PLAIT_NEVER));
        }
        return NULL;
}

TEST(signal_none_is_lost, .run = in_task)
{
        struct plait_signals *signals = open_signals(SIGUSR1, SIGUSR2);
        struct plait_semaphore taken = {0};
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, send_many, &taken), ==, 0);
        for (int i = 0; i < 500; i++) {
                CHECK_INT(plait_signals_wait(signals, PLAIT_NEVER, NULL), ==, i % 2 ? SIGUSR1 : SIGUSR2);
                CHECK_OK(plait_semaphore_release(&taken, 1));
        }
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        plait_signals_close(signals);
}
