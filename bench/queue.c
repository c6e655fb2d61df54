/*
 * queue: producer j of p puts the numbers below n that are j modulo p into one bounded queue; c consumers get them, add
 * them up and say that they are done; the first flow joins the queue. Arguments: what p c n maxsize. *what*: plait
 * (tasks on two workers, plait_queue), threads (plain threads, plait_queue), pthread (plain threads, and a queue made
 * of a mutex and three condition variables, as Python's is).
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { FLOWS_MOST = 1024 };

static int64_t producers, consumers, n, maxsize;
static uint64_t sum;

/* --- what is compared --- */

struct ops {
        int (*put)(uint64_t item);
        int (*get)(uint64_t *ret_item);
        int (*task_done)(void);
        int (*join)(void);
        void (*shutdown)(void);
};

static struct plait_queue *queue;

static int plait_put(uint64_t item)
{
        return plait_queue_put(queue, &item, PLAIT_NEVER);
}

static int plait_get(uint64_t *ret_item)
{
        return plait_queue_get(queue, ret_item, PLAIT_NEVER);
}

static int plait_done(void)
{
        return plait_queue_task_done(queue);
}

static int plait_join(void)
{
        return plait_queue_join(queue, PLAIT_NEVER);
}

static void plait_stop(void)
{
        plait_queue_shutdown(queue, 0);
}

static const struct ops plait_ops = {plait_put, plait_get, plait_done, plait_join, plait_stop};

static struct {
        pthread_mutex_t mutex;
        pthread_cond_t not_empty, not_full, all_done;
        uint64_t *ring;
        int64_t first, count, unfinished;
        bool shut;
} own = {PTHREAD_MUTEX_INITIALIZER,
         PTHREAD_COND_INITIALIZER,
         PTHREAD_COND_INITIALIZER,
         PTHREAD_COND_INITIALIZER,
         NULL,
         0,
         0,
         0,
         false};

static int own_put(uint64_t item)
{
        pthread_mutex_lock(&own.mutex);
        while (own.count == maxsize && !own.shut)
                pthread_cond_wait(&own.not_full, &own.mutex);
        const bool shut = own.shut;
        if (!shut) {
                own.ring[(own.first + own.count++) % maxsize] = item;
                own.unfinished++;
                pthread_cond_signal(&own.not_empty);
        }
        pthread_mutex_unlock(&own.mutex);
        return shut ? -EPIPE : 0;
}

static int own_get(uint64_t *ret_item)
{
        pthread_mutex_lock(&own.mutex);
        while (!own.count && !own.shut)
                pthread_cond_wait(&own.not_empty, &own.mutex);
        const bool got = own.count;
        if (got) {
                *ret_item = own.ring[own.first];
                own.first = (own.first + 1) % maxsize;
                own.count--;
                pthread_cond_signal(&own.not_full);
        }
        pthread_mutex_unlock(&own.mutex);
        return got ? 0 : -EPIPE;
}

static int own_done(void)
{
        pthread_mutex_lock(&own.mutex);
        if (--own.unfinished == 0)
                pthread_cond_broadcast(&own.all_done);
        pthread_mutex_unlock(&own.mutex);
        return 0;
}

static int own_join(void)
{
        pthread_mutex_lock(&own.mutex);
        while (own.unfinished)
                pthread_cond_wait(&own.all_done, &own.mutex);
        pthread_mutex_unlock(&own.mutex);
        return 0;
}

static void own_stop(void)
{
        pthread_mutex_lock(&own.mutex);
        own.shut = true;
        pthread_cond_broadcast(&own.not_empty);
        pthread_cond_broadcast(&own.not_full);
        pthread_mutex_unlock(&own.mutex);
}

static const struct ops own_ops = {own_put, own_get, own_done, own_join, own_stop};

/* --- the work, the same for all --- */

static const struct ops *ops;

static int produce(void *first)
{
        for (uint64_t v = (uint64_t)(uintptr_t)first; v < (uint64_t)n; v += (uint64_t)producers)
                bench_must(ops->put(v), "put");
        return 0;
}

static int consume(void *arg)
{
        uint64_t v, mine = 0;

        (void)arg;
        while (ops->get(&v) == 0) {
                mine += v;
                bench_must(ops->task_done(), "task_done");
        }
        __atomic_add_fetch(&sum, mine, __ATOMIC_RELAXED);
        return 0;
}

static int run_tasks(void *arg)
{
        struct plait_scope producing = PLAIT_SCOPE_INIT, consuming = PLAIT_SCOPE_INIT;
        int64_t start_ns = plait_now_ns();

        (void)arg;
        for (int64_t i = 0; i < consumers; i++)
                bench_must(plait_scope_go(&consuming, consume, NULL), "spawn");
        for (int64_t i = 0; i < producers; i++)
                bench_must(plait_scope_go(&producing, produce, (void *)(uintptr_t)i), "spawn");
        bench_must(plait_scope_join(&producing), "join");
        bench_must(ops->join(), "join");
        ops->shutdown();
        bench_must(plait_scope_join(&consuming), "join");
        bench_report(n, plait_now_ns() - start_ns, sum);
        return 0;
}

static void *produce_in_thread(void *first)
{
        produce(first);
        return NULL;
}

static void *consume_in_thread(void *arg)
{
        consume(arg);
        return NULL;
}

static int run_threads(void)
{
        static pthread_t threads[2 * FLOWS_MOST];
        int64_t start_ns = plait_now_ns();

        for (int64_t i = 0; i < consumers; i++)
                bench_must(-pthread_create(&threads[i], NULL, consume_in_thread, NULL), "thread");
        for (int64_t i = 0; i < producers; i++)
                bench_must(-pthread_create(&threads[consumers + i], NULL, produce_in_thread, (void *)(uintptr_t)i),
                           "thread");
        for (int64_t i = 0; i < producers; i++)
                bench_must(-pthread_join(threads[consumers + i], NULL), "join");
        bench_must(ops->join(), "join");
        ops->shutdown();
        for (int64_t i = 0; i < consumers; i++)
                bench_must(-pthread_join(threads[i], NULL), "join");
        bench_report(n, plait_now_ns() - start_ns, sum);
        return 0;
}

int main(int argc, char **argv)
{
        const char *what = argc > 1 ? argv[1] : "";

        producers = bench_size(argv, 2);
        consumers = bench_size(argv, 3);
        n = bench_size(argv, 4);
        maxsize = bench_size(argv, 5);
        if (!maxsize || producers > FLOWS_MOST || consumers > FLOWS_MOST) {
                fprintf(stderr, "maxsize is to be 1 or more, and there are to be at most %d producers and consumers\n",
                        FLOWS_MOST);
                return 2;
        }
        ops = strcmp(what, "pthread") == 0 ? &own_ops : &plait_ops;
        own.ring = calloc((size_t)maxsize, sizeof *own.ring);
        bench_must(own.ring ? 0 : -ENOMEM, "ring");
        bench_must(plait_queue_new(sizeof(uint64_t), (size_t)maxsize, NULL, &queue), "queue");
        if (strcmp(what, "plait") == 0)
                return bench_run(run_tasks, NULL, 0);
        if (strcmp(what, "threads") == 0 || strcmp(what, "pthread") == 0)
                return run_threads();
        fprintf(stderr, "the first argument is to be plait, threads or pthread\n");
        return 2;
}
