/*
 * Tasks that wait for what processes compute. A service answers questions, of which some take long to compute; these go
 * to worker processes, and the task that was asked waits for the answer as for anything else, with a deadline. The
 * others, and the clock, go on meanwhile. See docs/guide/awaiting.md.
 */
#include <plait/plait.h>

#include <stdio.h>
#include <stdlib.h>

enum { QUESTIONS = 8, LIMIT = 300000 };

static struct plait_executor *workers;

struct question {
        int from;
        int primes; /* the answer */
};

/* In a worker: how many primes there are from *from* on, in as many numbers as LIMIT. Computes, never waits. */
static int count_primes(void *arg, void *result)
{
        const int from = *(const int *)arg;
        int count = 0;

        for (int n = from; n < from + LIMIT / QUESTIONS; n++) {
                int d = 2;

                while (d * d <= n && n % d)
                        d++;
                count += n >= 2 && d * d > n;
        }
        *(int *)result = count;
        return 0;
}

/* A task for each question. */
static int answer(void *arg)
{
        struct question *question = arg;
        struct plait_job job = {.fn = count_primes,
                                .arg = &question->from,
                                .arg_bytes = sizeof question->from,
                                .result = &question->primes,
                                .result_bytes = sizeof question->primes,
                                .name = "count primes"};

        return plait_executor_call(workers, &job, plait_in_s(60), NULL);
}

static int tick(void *arg)
{
        int *ticks = arg;
        int r;

        while ((r = plait_sleep(plait_in_ms(1))) == 0)
                ++*ticks;
        return r;
}

static int ask_all(struct question *questions)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < QUESTIONS; i++) {
                questions[i].from = i * (LIMIT / QUESTIONS);
                plait_scope_go(&scope, answer, &questions[i]);
        }
        return plait_scope_join(&scope);
}

static int app(void *arg)
{
        struct question questions[QUESTIONS] = {{0}};
        struct plait_scope clock = PLAIT_SCOPE_INIT;
        int ticks = 0, primes = 0;

        (void)arg;
        int r = plait_executor_processes(NULL, &workers);
        if (r < 0)
                return r;
        plait_scope_go(&clock, tick, &ticks);
        r = ask_all(questions);
        plait_scope_cancel(&clock);
        (void)plait_scope_join(&clock); /* -ECANCELED */
        plait_executor_free(workers);
        if (r < 0)
                return r;
        for (int i = 0; i < QUESTIONS; i++)
                primes += questions[i].primes;
        printf("%d primes below %d\n", primes, LIMIT);
        printf("the clock went on: %s\n", ticks > 0 ? "yes" : "no");
        return 0;
}

int main(void)
{
        return plait_run(app, NULL, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
