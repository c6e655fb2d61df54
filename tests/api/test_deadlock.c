/*
 * Deadlocks that have happened: each is named at once, with who waits for whom. Then what looks like one and is none:
 * PLAIT_DEADLOCK=abort would end those programs.
 */
#include <plait/plait.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/task.h"

static void only_deadlocks(void)
{
        CHECK_SYS(setenv("PLAIT_LOCKORDER", "off", 1));
        CHECK_SYS(setenv("PLAIT_DEADLOCK", "abort", 1));
}

static void strict(void (*body)(void))
{
        only_deadlocks();
        in_task(body);
}

static void warned(void (*body)(void))
{
        CHECK_SYS(setenv("PLAIT_DEADLOCK", "warn", 1));
        CHECK_SYS(setenv("PLAIT_LOCKORDER", "off", 1));
        in_task(body);
}

/* The same on one worker. */
static void strict_alone(void (*body)(void))
{
        CHECK_SYS(setenv("PLAIT_WORKERS", "1", 1));
        strict(body);
}

static void in_thread(void (*body)(void))
{
        only_deadlocks();
        body();
}

#define ANY "(.|\n)*"

static void lock(struct plait_mutex *mutex)
{
        CHECK_INT(plait_mutex_lock(mutex, PLAIT_NEVER), ==, 0);
}

static struct plait_task *start(struct plait_scope *scope, int (*fn)(void *), void *arg, const char *name)
{
        struct plait_task_opts opts = {.size = sizeof opts, .name = name};
        struct plait_task *task;

        CHECK_OK(plait_scope_start(scope, fn, arg, &opts, &task));
        return task;
}

static void check_free(struct plait_mutex *mutex)
{
        CHECK_INT(plait_mutex_trylock(mutex), ==, 0);
        plait_mutex_unlock(mutex);
}

/* --- circles of locks --- */

static struct plait_mutex a, b;
static struct plait_rwlock shared_a;

/* Who takes its first lock sets *has*, and takes its second when *others* is set. */
struct taker {
        struct plait_mutex *first, *second;
        struct plait_event *has, *others;
};

static int take_both(void *arg)
{
        const struct taker *taker = arg;

        lock(taker->first);
        plait_event_set(taker->has);
        CHECK_OK(plait_event_wait(taker->others, PLAIT_NEVER));
        int r = plait_mutex_lock(taker->second, PLAIT_NEVER);
        if (r == 0)
                plait_mutex_unlock(taker->second);
        plait_mutex_unlock(taker->first);
        return r;
}

static void *take_both_in_thread(void *arg)
{
        take_both(arg);
        return NULL;
}

TEST(deadlock_of_two_tasks_is_named, .run = strict, .signal = SIGABRT,
     .stderr_match = "deadlock: 2 wait for each other" ANY
                     "task '(one|two)' .#[0-9]+. waits for mutex .*, since [0-9]+ ms; "
                     "it is held by task '(one|two)'" ANY "holds mutex" ANY "test_deadlock" ANY "task '(one|two)'" ANY
                     "holds mutex" ANY "test_deadlock")
{
        struct plait_event has_a = PLAIT_EVENT_INIT, has_b = PLAIT_EVENT_INIT;
        struct taker one = {&a, &b, &has_a, &has_b}, two = {&b, &a, &has_b, &has_a};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        start(&scope, take_both, &one, "one");
        start(&scope, take_both, &two, "two");
        CHECK_OK(plait_scope_join(&scope));
}

TEST(deadlock_of_two_tasks_on_one_worker_is_named, .run = strict_alone, .signal = SIGABRT,
     .stderr_match = "deadlock: 2 wait for each other")
{
        struct plait_event has_a = PLAIT_EVENT_INIT, has_b = PLAIT_EVENT_INIT;
        struct taker one = {&a, &b, &has_a, &has_b}, two = {&b, &a, &has_b, &has_a};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, take_both, &one));
        CHECK_OK(plait_scope_go(&scope, take_both, &two));
        CHECK_OK(plait_scope_join(&scope));
}

TEST(deadlock_of_two_threads_is_named, .run = in_thread, .signal = SIGABRT,
     .stderr_match = "deadlock: 2 wait for each other" ANY "thread [0-9]+ waits for mutex" ANY "it is held by thread")
{
        struct plait_event has_a = PLAIT_EVENT_INIT, has_b = PLAIT_EVENT_INIT;
        struct taker one = {&a, &b, &has_a, &has_b}, two = {&b, &a, &has_b, &has_a};
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, take_both_in_thread, &one), ==, 0);
        take_both(&two);
        pthread_join(thread, NULL);
}

TEST(deadlock_of_a_task_and_a_thread_is_named, .run = strict, .signal = SIGABRT,
     .stderr_match = "deadlock: 2 wait for each other" ANY "thread [0-9]+")
{
        struct plait_event has_a = PLAIT_EVENT_INIT, has_b = PLAIT_EVENT_INIT;
        struct taker one = {&a, &b, &has_a, &has_b}, two = {&b, &a, &has_b, &has_a};
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, take_both_in_thread, &one), ==, 0);
        take_both(&two);
        pthread_join(thread, NULL);
}

TEST(deadlock_of_one_with_itself_is_named, .run = strict, .signal = SIGABRT,
     .stderr_match = "deadlock: one waits for itself" ANY "waits for mutex")
{
        lock(&a);
        (void)!plait_mutex_lock(&a, PLAIT_NEVER);
}

enum { PHILOSOPHERS = 5 };

static struct plait_mutex forks[PHILOSOPHERS];
static struct plait_event seated[PHILOSOPHERS];

static int dine(void *arg)
{
        size_t i = (size_t)(uintptr_t)arg, next = (i + 1) % PHILOSOPHERS;

        lock(&forks[i]);
        plait_event_set(&seated[i]);
        for (int other = 0; other < PHILOSOPHERS; other++)
                CHECK_OK(plait_event_wait(&seated[other], PLAIT_NEVER));
        lock(&forks[next]);
        plait_mutex_unlock(&forks[next]);
        plait_mutex_unlock(&forks[i]);
        return 0;
}

static void let_dine(void)
{
        static const char *const names[PHILOSOPHERS] = {"p0", "p1", "p2", "p3", "p4"};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (uintptr_t i = 0; i < PHILOSOPHERS; i++)
                start(&scope, dine, (void *)i, names[i]);
        CHECK_OK(plait_scope_join(&scope));
}

/* Each waits for the fork of the next; the report begins with any of them. */
#define WAITS(name, next) \
        ANY "task '" name "' .#[0-9]+. waits for mutex .*, since [0-9]+ ms; it is held by task '" next "'"
#define ROUND(a, b, c, d, e) WAITS(a, b) WAITS(b, c) WAITS(c, d) WAITS(d, e) WAITS(e, a)
#define ANY_ROUND(a, b, c, d, e)                                                                                       \
        "(" ROUND(a, b, c, d, e) "|" ROUND(b, c, d, e, a) "|" ROUND(c, d, e, a, b) "|" ROUND(d, e, a, b, c) "|" ROUND( \
                e, a, b, c, d) ")"

TEST(deadlock_of_the_philosophers_is_named, .run = strict, .signal = SIGABRT,
     .stderr_match = "deadlock: 5 wait for each other in a circle" ANY_ROUND("p0", "p1", "p2", "p3", "p4"))
{
        let_dine();
}

/* Nobody has to be hungry at the same time as another for that. */
static int dine_alone(void *arg)
{
        size_t i = (size_t)(uintptr_t)arg, next = (i + 1) % PHILOSOPHERS;

        lock(&forks[i]);
        lock(&forks[next]);
        plait_mutex_unlock(&forks[next]);
        plait_mutex_unlock(&forks[i]);
        return 0;
}

static void order_only(void (*body)(void))
{
        CHECK_SYS(setenv("PLAIT_LOCKORDER", "abort", 1));
        in_task(body);
}

TEST(deadlock_of_the_philosophers_is_foreseen, .run = order_only, .signal = SIGABRT,
     .stderr_match = "lock order: 5 locks are taken in a circle .two")
{
        for (uintptr_t i = 0; i < PHILOSOPHERS; i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                CHECK_OK(plait_scope_go(&scope, dine_alone, (void *)i));
                CHECK_OK(plait_scope_join(&scope));
        }
}

struct mixed {
        struct plait_event has_read, has_written;
};

static int reads_then_locks(void *arg)
{
        struct mixed *mixed = arg;

        CHECK_INT(plait_rwlock_lock_read(&shared_a, PLAIT_NEVER), ==, 0);
        plait_event_set(&mixed->has_read);
        CHECK_OK(plait_event_wait(&mixed->has_written, PLAIT_NEVER));
        lock(&a);
        return 0;
}

static int locks_then_writes(void *arg)
{
        struct mixed *mixed = arg;

        lock(&a);
        plait_event_set(&mixed->has_written);
        CHECK_OK(plait_event_wait(&mixed->has_read, PLAIT_NEVER));
        (void)!plait_rwlock_lock_write(&shared_a, PLAIT_NEVER);
        return 0;
}

TEST(deadlock_through_a_reader_is_named, .run = strict, .signal = SIGABRT,
     .stderr_match = "deadlock: 2 wait for each other" ANY "(waits for write lock" ANY "holds rwlock .reading.|"
                     "holds rwlock .reading." ANY "waits for write lock)")
{
        static struct mixed mixed;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, reads_then_locks, &mixed));
        CHECK_OK(plait_scope_go(&scope, locks_then_writes, &mixed));
        CHECK_OK(plait_scope_join(&scope));
}

TEST(deadlock_of_a_reader_who_writes_is_named, .run = strict, .signal = SIGABRT,
     .stderr_match = "deadlock: one waits for itself" ANY "write lock")
{
        CHECK_INT(plait_rwlock_lock_read(&shared_a, PLAIT_NEVER), ==, 0);
        (void)!plait_rwlock_lock_write(&shared_a, PLAIT_NEVER);
}

/* --- circles with joins --- */

static int lock_a(void *arg)
{
        int r = plait_mutex_lock(&a, PLAIT_NEVER);

        (void)arg;
        if (r == 0)
                plait_mutex_unlock(&a);
        return r;
}

TEST(deadlock_of_a_join_with_a_lock_held_is_named, .run = strict, .signal = SIGABRT,
     .stderr_match = "deadlock: 2 wait for each other" ANY "holds mutex")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        lock(&a);
        CHECK_OK(plait_scope_go(&scope, lock_a, NULL));
        CHECK_OK(plait_scope_join(&scope));
}

TEST(deadlock_of_a_join_on_one_worker_is_named, .run = strict_alone, .signal = SIGABRT,
     .stderr_match = "deadlock: 2 wait for each other" ANY "waits for mutex" ANY "its own stack")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        lock(&a);
        CHECK_OK(plait_scope_go(&scope, lock_a, NULL));
        CHECK_OK(plait_scope_join(&scope));
}

/* The child waits before its parent begins to join it. */
TEST(deadlock_of_a_later_join_is_named, .run = strict_alone, .signal = SIGABRT,
     .stderr_match = "deadlock: 2 wait for each other" ANY "waits for the tasks of scope" ANY "waits for mutex")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        lock(&a);
        CHECK_OK(plait_scope_go(&scope, lock_a, NULL));
        for (int i = 0; i < 100; i++)
                plait_yield();
        CHECK_OK(plait_scope_join(&scope));
}

static int join_who_locks(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        CHECK_OK(plait_scope_go(&scope, lock_a, NULL));
        for (int i = 0; i < 100; i++)
                plait_yield();
        return plait_scope_join(&scope);
}

TEST(deadlock_of_a_join_of_a_join_is_named, .run = strict, .signal = SIGABRT,
     .stderr_match = "deadlock: 3 wait for each")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        lock(&a);
        CHECK_OK(plait_scope_go(&scope, join_who_locks, NULL));
        for (int i = 0; i < 1000; i++)
                plait_yield();
        CHECK_OK(plait_scope_join(&scope));
}

static int wait_for_task(void *arg)
{
        return plait_task_wait(*(struct plait_task **)arg, PLAIT_NEVER, NULL);
}

TEST(deadlock_of_tasks_that_wait_for_each_other_is_named, .run = strict, .signal = SIGABRT,
     .stderr_match = "deadlock: 2 wait for each other" ANY "waits for task '(one|two)' .#[0-9]+. to end")
{
        static struct plait_task *one, *two;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_open(&scope));
        two = plait_task_self();
        one = start(&scope, wait_for_task, &two, "one");
        CHECK_OK(plait_task_set_name("two"));
        (void)!plait_task_wait(one, PLAIT_NEVER, NULL);
}

TEST(deadlock_of_a_task_that_waits_for_who_wants_its_lock_is_named, .run = strict, .signal = SIGABRT,
     .stderr_match = "deadlock: 2 wait for each other" ANY "waits for task 'wants it'")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        lock(&a);
        struct plait_task *task = start(&scope, lock_a, NULL, "wants it");
        (void)!plait_task_wait(task, PLAIT_NEVER, NULL);
}

/* --- partial, and total --- */

static _Atomic int ticks;

static int tick(void *arg)
{
        (void)arg;
        while (plait_sleep(plait_in_ms(1)) == 0)
                ticks++;
        return 0;
}

TEST(deadlock_of_some_is_said_while_others_go_on, .run = warned, .stderr_match = "deadlock: 2 wait for each other")
{
        struct plait_event has_a = PLAIT_EVENT_INIT, has_b = PLAIT_EVENT_INIT;
        struct taker one = {&a, &b, &has_a, &has_b}, two = {&b, &a, &has_b, &has_a};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, tick, NULL));
        CHECK_OK(plait_scope_go(&scope, take_both, &one));
        CHECK_OK(plait_scope_go(&scope, take_both, &two));
        CHECK_OK(plait_event_wait(&has_a, PLAIT_NEVER));
        CHECK_OK(plait_event_wait(&has_b, PLAIT_NEVER));
        for (int seen = ticks; ticks < seen + 20;)
                CHECK_OK(plait_sleep(plait_in_ms(1)));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        check_free(&a);
        check_free(&b);
}

#if !TEST_WITH_TSAN /* it has a thread of its own, which could be the one to wake somebody */
static int receive_nothing(void *arg)
{
        int item;

        return plait_channel_receive(arg, &item, PLAIT_NEVER);
}

TEST(deadlock_of_everybody_is_named, .run = strict, .signal = SIGABRT,
     .stderr_match = "deadlock: all tasks .[0-9]+. wait" ANY "waits for receive")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_channel *channel;

        CHECK_OK(plait_channel_new(sizeof(int), 0, &channel));
        CHECK_OK(plait_scope_go(&scope, receive_nothing, channel));
        CHECK_OK(plait_scope_join(&scope));
}
#endif

/* --- no deadlock --- */

TEST(deadlock_that_a_deadline_ends_is_none, .run = strict)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        lock(&a);
        CHECK_INT(plait_mutex_lock(&a, plait_in_ms(5)), ==, -ETIMEDOUT);
        scope.deadline_ns = plait_in_ms(5);
        CHECK_OK(plait_scope_go(&scope, lock_a, NULL));
        CHECK_INT(plait_scope_join(&scope), ==, -ETIMEDOUT);
        plait_mutex_unlock(&a);
}

struct handoff {
        struct plait_event locked, unlock;
};

static int hold_until_told(void *arg)
{
        struct handoff *handoff = arg;

        lock(&a);
        plait_event_set(&handoff->locked);
        CHECK_OK(plait_event_wait(&handoff->unlock, PLAIT_NEVER));
        plait_mutex_unlock(&a);
        return 0;
}

static void *tell_in_thread(void *arg)
{
        struct handoff *handoff = arg;

        CHECK_OK(plait_sleep(plait_in_ms(120)));
        plait_event_set(&handoff->unlock);
        return NULL;
}

TEST(deadlock_that_a_thread_can_end_is_none, .run = strict)
{
        static struct handoff handoff;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, tell_in_thread, &handoff), ==, 0);
        CHECK_OK(plait_scope_go(&scope, hold_until_told, &handoff));
        CHECK_OK(plait_event_wait(&handoff.locked, PLAIT_NEVER));
        lock(&a);
        plait_mutex_unlock(&a);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
}

static void set_event(void *arg)
{
        plait_event_set(arg);
}

TEST(deadlock_that_a_timer_ends_is_none, .run = strict)
{
        static struct plait_timer timer;
        struct plait_event event = PLAIT_EVENT_INIT;

        CHECK_OK(plait_timer_start(&timer, plait_in_ms(120), set_event, &event));
        CHECK_OK(plait_event_wait(&event, PLAIT_NEVER));
}

static int sleep_in_call(void *arg)
{
        (void)arg;
        return plait_sleep(plait_in_ms(120));
}

TEST(deadlock_that_a_blocking_call_ends_is_none, .run = strict)
{
        CHECK_OK(plait_blocking(sleep_in_call, NULL, PLAIT_NEVER));
}

static int nap_and_set(void *arg, void *result)
{
        (void)result;
        CHECK_OK(plait_sleep(plait_in_ms(120)));
        if (arg)
                plait_event_set(arg);
        return 0;
}

TEST(deadlock_that_a_job_ends_is_none, .run = strict)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .queue_limit = 1};
        struct plait_event done = PLAIT_EVENT_INIT;
        const struct plait_job job = {.fn = nap_and_set, .arg = &done};
        struct plait_executor *executor;

        CHECK_OK(plait_executor_threads(&opts, &executor));
        CHECK_OK(plait_executor_submit(executor, &job, NULL));
        CHECK_OK(plait_event_wait(&done, PLAIT_NEVER));
        plait_executor_free(executor);
}

TEST(deadlock_that_a_worker_process_ends_is_none, .run = strict)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .queue_limit = 1};
        const struct plait_job job = {.fn = nap_and_set};
        struct plait_executor *executor;

        CHECK_OK(plait_executor_processes(&opts, &executor));
        for (int i = 0; i < 3; i++) /* the last one waits for a place in the queue */
                CHECK_OK(plait_executor_submit(executor, &job, NULL));
        CHECK_OK(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER));
        plait_executor_free(executor);
}

static void *write_late(void *arg)
{
        CHECK_OK(plait_sleep(plait_in_ms(120)));
        CHECK_INT(write(*(int *)arg, "x", 1), ==, 1);
        return NULL;
}

TEST(deadlock_that_a_descriptor_ends_is_none, .run = strict)
{
        int fds[2];
        pthread_t thread;

        CHECK_SYS(pipe(fds));
        CHECK_INT(pthread_create(&thread, NULL, write_late, &fds[1]), ==, 0);
        CHECK_OK(plait_wait_fd(fds[0], POLLIN, PLAIT_NEVER));
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_SYS(close(fds[0]));
        CHECK_SYS(close(fds[1]));
}

static int take_turns(void *arg)
{
        struct plait_mutex *mutexes = arg;

        for (int i = 0; i < 2000; i++) {
                struct plait_mutex *pair[] = {&mutexes[0], &mutexes[1]};

                lock(pair[0]);
                if (i % 16 == 0)
                        plait_yield();
                lock(pair[1]);
                plait_mutex_unlock(pair[1]);
                plait_mutex_unlock(pair[0]);
        }
        return 0;
}

static void *take_turns_in_thread(void *arg)
{
        take_turns(arg);
        return NULL;
}

/* Much waiting, many searches, no circle. */
TEST(deadlock_search_finds_nothing_where_there_is_none, .run = strict, .timeout_ms = 120000)
{
        static struct plait_mutex mutexes[2];
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        pthread_t threads[2];

        for (int i = 0; i < 2; i++)
                CHECK_INT(pthread_create(&threads[i], NULL, take_turns_in_thread, mutexes), ==, 0);
        for (int i = 0; i < 8; i++)
                CHECK_OK(plait_scope_go(&scope, take_turns, mutexes));
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < 2; i++)
                CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
        check_free(&mutexes[0]);
        check_free(&mutexes[1]);
}
