/* pmap: out[i] = f(i) for i < n in parallel. Arguments: squares|inverse|fine n size; the functions are in README.md. */
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

static int app(void *arg)
{
        uint64_t sum = 0;

        (void)arg;
        int64_t start_ns = plait_now_ns();
        bench_must(plait_parallel_for((size_t)n, map, NULL), "map");
        int64_t ns = plait_now_ns() - start_ns;
        for (int64_t i = 0; i < n; i++)
                sum += out[i];
        bench_report(n, ns, sum);
        return 0;
}

int main(int argc, char **argv)
{
        (void)argc;
        switch (argv[1] ? argv[1][0] : 0) {
        case 's': map = map_squares; break;
        case 'i': map = map_inverse; break;
        case 'f': map = map_fine; break;
        default: fprintf(stderr, "the first argument is to be squares, inverse or fine\n"); return 2;
        }
        n = bench_size(argv, 2);
        size = (uint64_t)bench_size(argv, 3);
        out = calloc((size_t)n, sizeof *out);
        bench_must(out ? 0 : -ENOMEM, "output");
        memset(out, 1, (size_t)n * sizeof *out); /* C++ and Rust fill theirs, too */
        int r = bench_run(app, NULL, 0);
        free(out);
        return r;
}
