/*
 * What the parts of bench/fairness share: the servers that are measured, the load, which is a process of its own, and
 * what that finds.
 */
#ifndef BENCH_FAIRNESS_H
#define BENCH_FAIRNESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { FAIRNESS_MESSAGE_BYTES = 64 };

/* The processor that the hog, task or thread, is on, for the load to share it; -1: there is none. In memory that the
 * load's process sees, too. */
extern _Atomic int *fairness_hog_cpu;
void fairness_hog_is_here(void);
void fairness_hog_is_gone(void);

enum fairness_server { FAIRNESS_PLAIT, FAIRNESS_BARE, FAIRNESS_SERVERS };

/* Of one phase. */
struct fairness_figures {
        double p50_us, p99_us;
        double late_us; /* 99th percentile of how late the load itself was back when it was to send */
        double cpu_s;   /* of the load */
        int64_t echoes;
};

struct fairness_load {
        const int *sockets[FAIRNESS_SERVERS]; /* the load's ends, *connections* for each server */
        int64_t connections;
        int64_t phase_ns;
        int control; /* a byte, enum fairness_server, begins a phase; the answer is its figures */
};

/* In the load's process: serve phases until *control* is closed, and exit. */
void fairness_load_run(const struct fairness_load *opts) __attribute__((noreturn));

/* --- the bare server, see fairness_bare.c --- */

enum { FAIRNESS_BARE_THREADS = 2 };

struct fairness_bare {
        int epoll_fds[FAIRNESS_BARE_THREADS];
        pthread_t threads[FAIRNESS_BARE_THREADS];
        _Atomic bool over;
};

/* Prepare it to serve *sockets*, of which each thread gets its part. 0 or -errno. */
int fairness_bare_open(struct fairness_bare *bare, const int *sockets, int64_t connections);

/* Serve until stop(); with *hog*, the second thread only computes. 0 or -errno. */
int fairness_bare_start(struct fairness_bare *bare, bool hog);
void fairness_bare_stop(struct fairness_bare *bare);

#endif
