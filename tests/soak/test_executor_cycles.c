/*
 * Executors that are opened and closed 10,000 times, in plain threads and in a run, with jobs that are made, cancelled
 * or left behind: nothing hangs, and the process is as large afterwards as before.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <plait/plait.h>

#include "harness/test.h"

enum { CYCLES = 10000, FLOWS = 3, SLACK_KIB = 4096 };

static long resident_kib(void)
{
        long pages = 0, resident = 0;
        FILE *file = fopen("/proc/self/statm", "r");

        CHECK(file);
        CHECK_INT(fscanf(file, "%ld %ld", &pages, &resident), ==, 2);
        fclose(file);
        return resident * 4;
}

static int count(void *arg, void *result)
{
        (void)result;
        atomic_fetch_add((_Atomic long *)arg, 1);
        return 0;
}

static int negate(void *arg, void *result)
{
        *(long *)result = -*(long *)arg;
        return 0;
}

static int linger(void *arg, void *result)
{
        (void)arg;
        (void)result;
        while (!plait_job_cancelled())
                plait_yield();
        return -ECANCELED;
}

/* Open, use and close one in a way that *i* chooses. Returns how many quick jobs must have been made. */
static long cycle(struct plait_scope *scope, unsigned i, _Atomic long *runs)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1 + i % 3};
        struct plait_executor *executor;
        struct plait_job quick = {.fn = count, .arg = runs}, slow = {.fn = linger};
        long items[20] = {1, 2, 3}, made = 0;

        CHECK_INT(scope ? plait_executor_tasks(scope, &opts, &executor) : plait_executor_threads(&opts, &executor), ==,
                  0);
        for (unsigned k = 0; k < i % 5; k++)
                CHECK_INT(plait_executor_submit(executor, &quick, NULL), ==, 0);
        if (i % 7 == 0)
                CHECK_INT(plait_executor_submit(executor, &slow, NULL), ==, 0);
        if (i % 3 == 0 && i % 7)
                CHECK_INT(plait_executor_map(executor, negate, items, sizeof *items, items, sizeof *items, 20, NULL),
                          ==, 0);
        if (i % 2 && i % 7) {
                CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
                made = i % 5;
        }
        plait_executor_free(executor);
        return made;
}

static void cycles(struct plait_scope *scope, unsigned n)
{
        _Atomic long runs = 0;
        long made = 0;

        for (unsigned i = 0; i < n; i++)
                made += cycle(scope, i, &runs);
        CHECK_INT(runs, >=, made);
}

static void *cycles_in_thread(void *arg)
{
        cycles(NULL, *(unsigned *)arg);
        return NULL;
}

static void cycles_in_threads(unsigned n)
{
        pthread_t threads[FLOWS];

        for (int i = 0; i < FLOWS; i++)
                CHECK_INT(pthread_create(&threads[i], NULL, cycles_in_thread, &n), ==, 0);
        for (int i = 0; i < FLOWS; i++)
                CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
}

static int cycles_in_task(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        unsigned n = *(unsigned *)arg;

        CHECK_INT(plait_scope_open(&scope), ==, 0);
        cycles(&scope, n);
        cycles(NULL, n);
        return plait_scope_join(&scope);
}

static int cycles_in_tasks(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < FLOWS; i++)
                plait_scope_go(&scope, cycles_in_task, arg);
        return plait_scope_join(&scope);
}

static void all(unsigned n)
{
        cycles_in_threads(n);
        CHECK_INT(plait_run(cycles_in_tasks, &n, NULL), ==, 0);
}

TEST(ten_thousand_executors_leave_nothing_behind, .timeout_ms = 600000)
{
        all(CYCLES / 20);
        long before = resident_kib();
        all(CYCLES / FLOWS);
        long after = resident_kib();
        printf("%ld KiB resident before, %ld after\n", before, after);
        CHECK_INT(after, <=, before + SLACK_KIB);
}
