/* Reader-writer lock, barrier, latch and once under tasks and plain threads at once. The counts at the end are exact.
 */
#include <plait/plait.h>
#include <pthread.h>
#include <stdlib.h>

#include "stress/flows.h"

enum { TASKS = 8, THREADS = 2 };

static int rounds(int n)
{
        return n / test_slowness() + 1;
}

/* --- reader-writer lock --- */

struct table {
        struct plait_rwlock lock;
        long a, b; /* equal whenever nobody writes */
        long writes;
        int rounds;
        bool deadlines;
        unsigned behind; /* flows that have not finished their rounds */
        int readers;     /* inside */
};

static int64_t deadline_of(const struct table *table, uint32_t *random)
{
        return table->deadlines ? some_deadline(random) : PLAIT_NEVER;
}

static void read_table(struct table *table, bool pause)
{
        __atomic_fetch_add(&table->readers, 1, __ATOMIC_RELAXED);
        long a = table->a;
        if (pause)
                plait_yield();
        CHECK_INT(table->b, ==, a);
        __atomic_fetch_sub(&table->readers, 1, __ATOMIC_RELAXED);
}

static void write_table(struct table *table, bool pause)
{
        CHECK_INT(__atomic_load_n(&table->readers, __ATOMIC_RELAXED), ==, 0);
        table->a++;
        if (pause)
                plait_yield();
        table->b++;
        table->writes++;
}

/* One of reading, writing, writing and then reading; whether it got the lock. */
static bool use_table(struct table *table, uint32_t *random)
{
        const uint32_t what = next_random(random) % 16;
        const bool pause = next_random(random) % 16 == 0;

        if (what >= 4) {
                if (plait_rwlock_lock_read(&table->lock, deadline_of(table, random)) < 0)
                        return false;
                read_table(table, pause);
                plait_rwlock_unlock_read(&table->lock);
                return true;
        }
        if (plait_rwlock_lock_write(&table->lock, deadline_of(table, random)) < 0)
                return false;
        write_table(table, pause);
        if (what) {
                plait_rwlock_unlock_write(&table->lock);
        } else {
                plait_rwlock_downgrade(&table->lock);
                read_table(table, pause);
                plait_rwlock_unlock_read(&table->lock);
        }
        return true;
}

static int read_and_write(void *arg)
{
        struct flow *flow = arg;
        struct table *table = flow->arg;
        uint32_t random = flow->number;

        for (int i = 0; i < table->rounds; i++)
                if (!use_table(table, &random))
                        CHECK(table->deadlines);
        return 0;
}

static void check_table(struct table *table)
{
        CHECK_INT(plait_rwlock_trylock_write(&table->lock), ==, 0);
        CHECK_INT(table->a, ==, table->writes);
        CHECK_INT(table->b, ==, table->writes);
}

TEST(rwlock_excludes_tasks_and_threads, .run = in_task)
{
        struct table table = {.rounds = rounds(10000)};

        run_flows(TASKS, THREADS, read_and_write, &table);
        check_table(&table);
}

TEST(rwlock_with_deadlines, .run = in_task)
{
        struct table table = {.rounds = rounds(10000), .deadlines = true};

        run_flows(TASKS, THREADS, read_and_write, &table);
        check_table(&table);
}

static int use_until_cancelled(void *arg)
{
        struct table *table = arg;
        uint32_t random = (uint32_t)plait_task_id(NULL);

        while (plait_cancelled() == 0)
                (void)use_table(table, &random);
        return 0;
}

static int cancel_users(void *arg)
{
        struct flow *flow = arg;
        struct table *table = flow->arg;

        cancel_again_and_again(table->rounds, use_until_cancelled, table);
        return 0;
}

TEST(rwlock_with_cancellation, .run = in_task)
{
        struct table table = {.rounds = rounds(200)};

        run_flows(4, 0, cancel_users, &table);
        check_table(&table);
}

/* Everybody goes on until everybody has had his share: it ends only if nobody starves. The first two flows write. */
static int take_share(void *arg)
{
        struct flow *flow = arg;
        struct table *table = flow->arg;
        const bool write = flow->number < 2 || flow->number == TASKS;

        for (int i = 0; __atomic_load_n(&table->behind, __ATOMIC_RELAXED); i++) {
                if (write) {
                        CHECK_INT(plait_rwlock_lock_write(&table->lock, PLAIT_NEVER), ==, 0);
                        write_table(table, i % 8 == 0);
                        plait_rwlock_unlock_write(&table->lock);
                } else {
                        CHECK_INT(plait_rwlock_lock_read(&table->lock, PLAIT_NEVER), ==, 0);
                        read_table(table, i % 8 == 0);
                        plait_rwlock_unlock_read(&table->lock);
                }
                if (i + 1 == table->rounds)
                        __atomic_fetch_sub(&table->behind, 1, __ATOMIC_RELAXED);
        }
        return 0;
}

TEST(rwlock_starves_nobody, .run = in_task)
{
        struct table table = {.rounds = rounds(1000), .behind = TASKS + THREADS};

        run_flows(TASKS, THREADS, take_share, &table);
        check_table(&table);
}

/* While others come, they make good a wake-up that was lost: so here all leave again and again. */
TEST(rwlock_forgets_nobody_when_all_leave, .run = in_task)
{
        for (int i = 0; i < rounds(2000); i++) {
                struct table table = {.rounds = 4, .behind = TASKS};

                run_flows(TASKS, 0, take_share, &table);
                check_table(&table);
                plait_rwlock_unlock_write(&table.lock);
        }
}

struct object {
        struct plait_rwlock lock;
        int references;
};

static int drop_objects(void *arg)
{
        struct flow *flow = arg;
        struct object **objects = flow->arg;

        for (; *objects; objects++) {
                if (flow->number % 2) {
                        CHECK_INT(plait_rwlock_lock_read(&(*objects)->lock, PLAIT_NEVER), ==, 0);
                        CHECK_INT((*objects)->references, >, 0);
                        plait_rwlock_unlock_read(&(*objects)->lock);
                }
                CHECK_INT(plait_rwlock_lock_write(&(*objects)->lock, PLAIT_NEVER), ==, 0);
                int left = --(*objects)->references;
                plait_rwlock_unlock_write(&(*objects)->lock);
                if (left == 0)
                        free(*objects);
        }
        return 0;
}

TEST(rwlock_is_freed_by_its_last_user, .run = in_task)
{
        enum { MOST = 2000 };
        static struct object *objects[MOST + 1];
        int n = rounds(MOST - 1);

        for (int i = 0; i < n; i++) {
                objects[i] = calloc(1, sizeof **objects);
                CHECK(objects[i] != NULL);
                objects[i]->references = 4;
        }
        run_flows(2, 2, drop_objects, objects);
}

/* --- barrier --- */

struct race {
        struct plait_barrier barrier;
        int rounds;
        long steps[FLOWS_MOST]; /* each written by its flow */
        long serial;            /* by the one that gets 0 */
        long broken, passed;
};

static int step_together(void *arg)
{
        struct flow *flow = arg;
        struct race *race = flow->arg;

        for (int i = 0; i < race->rounds; i++) {
                race->steps[flow->number]++;
                int missing = CHECK_OK(plait_barrier_wait(&race->barrier, PLAIT_NEVER));
                if (missing == 0)
                        race->serial++;
                for (int k = 0; k < TASKS + THREADS; k++)
                        CHECK_INT(race->steps[k], ==, i + 1);
                CHECK_OK(plait_barrier_wait(&race->barrier, PLAIT_NEVER));
        }
        return 0;
}

TEST(barrier_keeps_tasks_and_threads_together, .run = in_task)
{
        struct race race = {.barrier = PLAIT_BARRIER_INIT(TASKS + THREADS), .rounds = rounds(500)};

        run_flows(TASKS, THREADS, step_together, &race);
        CHECK_INT(race.serial, ==, race.rounds);
}

/* Some leave and break it, who finds it broken makes it whole. Nobody waits for ever. */
static int step_or_break(void *arg)
{
        struct flow *flow = arg;
        struct race *race = flow->arg;
        uint32_t random = flow->number;

        for (int i = 0; i < race->rounds; i++) {
                int64_t deadline_ns = some_deadline(&random);
                int r = plait_barrier_wait(&race->barrier, deadline_ns == PLAIT_NEVER ? plait_in_ms(1) : deadline_ns);

                if (r == -EPIPE)
                        plait_barrier_reset(&race->barrier);
                else
                        CHECK(r == -ETIMEDOUT || r >= 0);
                __atomic_fetch_add(r < 0 ? &race->broken : &race->passed, 1, __ATOMIC_RELAXED);
        }
        return 0;
}

TEST(barrier_breaks_and_mends, .run = in_task)
{
        struct race race = {.barrier = PLAIT_BARRIER_INIT(3), .rounds = rounds(300)};

        run_flows(TASKS, THREADS, step_or_break, &race);
        CHECK_INT(race.broken + race.passed, ==, (long)race.rounds * (TASKS + THREADS));
        CHECK_UINT(plait_barrier_arrived(&race.barrier), ==, 0);
        plait_barrier_reset(&race.barrier);
        CHECK_INT(plait_barrier_wait(&race.barrier, 0), ==, -ETIMEDOUT);
}

/* --- latch --- */

struct opening {
        struct plait_latch *latches;
        int *values; /* one for each flow and latch */
        int rounds;
};

static int count_or_wait(void *arg)
{
        struct flow *flow = arg;
        struct opening *opening = flow->arg;
        uint32_t random = flow->number;

        for (int i = 0; i < opening->rounds; i++) {
                int r;

                opening->values[i * (TASKS + THREADS) + (int)flow->number] = i + 1;
                CHECK_OK(plait_latch_count_down(&opening->latches[i], 1));
                do
                        r = plait_latch_wait(&opening->latches[i], some_deadline(&random));
                while (r == -ETIMEDOUT);
                CHECK_INT(r, ==, 0);
                for (int k = 0; k < TASKS + THREADS; k++)
                        CHECK_INT(opening->values[i * (TASKS + THREADS) + k], ==, i + 1);
        }
        return 0;
}

TEST(latch_opens_for_tasks_and_threads, .run = in_task)
{
        struct opening opening = {.rounds = rounds(1000)};

        opening.latches = calloc((size_t)opening.rounds, sizeof *opening.latches);
        opening.values = calloc((size_t)opening.rounds * (TASKS + THREADS), sizeof *opening.values);
        CHECK(opening.latches && opening.values);
        for (int i = 0; i < opening.rounds; i++)
                CHECK_OK(plait_latch_init(&opening.latches[i], TASKS + THREADS));
        run_flows(TASKS, THREADS, count_or_wait, &opening);
        free(opening.latches);
        free(opening.values);
}

static int count_one(void *latch)
{
        return plait_latch_count_down(latch, 1);
}

TEST(latch_is_freed_by_who_waited, .run = in_task)
{
        for (int i = 0; i < rounds(5000); i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct plait_latch *latch = malloc(sizeof *latch);

                CHECK(latch != NULL);
                CHECK_OK(plait_latch_init(latch, 2));
                CHECK_OK(plait_scope_go(&scope, count_one, latch));
                CHECK_OK(plait_scope_go(&scope, count_one, latch));
                CHECK_INT(plait_latch_wait(latch, PLAIT_NEVER), ==, 0);
                free(latch);
                CHECK_OK(plait_scope_join(&scope));
        }
}

/* --- once --- */

struct thing {
        struct plait_once once;
        int failures; /* before it succeeds; touched by who is inside only */
        int inside, done;
};

struct things {
        struct thing *things;
        int rounds;
};

static int make_thing(void *arg)
{
        struct thing *thing = arg;

        CHECK_INT(__atomic_fetch_add(&thing->inside, 1, __ATOMIC_RELAXED), ==, 0);
        plait_yield();
        __atomic_fetch_sub(&thing->inside, 1, __ATOMIC_RELAXED);
        if (thing->failures--)
                return -EAGAIN;
        thing->done++;
        return 0;
}

static int make_things(void *arg)
{
        struct flow *flow = arg;
        struct things *all = flow->arg;
        uint32_t random = flow->number;

        for (int i = 0; i < all->rounds; i++) {
                struct thing *thing = &all->things[i];
                int r;

                do
                        r = plait_once_do(&thing->once, make_thing, thing, some_deadline(&random));
                while (r == -EAGAIN || r == -ETIMEDOUT);
                CHECK_INT(r, ==, 0);
                CHECK_INT(thing->done, ==, 1);
        }
        return 0;
}

TEST(once_is_done_once_by_tasks_and_threads, .run = in_task)
{
        struct things all = {.rounds = rounds(2000)};

        all.things = calloc((size_t)all.rounds, sizeof *all.things);
        CHECK(all.things != NULL);
        for (int i = 0; i < all.rounds; i++)
                all.things[i].failures = i % 5;
        run_flows(TASKS, THREADS, make_things, &all);
        free(all.things);
}
