/* Calls that block, made by threads. */
#include "api/alone.h"
#include "harness/task.h"
#include "harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static int twice(void *n)
{
        CHECK(!plait_task_self());
        return *(int *)n * 2;
}

TEST(result_comes_back, .run = in_task)
{
        int n = 21;

        for (int i = 0; i < 100; i++)
                CHECK_INT(plait_blocking(twice, &n, PLAIT_NEVER), ==, 42);
        CHECK_INT(plait_blocking(NULL, NULL, PLAIT_NEVER), ==, -EINVAL);
}

TEST(threads_just_call)
{
        int n = 4;

        CHECK_INT(plait_blocking(twice, &n, 0), ==, 8);
}

static sem_t gate;
static _Atomic int inside;

static int wait_at_gate(void *arg)
{
        (void)arg;
        atomic_fetch_add(&inside, 1);
        while (sem_wait(&gate) < 0)
                ;
        return 1;
}

static int call_gate(void *arg)
{
        return plait_blocking(wait_at_gate, arg, PLAIT_NEVER) == 1 ? 0 : -EIO;
}

static int count(void *arg)
{
        atomic_fetch_add((_Atomic int *)arg, 1);
        return 0;
}

TEST(workers_go_on_meanwhile, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        _Atomic int others = 0;

        CHECK_SYS(sem_init(&gate, 0, 0));
        CHECK_OK(plait_scope_go(&scope, call_gate, NULL));
        for (int i = 0; i < 10; i++)
                CHECK_OK(plait_scope_go(&scope, count, &others));
        while (atomic_load(&others) < 10 || !atomic_load(&inside))
                plait_yield();
        CHECK_SYS(sem_post(&gate));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

TEST(call_that_has_begun_is_waited_for, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_SYS(sem_init(&gate, 0, 0));
        CHECK_OK(plait_scope_go(&scope, call_gate, NULL));
        while (!atomic_load(&inside))
                plait_yield();
        plait_scope_cancel(&scope);
        let_others_run();
        CHECK_SYS(sem_post(&gate));
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

TEST(queue_forms_beyond_the_limit_and_can_be_left, .run = alone)
{
        enum { THREADS = 64 };
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int n = 1;

        CHECK_SYS(sem_init(&gate, 0, 0));
        for (int i = 0; i < THREADS; i++)
                CHECK_OK(plait_scope_go(&scope, call_gate, NULL));
        while (atomic_load(&inside) < THREADS)
                plait_yield();
        CHECK_INT(plait_blocking(twice, &n, plait_in_ms(5)), ==, -ETIMEDOUT);
        CHECK_INT(plait_blocking(twice, &n, 0), ==, -ETIMEDOUT);
        for (int i = 0; i < THREADS; i++)
                CHECK_SYS(sem_post(&gate));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(plait_blocking(twice, &n, PLAIT_NEVER), ==, 2);
}

TEST(full_pool_of_calls_holds_up_neither_names_nor_files, .run = alone)
{
        enum { THREADS = 64 };
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_addresses *found;

        CHECK_SYS(sem_init(&gate, 0, 0));
        for (int i = 0; i < THREADS; i++)
                CHECK_OK(plait_scope_go(&scope, call_gate, NULL));
        while (atomic_load(&inside) < THREADS)
                plait_yield();
        CHECK_OK(plait_resolve("localhost", "80", PLAIT_NEVER, &found));
        plait_addresses_free(found);
        char byte = 0;
        int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        CHECK_SYS(fd);
        CHECK_INT(plait_read(fd, &byte, 1, PLAIT_NEVER), ==, 1);
        CHECK_INT(byte, ==, 0x7f);
        CHECK_SYS(close(fd));
        for (int i = 0; i < THREADS; i++)
                CHECK_SYS(sem_post(&gate));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static int see_mask(void *arg)
{
        sigset_t *mask = arg;

        return pthread_sigmask(SIG_BLOCK, NULL, mask);
}

TEST(signals_go_elsewhere, .run = in_task)
{
        sigset_t mask;

        CHECK_INT(plait_blocking(see_mask, &mask, PLAIT_NEVER), ==, 0);
        CHECK(sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM) && !sigismember(&mask, SIGSEGV));
}

static int call_twice(void *arg)
{
        int n = (int)(intptr_t)arg;

        CHECK_INT(plait_blocking(twice, &n, PLAIT_NEVER), ==, 2 * n);
        return 0;
}

TEST(many_tasks_share_the_threads, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 2000; i++)
                CHECK_OK(plait_scope_go(&scope, call_twice, (void *)(intptr_t)i));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}
