/*
 * procpool: calls of functions in a pool of 2 worker processes that are up. Arguments: latency|stream|chunked|payload n
 * mib. With "latency" the answer has the median and the 99th percentile, too. See README.md.
 */
#include <string.h>

#include "bench.h"

enum { FLIGHT = 256 };

static struct plait_executor *executor;

static int successor(void *arg, void *result)
{
        *(uint64_t *)result = *(const uint64_t *)arg + 1;
        return 0;
}

static int increment(void *arg, void *result)
{
        struct plait_array array = PLAIT_ARRAY_INIT;
        int r = plait_array_open(arg, &array);

        (void)result;
        if (r < 0)
                return r;
        uint64_t *words = array.data;
        for (size_t i = 0; i < array.shape[0]; i++)
                words[i]++;
        plait_array_done(&array);
        return 0;
}

static struct plait_job successor_job(uint64_t *number, uint64_t *result)
{
        return (struct plait_job){.fn = successor,
                                  .arg = number,
                                  .arg_bytes = sizeof *number,
                                  .result = result,
                                  .result_bytes = sizeof *result};
}

static void call(uint64_t number, uint64_t *result)
{
        struct plait_job job = successor_job(&number, result);

        bench_must(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), "call");
}

static int by_size(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static void latency(uint64_t n)
{
        int64_t *each = calloc(n, sizeof *each);
        int64_t start = plait_now_ns();
        uint64_t sum = 0, result;

        if (!each || !n)
                exit(1);
        for (uint64_t i = 0; i < n; i++) {
                int64_t began = plait_now_ns();

                call(i, &result);
                sum += result;
                each[i] = plait_now_ns() - began;
        }
        int64_t took = plait_now_ns() - start;
        qsort(each, n, sizeof *each, by_size);
        printf("{\"ops\": %" PRIu64 ", \"seconds\": %.9f, \"check\": %" PRIu64 ", \"p50_ns\": %" PRId64
               ", \"p99_ns\": %" PRId64 "}\n",
               n, (double)took * 1e-9, sum, each[n / 2], each[n * 99 / 100]);
        free(each);
}

/* Each call a job of its own, FLIGHT of them under way. */
static void stream(uint64_t n)
{
        static struct {
                struct plait_future *future;
                uint64_t number, result;
        } flight[FLIGHT];
        int64_t start = plait_now_ns();
        uint64_t sum = 0, sent = 0;

        for (uint64_t got = 0; got < n; got++) {
                for (; sent < n && sent < got + FLIGHT; sent++) {
                        uint64_t at = sent % FLIGHT;

                        flight[at].number = sent;
                        struct plait_job job = successor_job(&flight[at].number, &flight[at].result);
                        bench_must(plait_executor_submit(executor, &job, &flight[at].future), "submit");
                }
                int result;
                bench_must(plait_future_wait(flight[got % FLIGHT].future, PLAIT_NEVER, &result, NULL), "wait");
                bench_must(result, "job");
                plait_future_unref(flight[got % FLIGHT].future);
                sum += flight[got % FLIGHT].result;
        }
        bench_report((int64_t)n, plait_now_ns() - start, sum);
}

static void chunked(uint64_t n)
{
        uint64_t *numbers = calloc(n, sizeof *numbers), *results = calloc(n, sizeof *results);
        uint64_t sum = 0;

        if (!numbers || !results)
                exit(1);
        for (uint64_t i = 0; i < n; i++)
                numbers[i] = i;
        int64_t start = plait_now_ns();
        bench_must(plait_executor_map(executor, successor, numbers, sizeof *numbers, results, sizeof *results, n, NULL),
                   "map");
        for (uint64_t i = 0; i < n; i++)
                sum += results[i];
        bench_report((int64_t)n, plait_now_ns() - start, sum);
        free(numbers);
        free(results);
}

static void payload(uint64_t n, uint64_t mib)
{
        const size_t shape[] = {mib << 17};
        struct plait_array array = PLAIT_ARRAY_INIT;
        struct plait_array_handle handle;
        uint64_t sum = 0;

        bench_must(plait_array_init(&array, PLAIT_ARRAY_U64, 1, shape, NULL), "array");
        bench_must(plait_array_share(&array, &handle), "array");
        uint64_t *words = array.data;
        for (size_t i = 0; i < shape[0]; i++)
                words[i] = i;
        struct plait_job job = {.fn = increment, .arg = &handle, .arg_bytes = sizeof handle};
        int64_t start = plait_now_ns();
        for (uint64_t i = 0; i < n; i++)
                bench_must(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), "call");
        int64_t took = plait_now_ns() - start;
        for (size_t i = 0; i < shape[0]; i++)
                sum += words[i];
        bench_report((int64_t)n, took, sum);
        plait_array_done(&array);
}

/* Both workers are to be up. */
static void warm_up(void)
{
        struct plait_future *futures[2 * BENCH_WORKERS];
        uint64_t numbers[2 * BENCH_WORKERS], results[2 * BENCH_WORKERS];

        for (int i = 0; i < 2 * BENCH_WORKERS; i++) {
                numbers[i] = 0;
                struct plait_job job = successor_job(&numbers[i], &results[i]);
                bench_must(plait_executor_submit(executor, &job, &futures[i]), "submit");
        }
        for (int i = 0; i < 2 * BENCH_WORKERS; i++) {
                bench_must(plait_future_wait(futures[i], PLAIT_NEVER, NULL, NULL), "wait");
                plait_future_unref(futures[i]);
        }
}

int main(int argc, char **argv)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = BENCH_WORKERS};

        if (argc < 4)
                return 2;
        uint64_t n = (uint64_t)bench_size(argv, 2), mib = (uint64_t)bench_size(argv, 3);
        bench_must(plait_executor_processes(&opts, &executor), "open");
        warm_up();
        if (strcmp(argv[1], "latency") == 0)
                latency(n);
        else if (strcmp(argv[1], "stream") == 0)
                stream(n);
        else if (strcmp(argv[1], "chunked") == 0)
                chunked(n);
        else
                payload(n, mib);
        plait_executor_free(executor);
        return 0;
}
