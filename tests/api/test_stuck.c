/* Tasks that compute or block for long, on all workers: the others go on. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <plait/plait.h>

#include "harness/test.h"

enum { WORKERS = 2, ROUNDS = 100, BLOCKED = 12 };

static const struct plait_run_opts two_workers = {.size = sizeof two_workers, .workers = WORKERS};

static _Atomic int begun;
static _Atomic bool release;
static int pipe_fds[2];

static int compute(void *unused)
{
        (void)unused;
        atomic_fetch_add(&begun, 1);
        while (!atomic_load(&release)) {}
        return 0;
}

/* A system call that plait knows nothing of. */
static int block(void *unused)
{
        char byte;

        (void)unused;
        atomic_fetch_add(&begun, 1);
        while (read(pipe_fds[0], &byte, 1) < 0 && errno == EINTR) {}
        return 0;
}

/* Goes on only if timers and queues are served. */
static int sleep_often(void *expected)
{
        int r = 0;

        while (atomic_load(&begun) < *(int *)expected && r == 0)
                r = plait_sleep(plait_in_ms(1));
        for (int i = 0; i < ROUNDS && r == 0; i++)
                r = plait_sleep(plait_in_ms(1));
        atomic_store(&release, true);
        return r;
}

static int hogs_on_all_workers(void *unused)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int expected = WORKERS;

        (void)unused;
        for (int i = 0; i < WORKERS; i++)
                CHECK_INT(plait_scope_go(&scope, compute, NULL), ==, 0);
        CHECK_INT(plait_scope_go(&scope, sleep_often, &expected), ==, 0);
        return plait_scope_join(&scope);
}

TEST(tasks_go_on_while_tasks_compute_on_all_workers)
{
        CHECK_INT(plait_run(hogs_on_all_workers, NULL, &two_workers), ==, 0);
}

static int hog_and_blocked(void *unused)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int expected = 2;

        (void)unused;
        CHECK_INT(plait_scope_go(&scope, compute, NULL), ==, 0);
        CHECK_INT(plait_scope_go(&scope, block, NULL), ==, 0);
        CHECK_INT(plait_scope_go(&scope, sleep_often, &expected), ==, 0);
        while (!atomic_load(&release))
                CHECK_INT(plait_sleep(plait_in_ms(1)), ==, 0);
        CHECK_INT(write(pipe_fds[1], "x", 1), ==, 1);
        return plait_scope_join(&scope);
}

TEST(tasks_go_on_while_one_computes_and_one_blocks)
{
        CHECK_INT(pipe2(pipe_fds, O_CLOEXEC), ==, 0);
        CHECK_INT(plait_run(hog_and_blocked, NULL, &two_workers), ==, 0);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
}

static int write_for_all(void *unused)
{
        (void)unused;
        while (atomic_load(&begun) < BLOCKED)
                CHECK_INT(plait_sleep(plait_in_ms(1)), ==, 0);
        for (int i = 0; i < BLOCKED; i++)
                CHECK_INT(write(pipe_fds[1], "x", 1), ==, 1);
        return 0;
}

static int many_blocked(void *unused)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)unused;
        CHECK_INT(plait_scope_go(&scope, write_for_all, NULL), ==, 0);
        for (int i = 0; i < BLOCKED; i++)
                CHECK_INT(plait_scope_go(&scope, block, NULL), ==, 0);
        return plait_scope_join(&scope);
}

TEST(each_task_that_blocks_gets_a_thread_in_its_place)
{
        CHECK_INT(pipe2(pipe_fds, O_CLOEXEC), ==, 0);
        CHECK_INT(plait_run(many_blocked, NULL, &two_workers), ==, 0);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
}

/* Runs one after the other: spare workers end with their run. */
TEST(runs_follow_each_other)
{
        for (int i = 0; i < 3; i++) {
                atomic_store(&begun, 0);
                atomic_store(&release, false);
                CHECK_INT(plait_run(hogs_on_all_workers, NULL, &two_workers), ==, 0);
        }
}

static int echo_through_pipe(void *unused)
{
        char byte;

        (void)unused;
        while (atomic_load(&begun) < WORKERS)
                CHECK_INT(plait_sleep(plait_in_ms(1)), ==, 0);
        CHECK_INT(plait_read(pipe_fds[0], &byte, 1, PLAIT_NEVER), ==, 1);
        atomic_store(&release, true);
        return 0;
}

static void *write_when_all_compute(void *unused)
{
        (void)unused;
        while (atomic_load(&begun) < WORKERS)
                sched_yield();
        if (write(pipe_fds[1], "x", 1) != 1)
                abort();
        return NULL;
}

static int news_while_all_compute(void *unused)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)unused;
        CHECK_INT(plait_scope_go(&scope, echo_through_pipe, NULL), ==, 0);
        for (int i = 0; i < WORKERS; i++)
                CHECK_INT(plait_scope_go(&scope, compute, NULL), ==, 0);
        return plait_scope_join(&scope);
}

TEST(news_from_the_kernel_come_while_tasks_compute_on_all_workers)
{
        pthread_t thread;

        CHECK_INT(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
        CHECK_INT(pthread_create(&thread, NULL, write_when_all_compute, NULL), ==, 0);
        CHECK_INT(plait_run(news_while_all_compute, NULL, &two_workers), ==, 0);
        pthread_join(thread, NULL);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
}

enum { LEAVES = 128, LEAF_MS = 20 };

static _Atomic int computing, most_computing;

static int compute_leaf(void)
{
        int64_t until_ns = plait_in_ms(LEAF_MS);
        int n = ++computing, most = most_computing;

        while (n > most && !atomic_compare_exchange_weak(&most_computing, &most, n)) {}
        while (plait_now_ns() < until_ns) {}
        computing--;
        return 0;
}

static int compute_tree(void *leaves)
{
        int half = *(int *)leaves / 2;

        return half ? plait_fork_join(compute_tree, &half, compute_tree, &half) : compute_leaf();
}

static int tree(void *unused)
{
        int leaves = LEAVES;

        (void)unused;
        return compute_tree(&leaves);
}

/* Else there would be one more each 10 to 100 ms: what computes already would only be in its own way. Two spare workers
 * may be at a part that somebody slept for, and as many at what has woken behind one that computes. */
TEST(spare_workers_take_next_to_no_part_of_what_computes)
{
        CHECK_INT(plait_run(tree, NULL, &two_workers), ==, 0);
        CHECK_INT(most_computing, <=, WORKERS + 4);
}

static int do_nothing(void *unused)
{
        (void)unused;
        return 0;
}

static int sleep_a_little(void *unused)
{
        (void)unused;
        return plait_sleep(plait_in_ms(20));
}

static int fork_and_sleep(void *unused)
{
        (void)unused;
        int r = plait_fork_join(sleep_a_little, NULL, do_nothing, NULL);

        atomic_store(&release, true);
        return r;
}

static int fork_beside_hogs(void *unused)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)unused;
        CHECK_INT(plait_scope_go(&scope, compute, NULL), ==, 0);
        while (!atomic_load(&begun))
                plait_yield();
        CHECK_INT(plait_scope_go(&scope, fork_and_sleep, NULL), ==, 0);
        plait_yield(); /* it sleeps, its fork is left here */
        (void)compute(NULL);
        return plait_scope_join(&scope);
}

/* It sleeps for its fork, which lies behind what computes. */
TEST(a_fork_is_taken_if_its_task_sleeps_for_it)
{
        atomic_store(&begun, 0);
        atomic_store(&release, false);
        CHECK_INT(plait_run(fork_beside_hogs, NULL, &two_workers), ==, 0);
}

static int set_release(void *unused)
{
        (void)unused;
        atomic_store(&release, true);
        return 0;
}

static int start_and_compute(void *scope)
{
        CHECK_INT(plait_scope_go(scope, set_release, NULL), ==, 0);
        return compute(NULL);
}

static int task_behind_fork(void *unused)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)unused;
        CHECK_INT(plait_scope_go(&scope, compute, NULL), ==, 0);
        while (!atomic_load(&begun))
                plait_yield();
        CHECK_INT(plait_fork_join(start_and_compute, &scope, do_nothing, NULL), ==, 0);
        return plait_scope_join(&scope);
}

/* A fork lies before it in the deque of one that computes. */
TEST(a_task_behind_a_fork_is_run)
{
        atomic_store(&begun, 0);
        atomic_store(&release, false);
        CHECK_INT(plait_run(task_behind_fork, NULL, &two_workers), ==, 0);
}

static int compute_for_long(void *unused)
{
        struct timespec used;

        (void)unused;
        CHECK_INT(plait_task_set_name("hog"), ==, 0);
        do /* processor time: it can be seen that it computes */
                CHECK_SYS(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used));
        while (used.tv_sec == 0 && used.tv_nsec < 200000000);
        return 0;
}

static void ask_for_messages(void)
{
        setenv("PLAIT_STUCK_MS", "20", 1);
}

TEST(a_stuck_task_is_named_when_asked_for, .stderr_match = "task 'hog'.*has held up worker.*computes.*Its stack:")
{
        ask_for_messages();
        CHECK_INT(plait_run(compute_for_long, NULL, &two_workers), ==, 0);
}
