/*
 * scale: what operations cost, and what tasks weigh, beside 100 to 1,000,000 tasks that are blocked. Prints a table; no
 * peer has this, so it is no workload of their contract. README.md says how to read it. Arguments: [most tasks].
 */
#include "bench.h"

#include <stdatomic.h>
#include <unistd.h>

enum { FEWEST = 100, MOST = 1000000, OPS = 100000, SLEEPS = 2000 };

static struct plait_event go;
static _Atomic int64_t arrived;

static int64_t resident_bytes(void)
{
        char text[64];
        FILE *file = fopen("/proc/self/statm", "r");
        bool good = file && fgets(text, sizeof text, file);

        bench_must(good ? 0 : -1, "/proc/self/statm");
        fclose(file);

        char *second;

        (void)strtol(text, &second, 10); /* the first number is the size of the address space */
        return strtol(second, NULL, 10) * sysconf(_SC_PAGESIZE);
}

/* --- the operations: each is done by this task and maybe one more, and returns how often --- */

static int nothing(void *arg)
{
        (void)arg;
        return 0;
}

static int64_t spawn(void)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < OPS; i++)
                bench_must(plait_scope_go(&scope, nothing, NULL), "spawn");
        bench_must(plait_scope_join(&scope), "join");
        return OPS;
}

static int yields(void *arg)
{
        (void)arg;
        for (int i = 0; i < OPS; i++)
                plait_yield();
        return 0;
}

static int64_t two_do(int (*fn)(void *), int64_t each)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        bench_must(plait_scope_go(&scope, fn, NULL), "spawn");
        bench_must(plait_scope_go(&scope, fn, NULL), "spawn");
        bench_must(plait_scope_join(&scope), "join");
        return 2 * each;
}

static int64_t yield(void)
{
        return two_do(yields, OPS);
}

static struct plait_mutex mutex;

static int locks(void *arg)
{
        (void)arg;
        for (int i = 0; i < OPS; i++) {
                bench_must(plait_mutex_lock(&mutex, PLAIT_NEVER), "lock");
                plait_yield(); /* so that the other one has to wait */
                plait_mutex_unlock(&mutex);
        }
        return 0;
}

static int64_t lock(void)
{
        return two_do(locks, OPS);
}

static int sleeps(void *arg)
{
        (void)arg;
        for (int i = 0; i < SLEEPS; i++)
                bench_must(plait_sleep(plait_in_ns(1000)), "sleep");
        return 0;
}

static int64_t sleep_and_wake(void)
{
        return two_do(sleeps, SLEEPS);
}

static struct plait_channel *there, *back;

static int returns(void *arg)
{
        int ball;

        (void)arg;
        for (int i = 0; i < OPS; i++) {
                bench_must(plait_channel_receive(there, &ball, PLAIT_NEVER), "receive");
                bench_must(plait_channel_send(back, &ball, PLAIT_NEVER), "send");
        }
        return 0;
}

static int64_t hand_off(void)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int ball = 0;

        bench_must(plait_channel_new(sizeof ball, 0, &there), "channel");
        bench_must(plait_channel_new(sizeof ball, 0, &back), "channel");
        bench_must(plait_scope_go(&scope, returns, NULL), "spawn");
        for (int i = 0; i < OPS; i++) {
                bench_must(plait_channel_send(there, &ball, PLAIT_NEVER), "send");
                bench_must(plait_channel_receive(back, &ball, PLAIT_NEVER), "receive");
        }
        bench_must(plait_scope_join(&scope), "join");
        plait_channel_free(there);
        plait_channel_free(back);
        return 2 * (int64_t)OPS;
}

/* The best of three, in ns per operation. */
static double cost(int64_t (*fn)(void))
{
        double best = 0;

        for (int i = 0; i < 3; i++) {
                int64_t start_ns = plait_now_ns();
                int64_t ops = fn();
                double ns = (double)(plait_now_ns() - start_ns) / (double)ops;

                if (i == 0 || ns < best)
                        best = ns;
        }
        return best;
}

/* --- beside n blocked tasks --- */

static int blocks(void *arg)
{
        (void)arg;
        atomic_fetch_add_explicit(&arrived, 1, memory_order_relaxed);
        return plait_event_wait(&go, PLAIT_NEVER);
}

static void row(int64_t n, int64_t before)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int64_t start_ns = plait_now_ns();

        arrived = 0;
        plait_event_clear(&go);
        for (int64_t i = 0; i < n; i++)
                bench_must(plait_scope_go(&scope, blocks, NULL), "spawn");
        while (atomic_load_explicit(&arrived, memory_order_relaxed) < n)
                plait_yield();
        double block_ns = (double)(plait_now_ns() - start_ns) / (double)n;
        double bytes = (double)(resident_bytes() - before) / (double)n;

        printf("%9" PRId64 "%9.1f%9.1f%9.1f%9.1f%11.1f", n, cost(spawn), cost(yield), cost(hand_off), cost(lock),
               cost(sleep_and_wake));
        start_ns = plait_now_ns();
        plait_event_set(&go);
        bench_must(plait_scope_join(&scope), "join");
        printf("%9.1f%9.1f%10.0f\n", block_ns, (double)(plait_now_ns() - start_ns) / (double)n, bytes);
        fflush(stdout);
}

static int app(void *most)
{
        int64_t before = resident_bytes();

        printf("                  ns per operation beside the blocked tasks      ns per blocked task     bytes\n"
               "  blocked    spawn    yield hand-off     lock sleep+wake    block     wake  per task\n");
        for (int64_t n = FEWEST; n <= *(int64_t *)most; n *= 10)
                row(n, before);
        return 0;
}

int main(int argc, char **argv)
{
        int64_t most = argc > 1 ? bench_size(argv, 1) : MOST;

        return bench_run(app, &most, 0);
}
