/* The mutex: locking, order, deadlines, cancellation, misuse. */
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "api/alone.h"

struct locker {
        struct plait_mutex *mutex;
        int64_t deadline_ns;
        int result; /* of lock; 1: still waiting */
        int *turns; /* where each one who gets the mutex counts */
        int turn;   /* what this one counted */
};

static int lock_and_unlock(void *arg)
{
        struct locker *locker = arg;

        locker->result = plait_mutex_lock(locker->mutex, locker->deadline_ns);
        if (locker->result < 0)
                return 0;
        if (locker->turns)
                locker->turn = (*locker->turns)++;
        plait_mutex_unlock(locker->mutex);
        return 0;
}

static void check_free(struct plait_mutex *mutex)
{
        CHECK_INT(plait_mutex_trylock(mutex), ==, 0);
        plait_mutex_unlock(mutex);
}

TEST(mutex_zeroed_is_unlocked)
{
        struct plait_mutex mutex;

        memset(&mutex, 0, sizeof mutex);
        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        plait_mutex_unlock(&mutex);
        check_free(&mutex);
        CHECK_INT(sizeof mutex, ==, 2 * sizeof(void *));
}

TEST(mutex_trylock_says_busy)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;

        CHECK_INT(plait_mutex_trylock(&mutex), ==, 0);
        CHECK_INT(plait_mutex_trylock(&mutex), ==, -EBUSY);
        plait_mutex_unlock(&mutex);
        check_free(&mutex);
}

TEST(mutex_past_deadline_tries_once)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;

        CHECK_INT(plait_mutex_lock(&mutex, 0), ==, 0);
        CHECK_INT(plait_mutex_lock(&mutex, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_mutex_lock(&mutex, plait_now_ns()), ==, -ETIMEDOUT);
        plait_mutex_unlock(&mutex);
        check_free(&mutex);
}

TEST(mutex_wait_of_a_thread_times_out)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        int64_t deadline_ns = plait_in_ms(10);

        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_mutex_lock(&mutex, deadline_ns), ==, -ETIMEDOUT);
        CHECK_INT(plait_now_ns(), >=, deadline_ns);
        plait_mutex_unlock(&mutex);
        check_free(&mutex);
}

TEST(mutex_wait_of_a_task_times_out, .run = in_task)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        int64_t deadline_ns = plait_in_ms(10);

        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_mutex_lock(&mutex, deadline_ns), ==, -ETIMEDOUT);
        CHECK_INT(plait_now_ns(), >=, deadline_ns);
        plait_mutex_unlock(&mutex);
        check_free(&mutex);
}

TEST(mutex_wait_ends_at_the_deadline_of_a_scope, .run = in_task)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        scope.deadline_ns = plait_in_ms(10);
        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, -ETIMEDOUT);
        CHECK_OK(plait_scope_join(&scope));
        plait_mutex_unlock(&mutex);
        check_free(&mutex);
}

TEST(mutex_is_held_across_waits, .run = in_task)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;

        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        CHECK_OK(plait_sleep(plait_in_ms(2)));
        CHECK_INT(plait_mutex_trylock(&mutex), ==, -EBUSY);
        plait_mutex_unlock(&mutex);
        check_free(&mutex);
}

TEST(mutex_serves_waiters_in_order, .run = alone)
{
        enum { N = 10 };
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct locker lockers[N];
        int turns = 0;

        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        for (int i = 0; i < N; i++) {
                lockers[i] = (struct locker){&mutex, PLAIT_NEVER, 1, &turns, -1};
                CHECK_OK(plait_scope_go(&scope, lock_and_unlock, &lockers[i]));
                let_others_run();
        }
        CHECK_INT(turns, ==, 0);
        plait_mutex_unlock(&mutex);
        CHECK_OK(plait_scope_join(&scope));

        for (int i = 0; i < N; i++)
                CHECK_INT(lockers[i].turn, ==, i);
        check_free(&mutex);
}

TEST(mutex_cancellation_ends_a_wait, .run = alone)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct locker first = {&mutex, PLAIT_NEVER, 1, NULL, 0}, second = first;

        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        CHECK_OK(plait_scope_go(&scope, lock_and_unlock, &first));
        CHECK_OK(plait_scope_go(&scope, lock_and_unlock, &second));
        let_others_run();
        CHECK_INT(first.result, ==, 1);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);

        CHECK_INT(first.result, ==, -ECANCELED);
        CHECK_INT(second.result, ==, -ECANCELED);
        plait_mutex_unlock(&mutex);
        check_free(&mutex);
}

TEST(mutex_waiters_that_give_up_do_not_hold_up_others, .run = alone)
{
        enum { N = 9 };
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        struct plait_scope stay = PLAIT_SCOPE_INIT;
        struct locker lockers[N];
        int turns = 0;

        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        for (int i = 0; i < N; i++) { /* the first, the middle and the last have a deadline */
                int64_t deadline_ns = i % 4 == 0 ? plait_in_ms(5) : PLAIT_NEVER;

                lockers[i] = (struct locker){&mutex, deadline_ns, 1, &turns, -1};
                CHECK_OK(plait_scope_go(&stay, lock_and_unlock, &lockers[i]));
                let_others_run();
        }
        while (lockers[0].result == 1 || lockers[4].result == 1 || lockers[8].result == 1)
                plait_yield();
        plait_mutex_unlock(&mutex);
        CHECK_OK(plait_scope_join(&stay));

        for (int i = 0, turn = 0; i < N; i++) {
                CHECK_INT(lockers[i].result, ==, i % 4 == 0 ? -ETIMEDOUT : 0);
                CHECK_INT(lockers[i].turn, ==, i % 4 == 0 ? -1 : turn++);
        }
        check_free(&mutex);
}

TEST(mutex_lock_that_was_woken_beats_cancellation, .run = alone)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct locker locker = {&mutex, PLAIT_NEVER, 1, NULL, 0};

        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        CHECK_OK(plait_scope_go(&scope, lock_and_unlock, &locker));
        let_others_run();
        plait_mutex_unlock(&mutex);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);

        CHECK_INT(locker.result, ==, 0);
        check_free(&mutex);
}

TEST(mutex_free_is_locked_in_a_cancelled_scope, .run = in_task)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_mutex_lock(&mutex, 0), ==, -ECANCELED);
        plait_mutex_unlock(&mutex);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        check_free(&mutex);
}

/* The holder hardly ever lets go; without a hand-over the other one would always come too late. */
TEST(mutex_starved_waiter_is_served, .run = alone)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct locker locker = {&mutex, PLAIT_NEVER, 1, NULL, 0};

        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        CHECK_OK(plait_scope_go(&scope, lock_and_unlock, &locker));
        while (locker.result == 1) {
                plait_yield();
                plait_mutex_unlock(&mutex);
                CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        }
        plait_mutex_unlock(&mutex);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(locker.result, ==, 0);
        check_free(&mutex);
}

static void *lock_in_thread(void *arg)
{
        lock_and_unlock(arg);
        return NULL;
}

TEST(mutex_task_hands_it_to_a_thread, .run = in_task)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        struct locker locker = {&mutex, PLAIT_NEVER, 1, NULL, 0};
        pthread_t thread;

        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        CHECK_INT(pthread_create(&thread, NULL, lock_in_thread, &locker), ==, 0);
        plait_mutex_unlock(&mutex);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(locker.result, ==, 0);
        check_free(&mutex);
}

TEST(mutex_unlock_of_an_unlocked_one_is_named, .signal = SIGABRT, .stderr_match = "mutex .* nobody holds it")
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;

        plait_mutex_unlock(&mutex);
}
