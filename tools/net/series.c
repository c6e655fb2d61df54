/*
 * Many packets in a row. Where echo requests are not allowed or not answered, SYNs to a closed port take their place:
 * the RST comes from the host's kernel at once, while an open port would have a server's queue fill up, and lose SYNs
 * that no network lost. UDP to closed ports would not do: hosts limit how often they complain.
 */
#include "net/series.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/socket.h>
#include <plait/task.h>
#include <plait/time.h>

#include "net/icmp.h"
#include "net/ping.h"

enum { PAYLOAD = 32, CLOSED_TRIES = 5, CLOSED_FIRST = 20000, CLOSED_SPAN = 40000 };

struct marks {
        int64_t sent_ns[NET_SERIES_MAX]; /* 0: not sent */
        int64_t rtt_ns[NET_SERIES_MAX];  /* -1: none */
};

struct listener {
        struct net_pinger *pinger;
        struct marks *marks;
        unsigned count, answered;
};

static void take_pongs(struct listener *listener)
{
        struct marks *marks = listener->marks;
        struct net_pong pong;

        while (net_ping_take(listener->pinger, &pong) == 0) {
                if (!pong.is_reply || pong.number >= listener->count || marks->sent_ns[pong.number] == 0 ||
                    marks->rtt_ns[pong.number] >= 0)
                        continue;

                int64_t rtt_ns = pong.realtime_ns - marks->sent_ns[pong.number];

                marks->rtt_ns[pong.number] = rtt_ns > 0 ? rtt_ns : 0;
                listener->answered++;
        }
}

/* Take answers until *until_ns*, or until all *wanted* are there. */
static int listen_until(struct listener *listener, unsigned wanted, int64_t until_ns)
{
        for (;;) {
                take_pongs(listener);
                if (listener->answered >= wanted)
                        return 0;

                int r = net_ping_wait(listener->pinger, until_ns);

                if (r == -ETIMEDOUT && plait_now_ns() >= until_ns)
                        return 0;
                if (r < 0)
                        return r;
        }
}

/* As long as answers come, even late ones. */
static int listen_to_the_last(struct listener *listener, unsigned sent, const struct net_series_opts *opts)
{
        unsigned before;
        int r;

        do {
                int64_t until_ns = plait_now_ns() + opts->wait_ns;
                bool is_last = opts->deadline_ns != 0 && until_ns > opts->deadline_ns;

                before = listener->answered;
                r = listen_until(listener, is_last ? sent : before + 1, is_last ? opts->deadline_ns : until_ns);
                if (is_last)
                        return r;
        } while (r == 0 && listener->answered > before && listener->answered < sent);
        return r;
}

static int run_icmp(struct net_pinger *pinger, const struct net_series_opts *opts, struct marks *marks)
{
        struct listener listener = {.pinger = pinger, .marks = marks, .count = opts->count};
        int64_t begin_ns = plait_now_ns();
        unsigned sent = 0;

        for (unsigned i = 0; i < opts->count; i++) {
                int r = listen_until(&listener, UINT32_MAX, begin_ns + opts->interval_ns * i);

                if (r < 0)
                        return r;
                if (listener.answered == 0 && sent > opts->count / 4) {
                        r = listen_until(&listener, 1, plait_now_ns() + opts->wait_ns / 2);
                        if (r < 0 || listener.answered == 0)
                                return r;
                }
                sent += net_ping_send(pinger, (uint16_t)i, PAYLOAD, 0, &marks->sent_ns[i]) == 0;
        }
        return listener.answered < sent ? listen_to_the_last(&listener, sent, opts) : 0;
}

struct connection {
        const struct net_ip *target;
        uint16_t port;
        int64_t begin_ns; /* when it is to start */
        int64_t wait_ns;
        int64_t *sent_ns, *rtt_ns;
};

/* One SYN; its answer is whatever ends the attempt from the other side. */
static int connect_once(void *arg)
{
        const struct connection *self = arg;
        struct plait_address to = net_ip_address(self->target, self->port);
        int r = plait_sleep(self->begin_ns);

        if (r < 0)
                return r;

        int fd = plait_socket(self->target->family, SOCK_STREAM, 0);

        if (fd < 0)
                return fd == -ECANCELED ? fd : 0;
        int64_t begin_ns = plait_now_ns();

        r = plait_connect(fd, &to.as.any, to.length, begin_ns + self->wait_ns);

        int64_t ns = plait_now_ns() - begin_ns;

        plait_close(fd);
        if (r == -ECANCELED || (r == -ETIMEDOUT && ns < self->wait_ns)) /* a scope's deadline: not the target's fault */
                return r;
        if (r == -ECONNREFUSED || r == -ETIMEDOUT)
                *self->sent_ns = begin_ns;
        if (r == -ECONNREFUSED)
                *self->rtt_ns = ns;
        return 0;
}

/* All at their times, each in a task. */
static int connect_all(struct connection *connections, size_t count)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (size_t i = 0; i < count; i++)
                if (plait_scope_go(&scope, connect_once, &connections[i]) < 0)
                        break;
        return plait_scope_join(&scope);
}

/* A port that answers with RST; -EACCES: none was found; or -errno. */
static int find_closed_port(const struct net_ip *target, int64_t wait_ns)
{
        struct connection tries[CLOSED_TRIES];
        int64_t sent_ns[CLOSED_TRIES] = {0};
        int64_t rtt_ns[CLOSED_TRIES];
        uint16_t random = 0;

        if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
                random = (uint16_t)plait_now_ns();
        for (unsigned i = 0; i < CLOSED_TRIES; i++) {
                rtt_ns[i] = -1;
                tries[i] = (struct connection){.target = target,
                                               .port = (uint16_t)(CLOSED_FIRST + (random + i * 7919U) % CLOSED_SPAN),
                                               .begin_ns = plait_now_ns(),
                                               .wait_ns = wait_ns,
                                               .sent_ns = &sent_ns[i],
                                               .rtt_ns = &rtt_ns[i]};
        }

        int r = connect_all(tries, CLOSED_TRIES);

        for (unsigned i = 0; i < CLOSED_TRIES && r == 0; i++)
                if (rtt_ns[i] >= 0)
                        return tries[i].port;
        return r < 0 ? r : -EACCES;
}

static int run_tcp(const struct net_ip *target, uint16_t port, const struct net_series_opts *opts, struct marks *marks)
{
        struct connection *connections = calloc(opts->count, sizeof *connections);
        int64_t begin_ns = plait_now_ns();

        if (!connections)
                return -ENOMEM;
        for (unsigned i = 0; i < opts->count; i++)
                connections[i] = (struct connection){.target = target,
                                                     .port = port,
                                                     .begin_ns = begin_ns + opts->interval_ns * i,
                                                     .wait_ns = opts->wait_ns,
                                                     .sent_ns = &marks->sent_ns[i],
                                                     .rtt_ns = &marks->rtt_ns[i]};

        int r = connect_all(connections, opts->count);

        free(connections);
        return r;
}

/* What was sent after the last one that was answered may still be on its way, on a line that is slow or busy. */
static void count(const struct marks *marks, const struct net_series_opts *opts, struct net_series *ret)
{
        unsigned end = 0;

        for (unsigned i = 0; i < opts->count; i++)
                if (marks->sent_ns[i] != 0 && marks->rtt_ns[i] >= 0)
                        end = i + 1;
        for (unsigned i = 0; i < opts->count; i++) {
                bool was_sent = marks->sent_ns[i] != 0;

                ret->unsent += !was_sent;
                ret->pending += was_sent && i >= end;
                ret->sent += was_sent && i < end;
                if (was_sent && marks->rtt_ns[i] >= 0)
                        ret->rtt_ns[ret->answered++] = marks->rtt_ns[i];
        }
        ret->lost = ret->sent - ret->answered;
}

static int run_any(const struct net_ip *target, const struct net_series_opts *opts, struct marks *marks,
                   struct net_series *ret)
{
        struct net_pinger pinger;
        int r = net_ping_open(&pinger, target, NET_PING_MAY_ICMP);

        if (r == 0) {
                r = run_icmp(&pinger, opts, marks);
                net_ping_close(&pinger);
                if (r < 0)
                        return r;
                ret->way = NET_SERIES_ICMP;
                count(marks, opts, ret);
                if (ret->answered > 0)
                        return 0;
        } else if (r != -EACCES) {
                return r;
        }

        int port = find_closed_port(target, opts->wait_ns);

        if (port == -EACCES && r == 0)
                return 0; /* nothing answers anything */
        if (port < 0)
                return port;
        memset(marks->sent_ns, 0, sizeof marks->sent_ns);
        r = run_tcp(target, (uint16_t)port, opts, marks);
        if (r < 0)
                return r;
        *ret = (struct net_series){.way = NET_SERIES_TCP};
        count(marks, opts, ret);
        return 0;
}

int net_series_run(const struct net_ip *target, const struct net_series_opts *opts, struct net_series *ret)
{
        if (opts->count == 0 || opts->count > NET_SERIES_MAX)
                return -EINVAL;

        struct marks *marks = calloc(1, sizeof *marks);

        if (!marks)
                return -ENOMEM;
        memset(marks->rtt_ns, 0xff, sizeof marks->rtt_ns);
        memset(ret, 0, sizeof *ret);

        int r = run_any(target, opts, marks, ret);

        free(marks);
        return r;
}

static int compare(const void *one, const void *other)
{
        int64_t a = *(const int64_t *)one;
        int64_t b = *(const int64_t *)other;

        return a < b ? -1 : a > b;
}

bool net_series_sum_up(const struct net_series *series, struct net_series_stats *ret)
{
        int64_t sorted[NET_SERIES_MAX];
        int64_t differences = 0;
        size_t n = series->answered;

        if (n == 0 || n > NET_SERIES_MAX)
                return false;
        memcpy(sorted, series->rtt_ns, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, compare);
        for (size_t i = 1; i < n; i++) {
                int64_t difference = series->rtt_ns[i] - series->rtt_ns[i - 1];

                differences += difference < 0 ? -difference : difference;
        }
        *ret = (struct net_series_stats){.min_ns = sorted[0],
                                         .median_ns = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2,
                                         .p99_ns = sorted[(n * 99 + 99) / 100 - 1],
                                         .max_ns = sorted[n - 1],
                                         .jitter_ns = n > 1 ? differences / (int64_t)(n - 1) : 0};
        return true;
}
