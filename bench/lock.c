/*
 * lock: tasks lock, add 1 to a counter and unlock, k times each. Arguments: tasks k [depth]. With a depth, that many
 * locks are taken one inside the other each time, and each counts as an operation. PLAIT_LOCKORDER=off|warn says
 * whether the detector of lock orders looks.
 */
#include "bench.h"

static int64_t tasks, k;
static struct plait_mutex mutex;
static volatile uint64_t counter;

static int count(void *arg)
{
        (void)arg;
        for (int64_t i = 0; i < k; i++) {
                bench_must(plait_mutex_lock(&mutex, PLAIT_NEVER), "lock");
                counter = counter + 1;
                plait_mutex_unlock(&mutex);
        }
        return 0;
}

enum { DEPTH_MOST = 16 };

static int64_t depth;
static struct plait_mutex nested[DEPTH_MOST];

static int count_nested(void *arg)
{
        (void)arg;
        for (int64_t i = 0; i < k; i++) {
                for (int64_t d = 0; d < depth; d++)
                        bench_must(plait_mutex_lock(&nested[d], PLAIT_NEVER), "lock");
                counter = counter + (uint64_t)depth;
                for (int64_t d = depth; d-- > 0;)
                        plait_mutex_unlock(&nested[d]);
        }
        return 0;
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int64_t start_ns = plait_now_ns();

        (void)arg;
        for (int64_t i = 0; i < tasks; i++)
                bench_must(plait_scope_go(&scope, depth ? count_nested : count, NULL), "spawn");
        bench_must(plait_scope_join(&scope), "join");
        bench_report(tasks * k * (depth ? depth : 1), plait_now_ns() - start_ns, counter);
        return 0;
}

int main(int argc, char **argv)
{
        tasks = bench_size(argv, 1);
        k = bench_size(argv, 2);
        depth = argc > 3 ? bench_size(argv, 3) : 0;
        if (depth > DEPTH_MOST) {
                fprintf(stderr, "a depth of %d is the most\n", DEPTH_MOST);
                return 2;
        }
        return bench_run(app, NULL, 0);
}
