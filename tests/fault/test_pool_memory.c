/*
 * Process pools and what processes share, without memory: each allocation fails in turn, in the program or in a worker,
 * once or with those that come after it. Whatever was submitted ends, whatever was opened closes, and what fails says
 * so. Each try is a process of its own.
 */
#include <plait/plait.h>

#include "attempt.h"
#include "uses.h"

enum { LARGE = 20000 };

/* --- what programs do; each returns 0 or the first error --- */

struct large {
        long numbers[LARGE];
};

/* More bytes than a ring takes, there and back. */
static int negate(void *arg, void *result)
{
        const struct large *in = arg;
        struct large *out = result;

        for (int i = 0; i < LARGE; i++)
                out->numbers[i] = -in->numbers[i];
        return 0;
}

static int use_large(struct plait_executor *executor)
{
        static struct large in;
        const struct plait_job job = {
                .fn = negate, .arg = &in, .arg_bytes = sizeof in, .result_bytes = sizeof(struct large)};
        struct plait_future *future;
        void *value;
        int result;

        in.numbers[LARGE - 1] = 77;
        int r = plait_executor_submit(executor, &job, &future);
        if (r < 0)
                return r;
        r = plait_future_wait(future, PLAIT_NEVER, &result, &value);
        if (r == 0)
                r = result;
        const struct plait_job_end *end = value;
        if (r == 0 && ((const struct large *)end->data)->numbers[LARGE - 1] != -77)
                _exit(WRONG);
        plait_future_unref(future);
        return r;
}

/* The sum of a column of an array that is opened here. */
static int add_up(void *arg, void *result)
{
        struct plait_array array = PLAIT_ARRAY_INIT, column = PLAIT_ARRAY_INIT;
        int r = plait_array_open(arg, &array);

        if (r == 0)
                r = plait_array_pick(&array, 1, 1, &column);
        for (size_t i = 0; r == 0 && i < column.shape[0]; i++)
                *(int64_t *)result += plait_array_at(&column, int64_t, i);
        plait_array_done(&column);
        plait_array_done(&array);
        return r;
}

static int use_array(struct plait_executor *executor)
{
        struct plait_array array = PLAIT_ARRAY_INIT, same = PLAIT_ARRAY_INIT;
        struct plait_array_handle handle;
        int64_t sum = 0;
        int r = plait_array_init(&array, PLAIT_ARRAY_I64, 2, (const size_t[]){100, 3}, NULL);

        if (r == 0)
                r = plait_array_share(&array, &handle);
        if (r == 0)
                r = plait_array_open(&handle, &same);
        for (size_t i = 0; r == 0 && i < 100; i++)
                plait_array_at(&same, int64_t, i, 1) = (int64_t)i;
        if (r == 0) {
                const struct plait_job job = {.fn = add_up,
                                              .arg = &handle,
                                              .arg_bytes = sizeof handle,
                                              .result = &sum,
                                              .result_bytes = sizeof sum};

                r = plait_executor_call(executor, &job, PLAIT_NEVER, NULL);
                if (r == 0 && sum != 4950)
                        _exit(WRONG);
        }
        plait_array_done(&same);
        plait_array_done(&array);
        return r;
}

static int use_everything(struct plait_executor *executor)
{
        int r = use_all(executor);

        if (r == 0)
                r = use_large(executor);
        if (r == 0)
                r = use_array(executor);
        return r;
}

static int nothing_to_do(void *arg)
{
        (void)arg;
        return 0;
}

static int processes(void *arg)
{
        const struct plait_executor_opts opts = {
                .size = sizeof opts, .workers = PLAIT_AUTO, .initializer = nothing_to_do};
        struct plait_executor *executor;

        (void)arg;
        int r = plait_executor_processes(&opts, &executor);
        if (r < 0)
                return r;
        r = use_everything(executor);
        plait_executor_free(executor);
        return r;
}

/* --- in the worker --- */

struct failing {
        long number;
        bool for_good;
};

static struct failing failing;

static int starve_worker(void *arg)
{
        const struct failing *asked = arg;

        atomic_store(&starve_for_good, asked->for_good);
        atomic_store(&starve_in, asked->number);
        return 0;
}

static int tell_starved(void *arg, void *result)
{
        (void)arg, (void)result;
        return (int)atomic_load(&starved);
}

static int starved_worker(void *arg)
{
        struct plait_executor_opts opts = {.size = sizeof opts,
                                           .workers = 1,
                                           .initializer = starve_worker,
                                           .arg = &failing,
                                           .arg_bytes = sizeof failing};
        const struct plait_job telling = {.fn = tell_starved};
        struct plait_executor *executor;

        (void)arg;
        int r = plait_executor_processes(&opts, &executor);
        if (r < 0)
                return r;
        r = use_everything(executor);
        int told = plait_executor_call(executor, &telling, PLAIT_NEVER, NULL);
        if (told > 0)
                atomic_fetch_add(&starved, told);
        else if (told < 0 && r == 0)
                r = told;
        plait_executor_free(executor);
        return r;
}

/* --- a lock and a barrier of several processes, waited for by tasks --- */

static struct {
        struct plait_shared_mutex mutex;
        struct plait_shared_barrier barrier;
        int inside;
} both;

static int lock_and_meet(void *arg)
{
        (void)arg;
        for (int i = 0; i < 3; i++) {
                int r = plait_shared_mutex_lock(&both.mutex, PLAIT_NEVER);

                if (r < 0)
                        return r;
                if (both.inside++)
                        _exit(WRONG);
                plait_yield();
                both.inside--;
                plait_shared_mutex_unlock(&both.mutex);
        }
        return plait_shared_barrier_wait(&both.barrier, PLAIT_NEVER) < 0 ? -ENOMEM : 0;
}

/* A party that fails breaks the barrier, as it will not come. */
static int come_or_break(void *arg)
{
        int r = lock_and_meet(arg);

        if (r < 0)
                plait_shared_barrier_break(&both.barrier);
        return r;
}

static int two_parties(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        memset(&both, 0, sizeof both);
        int r = plait_shared_barrier_init(&both.barrier, 2);
        if (r < 0)
                return r;
        for (int i = 0; i < 2 && r == 0; i++)
                r = plait_scope_go(&scope, come_or_break, NULL);
        if (r < 0)
                plait_shared_barrier_break(&both.barrier);
        return plait_scope_join(&scope);
}

static int locks(void *arg)
{
        (void)arg;
        return plait_run(two_parties, NULL, NULL);
}

/* --- each allocation in turn --- */

static void check(int r, long number)
{
        if (allowed(r))
                return;
        fprintf(stderr, "allocation %ld fails: %d\n", number, r);
        _exit(WRONG);
}

static void try(int (*scenario)(void *), long number, bool for_good)
{
        int before = descriptors();

        alarm(HANG_S);
        atomic_store(&starve_for_good, for_good);
        atomic_store(&starve_in, failing.number ? 0 : number);
        check(scenario(NULL), number);
        atomic_store(&starve_in, 0);
        failing.number = 0;
        if (descriptors() != before) {
                fprintf(stderr, "a descriptor stays open\n");
                _exit(WRONG);
        }
        int r = number % 8 ? 0 : scenario(NULL); /* with memory again */
        if (r != 0)
                fprintf(stderr, "after the failure of allocation %ld: %d\n", number, r);
        _exit(r ? WRONG : atomic_load(&starved) ? 0 : UNTOUCHED);
}

static void in_program(int (*scenario)(void *), long number, bool for_good)
{
        try(scenario, number, for_good);
}

static void in_worker(int (*scenario)(void *), long number, bool for_good)
{
        failing = (struct failing){.number = number, .for_good = for_good};
        try(scenario, number, for_good);
}

TEST(processes_without_memory, .timeout_ms = 120000)
{
        starve_each(in_program, processes, false);
        /* A pool without memory tries again for a while before it gives up, so here not each in turn. */
        for (long number = 3; status_of(in_program, processes, number, true) != UNTOUCHED; number += 9)
                CHECK_INT(number, <, TRIES_MOST);
}

TEST(workers_without_memory, .timeout_ms = 120000)
{
        starve_each(in_worker, starved_worker, false);
        starve_each(in_worker, starved_worker, true);
}

TEST(locks_of_processes_without_memory, .timeout_ms = 120000)
{
        starve_each(in_program, locks, false);
        starve_each(in_program, locks, true);
}
