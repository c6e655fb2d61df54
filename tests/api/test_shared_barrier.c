/* The barrier between processes: rounds, numbers, breaking, deadlines, and parties that die. */
#include <plait/plait.h>

#include "api/alone.h"
#include "api/shared.h"

enum { PARTIES = 4, ROUNDS = 200 };

struct world {
        struct plait_shared_barrier barrier;
        int done[PARTIES], zeroes, arrived, broken;
};

static struct world *new_world(unsigned parties)
{
        struct world *world = shared_memory(sizeof *world);

        CHECK_OK(plait_shared_barrier_init(&world->barrier, parties));
        return world;
}

static void free_world(struct world *world)
{
        CHECK_SYS(munmap(world, sizeof *world));
}

TEST(shared_barrier_checks_its_range)
{
        struct plait_shared_barrier barrier = {0};

        CHECK_INT(plait_shared_barrier_wait(&barrier, PLAIT_NEVER), ==, -EINVAL);
        CHECK_INT(plait_shared_barrier_init(&barrier, 0), ==, -EINVAL);
        CHECK_INT(plait_shared_barrier_init(&barrier, PLAIT_SHARED_BARRIER_MAX + 1), ==, -EINVAL);
        CHECK_OK(plait_shared_barrier_init(&barrier, PLAIT_SHARED_BARRIER_MAX));
        CHECK_INT(plait_shared_barrier_wait(&barrier, 0), ==, -ETIMEDOUT);
        CHECK(!plait_shared_barrier_is_broken(&barrier));
        CHECK_OK(plait_shared_barrier_init(&barrier, 1));
        CHECK_INT(plait_shared_barrier_wait(&barrier, 0), ==, 0);
        CHECK_INT(plait_shared_barrier_wait(&barrier, PLAIT_NEVER), ==, 0);
}

/* --- rounds --- */

static int step(struct world *world, int me)
{
        for (int i = 0; i < ROUNDS; i++) {
                __atomic_store_n(&world->done[me], i + 1, __ATOMIC_RELAXED);
                int r = plait_shared_barrier_wait(&world->barrier, PLAIT_NEVER);

                if (r < 0)
                        return r;
                if (r == 0)
                        count_up(&world->zeroes);
                for (int k = 0; k < PARTIES; k++)
                        CHECK_INT(__atomic_load_n(&world->done[k], __ATOMIC_RELAXED), ==, i + 1);
                r = plait_shared_barrier_wait(&world->barrier, PLAIT_NEVER); /* until all have looked */
                if (r < 0)
                        return r;
        }
        return 0;
}

static void step_in_child(void *arg)
{
        struct world *world = arg;

        CHECK_OK(step(world, __atomic_fetch_add(&world->arrived, 1, __ATOMIC_RELAXED)));
}

TEST(shared_barrier_keeps_processes_together, .timeout_ms = 120000)
{
        struct world *world = new_world(PARTIES);
        pid_t children[PARTIES];

        for (int i = 0; i < PARTIES; i++)
                children[i] = child_runs(step_in_child, world);
        for (int i = 0; i < PARTIES; i++)
                child_ends(children[i], 0);
        CHECK_INT(world->zeroes, ==, ROUNDS);
        CHECK(!plait_shared_barrier_is_broken(&world->barrier));
        free_world(world);
}

static int step_in_task(void *arg)
{
        struct world *world = arg;

        return step(world, __atomic_fetch_add(&world->arrived, 1, __ATOMIC_RELAXED));
}

/* Of the test that runs: children are made before plait_run(), as a fork has only one of the threads. */
static struct world *common;
static pid_t child;

static void step_in_tasks(void)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 1; i < PARTIES; i++)
                CHECK_OK(plait_scope_go(&scope, step_in_task, common));
        CHECK_OK(plait_scope_join(&scope));
}

/* The tasks take turns on one worker: none that waits holds it up. */
TEST(shared_barrier_keeps_tasks_and_a_process_together, .timeout_ms = 120000)
{
        common = new_world(PARTIES);
        child = child_runs(step_in_child, common);
        alone(step_in_tasks);
        child_ends(child, 0);
        CHECK_INT(common->zeroes, ==, ROUNDS);
        free_world(common);
}

/* --- breaking --- */

struct party {
        struct world *world;
        int64_t deadline_ns;
        int result;
};

static int arrive(void *arg)
{
        struct party *party = arg;

        party->result = plait_shared_barrier_wait(&party->world->barrier, party->deadline_ns);
        return 0;
}

TEST(shared_barrier_is_broken_by_a_time_out, .run = alone)
{
        struct world *world = new_world(3);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct party early = {world, plait_in_ms(5), 77}, patient = {world, PLAIT_NEVER, 77};

        CHECK_OK(plait_scope_go(&scope, arrive, &patient));
        CHECK_OK(plait_scope_go(&scope, arrive, &early));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(early.result, ==, -ETIMEDOUT);
        CHECK_INT(patient.result, ==, -EPIPE);
        CHECK(plait_shared_barrier_is_broken(&world->barrier));
        CHECK_INT(plait_shared_barrier_wait(&world->barrier, PLAIT_NEVER), ==, -EPIPE);
        CHECK_OK(plait_shared_barrier_init(&world->barrier, 1));
        CHECK_INT(plait_shared_barrier_wait(&world->barrier, PLAIT_NEVER), ==, 0);
        free_world(world);
}

TEST(shared_barrier_is_broken_by_a_cancellation, .run = alone)
{
        struct world *world = new_world(3);
        struct plait_scope outer = PLAIT_SCOPE_INIT, scope = PLAIT_SCOPE_INIT;
        struct party cancelled = {world, PLAIT_NEVER, 77}, patient = {world, PLAIT_NEVER, 77};

        CHECK_OK(plait_scope_go(&outer, arrive, &patient));
        CHECK_OK(plait_scope_go(&scope, arrive, &cancelled));
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_OK(plait_scope_join(&outer));
        CHECK_INT(cancelled.result, ==, -ECANCELED);
        CHECK_INT(patient.result, ==, -EPIPE);
        free_world(world);
}

static void wait_in_child(void *arg)
{
        struct world *world = arg;
        int r;

        count_up(&world->arrived);
        r = plait_shared_barrier_wait(&world->barrier, PLAIT_NEVER);
        __atomic_store_n(&world->broken, r, __ATOMIC_RELAXED);
}

TEST(shared_barrier_is_broken_by_who_will_not_come)
{
        struct world *world = new_world(2);
        child = child_runs(wait_in_child, world);

        wait_until(&world->arrived, 1);
        plait_shared_barrier_break(&world->barrier);
        child_ends(child, 0);
        CHECK_INT(world->broken, ==, -EPIPE);
        free_world(world);
}

/* --- the death of a party --- */

TEST(shared_barrier_is_broken_by_the_death_of_who_waits)
{
        struct world *world = new_world(3);
        pid_t victim = child_runs(wait_in_child, world);

        /* There is no other way to see that it has arrived than to look at what is private. */
        while (__atomic_load_n(&world->barrier.pl_state, __ATOMIC_RELAXED) >> 32 == 0)
                sched_yield();
        pid_t other = child_runs(wait_in_child, world);

        child_is_killed(victim);
        child_ends(other, 0);
        CHECK_INT(world->broken, ==, -EOWNERDEAD);
        CHECK_INT(plait_shared_barrier_wait(&world->barrier, PLAIT_NEVER), ==, -EOWNERDEAD);
        free_world(world);
}

static void enter_and_stay(void *arg)
{
        struct world *world = arg;

        CHECK_OK(plait_shared_barrier_enter(&world->barrier));
        count_up(&world->arrived);
        for (;;)
                pause();
}

TEST(shared_barrier_is_broken_by_the_death_of_who_has_entered)
{
        struct world *world = new_world(2);
        child = child_runs(enter_and_stay, world);

        wait_until(&world->arrived, 1);
        child_is_killed(child);
        CHECK_INT(plait_shared_barrier_wait(&world->barrier, PLAIT_NEVER), ==, -EOWNERDEAD);
        free_world(world);
}

static void kill_while_a_task_waits(void)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct party party = {common, PLAIT_NEVER, 77};

        CHECK_OK(plait_scope_go(&scope, arrive, &party));
        let_others_run();
        CHECK_INT(party.result, ==, 77);
        child_is_killed(child);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(party.result, ==, -EOWNERDEAD);
}

TEST(shared_barrier_tells_a_task_of_a_death)
{
        common = new_world(2);
        child = child_runs(enter_and_stay, common);
        wait_until(&common->arrived, 1);
        alone(kill_while_a_task_waits);
        free_world(common);
}

static void enter_and_leave(void *arg)
{
        struct world *world = arg;

        CHECK_OK(plait_shared_barrier_enter(&world->barrier));
        plait_shared_barrier_leave(&world->barrier);
        plait_shared_barrier_leave(&world->barrier); /* once too often does nothing */
}

TEST(shared_barrier_does_not_miss_who_has_left)
{
        struct world *world = new_world(2);

        child_ends(child_runs(enter_and_leave, world), 0);
        CHECK_INT(plait_shared_barrier_wait(&world->barrier, plait_in_ms(150)), ==, -ETIMEDOUT);
        free_world(world);
}

TEST(shared_barrier_has_room_for_so_many)
{
        struct world *world = new_world(2);

        for (unsigned i = 0; i < 2 * PLAIT_SHARED_BARRIER_MAX; i++)
                CHECK_OK(plait_shared_barrier_enter(&world->barrier));
        CHECK_INT(plait_shared_barrier_enter(&world->barrier), ==, -ENOSPC);
        plait_shared_barrier_leave(&world->barrier);
        CHECK_OK(plait_shared_barrier_enter(&world->barrier));
        free_world(world);
}
