/* Tasks that compute or block for long, on all workers: the others go on. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

enum { LEAVES = 8, LEAF_MS = 25 };

/* Asks the kernel: a compiler takes pthread_self() to be the same after a wait. */
static bool in_spare_worker(void)
{
        char name[16];

        CHECK_SYS(prctl(PR_GET_NAME, name));
        return strncmp(name, "plait-spare", strlen("plait-spare")) == 0;
}

/* Until a spare worker has come. */
static int sleep_until_in_spare_worker(void *unused)
{
        int r = 0;

        (void)unused;
        atomic_store(&begun, 1);
        while (!in_spare_worker() && r == 0)
                r = plait_sleep(plait_in_ms(1));
        atomic_store(&release, true);
        return r;
}

static int compute_leaf(void *unused)
{
        int64_t until_ns = plait_in_ms(LEAF_MS);

        (void)unused;
        CHECK(!in_spare_worker());
        while (plait_now_ns() < until_ns || !atomic_load(&release)) {}
        return 0;
}

static int compute_tree(void *leaves)
{
        int half = *(int *)leaves / 2;

        if (half == 0)
                return compute_leaf(NULL);
        return plait_fork_join(compute_tree, &half, compute_tree, &half);
}

static int tree_beside_sleeper(void *unused)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int leaves = LEAVES;

        (void)unused;
        CHECK_INT(plait_scope_go(&scope, sleep_until_in_spare_worker, NULL), ==, 0);
        while (!atomic_load(&begun))
                plait_yield();
        CHECK_INT(compute_tree(&leaves), ==, 0);
        return plait_scope_join(&scope);
}

/* What computes already would only be in its own way on more threads. */
TEST(spare_workers_take_no_part_of_what_computes)
{
        CHECK_INT(plait_run(tree_beside_sleeper, NULL, &two_workers), ==, 0);
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
