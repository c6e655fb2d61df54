/*
 * wake: how long it takes from waking somebody who sleeps until he runs, beside what the system itself takes for that.
 * By turns, each after a pause in which everything goes to sleep:
 *
 *      futex    a thread wakes another one by a futex: the limit
 *      thread   a thread releases a semaphore for which a task waits; all workers sleep
 *      worker   a task releases one for which a task of high priority waits, and holds up its worker
 *      start    a task starts another, and holds up its worker, so that the other one has to take it
 *
 * Arguments: rounds pause_ms [across]. It prints the median and the 99th percentile of each, and the ratios of the
 * medians to the futex's. The kernel mostly wakes a thread on the processor of who wakes it, where it begins when that
 * one pauses. With *across* the waking thread keeps to one processor and all others to another one, as in the peers'
 * measurement of the limit, and the two that a task wakes are left out.
 */
#include "bench.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_NS = 1000000 };

enum kind { BY_FUTEX, BY_THREAD, BY_WORKER, BY_START, KINDS };

static const char *const names[KINDS] = {"futex", "thread", "worker", "start"};

static int64_t rounds, pause_ns;
static int64_t *took[KINDS]; /* ns, by round */
static _Atomic int64_t woken_at[KINDS];
static int64_t n_woken;
static bool across;
static cpu_set_t processors;
static _Atomic uint32_t word; /* of the futex: the round, once it is waited for */
static struct plait_semaphore by_thread, by_worker, turn, done;

static long futex(int operation, uint32_t value)
{
        return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void note(enum kind kind)
{
        atomic_store(&woken_at[kind], plait_now_ns());
}

static void nap(int64_t ns)
{
        struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

        nanosleep(&time, NULL);
}

/* After *wake_ns* somebody was woken: when he ran is told by note(). Meanwhile the thread leaves its processor to him.
 */
static void take(enum kind kind, int64_t round, int64_t wake_ns)
{
        int64_t at;

        while (!(at = atomic_load(&woken_at[kind])))
                nap(LOOK_NS);
        took[kind][round] = at - wake_ns;
        atomic_store(&woken_at[kind], 0);
        n_woken++;
}

/* --- threads --- */

/* The *nth* of those that the process may use. */
static void keep_to(unsigned nth)
{
        cpu_set_t one;
        unsigned processor = 0;

        for (; processor < CPU_SETSIZE && (!CPU_ISSET(processor, &processors) || nth-- > 0); processor++) {}
        CPU_ZERO(&one);
        if (processor < CPU_SETSIZE)
                CPU_SET(processor, &one);
        bench_must(sched_setaffinity(0, sizeof one, &one) < 0 ? -errno : 0, "keep to a processor");
}

static void *sleep_on_futex(void *arg)
{
        (void)arg;
        for (uint32_t round = 0; round < (uint32_t)rounds; round++) {
                while (atomic_load(&word) == round)
                        futex(FUTEX_WAIT, round);
                note(BY_FUTEX);
        }
        return NULL;
}

static void *wake_by_turns(void *arg)
{
        (void)arg;
        if (across)
                keep_to(1);
        for (int64_t round = 0; round < rounds; round++) {
                nap(pause_ns);
                int64_t wake_ns = plait_now_ns();
                atomic_store(&word, (uint32_t)round + 1);
                futex(FUTEX_WAKE, 1);
                take(BY_FUTEX, round, wake_ns);

                nap(pause_ns);
                wake_ns = plait_now_ns();
                plait_semaphore_release(&by_thread, 1);
                take(BY_THREAD, round, wake_ns);

                if (across)
                        continue;
                plait_semaphore_release(&turn, 1);
                bench_must(plait_semaphore_acquire(&done, PLAIT_NEVER), "wait for the task");
        }
        return NULL;
}

/* --- tasks --- */

static int wait_for_thread(void *arg)
{
        (void)arg;
        for (int64_t round = 0; round < rounds; round++) {
                bench_must(plait_semaphore_acquire(&by_thread, PLAIT_NEVER), "wait for the thread");
                note(BY_THREAD);
        }
        return 0;
}

static int wait_for_worker(void *arg)
{
        (void)arg;
        for (int64_t round = 0; round < rounds; round++) {
                bench_must(plait_semaphore_acquire(&by_worker, PLAIT_NEVER), "wait for the worker");
                note(BY_WORKER);
        }
        return 0;
}

static int begin(void *arg)
{
        (void)arg;
        note(BY_START);
        return 0;
}

static int wake_from_task(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        for (int64_t round = 0; round < rounds; round++) {
                bench_must(plait_semaphore_acquire(&turn, PLAIT_NEVER), "wait for the turn");
                bench_must(plait_sleep(plait_now_ns() + pause_ns), "sleep");
                int64_t wake_ns = plait_now_ns();
                plait_semaphore_release(&by_worker, 1);
                take(BY_WORKER, round, wake_ns);

                bench_must(plait_sleep(plait_now_ns() + pause_ns), "sleep");
                wake_ns = plait_now_ns();
                bench_must(plait_scope_go(&scope, begin, NULL), "spawn");
                take(BY_START, round, wake_ns);
                bench_must(plait_scope_join(&scope), "join");
                plait_semaphore_release(&done, 1);
        }
        return 0;
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts high = {.size = sizeof high, .flags = PLAIT_TASK_HIGH};
        pthread_t sleeper, waker;

        (void)arg;
        bench_must(plait_scope_go(&scope, wait_for_thread, NULL), "spawn");
        if (!across) {
                bench_must(plait_scope_start(&scope, wait_for_worker, NULL, &high, NULL), "spawn");
                bench_must(plait_scope_go(&scope, wake_from_task, NULL), "spawn");
        }
        bench_must(-pthread_create(&sleeper, NULL, sleep_on_futex, NULL), "thread");
        bench_must(-pthread_create(&waker, NULL, wake_by_turns, NULL), "thread");
        bench_must(plait_scope_join(&scope), "join");
        pthread_join(waker, NULL);
        pthread_join(sleeper, NULL);
        return 0;
}

/* --- the report --- */

static int compare(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static void report(int64_t ns)
{
        const size_t middle = (size_t)rounds / 2, high = (size_t)rounds * 99 / 100;
        const int kinds = across ? BY_THREAD + 1 : KINDS;
        double limit = 0;

        printf("{\"ops\": %" PRId64 ", \"seconds\": %.9f, \"check\": %" PRId64, rounds * kinds, (double)ns * 1e-9,
               n_woken);
        for (int kind = 0; kind < kinds; kind++) {
                qsort(took[kind], (size_t)rounds, sizeof *took[kind], compare);
                double p50 = (double)took[kind][middle], p99 = (double)took[kind][high];

                if (kind == BY_FUTEX)
                        limit = p50;
                printf(", \"%s_p50_us\": %.1f, \"%s_p99_us\": %.1f", names[kind], p50 / 1e3, names[kind], p99 / 1e3);
                if (kind != BY_FUTEX)
                        printf(", \"%s_ratio\": %.2f", names[kind], p50 / limit);
        }
        printf("}\n");
}

int main(int argc, char **argv)
{
        across = argc == 4 && strcmp(argv[3], "across") == 0;
        if (argc != 3 && !across) {
                fprintf(stderr, "usage: wake ROUNDS PAUSE_MS [across]\n");
                return 2;
        }
        rounds = bench_size(argv, 1);
        pause_ns = bench_size(argv, 2) * 1000000;
        if (!rounds)
                return 2;
        for (int kind = 0; kind < KINDS; kind++) {
                took[kind] = calloc((size_t)rounds, sizeof *took[kind]);
                if (!took[kind])
                        return 1;
        }
        bench_must(sched_getaffinity(0, sizeof processors, &processors) < 0 ? -errno : 0, "ask for the processors");
        if (across)
                keep_to(0);
        int64_t start_ns = plait_now_ns();
        int r = bench_run(app, NULL, 0);
        if (r == 0)
                report(plait_now_ns() - start_ns);
        for (int kind = 0; kind < KINDS; kind++)
                free(took[kind]);
        return r;
}
