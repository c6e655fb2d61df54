/*
 * A bounded pipeline: one task makes numbers, four test whether they are prime, one adds the primes up. Queues of ten
 * items lie between them, so whoever is fast waits for who is slow, and memory stays small however many numbers there
 * are. The first task knows that all has been dealt with when it has joined both queues. See docs/guide/pipeline.md.
 */
#include <plait/plait.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBERS = 10000, ROOM = 10, TESTERS = 4 };

struct pipeline {
        struct plait_queue *numbers; /* int: to be tested */
        struct plait_queue *primes;  /* int: found */
        long found, sum;             /* the adder's */
        size_t most;                 /* that were ever in a queue, as far as anybody has seen */
};

static void look(struct pipeline *pipeline, struct plait_queue *queue)
{
        size_t count = plait_queue_count(queue);

        if (count > __atomic_load_n(&pipeline->most, __ATOMIC_RELAXED))
                __atomic_store_n(&pipeline->most, count, __ATOMIC_RELAXED);
}

static bool is_prime(int n)
{
        for (int d = 2; d * d <= n; d++)
                if (n % d == 0)
                        return false;
        return n >= 2;
}

/* Until the queue is shut down and empty. What it found is in the next queue before it says that it has done its part.
 */
static int test(void *arg)
{
        struct pipeline *pipeline = arg;
        int number, r;

        while ((r = plait_queue_get(pipeline->numbers, &number, PLAIT_NEVER)) == 0) {
                look(pipeline, pipeline->numbers);
                if (is_prime(number))
                        r = plait_queue_put(pipeline->primes, &number, PLAIT_NEVER);
                plait_queue_task_done(pipeline->numbers);
                if (r < 0)
                        break;
        }
        return r == -EPIPE ? 0 : r;
}

static int add(void *arg)
{
        struct pipeline *pipeline = arg;
        int prime, r;

        while ((r = plait_queue_get(pipeline->primes, &prime, PLAIT_NEVER)) == 0) {
                look(pipeline, pipeline->primes);
                pipeline->found++;
                pipeline->sum += prime;
                plait_queue_task_done(pipeline->primes);
        }
        return r == -EPIPE ? 0 : r;
}

/* Put all numbers in, and wait until each has gone through the whole pipeline. */
static int feed(struct pipeline *pipeline)
{
        int r = 0;

        for (int number = 0; number < NUMBERS && r == 0; number++)
                r = plait_queue_put(pipeline->numbers, &number, PLAIT_NEVER);
        if (r == 0)
                r = plait_queue_join(pipeline->numbers, PLAIT_NEVER);
        if (r == 0)
                r = plait_queue_join(pipeline->primes, PLAIT_NEVER);
        return r;
}

static int run(struct pipeline *pipeline)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < TESTERS; i++)
                plait_scope_go(&scope, test, pipeline);
        plait_scope_go(&scope, add, pipeline);

        int r = feed(pipeline);
        if (r == 0)
                printf("%d numbers, %ld primes, their sum is %ld\n", NUMBERS, pipeline->found, pipeline->sum);
        plait_queue_shutdown(pipeline->numbers, 0);
        plait_queue_shutdown(pipeline->primes, 0);
        int joined = plait_scope_join(&scope);
        return joined < 0 ? joined : r;
}

static int app(void *arg)
{
        struct pipeline pipeline = {0};

        (void)arg;
        int r = plait_queue_new(sizeof(int), ROOM, NULL, &pipeline.numbers);
        if (r == 0)
                r = plait_queue_new(sizeof(int), ROOM, NULL, &pipeline.primes);
        if (r == 0)
                r = run(&pipeline);
        if (r == 0)
                printf("no queue held more than %d: %s\n", ROOM, pipeline.most <= ROOM ? "yes" : "no");
        plait_queue_free(pipeline.numbers);
        plait_queue_free(pipeline.primes);
        return r;
}

int main(void)
{
        return plait_run(app, NULL, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
