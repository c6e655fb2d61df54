/* trace_lttng: what trace.c measures, with LTTng-UST. Arguments: threads n. bench/trace.py makes its session. */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "trace_lttng.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 20000, THREADS_MOST = 64 };

struct teller {
        pthread_t thread;
        long long n, ns;
};

static long long now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *tell(void *arg)
{
        struct teller *teller = arg;

        for (long long i = 0; i < teller->n; i += BATCH) {
                long long start_ns = now_ns();

                for (long long k = 0; k < BATCH; k++)
                        lttng_ust_tracepoint(plait_bench, event, k);
                teller->ns += now_ns() - start_ns;
                usleep(2000);
        }
        return NULL;
}

int main(int argc, char **argv)
{
        struct teller tellers[THREADS_MOST] = {0};
        long long n_threads = argc == 3 ? strtoll(argv[1], NULL, 10) : 0;
        long long n = argc == 3 ? strtoll(argv[2], NULL, 10) : 0;
        long long ns = 0;

        if (n_threads < 1 || n_threads > THREADS_MOST || n < BATCH)
                return 2;
        for (long long i = 0; i < n_threads; i++) {
                tellers[i].n = n;
                if (pthread_create(&tellers[i].thread, NULL, tell, &tellers[i]))
                        return 1;
        }
        for (long long i = 0; i < n_threads; i++) {
                pthread_join(tellers[i].thread, NULL);
                ns += tellers[i].ns;
        }
        long long told = (n + BATCH - 1) / BATCH * BATCH * n_threads;
        printf("{\"ns_per_event\": %.2f}\n", (double)ns / (double)told);
        return 0;
}
