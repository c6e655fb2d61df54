/*
 * fairness: how long an echo takes while 1,000 tasks yield all the time, without and with a task that computes without
 * a pause, on two workers. A round has four phases: plait without and with that task, then a bare server (see
 * fairness_bare.c) without and with it, since what else happens on the machine concerns both. Each round's figures are
 * a line: medians and 99th percentiles, the ratio that counts (the 99th percentile with the hog to the median without),
 * the same of the bare server, plait's 99th percentile with the hog to the bare server's, how late the load was itself,
 * and what share of the processors other programs had, hypervisor included. After several rounds come a line with
 * the median of each figure and one with the least. Arguments: connections yielders seconds (a phase) [rounds].
 */
#include "fairness.h"
#include "bench.h"
#include "server.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS_MOST = 1000 };

static int64_t connections, yielders, rounds;
static struct fairness_load load_opts;
static struct fairness_bare bare;
static _Atomic bool over;
static int control; /* the other end of the load's */

/* --- what was found --- */

enum { WITHOUT_P50, WITHOUT_P99, WITH_P50, WITH_P99, BARE = 4, RATIO = 8, BARE_RATIO, TO_BARE, LATE, OTHERS, KEYS };

static const char *const keys[KEYS] = {"without_p50_us",      "without_p99_us",      "with_p50_us",
                                       "with_p99_us",         "bare_without_p50_us", "bare_without_p99_us",
                                       "bare_with_p50_us",    "bare_with_p99_us",    "ratio",
                                       "bare_ratio",          "p99_to_bare",         "load_late_p99_us",
                                       "other_programs_share"};

static double found[KEYS][ROUNDS_MOST];

static int by_value(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void print_line(size_t place, const char *what, int64_t n)
{
        printf("{");
        for (int i = 0; i < KEYS; i++)
                printf("\"%s\": %.2f, ", keys[i], found[i][place]);
        printf("\"%s\": %" PRId64 "}\n", what, n);
        fflush(stdout);
}

/* Of each figure by itself. */
static void report_all(void)
{
        for (int i = 0; i < KEYS; i++)
                qsort(found[i], (size_t)rounds, sizeof found[i][0], by_value);
        print_line((size_t)rounds / 2, "median_of_rounds", rounds);
        print_line(0, "least_of_rounds", rounds);
}

/* --- the processors --- */

struct usage {
        double all_s, own_s; /* by all programs, and what the hypervisor kept back; by this one and the load */
        int64_t ns;
};

/* Seconds of use on all processors; 0 where /proc/stat cannot be read. */
static double machine_s(void)
{
        FILE *stat = fopen("/proc/stat", "re");
        char line[256], *next = line + strlen("cpu");
        unsigned long long ticks = 0;

        if (!stat)
                return 0;
        if (fgets(line, sizeof line, stat)) {
                for (int field = 0; field < 8; field++) {
                        unsigned long long n = strtoull(next, &next, 10);

                        if (field != 3 && field != 4) /* idle, and idle while something is read */
                                ticks += n;
                }
        }
        fclose(stat);
        return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static double seconds_of(struct timeval time)
{
        return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static struct usage usage_now(double load_s)
{
        struct rusage own;

        getrusage(RUSAGE_SELF, &own);
        return (struct usage){.all_s = machine_s(),
                              .own_s = seconds_of(own.ru_utime) + seconds_of(own.ru_stime) + load_s,
                              .ns = plait_now_ns()};
}

static double others_share(const struct usage *before, const struct usage *after)
{
        double used_s = (after->all_s - before->all_s) - (after->own_s - before->own_s);
        double had_s = (double)(after->ns - before->ns) * 1e-9 * (double)sysconf(_SC_NPROCESSORS_ONLN);

        return used_s > 0 ? used_s / had_s : 0;
}

/* --- the servers --- */

static int serve(void *fd)
{
        char buffer[FAIRNESS_MESSAGE_BYTES];

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
        while (!atomic_load_explicit(&over, memory_order_relaxed))
                fairness_hog_is_here();
        fairness_hog_is_gone();
        return 0;
}

static void have_measured(enum fairness_server server, struct fairness_figures *figures)
{
        char byte = (char)server;

        bench_must(plait_write_full(control, &byte, 1, PLAIT_NEVER) == 1 ? 0 : -EIO, "begin");
        bench_must(plait_read_full(control, figures, sizeof *figures, PLAIT_NEVER) == sizeof *figures ? 0 : -EIO,
                   "end");
}

static void measure_plait(struct fairness_figures *figures, bool hog)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        atomic_store(&over, false);
        for (int64_t i = 0; i < yielders; i++)
                bench_must(plait_scope_go(&scope, yield_always, NULL), "go");
        if (hog)
                bench_must(plait_scope_go(&scope, compute, NULL), "go");
        have_measured(FAIRNESS_PLAIT, figures);
        atomic_store(&over, true);
        bench_must(plait_scope_join(&scope), "join");
}

static void measure_bare(struct fairness_figures *figures, bool hog)
{
        bench_must(fairness_bare_start(&bare, hog), "threads");
        have_measured(FAIRNESS_BARE, figures);
        fairness_bare_stop(&bare);
}

static void measure_round(int64_t round)
{
        struct fairness_figures figures[4] = {0};
        struct usage before = usage_now(0);
        double load_s = 0, late_us = 0;

        for (int i = 0; i < 4; i++) {
                (i < 2 ? measure_plait : measure_bare)(&figures[i], i % 2);
                found[2 * i][round] = figures[i].p50_us;
                found[2 * i + 1][round] = figures[i].p99_us;
                load_s += figures[i].cpu_s;
                late_us = figures[i].late_us > late_us ? figures[i].late_us : late_us;
        }
        struct usage after = usage_now(load_s);

        found[RATIO][round] = found[WITH_P99][round] / found[WITHOUT_P50][round];
        found[BARE_RATIO][round] = found[BARE + WITH_P99][round] / found[BARE + WITHOUT_P50][round];
        found[TO_BARE][round] = found[WITH_P99][round] / found[BARE + WITH_P99][round];
        found[LATE][round] = late_us;
        found[OTHERS][round] = others_share(&before, &after);
        print_line((size_t)round, "round", round + 1);
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        const int *sockets = arg;

        for (int64_t i = 0; i < connections; i++) {
                bench_must(plait_adopt(sockets[i]), "adopt");
                bench_must(plait_scope_go(&scope, serve, (void *)(intptr_t)sockets[i]), "go");
        }
        for (int64_t i = 0; i < rounds; i++)
                measure_round(i);
        if (rounds > 1)
                report_all();
        plait_scope_cancel(&scope);
        (void)plait_scope_join(&scope);
        return 0;
}

/* Both ends of *n* connections. */
static int connect_all(int64_t n, const int **ret_ours, const int **ret_theirs)
{
        int *ours = calloc((size_t)n, sizeof *ours), *theirs = calloc((size_t)n, sizeof *theirs);

        *ret_ours = ours; /* they go with the process */
        *ret_theirs = theirs;
        if (!ours || !theirs)
                return -ENOMEM;
        for (int64_t i = 0; i < n; i++) {
                int pair[2];

                if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                        return -errno;
                ours[i] = pair[0];
                theirs[i] = pair[1];
        }
        return 0;
}

int main(int argc, char **argv)
{
        static const int *ours[FAIRNESS_SERVERS];
        struct rlimit limit;
        int controls[2];

        if (argc != 4 && argc != 5) {
                fprintf(stderr, "usage: fairness CONNECTIONS YIELDERS SECONDS [ROUNDS]\n");
                return 2;
        }
        connections = bench_size(argv, 1);
        yielders = bench_size(argv, 2);
        rounds = argc == 5 ? bench_size(argv, 4) : 1;
        if (!connections || !rounds || rounds > ROUNDS_MOST) {
                fprintf(stderr, "fairness: one connection at least, and 1 to %d rounds\n", ROUNDS_MOST);
                return 2;
        }
        void *shared = mmap(NULL, sizeof *fairness_hog_cpu, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        bench_must(shared == MAP_FAILED ? -errno : 0, "mmap");
        fairness_hog_cpu = shared;
        fairness_hog_is_gone();
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit);
        }
        load_opts = (struct fairness_load){.connections = connections, .phase_ns = bench_size(argv, 3) * 1000000000};
        for (int i = 0; i < FAIRNESS_SERVERS; i++)
                bench_must(connect_all(connections, &ours[i], &load_opts.sockets[i]), "socketpair");
        bench_must(fairness_bare_open(&bare, ours[FAIRNESS_BARE], connections), "epoll");
        bench_must(socketpair(AF_UNIX, SOCK_STREAM, 0, controls) < 0 ? -errno : 0, "socketpair");
        pid_t load = fork();
        bench_must(load < 0 ? -errno : 0, "fork");
        if (load == 0) {
                close(controls[0]);
                load_opts.control = controls[1];
                fairness_load_run(&load_opts);
        }
        close(controls[1]);
        control = controls[0];
        int r = bench_run(app, (void *)(uintptr_t)ours[FAIRNESS_PLAIT], 2);
        close(control);
        waitpid(load, NULL, 0);
        return r;
}
