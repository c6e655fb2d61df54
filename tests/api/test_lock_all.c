/* Several locks at once: all or none, in one order. */
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "harness/task.h"

static void strict(void (*body)(void))
{
        CHECK_SYS(setenv("PLAIT_LOCKORDER", "abort", 1));
        CHECK_SYS(setenv("PLAIT_DEADLOCK", "abort", 1));
        in_task(body);
}

static void check_free(struct plait_mutex *mutex)
{
        CHECK_INT(plait_mutex_trylock(mutex), ==, 0);
        plait_mutex_unlock(mutex);
}

static void check_open(struct plait_rwlock *lock)
{
        CHECK_INT(plait_rwlock_trylock_write(lock), ==, 0);
        plait_rwlock_unlock_write(lock);
}

TEST(lock_all_takes_all_and_gives_all_back, .run = strict)
{
        struct plait_mutex mutexes[3] = {0};
        struct plait_rwlock locks[2] = {0};
        struct plait_lock set[] = {PLAIT_LOCK_WRITE(&locks[0]), PLAIT_LOCK_MUTEX(&mutexes[2]),
                                   PLAIT_LOCK_READ(&locks[1]), PLAIT_LOCK_MUTEX(&mutexes[0]),
                                   PLAIT_LOCK_MUTEX(&mutexes[1])};

        CHECK_INT(plait_lock_all(5, set, PLAIT_NEVER), ==, 0);
        for (int i = 0; i < 3; i++)
                CHECK_INT(plait_mutex_trylock(&mutexes[i]), ==, -EBUSY);
        CHECK_INT(plait_rwlock_trylock_read(&locks[0]), ==, -EBUSY);
        CHECK_INT(plait_rwlock_trylock_write(&locks[1]), ==, -EBUSY);
        CHECK_INT(plait_rwlock_trylock_read(&locks[1]), ==, 0);
        plait_rwlock_unlock_read(&locks[1]);
        plait_unlock_all(5, set);
        for (int i = 0; i < 3; i++)
                check_free(&mutexes[i]);
        check_open(&locks[0]);
        check_open(&locks[1]);
}

TEST(lock_all_of_none_does_nothing, .run = strict)
{
        CHECK_INT(plait_lock_all(0, NULL, PLAIT_NEVER), ==, 0);
        plait_unlock_all(0, NULL);
}

TEST(lock_all_refuses_one_lock_twice, .run = strict)
{
        struct plait_mutex a = PLAIT_MUTEX_INIT, b = PLAIT_MUTEX_INIT;
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct plait_lock mutexes[] = {PLAIT_LOCK_MUTEX(&a), PLAIT_LOCK_MUTEX(&b), PLAIT_LOCK_MUTEX(&a)};
        struct plait_lock locks[] = {PLAIT_LOCK_READ(&lock), PLAIT_LOCK_MUTEX(&a), PLAIT_LOCK_WRITE(&lock)};

        CHECK_INT(plait_lock_all(3, mutexes, PLAIT_NEVER), ==, -EINVAL);
        CHECK_INT(plait_lock_all(3, locks, PLAIT_NEVER), ==, -EINVAL);
        check_free(&a);
        check_free(&b);
        check_open(&lock);
}

TEST(lock_all_refuses_an_entry_without_a_lock_or_with_two, .run = strict)
{
        struct plait_mutex a = PLAIT_MUTEX_INIT;
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct plait_lock none[] = {PLAIT_LOCK_MUTEX(&a), {0}};
        struct plait_lock two[] = {{.mutex = &a, .read = &lock}};

        CHECK_INT(plait_lock_all(2, none, PLAIT_NEVER), ==, -EINVAL);
        CHECK_INT(plait_lock_all(1, two, PLAIT_NEVER), ==, -EINVAL);
        check_free(&a);
        check_open(&lock);
}

struct helper {
        struct plait_mutex *mutex;
        struct plait_event held, done;
};

static int hold(void *arg)
{
        struct helper *helper = arg;

        CHECK_INT(plait_mutex_lock(helper->mutex, PLAIT_NEVER), ==, 0);
        plait_event_set(&helper->held);
        CHECK_OK(plait_event_wait(&helper->done, PLAIT_NEVER));
        plait_mutex_unlock(helper->mutex);
        return 0;
}

/* Each place in the set where it can fail. */
TEST(lock_all_that_times_out_holds_none, .run = strict)
{
        struct plait_mutex mutexes[4] = {0};

        for (int busy = 0; busy < 4; busy++) {
                struct plait_lock set[] = {PLAIT_LOCK_MUTEX(&mutexes[3]), PLAIT_LOCK_MUTEX(&mutexes[1]),
                                           PLAIT_LOCK_MUTEX(&mutexes[0]), PLAIT_LOCK_MUTEX(&mutexes[2])};
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct helper helper = {.mutex = &mutexes[busy]};

                CHECK_OK(plait_scope_go(&scope, hold, &helper));
                CHECK_OK(plait_event_wait(&helper.held, PLAIT_NEVER));
                CHECK_INT(plait_lock_all(4, set, plait_in_ms(2)), ==, -ETIMEDOUT);
                CHECK_INT(plait_lock_all(4, set, 0), ==, -ETIMEDOUT);
                for (int i = 0; i < 4; i++)
                        if (i != busy)
                                check_free(&mutexes[i]);
                plait_event_set(&helper.done);
                CHECK_OK(plait_scope_join(&scope));
        }
}

static int lock_two(void *arg)
{
        struct plait_mutex *mutexes = arg;
        struct plait_lock set[] = {PLAIT_LOCK_MUTEX(&mutexes[1]), PLAIT_LOCK_MUTEX(&mutexes[0])};
        int r = plait_lock_all(2, set, PLAIT_NEVER);

        CHECK_INT(r, ==, -ECANCELED);
        return r;
}

TEST(lock_all_that_is_cancelled_holds_none, .run = strict)
{
        struct plait_mutex mutexes[2] = {0};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_INT(plait_mutex_lock(&mutexes[1], PLAIT_NEVER), ==, 0);
        CHECK_OK(plait_scope_go(&scope, lock_two, mutexes));
        while (plait_mutex_trylock(&mutexes[0]) == 0) { /* until it has that one and waits for the other */
                plait_mutex_unlock(&mutexes[0]);
                CHECK_OK(plait_sleep(plait_in_ms(1)));
        }
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        check_free(&mutexes[0]);
        plait_mutex_unlock(&mutexes[1]);
        check_free(&mutexes[1]);
}

enum { ACCOUNTS = 5, TRANSFERS = 2000, CROWD = 8 };

static struct account {
        struct plait_mutex mutex;
        long balance;
} accounts[ACCOUNTS];

static int transfer(void *arg)
{
        unsigned seed = (unsigned)(uintptr_t)arg;

        for (int i = 0; i < TRANSFERS; i++) {
                seed = seed * 1103515245U + 12345U;
                struct account *from = &accounts[(seed >> 8) % ACCOUNTS], *to = &accounts[(seed >> 16) % ACCOUNTS];

                if (from == to)
                        continue;
                struct plait_lock both[] = {PLAIT_LOCK_MUTEX(&from->mutex), PLAIT_LOCK_MUTEX(&to->mutex)};

                CHECK_INT(plait_lock_all(2, both, PLAIT_NEVER), ==, 0);
                from->balance--;
                if (i % 32 == 0)
                        plait_yield();
                to->balance++;
                plait_unlock_all(2, both);
        }
        return 0;
}

static void *transfer_in_thread(void *arg)
{
        transfer(arg);
        return NULL;
}

static void check_crowd(void)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        pthread_t threads[2];
        long sum = 0;

        for (uintptr_t i = 0; i < 2; i++)
                CHECK_INT(pthread_create(&threads[i], NULL, transfer_in_thread, (void *)(i + 77)), ==, 0);
        for (uintptr_t i = 0; i < CROWD; i++)
                CHECK_OK(plait_scope_go(&scope, transfer, (void *)(i + 1)));
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < 2; i++)
                CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
        for (int i = 0; i < ACCOUNTS; i++)
                sum += accounts[i].balance;
        CHECK_INT(sum, ==, 0);
}

TEST(lock_all_of_overlapping_sets_never_deadlocks, .run = strict, .timeout_ms = 120000)
{
        check_crowd();
}

TEST(lock_all_of_one_class_is_no_wrong_order, .run = strict, .timeout_ms = 120000)
{
        for (int i = 0; i < ACCOUNTS; i++)
                plait_mutex_init(&accounts[i].mutex, "account");
        check_crowd();
}

static int lock_both_classes(void *arg)
{
        struct plait_mutex *const *pair = arg;
        struct plait_lock set[] = {PLAIT_LOCK_MUTEX(pair[0]), PLAIT_LOCK_MUTEX(pair[1])};

        CHECK_INT(plait_lock_all(2, set, PLAIT_NEVER), ==, 0);
        plait_unlock_all(2, set);
        return 0;
}

/* The addresses are in one order here and in the other there. */
TEST(lock_all_of_two_classes_is_no_wrong_order, .run = strict, .stderr_match = "\\`\\'")
{
        static struct plait_mutex mutexes[4];

        for (int i = 0; i < 4; i++)
                plait_mutex_init(&mutexes[i], i == 0 || i == 3 ? "cat" : "dog");
        for (int i = 0; i < 4; i += 2) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct plait_mutex *pair[] = {&mutexes[i], &mutexes[i + 1]};

                CHECK_OK(plait_scope_go(&scope, lock_both_classes, pair));
                CHECK_OK(plait_scope_join(&scope));
        }
}

static int lock_one_by_one(void *arg)
{
        struct plait_mutex *mutexes = arg;

        CHECK_INT(plait_mutex_lock(&mutexes[1], PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_mutex_lock(&mutexes[0], PLAIT_NEVER), ==, 0);
        plait_mutex_unlock(&mutexes[0]);
        plait_mutex_unlock(&mutexes[1]);
        return 0;
}

TEST(lock_all_beside_locks_taken_one_by_one_is_reported, .run = strict, .signal = SIGABRT,
     .stderr_match = "lock order: 2 locks are taken in a circle .two")
{
        static struct plait_mutex mutexes[2];
        struct plait_mutex *pair[] = {&mutexes[0], &mutexes[1]};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, lock_one_by_one, mutexes));
        CHECK_OK(plait_scope_join(&scope));
        scope = (struct plait_scope)PLAIT_SCOPE_INIT;
        CHECK_OK(plait_scope_go(&scope, lock_both_classes, pair));
        CHECK_OK(plait_scope_join(&scope));
}
