/* The reader-writer lock: who excludes whom, turns, deadlines, cancellation, downgrading, misuse. */
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "api/alone.h"

struct flow {
        struct plait_rwlock *lock;
        bool write;
        int64_t deadline_ns;
        int result; /* 1: still waiting */
        bool holds; /* and gives it back when *release* is set */
        struct plait_event release;
        int *turns;
        int turn;
};

static int hold(void *arg)
{
        struct flow *flow = arg;

        flow->result = flow->write ? plait_rwlock_lock_write(flow->lock, flow->deadline_ns)
                                   : plait_rwlock_lock_read(flow->lock, flow->deadline_ns);
        if (flow->result < 0)
                return 0;
        flow->holds = true;
        if (flow->turns)
                flow->turn = (*flow->turns)++;
        CHECK_OK(plait_event_wait(&flow->release, PLAIT_NEVER));
        flow->holds = false;
        if (flow->write)
                plait_rwlock_unlock_write(flow->lock);
        else
                plait_rwlock_unlock_read(flow->lock);
        return 0;
}

static struct flow reader_of(struct plait_rwlock *lock)
{
        return (struct flow){.lock = lock, .deadline_ns = PLAIT_NEVER, .result = 1, .turn = -1};
}

static struct flow writer_of(struct plait_rwlock *lock)
{
        struct flow flow = reader_of(lock);

        flow.write = true;
        return flow;
}

static void start(struct plait_scope *scope, struct flow *flow)
{
        CHECK_OK(plait_scope_go(scope, hold, flow));
        let_others_run();
}

static void finish(struct flow *flow)
{
        plait_event_set(&flow->release);
        let_others_run();
        CHECK(!flow->holds);
}

TEST(rwlock_zeroed_is_unlocked)
{
        struct plait_rwlock lock = {0};

        CHECK_INT(plait_rwlock_trylock_write(&lock), ==, 0);
        plait_rwlock_unlock_write(&lock);
        CHECK_INT(plait_rwlock_trylock_read(&lock), ==, 0);
        plait_rwlock_unlock_read(&lock);
        CHECK_INT(sizeof lock, ==, 2 * sizeof(void *));
}

TEST(rwlock_readers_share_and_a_writer_excludes)
{
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;

        CHECK_INT(plait_rwlock_lock_read(&lock, 0), ==, 0);
        CHECK_INT(plait_rwlock_lock_read(&lock, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_rwlock_trylock_read(&lock), ==, 0);
        CHECK_INT(plait_rwlock_trylock_write(&lock), ==, -EBUSY);
        CHECK_INT(plait_rwlock_lock_write(&lock, 0), ==, -ETIMEDOUT);
        for (int i = 0; i < 3; i++)
                plait_rwlock_unlock_read(&lock);
        CHECK_INT(plait_rwlock_lock_write(&lock, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_rwlock_trylock_write(&lock), ==, -EBUSY);
        CHECK_INT(plait_rwlock_trylock_read(&lock), ==, -EBUSY);
        CHECK_INT(plait_rwlock_lock_read(&lock, 0), ==, -ETIMEDOUT);
        plait_rwlock_unlock_write(&lock);
}

TEST(rwlock_waiting_writer_goes_before_later_readers, .run = alone)
{
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow first = reader_of(&lock), writer = writer_of(&lock), late = reader_of(&lock);

        start(&scope, &first);
        start(&scope, &writer);
        start(&scope, &late);
        CHECK(first.holds && !writer.holds && !late.holds);
        CHECK_INT(plait_rwlock_trylock_read(&lock), ==, -EBUSY);
        finish(&first);
        CHECK(writer.holds && !late.holds);
        finish(&writer);
        CHECK(late.holds);
        finish(&late);
        CHECK_OK(plait_scope_join(&scope));
}

/* After a writer all readers who wait by then, though another writer came before them. */
TEST(rwlock_goes_by_turns, .run = alone)
{
        enum { READERS = 150 }; /* more than are let in in one go */
        static struct flow readers[READERS];
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow one = writer_of(&lock), two = writer_of(&lock), three = writer_of(&lock);
        int turns = 0;

        one.turns = two.turns = three.turns = &turns;
        start(&scope, &one);
        start(&scope, &two);
        start(&scope, &three);
        for (int i = 0; i < READERS; i++) {
                readers[i] = reader_of(&lock);
                start(&scope, &readers[i]);
                CHECK(!readers[i].holds);
        }
        finish(&one);
        CHECK(!two.holds && !three.holds);
        for (int i = 0; i < READERS; i++)
                CHECK(readers[i].holds);
        struct flow late = reader_of(&lock);
        start(&scope, &late);
        CHECK(!late.holds);
        for (int i = 0; i < READERS; i++) {
                CHECK(!two.holds);
                finish(&readers[i]);
        }
        CHECK(two.holds && !late.holds);
        finish(&two);
        CHECK(late.holds && !three.holds);
        finish(&late);
        CHECK(three.holds);
        finish(&three);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(one.turn, ==, 0);
        CHECK_INT(two.turn, ==, 1);
        CHECK_INT(three.turn, ==, 2);
        CHECK_INT(plait_rwlock_trylock_write(&lock), ==, 0);
}

TEST(rwlock_writers_are_served_in_order, .run = alone)
{
        enum { N = 10 };
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow writers[N];
        int turns = 0;

        for (int i = 0; i < N; i++) {
                writers[i] = writer_of(&lock);
                writers[i].turns = &turns;
                start(&scope, &writers[i]);
        }
        for (int i = 0; i < N; i++) {
                CHECK_INT(turns, ==, i + 1);
                CHECK_INT(writers[i].turn, ==, i);
                finish(&writers[i]);
        }
        CHECK_OK(plait_scope_join(&scope));
}

TEST(rwlock_wait_of_a_thread_times_out)
{
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;

        CHECK_OK(plait_rwlock_lock_write(&lock, 0));
        int64_t deadline_ns = plait_in_ms(10);
        CHECK_INT(plait_rwlock_lock_read(&lock, deadline_ns), ==, -ETIMEDOUT);
        CHECK_INT(plait_now_ns(), >=, deadline_ns);
        CHECK_INT(plait_rwlock_lock_write(&lock, plait_in_ms(1)), ==, -ETIMEDOUT);
        plait_rwlock_unlock_write(&lock);
        CHECK_OK(plait_rwlock_lock_read(&lock, 0));
        CHECK_INT(plait_rwlock_lock_write(&lock, plait_in_ms(1)), ==, -ETIMEDOUT);
        plait_rwlock_unlock_read(&lock);
        CHECK_INT(plait_rwlock_trylock_write(&lock), ==, 0);
}

/* They waited only because of him, while another reads all the time. */
TEST(rwlock_writer_who_gives_up_lets_readers_in, .run = alone)
{
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow first = reader_of(&lock), writer = writer_of(&lock), late[2];

        start(&scope, &first);
        writer.deadline_ns = plait_in_ms(5);
        CHECK_OK(plait_scope_go(&scope, hold, &writer));
        while (plait_rwlock_trylock_read(&lock) == 0) {
                plait_rwlock_unlock_read(&lock);
                if (writer.result != 1) /* a slow machine: the writer came and went meanwhile */
                        break;
                plait_yield();
        }
        for (int i = 0; i < 2; i++) {
                late[i] = reader_of(&lock);
                CHECK_OK(plait_scope_go(&scope, hold, &late[i]));
        }
        while (writer.result == 1 || !late[0].holds || !late[1].holds)
                plait_yield();
        CHECK_INT(writer.result, ==, -ETIMEDOUT);
        CHECK(first.holds);
        finish(&first);
        finish(&late[0]);
        CHECK_INT(plait_rwlock_trylock_write(&lock), ==, -EBUSY);
        finish(&late[1]);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(plait_rwlock_trylock_write(&lock), ==, 0);
}

TEST(rwlock_cancelled_waiters_leave_it_usable, .run = alone)
{
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow flows[4];

        CHECK_OK(plait_rwlock_lock_write(&lock, 0));
        for (int i = 0; i < 4; i++) {
                flows[i] = i % 2 ? reader_of(&lock) : writer_of(&lock);
                start(&scope, &flows[i]);
        }
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        for (int i = 0; i < 4; i++)
                CHECK_INT(flows[i].result, ==, -ECANCELED);
        plait_rwlock_unlock_write(&lock);
        CHECK_INT(plait_rwlock_trylock_write(&lock), ==, 0);
}

/* He has been woken to try, and has not run yet when he is cancelled: he gets what he can have. */
TEST(rwlock_is_had_by_who_was_woken_though_cancelled, .run = alone)
{
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow writer = writer_of(&lock);

        CHECK_OK(plait_rwlock_lock_read(&lock, 0));
        start(&scope, &writer);
        plait_event_set(&writer.release);
        plait_rwlock_unlock_read(&lock);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(writer.result, ==, 0);
        CHECK_INT(plait_rwlock_trylock_write(&lock), ==, 0);
}

TEST(rwlock_that_is_free_is_taken_in_a_cancelled_scope, .run = in_task)
{
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_rwlock_lock_read(&lock, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_rwlock_lock_write(&lock, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_rwlock_lock_write(&lock, 0), ==, -ECANCELED);
        plait_rwlock_unlock_read(&lock);
        CHECK_INT(plait_rwlock_lock_write(&lock, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_rwlock_lock_read(&lock, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

TEST(rwlock_scope_deadline_ends_the_wait, .run = in_task)
{
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_rwlock_lock_write(&lock, 0));
        scope.deadline_ns = plait_in_ms(5);
        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_rwlock_lock_read(&lock, PLAIT_NEVER), ==, -ETIMEDOUT);
        CHECK_INT(plait_rwlock_lock_write(&lock, PLAIT_NEVER), ==, -ETIMEDOUT);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(rwlock_downgraded_lets_readers_in_and_no_writer, .run = alone)
{
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow writer = writer_of(&lock), reader = reader_of(&lock);

        CHECK_OK(plait_rwlock_lock_write(&lock, 0));
        plait_rwlock_downgrade(&lock);
        CHECK_INT(plait_rwlock_trylock_read(&lock), ==, 0);
        plait_rwlock_unlock_read(&lock);
        plait_rwlock_unlock_read(&lock);

        CHECK_OK(plait_rwlock_lock_write(&lock, 0));
        start(&scope, &writer);
        plait_rwlock_downgrade(&lock); /* with a writer only */
        let_others_run();
        CHECK(!writer.holds);
        plait_rwlock_unlock_read(&lock);
        let_others_run();
        CHECK(writer.holds);
        finish(&writer);

        CHECK_OK(plait_rwlock_lock_write(&lock, 0));
        writer = writer_of(&lock);
        start(&scope, &writer);
        start(&scope, &reader);
        plait_rwlock_downgrade(&lock);
        let_others_run();
        CHECK(reader.holds && !writer.holds);
        finish(&reader);
        CHECK(!writer.holds);
        plait_rwlock_unlock_read(&lock);
        let_others_run();
        CHECK(writer.holds);
        finish(&writer);
        CHECK_OK(plait_scope_join(&scope));
}

static void *hold_in_thread(void *arg)
{
        hold(arg);
        return NULL;
}

TEST(rwlock_passes_between_tasks_and_threads, .run = in_task)
{
        struct plait_rwlock lock = PLAIT_RWLOCK_INIT;
        struct flow writer = writer_of(&lock), reader = reader_of(&lock);
        pthread_t threads[2];

        CHECK_OK(plait_rwlock_lock_write(&lock, 0));
        CHECK_INT(pthread_create(&threads[0], NULL, hold_in_thread, &writer), ==, 0);
        CHECK_INT(pthread_create(&threads[1], NULL, hold_in_thread, &reader), ==, 0);
        plait_event_set(&writer.release);
        plait_event_set(&reader.release);
        plait_rwlock_unlock_write(&lock);
        CHECK_INT(pthread_join(threads[0], NULL), ==, 0);
        CHECK_INT(pthread_join(threads[1], NULL), ==, 0);
        CHECK_INT(plait_rwlock_lock_write(&lock, PLAIT_NEVER), ==, 0);
}

static struct plait_rwlock misused;

TEST(rwlock_unlock_read_of_a_free_one_is_named, .signal = SIGABRT, .stderr_match = "nobody holds it for reading")
{
        plait_rwlock_unlock_read(&misused);
}

TEST(rwlock_unlock_write_of_a_free_one_is_named, .signal = SIGABRT, .stderr_match = "nobody holds it for writing")
{
        plait_rwlock_unlock_write(&misused);
}

TEST(rwlock_unlock_in_the_wrong_way_is_named, .signal = SIGABRT, .stderr_match = "in the way it was locked")
{
        CHECK_OK(plait_rwlock_lock_write(&misused, 0));
        plait_rwlock_unlock_read(&misused);
}

TEST(rwlock_downgrade_of_a_reader_is_named, .signal = SIGABRT, .stderr_match = "was downgraded")
{
        CHECK_OK(plait_rwlock_lock_read(&misused, 0));
        plait_rwlock_downgrade(&misused);
}

static int unlock_for_writing(void *lock)
{
        plait_rwlock_unlock_write(lock);
        return 0;
}

static int unlock_in_another(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        CHECK_OK(plait_task_set_name("author"));
        CHECK_OK(plait_rwlock_lock_write(&misused, PLAIT_NEVER));
        CHECK_OK(plait_scope_go(&scope, unlock_for_writing, &misused));
        return plait_scope_join(&scope);
}

TEST(rwlock_unlock_by_another_names_the_writer, .signal = SIGABRT,
     .stderr_match = "by another than who holds it for writing, task 'author'")
{
        plait_run(unlock_in_another, NULL, NULL);
}

/* --- the order of locks (test_lock_order.c has what concerns mutexes) --- */

static void strict(void (*body)(void))
{
        CHECK_SYS(setenv("PLAIT_LOCKORDER", "abort", 1));
        in_task(body);
}

static struct plait_rwlock table;
static struct plait_mutex mutex;

static int mutex_in_table(void *write)
{
        CHECK_INT(write ? plait_rwlock_lock_write(&table, PLAIT_NEVER) : plait_rwlock_lock_read(&table, PLAIT_NEVER),
                  ==, 0);
        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        plait_mutex_unlock(&mutex);
        if (write)
                plait_rwlock_unlock_write(&table);
        else
                plait_rwlock_unlock_read(&table);
        return 0;
}

static int table_in_mutex(void *write)
{
        CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
        CHECK_INT(write ? plait_rwlock_lock_write(&table, PLAIT_NEVER) : plait_rwlock_lock_read(&table, PLAIT_NEVER),
                  ==, 0);
        if (write)
                plait_rwlock_unlock_write(&table);
        else
                plait_rwlock_unlock_read(&table);
        plait_mutex_unlock(&mutex);
        return 0;
}

/* One after the other, in tasks of their own. */
static void in_turn(int (*fn)(void *), void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, fn, arg));
        CHECK_OK(plait_scope_join(&scope));
}

TEST(rwlock_order_that_can_deadlock_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = "taken in a circle")
{
        in_turn(mutex_in_table, &table);
        in_turn(table_in_mutex, &table);
}

TEST(rwlock_order_of_a_reader_that_can_deadlock_is_reported, .run = strict, .signal = SIGABRT,
     .stderr_match = "taken in a circle")
{
        in_turn(mutex_in_table, NULL);
        in_turn(table_in_mutex, &table);
}

/* What has been unlocked is not held any more, in whatever way it was held at last. */
TEST(rwlock_that_was_unlocked_is_in_no_order, .run = strict)
{
        for (int i = 0; i < 3; i++) {
                in_turn(mutex_in_table, &table);
                CHECK_INT(plait_rwlock_lock_write(&table, PLAIT_NEVER), ==, 0);
                plait_rwlock_downgrade(&table);
                plait_rwlock_unlock_read(&table);
                CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
                plait_mutex_unlock(&mutex);
                CHECK_INT(plait_mutex_lock(&mutex, PLAIT_NEVER), ==, 0);
                CHECK_INT(plait_rwlock_trylock_read(&table), ==, 0); /* trying cannot deadlock */
                plait_rwlock_unlock_read(&table);
                plait_mutex_unlock(&mutex);
        }
}
