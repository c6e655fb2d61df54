/* Mutex, condition and semaphore under tasks and plain threads at once. The counts at the end are exact. */
#include <plait/plait.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "stress/flows.h"

enum { TASKS = 8, THREADS = 2 };

static int rounds(int n)
{
        return n / test_slowness() + 1;
}

/* --- mutex --- */

struct counter {
        struct plait_mutex mutex;
        long value; /* guarded by mutex */
        long expected;
        int rounds;
        unsigned behind; /* flows that have not finished their rounds */
};

static int count_up(void *arg)
{
        struct flow *flow = arg;
        struct counter *counter = flow->arg;
        uint32_t random = flow->number;

        for (int i = 0; i < counter->rounds; i++) {
                CHECK_INT(plait_mutex_lock(&counter->mutex, PLAIT_NEVER), ==, 0);
                long value = counter->value;
                if (next_random(&random) % 64 == 0)
                        plait_yield();
                counter->value = value + 1;
                plait_mutex_unlock(&counter->mutex);
        }
        return 0;
}

TEST(mutex_excludes_tasks_and_threads, .run = in_task)
{
        struct counter counter = {.rounds = rounds(20000)};

        run_flows(TASKS, THREADS, count_up, &counter);
        CHECK_INT(counter.value, ==, (long)counter.rounds * (TASKS + THREADS));
        CHECK_INT(plait_mutex_trylock(&counter.mutex), ==, 0);
}

static int try_to_count_up(void *arg)
{
        struct flow *flow = arg;
        struct counter *counter = flow->arg;
        uint32_t random = flow->number;

        for (int i = 0; i < counter->rounds; i++) {
                int r = plait_mutex_lock(&counter->mutex, some_deadline(&random));

                if (r < 0) {
                        CHECK_INT(r, ==, -ETIMEDOUT);
                        continue;
                }
                counter->value++;
                __atomic_fetch_add(&counter->expected, 1, __ATOMIC_RELAXED);
                if (next_random(&random) % 64 == 0)
                        plait_yield();
                plait_mutex_unlock(&counter->mutex);
        }
        return 0;
}

TEST(mutex_with_deadlines, .run = in_task)
{
        struct counter counter = {.rounds = rounds(10000)};

        run_flows(TASKS, THREADS, try_to_count_up, &counter);
        CHECK_INT(counter.value, ==, counter.expected);
        CHECK_INT(plait_mutex_trylock(&counter.mutex), ==, 0);
}

/* Everybody goes on until everybody has had his share: it ends only if nobody starves. */
static int take_share(void *arg)
{
        struct flow *flow = arg;
        struct counter *counter = flow->arg;

        for (int i = 0; __atomic_load_n(&counter->behind, __ATOMIC_RELAXED); i++) {
                CHECK_INT(plait_mutex_lock(&counter->mutex, PLAIT_NEVER), ==, 0);
                counter->value++;
                plait_mutex_unlock(&counter->mutex);
                if (i + 1 == counter->rounds)
                        __atomic_fetch_sub(&counter->behind, 1, __ATOMIC_RELAXED);
                if (i % 16 == 0)
                        plait_yield(); /* another may run on this worker */
        }
        return 0;
}

TEST(mutex_starves_nobody, .run = in_task)
{
        struct counter counter = {.rounds = rounds(200), .behind = TASKS + THREADS};

        run_flows(TASKS, THREADS, take_share, &counter);
        CHECK_UINT(counter.behind, ==, 0);
}

static int lock_until_cancelled(void *arg)
{
        struct counter *counter = arg;
        int r;

        while ((r = plait_mutex_lock(&counter->mutex, PLAIT_NEVER)) == 0) {
                counter->value++;
                plait_yield();
                plait_mutex_unlock(&counter->mutex);
                if ((r = plait_cancelled()) < 0)
                        break;
        }
        CHECK_INT(r, ==, -ECANCELED);
        return 0;
}

static int cancel_lockers(void *arg)
{
        struct flow *flow = arg;
        struct counter *counter = flow->arg;

        cancel_again_and_again(counter->rounds, lock_until_cancelled, counter);
        return 0;
}

TEST(mutex_with_cancellation, .run = in_task)
{
        struct counter counter = {.rounds = rounds(200)};

        run_flows(4, 0, cancel_lockers, &counter);
        CHECK_INT(plait_mutex_trylock(&counter.mutex), ==, 0);
}

/*
 * What the detector of lock orders writes into a mutex, the first time that one is taken inside another, stays there,
 * whatever others do with the mutex at that moment.
 */
struct row {
        struct plait_mutex outer, *mutexes;
        size_t at, n;
};

static uintptr_t word_of(const struct plait_mutex *mutex)
{
        return __atomic_load_n(&mutex->pl_holder, __ATOMIC_RELAXED);
}

static int lock_the_same(void *arg)
{
        struct flow *flow = arg;
        struct row *row = flow->arg;

        for (size_t i; (i = __atomic_load_n(&row->at, __ATOMIC_RELAXED)) < row->n;) {
                CHECK_INT(plait_mutex_lock(&row->mutexes[i], PLAIT_NEVER), ==, 0);
                if (flow->number % 2)
                        plait_yield(); /* so that others queue */
                plait_mutex_unlock(&row->mutexes[i]);
        }
        return 0;
}

static int lock_each_inside(void *arg)
{
        struct flow *flow = arg;
        struct row *row = flow->arg;

        if (flow->number)
                return lock_the_same(arg);
        for (size_t i = 0; i < row->n; i++) {
                struct plait_mutex *mutex = &row->mutexes[i];

                for (int k = 0; k < 10 && !(word_of(mutex) & 1); k++)
                        plait_yield(); /* until somebody waits */
                CHECK_INT(plait_mutex_lock(&row->outer, PLAIT_NEVER), ==, 0);
                CHECK_INT(plait_mutex_lock(mutex, PLAIT_NEVER), ==, 0);
                CHECK_UINT(word_of(mutex) >> 48, !=, 0);
                plait_mutex_unlock(mutex);
                plait_mutex_unlock(&row->outer);
                __atomic_fetch_add(&row->at, 1, __ATOMIC_RELAXED);
        }
        return 0;
}

TEST(mutex_keeps_what_the_order_of_locks_knows_of_it, .run = in_task)
{
        struct row row = {.n = (size_t)rounds(10000)};

        row.mutexes = calloc(row.n, sizeof *row.mutexes);
        CHECK(row.mutexes != NULL);
        run_flows(4, 4, lock_each_inside, &row);
        free(row.mutexes);
}

/* The last one to have used it frees it, as with an object that counts its references under its own mutex. */
struct object {
        struct plait_mutex mutex;
        int references;
};

static int drop_objects(void *arg)
{
        struct flow *flow = arg;
        struct object **objects = flow->arg;

        for (; *objects; objects++) {
                CHECK_INT(plait_mutex_lock(&(*objects)->mutex, PLAIT_NEVER), ==, 0);
                int left = --(*objects)->references;
                plait_mutex_unlock(&(*objects)->mutex);
                if (left == 0)
                        free(*objects);
        }
        return 0;
}

TEST(mutex_is_freed_by_its_last_user, .run = in_task)
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

/* --- condition --- */

struct store {
        struct plait_mutex mutex;
        struct plait_condition not_empty, not_full;
        int items, taken, to_take; /* guarded by mutex */
        int rounds;
};

static int put_or_take(void *arg)
{
        enum { ROOM = 3 };
        struct flow *flow = arg;
        struct store *store = flow->arg;
        uint32_t random = flow->number;

        for (int i = 0; i < store->rounds; i++) {
                bool put = flow->number % 2 == 0;
                struct plait_condition *wait_for = put ? &store->not_full : &store->not_empty;

                CHECK_INT(plait_mutex_lock(&store->mutex, PLAIT_NEVER), ==, 0);
                while (store->items == (put ? ROOM : 0)) {
                        int r = plait_condition_wait(wait_for, &store->mutex, some_deadline(&random));

                        CHECK(r == 0 || r == -ETIMEDOUT);
                }
                store->items += put ? 1 : -1;
                store->taken += !put;
                if (next_random(&random) % 8)
                        plait_condition_signal(put ? &store->not_empty : &store->not_full);
                else
                        plait_condition_broadcast(put ? &store->not_empty : &store->not_full);
                plait_mutex_unlock(&store->mutex);
        }
        return 0;
}

TEST(condition_loses_no_signal, .run = in_task)
{
        struct store store = {.rounds = rounds(3000)};

        run_flows(TASKS, THREADS, put_or_take, &store);
        CHECK_INT(store.items, ==, 0);
        CHECK_INT(store.taken, ==, store.rounds * (TASKS + THREADS) / 2);
}

/* Without deadlines to paper over a lost signal. */
static int take_turns(void *arg)
{
        struct flow *flow = arg;
        struct store *store = flow->arg;

        for (int i = 0; i < store->rounds; i++) {
                CHECK_INT(plait_mutex_lock(&store->mutex, PLAIT_NEVER), ==, 0);
                while (store->items % 4 != (int)flow->number)
                        CHECK_INT(plait_condition_wait(&store->not_empty, &store->mutex, PLAIT_NEVER), ==, 0);
                store->items++;
                plait_condition_broadcast(&store->not_empty);
                plait_mutex_unlock(&store->mutex);
        }
        return 0;
}

TEST(condition_passes_turns_round, .run = in_task)
{
        struct store store = {.rounds = rounds(2000)};

        run_flows(2, 2, take_turns, &store);
        CHECK_INT(store.items, ==, 4 * store.rounds);
}

/* --- semaphore --- */

struct pool {
        struct plait_semaphore permits;
        int inside, rounds;
};

static int borrow(void *arg)
{
        struct flow *flow = arg;
        struct pool *pool = flow->arg;
        uint32_t random = flow->number;

        for (int i = 0; i < pool->rounds; i++) {
                int r = plait_semaphore_acquire(&pool->permits, some_deadline(&random));

                if (r < 0) {
                        CHECK_INT(r, ==, -ETIMEDOUT);
                        continue;
                }
                CHECK_INT(__atomic_add_fetch(&pool->inside, 1, __ATOMIC_RELAXED), <=, 3);
                if (next_random(&random) % 16 == 0)
                        plait_yield();
                __atomic_sub_fetch(&pool->inside, 1, __ATOMIC_RELAXED);
                CHECK_OK(plait_semaphore_release(&pool->permits, 1));
        }
        return 0;
}

TEST(semaphore_keeps_its_permits, .run = in_task)
{
        struct pool pool = {.permits = PLAIT_SEMAPHORE_INIT(3), .rounds = rounds(5000)};

        run_flows(TASKS, THREADS, borrow, &pool);
        CHECK_UINT(plait_semaphore_count(&pool.permits), ==, 3);
}

static int give_or_get(void *arg)
{
        struct flow *flow = arg;
        struct pool *pool = flow->arg;

        if (flow->number % 2) {
                for (int i = 0; i < pool->rounds; i++)
                        CHECK_OK(plait_semaphore_release(&pool->permits, 2));
        } else {
                for (int i = 0; i < 2 * pool->rounds; i++)
                        CHECK_INT(plait_semaphore_acquire(&pool->permits, PLAIT_NEVER), ==, 0);
        }
        return 0;
}

TEST(semaphore_loses_no_release, .run = in_task)
{
        struct pool pool = {.rounds = rounds(3000)};

        run_flows(TASKS, THREADS, give_or_get, &pool);
        CHECK_UINT(plait_semaphore_count(&pool.permits), ==, 0);
}

/* Cancelled over and over; the permits handed out and those that are left make up what was released. */
static int acquire_until_cancelled(void *arg)
{
        struct pool *pool = arg;

        while (plait_semaphore_acquire(&pool->permits, PLAIT_NEVER) == 0)
                __atomic_fetch_add(&pool->inside, 1, __ATOMIC_RELAXED);
        return 0;
}

static int cancel_borrowers(void *arg)
{
        struct flow *flow = arg;
        struct pool *pool = flow->arg;

        for (int i = 0; i < pool->rounds; i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                for (int k = 0; k < 4; k++)
                        CHECK_OK(plait_scope_go(&scope, acquire_until_cancelled, pool));
                for (int k = 0; k < i % 8; k++)
                        plait_yield();
                CHECK_OK(plait_semaphore_release(&pool->permits, 3));
                plait_scope_cancel(&scope);
                CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        }
        return 0;
}

TEST(semaphore_cancellation_loses_no_permit, .run = in_task)
{
        struct pool pool = {.rounds = rounds(300)};

        run_flows(4, 0, cancel_borrowers, &pool);
        CHECK_UINT(plait_semaphore_count(&pool.permits) + (unsigned)pool.inside, ==, (unsigned)pool.rounds * 4 * 3);
}

/*
 * Two releases at once, each for more waiters than are woken in one go; the permits that are left over are taken and
 * given back meanwhile.
 */
enum { CROWD = 130, EACH = 70, RELEASERS = 2, TAKERS = 2 };

struct crowd {
        struct plait_semaphore permits;
        int rounds;
        _Atomic int waiting, begun, released, over; /* the last three for all rounds so far */
};

static int come_and_go(void *arg)
{
        struct crowd *crowd = arg;

        for (int i = 0; i < crowd->rounds; i++) {
                atomic_fetch_add(&crowd->waiting, 1);
                CHECK_INT(plait_semaphore_acquire(&crowd->permits, PLAIT_NEVER), ==, 0);
                while (atomic_load(&crowd->over) <= i)
                        plait_yield();
        }
        return 0;
}

static int release_or_take(void *arg)
{
        struct flow *flow = arg;
        struct crowd *crowd = flow->arg;

        for (int i = 0; i < crowd->rounds; i++) {
                while (atomic_load(&crowd->begun) <= i)
                        sched_yield(); /* awake: all are to come at the same time */
                if (flow->number < RELEASERS) {
                        CHECK_OK(plait_semaphore_release(&crowd->permits, EACH));
                        atomic_fetch_add(&crowd->released, 1);
                }
                while (atomic_load(&crowd->released) < RELEASERS * (i + 1))
                        if (plait_semaphore_try_acquire(&crowd->permits) == 0)
                                CHECK_OK(plait_semaphore_release(&crowd->permits, 1));
        }
        return 0;
}

static int lead(void *arg)
{
        struct crowd *crowd = arg;

        for (int i = 0; i < crowd->rounds; i++) {
                while (atomic_load(&crowd->waiting) < CROWD * (i + 1))
                        plait_yield();
                atomic_store(&crowd->begun, i + 1);
                while (atomic_load(&crowd->released) < RELEASERS * (i + 1))
                        plait_yield();
                for (int k = 0; k < RELEASERS * EACH - CROWD; k++)
                        CHECK_INT(plait_semaphore_acquire(&crowd->permits, PLAIT_NEVER), ==, 0);
                CHECK_UINT(plait_semaphore_count(&crowd->permits), ==, 0);
                atomic_store(&crowd->over, i + 1);
        }
        return 0;
}

TEST(semaphore_keeps_its_permits_when_two_release_many, .run = in_task)
{
        struct crowd crowd = {.rounds = rounds(300)};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow flows[RELEASERS + TAKERS];
        pthread_t threads[RELEASERS + TAKERS];

        for (unsigned i = 0; i < RELEASERS + TAKERS; i++) {
                flows[i] = (struct flow){.fn = release_or_take, .arg = &crowd, .number = i};
                CHECK_INT(pthread_create(&threads[i], NULL, flow_in_thread, &flows[i]), ==, 0);
        }
        for (int i = 0; i < CROWD; i++)
                CHECK_OK(plait_scope_go(&scope, come_and_go, &crowd));
        CHECK_OK(plait_scope_go(&scope, lead, &crowd));
        CHECK_OK(plait_scope_join(&scope));
        for (unsigned i = 0; i < RELEASERS + TAKERS; i++)
                CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
}

static int post(void *semaphore)
{
        return plait_semaphore_release(semaphore, 1);
}

TEST(semaphore_is_freed_by_who_acquired, .run = in_task)
{
        for (int i = 0; i < rounds(5000); i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct plait_semaphore *semaphore = calloc(1, sizeof *semaphore);

                CHECK(semaphore != NULL);
                CHECK_OK(plait_scope_go(&scope, post, semaphore));
                CHECK_INT(plait_semaphore_acquire(semaphore, PLAIT_NEVER), ==, 0);
                free(semaphore);
                CHECK_OK(plait_scope_join(&scope));
        }
}

/* --- what flows hold, seen by others --- */

struct zoo {
        struct plait_mutex mutexes[2][3];
        struct plait_rwlock rwlock;
        int rounds;
};

static void lock_three(struct plait_mutex *mutexes)
{
        for (int i = 0; i < 3; i++)
                CHECK_OK(plait_mutex_lock(&mutexes[i], PLAIT_NEVER));
        plait_mutex_unlock(&mutexes[0]);
        plait_yield();
        plait_mutex_unlock(&mutexes[2]);
        plait_mutex_unlock(&mutexes[1]);
}

static void read_it(struct zoo *zoo)
{
        CHECK_OK(plait_rwlock_lock_read(&zoo->rwlock, PLAIT_NEVER));
        plait_yield();
        plait_rwlock_unlock_read(&zoo->rwlock);
}

/* Who waits for readers, holding a lock himself, has everybody asked whether he is one. */
static void write_it(struct zoo *zoo)
{
        struct plait_mutex own = PLAIT_MUTEX_INIT;

        CHECK_OK(plait_mutex_lock(&own, PLAIT_NEVER));
        CHECK_OK(plait_rwlock_lock_write(&zoo->rwlock, PLAIT_NEVER));
        plait_rwlock_unlock_write(&zoo->rwlock);
        plait_mutex_unlock(&own);
}

static int hold_something(void *arg)
{
        struct flow *flow = arg;
        struct zoo *zoo = flow->arg;

        for (int i = 0; i < zoo->rounds; i++) {
                if (flow->number < 4)
                        lock_three(zoo->mutexes[flow->number % 2]);
                else if (flow->number % 2)
                        read_it(zoo);
                else
                        write_it(zoo);
        }
        return 0;
}

TEST(what_flows_hold_is_looked_at_while_they_lock, .run = in_task)
{
        struct zoo zoo = {.rounds = rounds(5000)};

        run_flows(TASKS, THREADS, hold_something, &zoo);
        CHECK_INT(plait_rwlock_trylock_write(&zoo.rwlock), ==, 0);
}
