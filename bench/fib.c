/* fib: recursion without a cutoff; fork fib(n - 1), compute fib(n - 2), join. Arguments: n. */
#include "bench.h"

/* Comes in as n, goes out as fib(n). */
static int fib(void *arg)
{
        int64_t *value = arg;
        int64_t n = *value;

        if (n < 2)
                return 0;
        int64_t a = n - 1, b = n - 2;
        int r = plait_fork_join(fib, &b, fib, &a);
        *value = a + b;
        return r;
}

static int64_t serial(int64_t n)
{
        int64_t a = 0, b = 1;

        while (n-- > 0) {
                int64_t next = a + b;

                a = b;
                b = next;
        }
        return a;
}

static int app(void *arg)
{
        int64_t n = *(int64_t *)arg;
        int64_t value = n;
        int64_t start_ns = plait_now_ns();

        bench_must(fib(&value), "fib");
        bench_report(serial(n + 1) - 1, plait_now_ns() - start_ns, (uint64_t)value);
        return 0;
}

int main(int argc, char **argv)
{
        int64_t n = bench_size(argv, 1);

        (void)argc;
        return bench_run(app, &n, 0);
}
