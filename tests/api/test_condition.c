/* The condition variable: signals, deadlines, cancellation; the mutex is held again in any case. */
#include <plait/plait.h>
#include <pthread.h>

#include "api/alone.h"

struct room {
        struct plait_mutex mutex;
        struct plait_condition changed;
        int waiting; /* guarded by mutex */
        int woken;
};

struct guest {
        struct room *room;
        int64_t deadline_ns;
        int result; /* 1: still waiting */
        int turn;
};

static int wait_once(void *arg)
{
        struct guest *guest = arg;
        struct room *room = guest->room;

        CHECK_INT(plait_mutex_lock(&room->mutex, PLAIT_NEVER), ==, 0);
        room->waiting++;
        guest->result = plait_condition_wait(&room->changed, &room->mutex, guest->deadline_ns);
        CHECK_INT(plait_mutex_trylock(&room->mutex), ==, -EBUSY);
        room->waiting--;
        if (guest->result == 0)
                guest->turn = room->woken++;
        plait_mutex_unlock(&room->mutex);
        return 0;
}

/* Starts *n* guests and lets them wait. */
static void invite(struct plait_scope *scope, struct room *room, struct guest *guests, int n)
{
        for (int i = 0; i < n; i++) {
                guests[i] = (struct guest){room, PLAIT_NEVER, 1, -1};
                CHECK_OK(plait_scope_go(scope, wait_once, &guests[i]));
                let_others_run();
        }
        CHECK_INT(room->waiting, ==, n);
}

TEST(condition_signal_wakes_one_in_order, .run = alone)
{
        enum { N = 5 };
        struct room room = {0};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct guest guests[N];

        invite(&scope, &room, guests, N);
        for (int i = 0; i < N; i++) {
                plait_condition_signal(&room.changed);
                let_others_run();
                CHECK_INT(room.woken, ==, i + 1);
        }
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < N; i++)
                CHECK_INT(guests[i].turn, ==, i);
}

TEST(condition_broadcast_wakes_all, .run = alone)
{
        enum { N = 150 }; /* more than are woken in one go */
        struct room room = {0};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct guest guests[N];

        invite(&scope, &room, guests, N);
        plait_condition_broadcast(&room.changed);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(room.woken, ==, N);
}

TEST(condition_signal_without_waiters_is_not_kept, .run = in_task)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        struct plait_condition condition = PLAIT_CONDITION_INIT;

        plait_condition_signal(&condition);
        plait_condition_broadcast(&condition);
        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_condition_wait(&condition, &mutex, plait_in_ms(5)), ==, -ETIMEDOUT);
        plait_mutex_unlock(&mutex);
}

TEST(condition_past_deadline_times_out_with_the_mutex_held)
{
        struct plait_mutex mutex = PLAIT_MUTEX_INIT;
        struct plait_condition condition = PLAIT_CONDITION_INIT;

        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_condition_wait(&condition, &mutex, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_condition_wait(&condition, &mutex, plait_in_ms(5)), ==, -ETIMEDOUT);
        CHECK_INT(plait_mutex_trylock(&mutex), ==, -EBUSY);
        plait_mutex_unlock(&mutex);
}

TEST(condition_timed_out_waiter_takes_no_signal, .run = alone)
{
        struct room room = {0};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct guest early = {&room, plait_in_ms(5), 1, -1}, patient = {&room, PLAIT_NEVER, 1, -1};

        CHECK_OK(plait_scope_go(&scope, wait_once, &early));
        let_others_run();
        CHECK_OK(plait_scope_go(&scope, wait_once, &patient));
        while (early.result == 1 || room.waiting != 1)
                plait_yield();
        plait_condition_signal(&room.changed);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(early.result, ==, -ETIMEDOUT);
        CHECK_INT(patient.result, ==, 0);
}

static int open_and_wait(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        wait_once(arg);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        return 0;
}

TEST(condition_cancelled_waiter_takes_no_signal, .run = alone)
{
        struct room room = {0};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct guest patient, cancelled = {&room, PLAIT_NEVER, 1, -1};

        invite(&scope, &room, &patient, 1);
        CHECK_OK(plait_scope_go(&scope, open_and_wait, &cancelled));
        let_others_run();
        CHECK_INT(cancelled.result, ==, -ECANCELED);
        plait_condition_signal(&room.changed);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(patient.result, ==, 0);
}

/* The first in the queue is cancelled but has not run yet: the signal has to go to the second. */
TEST(condition_signal_passes_over_a_cancelled_waiter, .run = alone)
{
        struct room room = {0};
        struct plait_scope outer = PLAIT_SCOPE_INIT, inner = PLAIT_SCOPE_INIT;
        struct guest first, second;

        CHECK_OK(plait_scope_open(&outer));
        CHECK_OK(plait_scope_open(&inner));
        invite(&inner, &room, &first, 1);
        second = (struct guest){&room, PLAIT_NEVER, 1, -1};
        CHECK_OK(plait_scope_go(&outer, wait_once, &second));
        let_others_run();
        CHECK_INT(room.waiting, ==, 2);
        plait_scope_cancel(&inner);
        plait_condition_signal(&room.changed);
        CHECK_INT(plait_scope_join(&inner), ==, -ECANCELED);
        CHECK_OK(plait_scope_join(&outer));
        CHECK_INT(first.result, ==, -ECANCELED);
        CHECK_INT(second.result, ==, 0);
}

TEST(condition_signal_sent_before_cancellation_counts, .run = alone)
{
        struct room room = {0};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct guest guest;

        invite(&scope, &room, &guest, 1);
        plait_condition_signal(&room.changed);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(guest.result, ==, 0);
}

/* The mutex is locked by somebody else when the wait is cancelled: it comes back only with the mutex. */
TEST(condition_cancelled_waiter_locks_the_mutex_again, .run = alone)
{
        struct room room = {0};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct guest guest;

        invite(&scope, &room, &guest, 1);
        CHECK_INT(plait_mutex_lock(&room.mutex, PLAIT_NEVER), ==, 0);
        plait_scope_cancel(&scope);
        let_others_run();
        CHECK_INT(room.waiting, ==, 1);
        plait_mutex_unlock(&room.mutex);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(guest.result, ==, -ECANCELED);
        CHECK_INT(room.waiting, ==, 0);
}

static void *wait_in_thread(void *arg)
{
        wait_once(arg);
        return NULL;
}

TEST(condition_task_signals_a_thread, .run = in_task)
{
        struct room room = {0};
        struct guest guest = {&room, PLAIT_NEVER, 1, -1};
        pthread_t thread;
        int waiting = 0;

        CHECK_INT(pthread_create(&thread, NULL, wait_in_thread, &guest), ==, 0);
        while (!waiting) { /* it has the mutex from counting to waiting */
                CHECK_INT(plait_mutex_lock(&room.mutex, PLAIT_NEVER), ==, 0);
                waiting = room.waiting;
                plait_mutex_unlock(&room.mutex);
                plait_yield();
        }
        plait_condition_signal(&room.changed);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(guest.result, ==, 0);
}
