/* The barrier: rounds, numbers, breaking, resetting, deadlines, cancellation. */
#include <plait/plait.h>
#include <pthread.h>

#include "api/alone.h"

struct party {
        struct plait_barrier *barrier;
        int64_t deadline_ns;
        int result; /* -1: still waiting */
};

static int arrive(void *arg)
{
        struct party *party = arg;

        party->result = plait_barrier_wait(party->barrier, party->deadline_ns);
        return 0;
}

static void start(struct plait_scope *scope, struct party *party)
{
        CHECK_OK(plait_scope_go(scope, arrive, party));
        let_others_run();
}

TEST(barrier_zeroed_is_for_nobody)
{
        struct plait_barrier barrier = {0};

        CHECK_INT(plait_barrier_wait(&barrier, PLAIT_NEVER), ==, -EINVAL);
        CHECK(!plait_barrier_is_broken(&barrier));
        plait_barrier_reset(&barrier);
        CHECK_UINT(plait_barrier_arrived(&barrier), ==, 0);
        CHECK_INT(sizeof barrier, ==, 3 * sizeof(void *));
}

TEST(barrier_init_checks_its_range)
{
        struct plait_barrier barrier = PLAIT_BARRIER_INIT(1);

        CHECK_INT(plait_barrier_init(&barrier, 0), ==, -EINVAL);
        CHECK_INT(plait_barrier_init(&barrier, PLAIT_BARRIER_MAX + 1), ==, -EINVAL);
        CHECK_INT(plait_barrier_wait(&barrier, 0), ==, 0);
        CHECK_INT(plait_barrier_init(&barrier, PLAIT_BARRIER_MAX), ==, 0);
        CHECK_INT(plait_barrier_wait(&barrier, 0), ==, -ETIMEDOUT);
}

TEST(barrier_lets_all_go_on_with_numbers_of_their_own, .run = alone)
{
        enum { N = 150 }; /* more than are woken in one go */
        static struct party parties[N];
        struct plait_barrier barrier = PLAIT_BARRIER_INIT(N + 1);

        for (int round = 0; round < 3; round++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                bool seen[N + 1] = {false};

                for (int i = 0; i < N; i++) {
                        parties[i] = (struct party){&barrier, PLAIT_NEVER, -1};
                        CHECK_OK(plait_scope_go(&scope, arrive, &parties[i]));
                }
                let_others_run();
                CHECK_UINT(plait_barrier_arrived(&barrier), ==, N);
                for (int i = 0; i < N; i++)
                        CHECK_INT(parties[i].result, ==, -1);
                CHECK_INT(plait_barrier_wait(&barrier, 0), ==, 0); /* the last need not wait */
                CHECK_OK(plait_scope_join(&scope));
                for (int i = 0; i < N; i++) {
                        CHECK_INT(parties[i].result, >=, 1);
                        CHECK_INT(parties[i].result, <=, N);
                        CHECK(!seen[parties[i].result]);
                        seen[parties[i].result] = true;
                }
                CHECK_UINT(plait_barrier_arrived(&barrier), ==, 0);
        }
}

TEST(barrier_that_is_only_looked_at_is_not_broken)
{
        struct plait_barrier barrier = PLAIT_BARRIER_INIT(2);

        CHECK_INT(plait_barrier_wait(&barrier, 0), ==, -ETIMEDOUT);
        CHECK(!plait_barrier_is_broken(&barrier));
        CHECK_UINT(plait_barrier_arrived(&barrier), ==, 0);
}

TEST(barrier_is_broken_by_a_time_out, .run = alone)
{
        struct plait_barrier barrier = PLAIT_BARRIER_INIT(3);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct party early = {&barrier, plait_in_ms(5), -1}, patient = {&barrier, PLAIT_NEVER, -1};

        CHECK_OK(plait_scope_go(&scope, arrive, &patient));
        CHECK_OK(plait_scope_go(&scope, arrive, &early));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(early.result, ==, -ETIMEDOUT);
        CHECK_INT(patient.result, ==, -EPIPE);
        CHECK(plait_barrier_is_broken(&barrier));
        CHECK_INT(plait_barrier_wait(&barrier, PLAIT_NEVER), ==, -EPIPE);
        CHECK_UINT(plait_barrier_arrived(&barrier), ==, 0);
}

TEST(barrier_is_broken_by_a_cancellation, .run = alone)
{
        struct plait_barrier barrier = PLAIT_BARRIER_INIT(3);
        struct plait_scope outer = PLAIT_SCOPE_INIT, scope = PLAIT_SCOPE_INIT;
        struct party cancelled = {&barrier, PLAIT_NEVER, -1}, patient = {&barrier, PLAIT_NEVER, -1};

        start(&outer, &patient);
        start(&scope, &cancelled);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_OK(plait_scope_join(&outer));
        CHECK_INT(cancelled.result, ==, -ECANCELED);
        CHECK_INT(patient.result, ==, -EPIPE);
        CHECK(plait_barrier_is_broken(&barrier));
}

/* One has been cancelled but has not run since when the last party comes: the round is complete for it, too. */
TEST(barrier_round_that_is_complete_beats_a_cancellation, .run = alone)
{
        struct plait_barrier barrier = PLAIT_BARRIER_INIT(2);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct party party = {&barrier, PLAIT_NEVER, -1};

        start(&scope, &party);
        plait_scope_cancel(&scope); /* its wait has ended, but it has not run */
        CHECK_INT(plait_barrier_wait(&barrier, 0), ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(party.result, ==, 1);
        CHECK(!plait_barrier_is_broken(&barrier));
}

TEST(barrier_breaks_and_is_reset, .run = alone)
{
        struct plait_barrier barrier = PLAIT_BARRIER_INIT(3);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct party parties[6];

        for (int i = 0; i < 6; i++)
                parties[i] = (struct party){&barrier, PLAIT_NEVER, -1};
        start(&scope, &parties[0]);
        plait_barrier_break(&barrier);
        let_others_run();
        CHECK_INT(parties[0].result, ==, -EPIPE);
        CHECK_INT(plait_barrier_wait(&barrier, PLAIT_NEVER), ==, -EPIPE);

        plait_barrier_reset(&barrier);
        CHECK(!plait_barrier_is_broken(&barrier));
        start(&scope, &parties[1]);
        start(&scope, &parties[2]);
        plait_barrier_reset(&barrier); /* who waits leaves, and breaks nothing */
        let_others_run();
        CHECK_INT(parties[1].result, ==, -EPIPE);
        CHECK_INT(parties[2].result, ==, -EPIPE);
        CHECK(!plait_barrier_is_broken(&barrier));

        for (int i = 3; i < 6; i++)
                start(&scope, &parties[i]);
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 3; i < 6; i++)
                CHECK_INT(parties[i].result, ==, 5 - i);
}

TEST(barrier_in_a_cancelled_scope_is_passed_by_the_last_only, .run = in_task)
{
        struct plait_barrier alone_there = PLAIT_BARRIER_INIT(1), barrier = PLAIT_BARRIER_INIT(2);
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_barrier_wait(&alone_there, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_barrier_wait(&barrier, 0), ==, -ECANCELED);
        CHECK(!plait_barrier_is_broken(&barrier));
        CHECK_INT(plait_barrier_wait(&barrier, PLAIT_NEVER), ==, -ECANCELED);
        CHECK(plait_barrier_is_broken(&barrier));
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

static void *arrive_in_thread(void *arg)
{
        arrive(arg);
        return NULL;
}

TEST(barrier_is_for_tasks_and_threads, .run = in_task)
{
        struct plait_barrier barrier = PLAIT_BARRIER_INIT(2);
        struct party party = {&barrier, PLAIT_NEVER, -1};
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, arrive_in_thread, &party), ==, 0);
        int mine = CHECK_OK(plait_barrier_wait(&barrier, PLAIT_NEVER));
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(mine + party.result, ==, 1);
}
