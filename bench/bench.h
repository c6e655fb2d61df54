/* For the benchmark programs: the size arguments, the clock, the one-line report. The contract is in README.md. */
#ifndef BENCH_H
#define BENCH_H

#include <plait/plait.h>

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BENCH_WORKERS = 2 }; /* no peer has more */

/* The i-th argument, counted from 1. */
static inline int64_t bench_size(char **argv, int i)
{
        char *end;
        long long n = argv[i] ? strtoll(argv[i], &end, 10) : 0;

        if (!argv[i] || *end || n < 0) {
                fprintf(stderr, "argument %d is to be a number\n", i);
                exit(2);
        }
        return n;
}

static inline void bench_must(int r, const char *what)
{
        if (r < 0) {
                fprintf(stderr, "%s: error %d\n", what, -r);
                exit(1);
        }
}

static inline void bench_report(int64_t ops, int64_t ns, uint64_t check)
{
        printf("{\"ops\": %" PRId64 ", \"seconds\": %.9f, \"check\": %" PRIu64 "}\n", ops, (double)ns * 1e-9, check);
}

/* Run *fn* with *workers* workers (0: as many as the peers have at most). The environment is not to interfere. */
static inline int bench_run(int (*fn)(void *), void *arg, unsigned workers)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = workers ? workers : BENCH_WORKERS};

        return plait_run(fn, arg, &opts) < 0;
}

#endif
