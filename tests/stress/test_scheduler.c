/* Many tasks doing everything at once; the counts must come out right. */
#include <stdatomic.h>
#include <stdlib.h>

#include "harness/task.h"
#include "harness/test.h"

static atomic_long ended;

static int mixed(void *arg)
{
        unsigned seed = (unsigned)(uintptr_t)arg;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        unsigned depth = seed >> 24;

        for (int i = 0; i < 5; i++) {
                unsigned dice = (unsigned)rand_r(&seed) % 6;
                uintptr_t child = ((depth - 1) << 24) | (seed & 0xffffff);

                if (dice < 2)
                        plait_yield();
                else if (dice == 2)
                        CHECK_OK(plait_sleep(plait_in_ns(rand_r(&seed) % 200000)));
                else if (dice < 5 && depth)
                        CHECK_OK(plait_scope_go(&scope, mixed, (void *)child));
        }
        atomic_fetch_add(&ended, 1);
        return plait_scope_join(&scope);
}

TEST(random_trees_of_tasks_that_yield_sleep_and_spawn, .run = in_task, .timeout_ms = 120000)
{
        int rounds = 40 / test_slowness() + 1;

        for (int round = 0; round < rounds; round++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                for (uintptr_t i = 0; i < 200; i++)
                        CHECK_OK(plait_scope_go(&scope, mixed, (void *)((4u << 24) | (i * 31 + (uintptr_t)round))));
                CHECK_INT(plait_scope_join(&scope), ==, 0);
        }
        CHECK_INT(ended, >=, 200 * rounds);
}

static int sleep_or_fail(void *arg)
{
        intptr_t kind = (intptr_t)arg;

        if (kind == 0)
                return plait_sleep(plait_in_ns(50000)) ?: -EIO;
        int r = plait_sleep(plait_in_ns(kind * 1000));
        atomic_fetch_add(&ended, 1);
        return r;
}

/* Cancellations race with sleeps that end by themselves. */
TEST(errors_cancel_scopes_at_random_moments, .run = in_task, .timeout_ms = 120000)
{
        int rounds = 600 / test_slowness() + 1;

        for (int round = 0; round < rounds; round++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                for (intptr_t i = 0; i < 50; i++)
                        CHECK_OK(plait_scope_go(&scope, sleep_or_fail, (void *)(i * 4)));
                int r = plait_scope_join(&scope);
                CHECK(r == -EIO);
        }
        CHECK_INT(ended, ==, 49L * rounds);
}

static int inner(void *arg)
{
        (void)arg;
        return plait_sleep(PLAIT_NEVER);
}

static int opens_scopes(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        scope.deadline_ns = plait_in_ns((intptr_t)arg * 1000);
        for (int i = 0; i < 3; i++)
                CHECK_OK(plait_scope_go(&scope, inner, NULL));
        return plait_scope_join(&scope) == -ETIMEDOUT ? 0 : -ECANCELED;
}

/* Scopes come and go below a scope that is being cancelled. */
TEST(cancellation_races_with_scopes_that_open_and_close, .run = in_task, .timeout_ms = 120000)
{
        int rounds = 300 / test_slowness() + 1;

        for (int round = 0; round < rounds; round++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                for (intptr_t i = 0; i < 30; i++)
                        CHECK_OK(plait_scope_go(&scope, opens_scopes, (void *)(i * 5)));
                CHECK_INT(plait_sleep(plait_in_ns(round % 150 * 1000)) <= 0, ==, 1);
                plait_scope_cancel(&scope);
                (void)!plait_scope_join(&scope);
        }
}

static atomic_int sleeping;

static int hog(void *arg)
{
        (void)arg;
        while (atomic_load(&sleeping))
                ;
        return 0;
}

static int sleep_and_yield(void *arg)
{
        (void)arg;
        for (int i = 0; i < 5; i++) {
                CHECK_OK(plait_sleep(plait_in_ms(1)));
                plait_yield();
        }
        atomic_fetch_sub(&sleeping, 1);
        return 0;
}

static int hog_and_sleepers(void *arg)
{
        (void)arg;
        for (int round = 0; round < 10; round++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                atomic_store(&sleeping, 100);
                for (int i = 0; i < 100; i++)
                        CHECK_OK(plait_scope_go(&scope, sleep_and_yield, NULL));
                CHECK_OK(plait_sleep(plait_in_ns(round * 300000)));
                CHECK_OK(plait_scope_go(&scope, hog, NULL));
                CHECK_INT(plait_scope_join(&scope), ==, 0);
        }
        return 0;
}

/* The hog ends when the others have ended: whatever its worker had to do for them, another one must do. */
TEST(one_task_that_computes_does_not_hold_up_the_others)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 2};

        unsetenv("PLAIT_WORKERS");
        CHECK_INT(plait_run(hog_and_sleepers, NULL, &opts), ==, 0);
}

/* --- children that run on their parent's stack --- */

enum { CHILDREN = 200 };

static int rounds;
static bool all_done;

static int go_round(void *arg)
{
        (void)arg;
        for (; !all_done; rounds++)
                plait_yield();
        return 0;
}

static int compute(void *until_ns)
{
        int64_t end_ns = plait_in_ns((intptr_t)until_ns);

        while (until_ns && plait_now_ns() < end_ns)
                ;
        return 0;
}

static void join_children_of(int64_t ns)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < CHILDREN; i++)
                CHECK_OK(plait_scope_go(&scope, compute, (void *)(intptr_t)ns));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static int join_beside_another(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        CHECK_OK(plait_scope_go(&scope, go_round, NULL));
        plait_yield();
        join_children_of(0);
        int before = rounds;
        join_children_of(200000);
        CHECK_INT(rounds, >, before);
        all_done = true;
        return plait_scope_join(&scope);
}

/* Small children first: what is known of them must not hold for the large ones that follow. */
TEST(a_join_lets_others_go_on_between_its_children)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 1};

        unsetenv("PLAIT_WORKERS");
        CHECK_INT(plait_run(join_beside_another, NULL, &opts), ==, 0);
}
