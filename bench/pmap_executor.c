/*
 * pmap by the map of an executor. Arguments: squares|inverse|fine n size [threads|tasks|processes|serial]; the
 * functions are in README.md, serial is the same code in a loop.
 */
#include "pmap.h"

static uint64_t size;
static uint64_t *items, *out;
static int64_t n;
static int (*fn)(void *arg, void *result);

static int map_squares(void *arg, void *result)
{
        *(uint64_t *)result = squares(size + *(const uint64_t *)arg);
        return 0;
}

static int map_inverse(void *arg, void *result)
{
        *(uint64_t *)result = inverse(*(const uint64_t *)arg, size);
        return 0;
}

static int map_fine(void *arg, void *result)
{
        *(uint64_t *)result = xorshift(*(const uint64_t *)arg + 1, size);
        return 0;
}

static int serially(struct plait_executor *executor)
{
        (void)executor;
        for (int64_t i = 0; i < n; i++)
                fn(&items[i], &out[i]);
        return 0;
}

static int in_parallel(struct plait_executor *executor)
{
        return plait_executor_map(executor, fn, items, sizeof *items, out, sizeof *out, (size_t)n, NULL);
}

static int nothing(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return 0;
}

/* The workers are up before the clock runs, as the peers' are. */
static void measure(struct plait_executor *executor, int (*map)(struct plait_executor *executor))
{
        uint64_t sum = 0;

        if (executor)
                bench_must(plait_executor_map(executor, nothing, NULL, 0, NULL, 0, 100, NULL), "warm-up");
        int64_t start_ns = plait_now_ns();
        bench_must(map(executor), "map");
        int64_t ns = plait_now_ns() - start_ns;
        for (int64_t i = 0; i < n; i++)
                sum += out[i];
        bench_report(n, ns, sum);
}

static int with_tasks(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_executor *executor;

        (void)arg;
        bench_must(plait_executor_tasks(&scope, NULL, &executor), "executor");
        measure(executor, in_parallel);
        plait_executor_free(executor);
        return plait_scope_join(&scope);
}

/* Other processes do not have what main() has found in the arguments. */
static int set_size(void *arg)
{
        size = *(const uint64_t *)arg;
        return 0;
}

static void with_workers(int (*open_executor)(const struct plait_executor_opts *opts, struct plait_executor **ret))
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = BENCH_WORKERS};
        struct plait_executor *executor;

        if (open_executor == plait_executor_processes) {
                opts.initializer = set_size;
                opts.arg = &size;
                opts.arg_bytes = sizeof size;
        }
        bench_must(open_executor(&opts, &executor), "executor");
        measure(executor, in_parallel);
        plait_executor_free(executor);
}

static bool choose(const char *name)
{
        switch (name ? name[0] : 0) {
        case 's': fn = map_squares; break;
        case 'i': fn = map_inverse; break;
        case 'f': fn = map_fine; break;
        default: return false;
        }
        return true;
}

int main(int argc, char **argv)
{
        const char *kind = argc > 4 ? argv[4] : "threads";

        if (!choose(argv[1])) {
                fprintf(stderr, "the first argument is to be squares, inverse or fine\n");
                return 2;
        }
        n = bench_size(argv, 2);
        size = (uint64_t)bench_size(argv, 3);
        items = calloc((size_t)n, sizeof *items);
        out = calloc((size_t)n, sizeof *out);
        bench_must(items && out ? 0 : -ENOMEM, "arrays");
        memset(out, 1, (size_t)n * sizeof *out); /* C++ and Rust fill theirs, too */
        for (int64_t i = 0; i < n; i++)
                items[i] = (uint64_t)i;
        int r = 0;
        if (strcmp(kind, "threads") == 0)
                with_workers(plait_executor_threads);
        else if (strcmp(kind, "processes") == 0)
                with_workers(plait_executor_processes);
        else if (strcmp(kind, "tasks") == 0)
                r = bench_run(with_tasks, NULL, 0);
        else if (strcmp(kind, "serial") == 0)
                measure(NULL, serially);
        else
                r = 2;
        free(items);
        free(out);
        return r;
}
