/*
 * pmap: out[i] = f(i) for i < n in parallel. Arguments: squares|inverse|fine n size [tasks|serial|threads [inside]];
 * the functions are in README.md. The fourth one says what does the same instead of plait_parallel_for(): a loop, for
 * what perfect scaling would be, or two bare threads that share a counter, for what the machine has of that. With the
 * last one it also prints how much of two processors' time was spent inside f: what is left is what the loop itself
 * takes.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "pmap.h"

static uint64_t size;
static uint64_t *out;

static int map_squares(size_t begin, size_t end, void *arg)
{
        (void)arg;
        for (size_t i = begin; i < end; i++)
                out[i] = squares(size + i);
        return 0;
}

static int map_inverse(size_t begin, size_t end, void *arg)
{
        (void)arg;
        for (size_t i = begin; i < end; i++)
                out[i] = inverse(i, size);
        return 0;
}

static int map_fine(size_t begin, size_t end, void *arg)
{
        (void)arg;
        for (size_t i = begin; i < end; i++)
                out[i] = xorshift(i + 1, size);
        return 0;
}

static int64_t n;
static int (*map)(size_t begin, size_t end, void *arg);
static int (*timed)(size_t begin, size_t end, void *arg); /* NULL: not to be timed */
static _Atomic int64_t inside_ns;

static int map_timed(size_t begin, size_t end, void *arg)
{
        int64_t start_ns = plait_now_ns();
        int r = timed(begin, end, arg);

        inside_ns += plait_now_ns() - start_ns;
        return r;
}

static int in_tasks(void)
{
        return plait_parallel_for((size_t)n, map, NULL);
}

static int in_sequence(void)
{
        return map(0, (size_t)n, NULL);
}

static int64_t taken;

static void *take_items(void *arg)
{
        enum { SHARES = 400 }; /* of n: an item of squares at a time */
        int64_t share = n / SHARES + 1;

        for (int64_t i; (i = __atomic_fetch_add(&taken, share, __ATOMIC_RELAXED)) < n;)
                (void)map((size_t)i, (size_t)(i + share < n ? i + share : n), NULL);
        return arg;
}

static int in_threads(void)
{
        pthread_t other;
        int r = -pthread_create(&other, NULL, take_items, NULL);

        take_items(NULL);
        return r < 0 ? r : -pthread_join(other, NULL);
}

static int (*whole)(void) = in_tasks;

static int app(void *arg)
{
        uint64_t sum = 0;

        (void)arg;
        int64_t start_ns = plait_now_ns();
        bench_must(whole(), "map");
        int64_t ns = plait_now_ns() - start_ns;
        for (int64_t i = 0; i < n; i++)
                sum += out[i];
        if (timed)
                printf("{\"ops\": %" PRId64 ", \"seconds\": %.9f, \"check\": %" PRIu64 ", \"inside\": %.4f}\n", n,
                       (double)ns * 1e-9, sum, (double)inside_ns / (double)(BENCH_WORKERS * ns));
        else
                bench_report(n, ns, sum);
        return 0;
}

int main(int argc, char **argv)
{
        switch (argv[1] ? argv[1][0] : 0) {
        case 's': map = map_squares; break;
        case 'i': map = map_inverse; break;
        case 'f': map = map_fine; break;
        default: fprintf(stderr, "the first argument is to be squares, inverse or fine\n"); return 2;
        }
        n = bench_size(argv, 2);
        size = (uint64_t)bench_size(argv, 3);
        if (argc > 4 && strcmp(argv[4], "serial") == 0)
                whole = in_sequence;
        else if (argc > 4 && strcmp(argv[4], "threads") == 0)
                whole = in_threads;
        else if (argc > 4 && strcmp(argv[4], "tasks") != 0)
                bench_must(-EINVAL, "the fourth argument");
        if (argc > 5 && strcmp(argv[5], "inside") != 0)
                bench_must(-EINVAL, "the fifth argument");
        if (argc > 5) {
                timed = map;
                map = map_timed;
        }
        out = calloc((size_t)n, sizeof *out);
        bench_must(out ? 0 : -ENOMEM, "output");
        memset(out, 1, (size_t)n * sizeof *out); /* C++ and Rust fill theirs, too */
        int r = whole == in_tasks ? bench_run(app, NULL, 0) : app(NULL);
        free(out);
        return r;
}
