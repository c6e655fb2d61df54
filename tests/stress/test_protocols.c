/* The scheduler's protocols, driven into their narrow places: what a race or a full worker must not change. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "harness/task.h"
#include "harness/test.h"

enum { PATIENCE_US = 30 * 1000 * 1000, LONG_US = 20 * 1000 * 1000 };

static int64_t now_us(void)
{
        return plait_now_ns() / 1000;
}

/* Computes, without waiting, until *flag* is set or *ms* have passed. */
static bool spin_until(atomic_int *flag, int64_t ms)
{
        int64_t end_us = now_us() + ms * 1000 * test_slowness();

        while (!atomic_load(flag))
                if (now_us() > end_us)
                        return false;
        return true;
}

static void two_workers(void (*body)(void))
{
        struct in_task_body task = {.body = body};
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 2};

        CHECK_INT(plait_run(in_task_main, &task, &opts), ==, 0);
}

static void one_worker(void (*body)(void))
{
        struct in_task_body task = {.body = body};
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 1};

        CHECK_INT(plait_run(in_task_main, &task, &opts), ==, 0);
}

/* --- forks --- */

static atomic_int taken, fork_saw;

static int cancels_a_scope_of_its_own(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        spin_until(&taken, 1000);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        return 0;
}

static int asks(void *arg)
{
        (void)arg;
        atomic_store(&fork_saw, plait_cancelled());
        atomic_store(&taken, 1);
        return 0;
}

TEST(a_fork_is_in_the_scope_that_its_task_was_in_when_it_forked, .run = two_workers)
{
        for (int i = 0; i < 20; i++) {
                atomic_store(&taken, 0);
                CHECK_INT(plait_fork_join(cancels_a_scope_of_its_own, NULL, asks, NULL), ==, 0);
                CHECK_INT(fork_saw, ==, 0);
        }
}

static int opens_and_closes(void *arg)
{
        (void)arg;
        for (int i = 0; i < 50; i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                CHECK_OK(plait_scope_open(&scope));
                CHECK_INT(plait_scope_join(&scope), ==, 0);
        }
        return 0;
}

static int nothing(void *arg)
{
        (void)arg;
        return 0;
}

TEST(forks_are_taken_while_scopes_open_and_close, .run = two_workers)
{
        int64_t end_us = now_us() + LONG_US;

        for (int i = 0; i < 200000 / test_slowness() && now_us() < end_us; i++)
                CHECK_INT(plait_fork_join(opens_and_closes, NULL, nothing, NULL), ==, 0);
}

/* --- timers --- */

static struct plait_timer timers[2];
static atomic_int calls;

static void cancel_the_other(void *arg)
{
        atomic_fetch_add(&calls, 1);
        (void)plait_timer_cancel(arg);
}

/* With two workers each may be in one of the functions: who has lost its processor looks stuck to the other. */
TEST(of_two_timers_that_are_due_one_can_cancel_the_other, .run = one_worker)
{
        for (int i = 0; i < 10; i++) {
                int64_t deadline_ns = plait_in_ms(2);

                atomic_store(&calls, 0);
                CHECK_OK(plait_timer_start(&timers[0], deadline_ns, cancel_the_other, &timers[1]));
                CHECK_OK(plait_timer_start(&timers[1], deadline_ns, cancel_the_other, &timers[0]));
                while (!atomic_load(&calls))
                        CHECK_OK(plait_sleep(plait_in_ms(1)));
                CHECK_OK(plait_sleep(plait_in_ms(1)));
                CHECK_INT(calls, ==, 1);
        }
}

static atomic_int inside, outside;

static void set_again_and_linger(void *arg)
{
        CHECK_OK(plait_timer_start(arg, PLAIT_NEVER, set_again_and_linger, arg));
        atomic_store(&inside, 1);
        spin_until(&outside, 50);
        atomic_store(&inside, 0);
}

static int cancel_from_elsewhere(void *arg)
{
        CHECK(spin_until(&inside, 5000));
        CHECK(plait_timer_cancel(arg));
        CHECK_INT(inside, ==, 0);
        return 0;
}

TEST(cancel_waits_for_a_function_that_has_set_its_timer_again, .run = two_workers)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_timer timer = PLAIT_TIMER_INIT;

        CHECK_OK(plait_scope_go(&scope, cancel_from_elsewhere, &timer));
        CHECK_OK(plait_sleep(plait_in_ms(20))); /* it spins on one worker, so the other one serves the timer */
        CHECK_OK(plait_timer_start(&timer, 0, set_again_and_linger, &timer));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static atomic_int cancelling;

static void set_again_late(void *arg)
{
        atomic_store(&inside, 1);
        CHECK(spin_until(&cancelling, 5000));
        spin_until(&outside, 5); /* until cancel is likely to be inside, too */
        CHECK_OK(plait_timer_start(arg, PLAIT_NEVER, set_again_late, arg));
        atomic_store(&inside, 0);
}

static int cancel_meanwhile(void *arg)
{
        CHECK(spin_until(&inside, 5000));
        atomic_store(&cancelling, 1);
        plait_timer_cancel(arg);
        CHECK_INT(inside, ==, 0);
        CHECK(!plait_timer_cancel(arg)); /* it was not left set */
        return 0;
}

TEST(cancel_also_cancels_what_the_function_sets_meanwhile, .run = two_workers)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_timer timer = PLAIT_TIMER_INIT;

        CHECK_OK(plait_scope_go(&scope, cancel_meanwhile, &timer));
        CHECK_OK(plait_sleep(plait_in_ms(20)));
        CHECK_OK(plait_timer_start(&timer, 0, set_again_late, &timer));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static atomic_int begun, ended, set, enough;

/* Two calls at a time, of which the first has set the timer for the second; and both go on to set it. */
static void set_all_the_time(void *arg)
{
        atomic_fetch_add(&begun, 1);
        for (int more = 100; more > 0 && !atomic_load(&enough); more -= atomic_load(&begun) > 1) {
                int r = plait_timer_start(arg, 0, set_all_the_time, arg);

                CHECK(r == 0 || r == -EBUSY);
                atomic_fetch_add(&set, r == 0);
        }
        atomic_fetch_add(&ended, 1);
}

static bool all_have_ended(void)
{
        int n = atomic_load(&begun);

        return n == atomic_load(&ended) && n == atomic_load(&set);
}

static int yield_until_two_have_begun(void *arg)
{
        (void)arg;
        while (atomic_load(&begun) < 2)
                plait_yield();
        return 0;
}

TEST(each_time_that_calls_at_once_set_the_timer_again_is_a_call, .run = two_workers)
{
        for (int i = 0; i < 300; i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct plait_timer timer = PLAIT_TIMER_INIT;

                atomic_store(&begun, 0);
                atomic_store(&ended, 0);
                atomic_store(&set, 1);
                atomic_store(&enough, 0);
                for (int k = 0; k < 4; k++)
                        CHECK_OK(plait_scope_go(&scope, yield_until_two_have_begun, NULL));
                CHECK_OK(plait_timer_start(&timer, 0, set_all_the_time, &timer));
                CHECK_INT(plait_scope_join(&scope), ==, 0);
                atomic_store(&enough, 1);
                for (int ms = 0; ms < 5000 && !all_have_ended(); ms++)
                        CHECK_OK(plait_sleep(plait_in_ms(1)));
                CHECK(all_have_ended());
                CHECK(!plait_timer_cancel(&timer));
        }
}

static unsigned memory[sizeof(struct plait_timer) / sizeof(unsigned)] __attribute__((aligned(64)));
static atomic_int done;

static void set_cancel_and_free(void *arg)
{
        struct plait_timer *timer = arg;

        CHECK_OK(plait_timer_start(timer, PLAIT_NEVER, set_cancel_and_free, timer));
        CHECK(plait_timer_cancel(timer));
        for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
                memory[i] = 2; /* as whoever allocates it next might */
        atomic_store(&done, 1);
}

TEST(a_function_can_set_cancel_and_free_its_timer, .run = in_task)
{
        CHECK_OK(plait_timer_start((struct plait_timer *)memory, 0, set_cancel_and_free, memory));
        while (!atomic_load(&done))
                CHECK_OK(plait_sleep(plait_in_ms(1)));
        CHECK_OK(plait_sleep(plait_in_ms(5)));
        for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
                CHECK_UINT(memory[i], ==, 2);
}

/* --- threads that wake tasks --- */

static struct plait_event ping;
static atomic_int round_of_task;

static void *sets_events(void *arg)
{
        unsigned seed = 1;

        for (int i = 1; i <= *(atomic_int *)arg; i++) {
                while (atomic_load(&round_of_task) < i)
                        if (atomic_load((atomic_int *)arg) < i)
                                return NULL;
                for (int pause = rand_r(&seed) % 700; pause > 0; pause--)
                        __asm__ volatile("");
                plait_event_set(&ping);
        }
        return NULL;
}

/* The worker parks at about the moment when the thread hands it a task. */
TEST(a_task_that_a_thread_wakes_runs_at_once, .run = one_worker, .timeout_ms = 120000)
{
        atomic_int rounds = 100000 / test_slowness();
        int64_t end_us = now_us() + LONG_US;
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, sets_events, &rounds), ==, 0);
        for (int i = 1; i <= atomic_load(&rounds); i++) {
                plait_event_clear(&ping);
                atomic_store(&round_of_task, i);
                CHECK_INT(plait_event_wait(&ping, plait_in_ms(20000)), ==, 0);
                if (now_us() > end_us) /* where both have to share one processor */
                        atomic_store(&rounds, i);
        }
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
}

static atomic_int threads_out;

static void *sets_one_event(void *event)
{
        plait_event_set(event);
        atomic_fetch_add(&threads_out, 1);
        return NULL;
}

static int waits(void *arg)
{
        return plait_event_wait(arg, PLAIT_NEVER);
}

/* The event is all that the first task waits for, so the run ends while the thread is still on its way out of set(). */
TEST(a_run_can_end_while_a_thread_that_woke_its_last_task_is_on_its_way_out, .timeout_ms = 120000)
{
        int rounds = 3000 / test_slowness();

        for (int i = 0; i < rounds; i++) {
                static struct plait_event event;
                pthread_t thread;

                event = (struct plait_event)PLAIT_EVENT_INIT;
                CHECK_INT(pthread_create(&thread, NULL, sets_one_event, &event), ==, 0);
                CHECK_INT(plait_run(waits, &event, NULL), ==, 0);
                CHECK_INT(pthread_join(thread, NULL), ==, 0);
        }
        CHECK_INT(threads_out, ==, rounds);
}

/* --- nobody starves --- */

static atomic_int slept;

static int sleeps(void *arg)
{
        (void)arg;
        CHECK_OK(plait_sleep(plait_in_ms(2)));
        atomic_store(&slept, 1);
        return 0;
}

static int joins_until_slept(void *arg)
{
        int64_t end_us = now_us() + PATIENCE_US;

        (void)arg;
        while (!atomic_load(&slept)) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                CHECK_INT(now_us(), <, end_us);
                CHECK_OK(plait_scope_go(&scope, nothing, NULL));
                CHECK_INT(plait_scope_join(&scope), ==, 0);
        }
        return 0;
}

TEST(a_task_that_starts_and_joins_others_all_the_time_lets_sleepers_wake, .run = one_worker)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, sleeps, NULL));
        CHECK_OK(plait_sleep(plait_in_ns(100000)));
        CHECK_OK(plait_scope_go(&scope, joins_until_slept, NULL));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static atomic_int computing, went_on;

static int yields_and_goes_on(void *arg)
{
        (void)arg;
        while (!atomic_load(&computing))
                plait_yield();
        atomic_store(&went_on, 1);
        return 0;
}

static int yields_and_computes(void *arg)
{
        int64_t end_us = now_us() + 30000;

        (void)arg;
        while (now_us() < end_us) /* until the other worker sleeps */
                plait_yield();
        atomic_store(&computing, 1);
        CHECK(spin_until(&went_on, 20000));
        return 0;
}

TEST(a_task_that_yielded_is_not_stuck_behind_one_that_computes, .run = two_workers)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, yields_and_goes_on, NULL));
        CHECK_OK(plait_scope_go(&scope, yields_and_computes, NULL));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static int is_behind_its_schedule(void *arg)
{
        int64_t next_ns = plait_now_ns();
        int64_t end_us = now_us() + PATIENCE_US;
        int r;

        (void)arg;
        while ((r = plait_sleep(next_ns)) == 0)
                CHECK_INT(now_us(), <, end_us);
        return r == -ECANCELED ? 0 : r;
}

TEST(a_sleep_that_is_over_before_it_begins_sees_a_cancellation, .run = two_workers)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, is_behind_its_schedule, NULL));
        CHECK_OK(plait_sleep(plait_in_ms(5)));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}
