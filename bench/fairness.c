/*
 * fairness: how long an echo takes while 1,000 tasks yield all the time, without and with a task that computes without
 * a pause. Two workers; the load is a process of its own, each connection of which sends 64 bytes every 100 ms. It
 * prints the latencies' median and 99th percentile for both, and the ratio that counts: the 99th percentile with the
 * hog to the median without. Arguments: connections yielders seconds.
 */
#include "bench.h"
#include "server.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_BYTES 64
#define INTERVAL_NS 100000000LL
#define BATCH 256

static int64_t connections, yielders;
static int64_t phase_ns;
static _Atomic bool over;
static int control; /* to the load: a byte begins a phase; from it: the figures */

/* --- the server --- */

static int serve(void *fd)
{
        char buffer[MESSAGE_BYTES];

        return server_echo((int)(intptr_t)fd, buffer, sizeof buffer);
}

static int yield_always(void *arg)
{
        (void)arg;
        while (!atomic_load_explicit(&over, memory_order_relaxed))
                plait_yield();
        return 0;
}

static int compute(void *arg)
{
        (void)arg;
        while (!atomic_load_explicit(&over, memory_order_relaxed)) {}
        return 0;
}

struct figures {
        double p50_us, p99_us;
        int64_t echoes;
};

static void phase(struct figures *figures, bool hog)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        atomic_store(&over, false);
        for (int64_t i = 0; i < yielders; i++)
                bench_must(plait_scope_go(&scope, yield_always, NULL), "go");
        if (hog)
                bench_must(plait_scope_go(&scope, compute, NULL), "go");
        bench_must(plait_write_full(control, "x", 1, PLAIT_NEVER) == 1 ? 0 : -EIO, "begin");
        bench_must(plait_read_full(control, figures, sizeof *figures, PLAIT_NEVER) == sizeof *figures ? 0 : -EIO,
                   "end");
        atomic_store(&over, true);
        bench_must(plait_scope_join(&scope), "join");
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct figures without, with;
        const int *sockets = arg;

        for (int64_t i = 0; i < connections; i++) {
                bench_must(plait_adopt(sockets[i]), "adopt");
                bench_must(plait_scope_go(&scope, serve, (void *)(intptr_t)sockets[i]), "go");
        }
        phase(&without, false);
        phase(&with, true);
        plait_scope_cancel(&scope);
        (void)plait_scope_join(&scope);
        printf("{\"without_p50_us\": %.1f, \"without_p99_us\": %.1f, \"with_p50_us\": %.1f, \"with_p99_us\": %.1f, "
               "\"echoes\": %" PRId64 ", \"ratio\": %.2f}\n",
               without.p50_us, without.p99_us, with.p50_us, with.p99_us, without.echoes + with.echoes,
               with.p99_us / without.p50_us);
        return 0;
}

/* --- the load: a process with one thread --- */

struct connection {
        int fd;
        int64_t due_ns; /* when it sends; while it waits for the answer: when it sent */
};

struct load {
        struct connection *all;
        struct connection **queue; /* a ring of those that do not wait, the next to send first */
        size_t first, queued;
        int64_t *taken_ns;
        size_t n, most;
        int epoll_fd;
};

static int by_size(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static void queue(struct load *load, struct connection *connection)
{
        load->queue[(load->first + load->queued++) % (size_t)connections] = connection;
}

static void answer(struct load *load, struct connection *connection)
{
        char message[MESSAGE_BYTES];

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
        static const char message[MESSAGE_BYTES];

        while (load->queued) {
                struct connection *connection = load->queue[load->first];
                int64_t now_ns = plait_now_ns();

                if (connection->due_ns > now_ns)
                        return connection->due_ns;
                connection->due_ns = now_ns;
                load->first = (load->first + 1) % (size_t)connections;
                load->queued--;
                if (send(connection->fd, message, sizeof message, 0) != sizeof message)
                        exit(EXIT_FAILURE);
        }
        return INT64_MAX;
}

/* Wait for answers until *deadline_ns*, 10 ms at most. */
static void take_answers(struct load *load, int64_t deadline_ns)
{
        struct epoll_event events[BATCH];
        int64_t ns = deadline_ns - plait_now_ns();
        struct timespec timeout = {.tv_nsec = ns < 0 ? 0 : ns > 10000000 ? 10000000 : ns};
        int n = epoll_pwait2(load->epoll_fd, events, BATCH, &timeout, NULL);

        for (int i = 0; i < n; i++)
                answer(load, events[i].data.ptr);
}

static double us_at(const struct load *load, size_t i)
{
        return (double)load->taken_ns[i] / 1e3;
}

static void measure(struct load *load, struct figures *figures)
{
        int64_t begin_ns = plait_now_ns();

        load->n = load->first = load->queued = 0;
        for (int64_t i = 0; i < connections; i++) {
                load->all[i].due_ns = begin_ns + i * INTERVAL_NS / connections;
                queue(load, &load->all[i]);
        }
        while (plait_now_ns() < begin_ns + phase_ns)
                take_answers(load, send_due(load));
        while (load->queued < (size_t)connections)
                take_answers(load, INT64_MAX);
        qsort(load->taken_ns, load->n, sizeof *load->taken_ns, by_size);
        *figures = (struct figures){.p50_us = us_at(load, load->n / 2),
                                    .p99_us = us_at(load, load->n * 99 / 100),
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

static void run_load(const int *sockets, int own_control)
{
        struct load load = {.most = (size_t)(connections * (phase_ns / INTERVAL_NS + 2)), .epoll_fd = epoll_create1(0)};
        struct figures figures;
        char byte;

        load.all = calloc((size_t)connections, sizeof *load.all);
        load.queue = calloc((size_t)connections, sizeof(struct connection *));
        load.taken_ns = calloc(load.most, sizeof *load.taken_ns);
        if (!load.all || !load.queue || !load.taken_ns || load.epoll_fd < 0)
                exit(EXIT_FAILURE);
        for (int64_t i = 0; i < connections; i++) {
                struct epoll_event event = {.events = EPOLLIN, .data.ptr = &load.all[i]};

                load.all[i].fd = sockets[i];
                if (epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, sockets[i], &event) < 0)
                        exit(EXIT_FAILURE);
        }
        go_first();
        while (read(own_control, &byte, 1) == 1) {
                measure(&load, &figures);
                if (write(own_control, &figures, sizeof figures) != sizeof figures)
                        break;
        }
        exit(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
        int controls[2];

        if (argc != 4) {
                fprintf(stderr, "usage: fairness CONNECTIONS YIELDERS SECONDS\n");
                return 2;
        }
        connections = bench_size(argv, 1);
        yielders = bench_size(argv, 2);
        phase_ns = bench_size(argv, 3) * 1000000000;
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit);
        }
        static int *ours, *theirs; /* they go with the process */
        ours = calloc((size_t)connections, sizeof *ours);
        theirs = calloc((size_t)connections, sizeof *theirs);
        if (!ours || !theirs || socketpair(AF_UNIX, SOCK_STREAM, 0, controls) < 0)
                return EXIT_FAILURE;
        for (int64_t i = 0; i < connections; i++) {
                int pair[2];

                if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
                        perror("fairness: socketpair");
                        return EXIT_FAILURE;
                }
                ours[i] = pair[0];
                theirs[i] = pair[1];
        }
        pid_t load = fork();
        if (load == 0) {
                close(controls[0]);
                run_load(theirs, controls[1]);
        }
        close(controls[1]);
        control = controls[0];
        int r = bench_run(app, ours, 2);
        close(control);
        waitpid(load, NULL, 0);
        return r;
}
