/* The mutex between processes: exclusion, deadlines, cancellation, and holders that die. */
#include <plait/plait.h>
#include <pthread.h>
#include <string.h>

#include "api/alone.h"
#include "api/shared.h"

struct world {
        struct plait_shared_mutex mutex;
        struct plait_shared_mutex others[100];
        int count, arrived, going;
};

static struct world *new_world(void)
{
        return shared_memory(sizeof(struct world));
}

static void free_world(struct world *world)
{
        CHECK_SYS(munmap(world, sizeof *world));
}

/* In a child: takes the mutex, says so, and waits for its end. */
static void hold_for_ever(void *arg)
{
        struct world *world = arg;

        CHECK_OK(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER));
        count_up(&world->arrived);
        for (;;)
                pause();
}

/* In a child: takes the mutex, says so, and unlocks it when told to. */
static void hold_until_told(void *arg)
{
        struct world *world = arg;

        CHECK_OK(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER));
        count_up(&world->arrived);
        wait_until(&world->going, 1);
        plait_shared_mutex_unlock(&world->mutex);
}

static void leave_it_to_the_dead(struct world *world)
{
        pid_t holder = child_runs(hold_for_ever, world);

        wait_until(&world->arrived, 1);
        child_is_killed(holder);
}

TEST(shared_mutex_zeroed_is_unlocked)
{
        struct world *world = new_world();

        CHECK_OK(plait_shared_mutex_trylock(&world->mutex));
        CHECK_INT(plait_shared_mutex_trylock(&world->mutex), ==, -EDEADLK);
        CHECK_INT(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER), ==, -EDEADLK);
        CHECK_INT(plait_shared_mutex_consistent(&world->mutex), ==, -EINVAL);
        plait_shared_mutex_unlock(&world->mutex);
        CHECK_OK(plait_shared_mutex_lock(&world->mutex, 0));
        plait_shared_mutex_unlock(&world->mutex);
        CHECK_INT(sizeof world->mutex, ==, 16);
        free_world(world);
}

TEST(shared_mutex_of_another_process_is_busy)
{
        struct world *world = new_world();
        pid_t holder = child_runs(hold_until_told, world);

        wait_until(&world->arrived, 1);
        CHECK_INT(plait_shared_mutex_trylock(&world->mutex), ==, -EBUSY);
        CHECK_INT(plait_shared_mutex_lock(&world->mutex, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_shared_mutex_lock(&world->mutex, plait_in_ms(20)), ==, -ETIMEDOUT);
        count_up(&world->going);
        CHECK_OK(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER));
        plait_shared_mutex_unlock(&world->mutex);
        child_ends(holder, 0);
        free_world(world);
}

/* --- exclusion --- */

enum { PROCESSES = 3, ROUNDS = 2000 };

/* Not atomic: two at a time would lose some. */
static void add_slowly(struct world *world)
{
        const int count = *(volatile int *)&world->count;

        *(volatile int *)&world->count = count + 1;
}

static void add_many(void *arg)
{
        struct world *world = arg;

        for (int i = 0; i < ROUNDS; i++) {
                CHECK_OK(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER));
                add_slowly(world);
                plait_shared_mutex_unlock(&world->mutex);
        }
}

TEST(shared_mutex_excludes_processes, .timeout_ms = 120000)
{
        struct world *world = new_world();
        pid_t children[PROCESSES];

        for (int i = 0; i < PROCESSES; i++)
                children[i] = child_runs(add_many, world);
        add_many(world);
        for (int i = 0; i < PROCESSES; i++)
                child_ends(children[i], 0);
        CHECK_INT(world->count, ==, (PROCESSES + 1) * ROUNDS);
        free_world(world);
}

static int add_some(void *arg)
{
        struct world *world = arg;

        for (int i = 0; i < ROUNDS / 100; i++) {
                int r = plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER);

                if (r < 0)
                        return r;
                add_slowly(world);
                if (i % 4 == 0)
                        plait_yield(); /* it may go on in another thread */
                plait_shared_mutex_unlock(&world->mutex);
        }
        return 0;
}

static int add_in_tasks(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 100; i++)
                plait_scope_go(&scope, add_some, arg);
        return plait_scope_join(&scope);
}

static void run_tasks(void *arg)
{
        CHECK_OK(plait_run(add_in_tasks, arg, NULL));
}

static void *run_thread(void *arg)
{
        add_many(arg);
        return NULL;
}

/* Tasks of two processes, a thread beside each, and a process without either. */
TEST(shared_mutex_excludes_tasks_threads_and_processes, .timeout_ms = 120000)
{
        struct world *world = new_world();
        pthread_t thread;
        pid_t children[2] = {child_runs(add_many, world), child_runs(run_tasks, world)};

        CHECK_INT(pthread_create(&thread, NULL, run_thread, world), ==, 0);
        run_tasks(world);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        child_ends(children[0], 0);
        child_ends(children[1], 0);
        CHECK_INT(world->count, ==, 4 * ROUNDS);
        free_world(world);
}

/* --- tasks --- */

/* Of the test that runs: children are made before plait_run(), as a fork has only one of the threads. */
static struct world *common;

/* Run *body* in a task of a run with one worker, while another process holds the mutex. */
static void beside_a_holder(void (*body)(void))
{
        common = new_world();
        pid_t holder = child_runs(hold_until_told, common);

        wait_until(&common->arrived, 1);
        alone(body);
        child_ends(holder, 0);
        free_world(common);
}

static int lock_and_count(void *arg)
{
        struct world *world = arg;
        int r = plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER);

        if (r < 0)
                return r;
        world->count++;
        plait_shared_mutex_unlock(&world->mutex);
        return 0;
}

/* There is one worker. While tasks wait for another process, it does other things, such as telling that to go on. */
TEST(shared_mutex_lets_the_worker_run_others, .run = beside_a_holder)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 50; i++)
                CHECK_OK(plait_scope_go(&scope, lock_and_count, common));
        let_others_run();
        CHECK_INT(common->count, ==, 0);
        count_up(&common->going);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(common->count, ==, 50);
}

TEST(shared_mutex_wait_is_cancelled, .run = beside_a_holder)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, lock_and_count, common));
        CHECK_OK(plait_scope_go(&scope, lock_and_count, common)); /* one waits for the process, one queues behind it */
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(common->count, ==, 0);
        CHECK_INT(plait_shared_mutex_lock(&common->mutex, plait_in_ms(5)), ==, -ETIMEDOUT);
        count_up(&common->going);
        CHECK_OK(plait_shared_mutex_lock(&common->mutex, PLAIT_NEVER));
        plait_shared_mutex_unlock(&common->mutex);
}

TEST(shared_mutex_wait_ends_with_the_deadline_of_the_scope, .run = beside_a_holder)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        scope.deadline_ns = plait_in_ms(10);
        CHECK_OK(plait_scope_go(&scope, lock_and_count, common));
        CHECK_INT(plait_scope_join(&scope), ==, -ETIMEDOUT);
        count_up(&common->going);
}

/* A task's wake-up is not lost with the task: the next gets it. */
TEST(shared_mutex_goes_on_to_those_who_stay, .run = alone)
{
        struct world *world = new_world();

        for (int round = 0; round < 20; round++) {
                struct plait_scope leaving = PLAIT_SCOPE_INIT, staying = PLAIT_SCOPE_INIT;

                CHECK_OK(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER));
                CHECK_OK(plait_scope_open(&staying)); /* joined last */
                CHECK_OK(plait_scope_go(&leaving, lock_and_count, world));
                let_others_run();
                CHECK_OK(plait_scope_go(&staying, lock_and_count, world));
                let_others_run();
                plait_scope_cancel(&leaving);
                plait_shared_mutex_unlock(&world->mutex);
                (void)!plait_scope_join(&leaving);
                CHECK_OK(plait_scope_join(&staying));
        }
        CHECK_INT(world->count, >=, 20);
        free_world(world);
}

static int lock_all_others(void *arg)
{
        struct world *world = arg;

        for (int i = 0; i < 100; i++) {
                int r = plait_shared_mutex_lock(&world->others[i], PLAIT_NEVER);

                if (r < 0)
                        return r;
                plait_shared_mutex_unlock(&world->others[i]);
        }
        world->count++;
        return 0;
}

static int lock_other(void *arg)
{
        struct plait_shared_mutex *mutex = arg;
        int r = plait_shared_mutex_lock(mutex, PLAIT_NEVER);

        if (r == 0)
                plait_shared_mutex_unlock(mutex);
        return r;
}

/* More mutexes are waited for than there are gates, and threads that sleep for tasks. */
TEST(shared_mutexes_are_waited_for_in_any_number, .run = alone)
{
        struct world *world = new_world();
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 100; i++)
                CHECK_OK(plait_shared_mutex_lock(&world->others[i], PLAIT_NEVER));
        for (int i = 0; i < 100; i++)
                CHECK_OK(plait_scope_go(&scope, lock_other, &world->others[i]));
        CHECK_OK(plait_scope_go(&scope, lock_all_others, world));
        let_others_run();
        for (int i = 99; i >= 0; i--)
                plait_shared_mutex_unlock(&world->others[i]);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(world->count, ==, 1);
        free_world(world);
}

/* --- the death of a holder --- */

TEST(shared_mutex_of_a_dead_holder_is_mended)
{
        struct world *world = new_world();

        leave_it_to_the_dead(world);
        CHECK_INT(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER), ==, -EOWNERDEAD);
        CHECK_OK(plait_shared_mutex_consistent(&world->mutex));
        CHECK_INT(plait_shared_mutex_consistent(&world->mutex), ==, -EINVAL);
        plait_shared_mutex_unlock(&world->mutex);
        CHECK_OK(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER));
        plait_shared_mutex_unlock(&world->mutex);
        free_world(world);
}

TEST(shared_mutex_of_a_dead_holder_is_had_by_trying)
{
        struct world *world = new_world();

        leave_it_to_the_dead(world);
        CHECK_INT(plait_shared_mutex_trylock(&world->mutex), ==, -EOWNERDEAD);
        CHECK_OK(plait_shared_mutex_consistent(&world->mutex));
        plait_shared_mutex_unlock(&world->mutex);
        free_world(world);
}

TEST(shared_mutex_that_is_not_mended_is_lost_until_made_anew)
{
        struct world *world = new_world();

        leave_it_to_the_dead(world);
        CHECK_INT(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER), ==, -EOWNERDEAD);
        plait_shared_mutex_unlock(&world->mutex);
        CHECK_INT(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER), ==, -ENOTRECOVERABLE);
        CHECK_INT(plait_shared_mutex_trylock(&world->mutex), ==, -ENOTRECOVERABLE);
        world->mutex = (struct plait_shared_mutex)PLAIT_SHARED_MUTEX_INIT;
        CHECK_OK(plait_shared_mutex_trylock(&world->mutex));
        plait_shared_mutex_unlock(&world->mutex);
        free_world(world);
}

static void inherit_and_die(void *arg)
{
        struct world *world = arg;

        CHECK_INT(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER), ==, -EOWNERDEAD);
        raise(SIGKILL);
}

TEST(shared_mutex_whose_mender_dies_is_in_doubt_still)
{
        struct world *world = new_world();

        leave_it_to_the_dead(world);
        child_ends(child_runs(inherit_and_die, world), SIGKILL);
        CHECK_INT(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER), ==, -EOWNERDEAD);
        CHECK_OK(plait_shared_mutex_consistent(&world->mutex));
        plait_shared_mutex_unlock(&world->mutex);
        free_world(world);
}

/* Waits while the holder is alive; it is killed then. */
static void inherit(void *arg)
{
        struct world *world = arg;

        count_up(&world->arrived);
        CHECK_INT(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER), ==, -EOWNERDEAD);
        CHECK_OK(plait_shared_mutex_consistent(&world->mutex));
        plait_shared_mutex_unlock(&world->mutex);
}

TEST(shared_mutex_comes_to_who_waits_when_its_holder_is_killed)
{
        struct world *world = new_world();
        pid_t holder = child_runs(hold_for_ever, world);

        wait_until(&world->arrived, 1);
        pid_t heir = child_runs(inherit, world);
        wait_until(&world->arrived, 2);
        child_is_killed(holder);
        child_ends(heir, 0);
        free_world(world);
}

static int inherit_in_task(void *arg)
{
        inherit(arg);
        return 0;
}

static pid_t holder_of_common;

static void kill_while_a_task_waits(void)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, inherit_in_task, common));
        let_others_run();
        CHECK_INT(common->arrived, ==, 2);
        child_is_killed(holder_of_common);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(shared_mutex_comes_to_a_task_that_waits_when_its_holder_is_killed)
{
        common = new_world();
        holder_of_common = child_runs(hold_for_ever, common);
        wait_until(&common->arrived, 1);
        alone(kill_while_a_task_waits);
        free_world(common);
}

static void end_with_it(void *arg)
{
        struct world *world = arg;

        CHECK_OK(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER));
}

TEST(shared_mutex_of_a_holder_that_exited_is_in_doubt)
{
        struct world *world = new_world();

        child_ends(child_runs(end_with_it, world), 0);
        CHECK_INT(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER), ==, -EOWNERDEAD);
        CHECK_OK(plait_shared_mutex_consistent(&world->mutex));
        plait_shared_mutex_unlock(&world->mutex);
        free_world(world);
}

/* A child does not hold what its parent does; nor has its parent died. */
static void try_it(void *arg)
{
        struct world *world = arg;

        CHECK_INT(plait_shared_mutex_trylock(&world->mutex), ==, -EBUSY);
}

TEST(shared_mutex_stays_with_the_parent)
{
        struct world *world = new_world();

        CHECK_OK(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER));
        child_ends(child_runs(try_it, world), 0);
        plait_shared_mutex_unlock(&world->mutex);
        free_world(world);
}

/*
 * Killed at any moment: while they wait, hold, or pass it on. Whoever gets it in doubt mends it; in the end it is there
 * for all, and nothing that was counted with it held is lost, but for what the dead were about to count.
 */
static void churn(void *arg)
{
        struct world *world = arg;

        for (;;) {
                int r = plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER);

                if (r == -EOWNERDEAD)
                        r = plait_shared_mutex_consistent(&world->mutex);
                CHECK_OK(r);
                add_slowly(world);
                count_up(&world->arrived);
                plait_shared_mutex_unlock(&world->mutex);
        }
}

TEST(shared_mutex_survives_kills_at_any_moment, .timeout_ms = 120000)
{
        enum { KILLS = 60, AT_ONCE = 3 };
        struct world *world = new_world();
        pid_t children[AT_ONCE];
        unsigned seed = (unsigned)getpid();

        printf("# seed %u\n", seed);
        for (int i = 0; i < AT_ONCE; i++)
                children[i] = child_runs(churn, world);
        for (int i = 0; i < KILLS; i++) {
                seed = seed * 1664525 + 1013904223;
                wait_until(&world->arrived, __atomic_load_n(&world->arrived, __ATOMIC_RELAXED) + (int)(seed >> 26));
                child_is_killed(children[i % AT_ONCE]);
                children[i % AT_ONCE] = child_runs(churn, world);
        }
        for (int i = 0; i < AT_ONCE; i++)
                child_is_killed(children[i]);
        int r = plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER);
        if (r == -EOWNERDEAD)
                r = plait_shared_mutex_consistent(&world->mutex);
        CHECK_OK(r);
        CHECK_INT(world->count, >=, world->arrived);
        CHECK_INT(world->count, <=, world->arrived + KILLS + AT_ONCE);
        plait_shared_mutex_unlock(&world->mutex);
        free_world(world);
}

/* --- misuse --- */

TEST(shared_mutex_unlock_of_an_unlocked_one_is_named, .signal = SIGABRT,
     .stderr_match = "shared mutex .* nobody holds it")
{
        plait_shared_mutex_unlock(&new_world()->mutex);
}

static void *lock_and_leave(void *arg)
{
        struct world *world = arg;

        CHECK_OK(plait_shared_mutex_lock(&world->mutex, PLAIT_NEVER));
        count_up(&world->arrived);
        wait_until(&world->going, 1);
        return NULL;
}

TEST(shared_mutex_unlock_of_anothers_is_named, .signal = SIGABRT,
     .stderr_match = "another task or thread of this process")
{
        struct world *world = new_world();
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, lock_and_leave, world), ==, 0);
        wait_until(&world->arrived, 1);
        plait_shared_mutex_unlock(&world->mutex);
}
