/*
 * rwlock: flows read a table of 64 numbers under a reader-writer lock, and every so many times write all of them, k
 * times each. Arguments: what flows k every. *what*: plait (tasks on two workers), threads (plain threads, the same
 * lock), pthread (plain threads, pthread_rwlock_t). *every* 0: nobody writes.
 *
 * All three do the same work inside the lock, and the check counts what was written.
 */
#include "bench.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { NUMBERS = 64, FLOWS_MOST = 1024 };

static int64_t flows, k, every;
static struct plait_rwlock lock;
static pthread_rwlock_t system_lock = PTHREAD_RWLOCK_INITIALIZER;
static volatile uint64_t numbers[NUMBERS];

static uint64_t read_all(void)
{
        uint64_t sum = 0;

        for (int i = 0; i < NUMBERS; i++)
                sum += numbers[i];
        return sum;
}

static void write_all(void)
{
        for (int i = 0; i < NUMBERS; i++)
                numbers[i] = numbers[i] + 1;
}

/* Each flow writes at another of its turns. */
static bool is_to_write(int64_t flow, int64_t i)
{
        return every && (i + flow * 7) % every == 0;
}

static void check(uint64_t sum)
{
        if (sum % NUMBERS) {
                fprintf(stderr, "a reader has seen a writer at work\n");
                exit(1);
        }
}

static int use_plait(void *arg)
{
        const int64_t flow = (int64_t)(intptr_t)arg;

        for (int64_t i = 0; i < k; i++) {
                if (is_to_write(flow, i)) {
                        bench_must(plait_rwlock_lock_write(&lock, PLAIT_NEVER), "lock");
                        write_all();
                        plait_rwlock_unlock_write(&lock);
                } else {
                        bench_must(plait_rwlock_lock_read(&lock, PLAIT_NEVER), "lock");
                        uint64_t sum = read_all();
                        plait_rwlock_unlock_read(&lock);
                        check(sum);
                }
        }
        return 0;
}

static void *use_plait_in_thread(void *arg)
{
        use_plait(arg);
        return NULL;
}

static void *use_pthread(void *arg)
{
        const int64_t flow = (int64_t)(intptr_t)arg;

        for (int64_t i = 0; i < k; i++) {
                if (is_to_write(flow, i)) {
                        bench_must(-pthread_rwlock_wrlock(&system_lock), "lock");
                        write_all();
                        pthread_rwlock_unlock(&system_lock);
                } else {
                        bench_must(-pthread_rwlock_rdlock(&system_lock), "lock");
                        uint64_t sum = read_all();
                        pthread_rwlock_unlock(&system_lock);
                        check(sum);
                }
        }
        return NULL;
}

static void report(int64_t start_ns)
{
        bench_report(flows * k, plait_now_ns() - start_ns, numbers[0]);
}

static int run_tasks(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int64_t start_ns = plait_now_ns();

        (void)arg;
        for (int64_t i = 0; i < flows; i++)
                bench_must(plait_scope_go(&scope, use_plait, (void *)(intptr_t)i), "spawn");
        bench_must(plait_scope_join(&scope), "join");
        report(start_ns);
        return 0;
}

static int run_threads(void *(*fn)(void *arg))
{
        static pthread_t threads[FLOWS_MOST];
        int64_t start_ns = plait_now_ns();

        for (int64_t i = 0; i < flows; i++)
                bench_must(-pthread_create(&threads[i], NULL, fn, (void *)(intptr_t)i), "thread");
        for (int64_t i = 0; i < flows; i++)
                bench_must(-pthread_join(threads[i], NULL), "join");
        report(start_ns);
        return 0;
}

int main(int argc, char **argv)
{
        const char *what = argc > 1 ? argv[1] : "";

        flows = bench_size(argv, 2);
        k = bench_size(argv, 3);
        every = bench_size(argv, 4);
        if (flows > FLOWS_MOST)
                flows = FLOWS_MOST;
        if (strcmp(what, "plait") == 0)
                return bench_run(run_tasks, NULL, 0);
        if (strcmp(what, "threads") == 0)
                return run_threads(use_plait_in_thread);
        if (strcmp(what, "pthread") == 0)
                return run_threads(use_pthread);
        fprintf(stderr, "the first argument is to be plait, threads or pthread\n");
        return 2;
}
