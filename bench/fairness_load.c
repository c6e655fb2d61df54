/*
 * The load of bench/fairness: a process with one thread. Each connection sends 64 bytes every 100 ms, evenly spread,
 * unless it still waits for the answer to the last ones. A latency is the time from the moment before the message was
 * sent, not from when it was due, to the moment when the answer has been read.
 */
#include "fairness.h"

#include <errno.h>
#include <plait/plait.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_NS 100000000LL

_Atomic int *fairness_hog_cpu;

void fairness_hog_is_here(void)
{
        int cpu = sched_getcpu();

        if (atomic_load_explicit(fairness_hog_cpu, memory_order_relaxed) != cpu)
                atomic_store_explicit(fairness_hog_cpu, cpu, memory_order_relaxed);
}

void fairness_hog_is_gone(void)
{
        atomic_store_explicit(fairness_hog_cpu, -1, memory_order_relaxed);
}

enum { BATCH = 256 };

struct connection {
        int fd;
        int64_t due_ns; /* when it sends; while it waits for the answer: when it sent */
};

/* For one of the servers. */
struct load {
        struct connection *all;
        struct connection **queue; /* a ring of those that do not wait, the next to send first */
        size_t connections, first, queued;
        int64_t *taken_ns, *late_ns;
        size_t n, n_late, most;
        int epoll_fd;
        cpu_set_t cpus; /* that it may use */
};

static int by_size(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static void queue(struct load *load, struct connection *connection)
{
        load->queue[(load->first + load->queued++) % load->connections] = connection;
}

static void answer(struct load *load, struct connection *connection)
{
        char message[FAIRNESS_MESSAGE_BYTES];

        if (recv(connection->fd, message, sizeof message, MSG_WAITALL) != sizeof message)
                exit(EXIT_FAILURE);
        if (load->n < load->most)
                load->taken_ns[load->n++] = plait_now_ns() - connection->due_ns;
        connection->due_ns += INTERVAL_NS;
        queue(load, connection);
}

/* Send what is due; returns when the next is. */
static int64_t send_due(struct load *load)
{
        static const char message[FAIRNESS_MESSAGE_BYTES];

        while (load->queued) {
                struct connection *connection = load->queue[load->first];
                int64_t now_ns = plait_now_ns();

                if (connection->due_ns > now_ns)
                        return connection->due_ns;
                connection->due_ns = now_ns;
                load->first = (load->first + 1) % load->connections;
                load->queued--;
                if (send(connection->fd, message, sizeof message, 0) != sizeof message)
                        exit(EXIT_FAILURE);
        }
        return INT64_MAX;
}

/*
 * Beside a hog, keep to its processor. What comes from another machine would not take the other one from the worker
 * that is left; and the kernel, which does not move a thread of real-time priority, may put that worker beside the hog.
 */
static void follow_hog(const cpu_set_t *all)
{
        static int cpu = -1;
        int at = atomic_load_explicit(fairness_hog_cpu, memory_order_relaxed);
        cpu_set_t one;

        if (at == cpu)
                return;
        cpu = at;
        CPU_ZERO(&one);
        if (at >= 0)
                CPU_SET((unsigned)at, &one);
        (void)!sched_setaffinity(0, sizeof one, at >= 0 ? &one : all);
}

/* Wait for answers until *deadline_ns*, 10 ms at most; note how late it is when this returns. */
static void take_answers(struct load *load, int64_t deadline_ns)
{
        struct epoll_event events[BATCH];
        int64_t ns = deadline_ns - plait_now_ns();
        struct timespec timeout = {.tv_nsec = ns < 0 ? 0 : ns > 10000000 ? 10000000 : ns};
        follow_hog(&load->cpus);
        int n = epoll_pwait2(load->epoll_fd, events, BATCH, &timeout, NULL);
        int64_t late_ns = plait_now_ns() - deadline_ns;

        if (ns > 0 && load->n_late < load->most)
                load->late_ns[load->n_late++] = late_ns > 0 ? late_ns : 0;
        for (int i = 0; i < n; i++)
                answer(load, events[i].data.ptr);
}

/* Of *n* times, which are put in order. */
static double percentile_us(int64_t *ns, size_t n, size_t percent)
{
        size_t place = n * percent / 100;

        qsort(ns, n, sizeof *ns, by_size);
        return n ? (double)ns[place] / 1e3 : 0;
}

static double cpu_s(void)
{
        struct timespec time;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void measure(struct load *load, int64_t phase_ns, struct fairness_figures *figures)
{
        double cpu_before_s = cpu_s();
        int64_t begin_ns = plait_now_ns();

        load->n = load->n_late = load->first = load->queued = 0;
        for (size_t i = 0; i < load->connections; i++) {
                load->all[i].due_ns = begin_ns + (int64_t)i * INTERVAL_NS / (int64_t)load->connections;
                queue(load, &load->all[i]);
        }
        while (plait_now_ns() < begin_ns + phase_ns)
                take_answers(load, send_due(load));
        while (load->queued < load->connections)
                take_answers(load, INT64_MAX);
        *figures = (struct fairness_figures){.p50_us = percentile_us(load->taken_ns, load->n, 50),
                                             .p99_us = percentile_us(load->taken_ns, load->n, 99),
                                             .late_us = percentile_us(load->late_ns, load->n_late, 99),
                                             .cpu_s = cpu_s() - cpu_before_s,
                                             .echoes = (int64_t)load->n};
}

/*
 * A load comes from another machine. So it must not have to wait for one of the processors, which are busy with tasks
 * that yield and compute: it would measure how the kernel divides them. Where this is not permitted, it does.
 */
static void go_first(void)
{
        struct sched_param param = {.sched_priority = 10};

        if (sched_setscheduler(0, SCHED_FIFO, &param) < 0)
                fprintf(stderr,
                        "fairness: the load has no priority (%s): the kernel's time slices are in the figures\n",
                        strerror(errno));
}

static void open_load(struct load *load, const int *sockets, size_t connections, int64_t phase_ns)
{
        size_t most = connections * (size_t)(phase_ns / INTERVAL_NS + 2);

        *load = (struct load){.all = calloc(connections, sizeof *load->all),
                              .queue = calloc(connections, sizeof(struct connection *)),
                              .connections = connections,
                              .taken_ns = calloc(most, sizeof *load->taken_ns),
                              .late_ns = calloc(most, sizeof *load->late_ns),
                              .most = most,
                              .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
        if (!load->all || !load->queue || !load->taken_ns || !load->late_ns || load->epoll_fd < 0)
                exit(EXIT_FAILURE);
        if (sched_getaffinity(0, sizeof load->cpus, &load->cpus) < 0)
                exit(EXIT_FAILURE);
        for (size_t i = 0; i < connections; i++) {
                struct epoll_event event = {.events = EPOLLIN, .data.ptr = &load->all[i]};

                load->all[i].fd = sockets[i];
                if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, sockets[i], &event) < 0)
                        exit(EXIT_FAILURE);
        }
}

void fairness_load_run(const struct fairness_load *opts)
{
        static struct load loads[FAIRNESS_SERVERS];
        struct fairness_figures figures;
        unsigned char server;

        for (int i = 0; i < FAIRNESS_SERVERS; i++)
                open_load(&loads[i], opts->sockets[i], (size_t)opts->connections, opts->phase_ns);
        go_first();
        while (read(opts->control, &server, 1) == 1 && server < FAIRNESS_SERVERS) {
                measure(&loads[server], opts->phase_ns, &figures);
                if (write(opts->control, &figures, sizeof figures) != sizeof figures)
                        break;
        }
        exit(EXIT_SUCCESS);
}
