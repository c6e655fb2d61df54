/*
 * The path to a host. Echo requests if they are allowed, else UDP; if these do not get there, UDP and TCP after them:
 * what one firewall does not let through another does. A hop that says nothing is no fault: routers may be mute, and
 * limit how often they complain.
 */
#include "net/path.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/socket.h>
#include <plait/time.h>

#include "net/ping.h"

enum { PAYLOAD = 32, PINGERS = 2, TCP_HOPS = 12, FDS = PINGERS + TCP_HOPS };
enum { SECOND_STAGE_MS = 300, MUTE_HOPS_MS = 120, LOOP_VISITS = 3 };

struct trace {
        struct net_path *path;
        const struct net_ip *target;
        uint16_t port;
        struct net_pinger pingers[PINGERS]; /* the second one is UDP */
        int64_t sent_ns[PINGERS][NET_HOPS_MAX];
        int tcp[TCP_HOPS]; /* sockets of TTL *tcp_first* and on; -1: none, or done */
        size_t tcp_first;
        int64_t tcp_sent_ns;
        size_t target_at;     /* the lowest TTL that reached the target; 0: none */
        size_t last;          /* the highest TTL from which anything came */
        size_t complained_at; /* the lowest TTL for which somebody said something else than that it ran out; 0: none */
        int64_t decided_ns;   /* when the target or an error was there; 0: not yet */
        bool second_stage;
};

static void decide(struct trace *trace)
{
        if (trace->decided_ns == 0)
                trace->decided_ns = plait_now_ns();
}

static void note_hop(struct trace *trace, size_t ttl, const struct net_ip *from, int64_t rtt_ns)
{
        struct net_hop *hop = &trace->path->hops[ttl - 1];

        if (hop->from.family == 0)
                *hop = (struct net_hop){.from = *from, .rtt_ns = rtt_ns > 0 ? rtt_ns : 0};
        if (ttl > trace->last)
                trace->last = ttl;
}

static void note_target(struct trace *trace, size_t ttl, int64_t rtt_ns)
{
        if (trace->target_at == 0 || ttl < trace->target_at)
                trace->target_at = ttl;
        note_hop(trace, ttl, trace->target, rtt_ns);
        trace->path->reached = true;
        decide(trace);
}

static void note_error(struct trace *trace, size_t ttl, const struct net_icmp_error *error, int64_t rtt_ns)
{
        enum net_icmp_meaning meaning = net_icmp_error_meaning(error);

        if (error->is_local || error->offender.family == 0)
                return;
        if (meaning != NET_ICMP_TTL_EXCEEDED && net_ip_equal(&error->offender, trace->target)) {
                note_target(trace, ttl, rtt_ns);
                return;
        }
        note_hop(trace, ttl, &error->offender, rtt_ns);
        if (meaning == NET_ICMP_TTL_EXCEEDED || meaning == NET_ICMP_TOO_BIG)
                return;
        if (trace->complained_at == 0 || ttl < trace->complained_at)
                trace->complained_at = ttl;
        if (trace->path->complained)
                return;
        trace->path->complained = true;
        trace->path->error = *error;
        decide(trace);
}

static void take_pongs(struct trace *trace, size_t which)
{
        struct net_pong pong;

        while (trace->pingers[which].fd >= 0 && net_ping_take(&trace->pingers[which], &pong) == 0) {
                size_t ttl = (size_t)pong.number + 1;

                if (ttl > NET_HOPS_MAX || trace->sent_ns[which][ttl - 1] == 0)
                        continue;

                int64_t rtt_ns = pong.realtime_ns - trace->sent_ns[which][ttl - 1];

                if (pong.is_reply)
                        note_target(trace, ttl, rtt_ns);
                else
                        note_error(trace, ttl, &pong.error, rtt_ns);
        }
}

/* Whether the socket is done with. */
static bool take_tcp(struct trace *trace, size_t index, short events)
{
        struct net_icmp_error error;
        uint8_t buf[64];
        int problem = 0;
        socklen_t length = sizeof problem;
        size_t ttl = trace->tcp_first + index;
        int64_t rtt_ns = net_ping_realtime_ns() - trace->tcp_sent_ns;
        bool complained = false;

        while (net_icmp_error_take(trace->tcp[index], &error, buf, sizeof buf) == 0) {
                complained = true;
                note_error(trace, ttl, &error, rtt_ns);
        }
        if (complained || getsockopt(trace->tcp[index], SOL_SOCKET, SO_ERROR, &problem, &length) < 0)
                return true;
        if (problem == ECONNREFUSED || (problem == 0 && events & POLLOUT))
                note_target(trace, ttl, rtt_ns);
        return problem != 0 || events & (POLLOUT | POLLHUP);
}

static void send_all(struct trace *trace, size_t which)
{
        struct net_pinger *pinger = &trace->pingers[which];

        for (size_t ttl = 1; ttl <= NET_HOPS_MAX; ttl++) {
                int r = net_ping_send(pinger, (uint16_t)(ttl - 1), PAYLOAD, (int)ttl, &trace->sent_ns[which][ttl - 1]);

                if (which == 0)
                        trace->path->local_error = -r;
        }
}

static void connect_with_ttl(struct trace *trace, size_t index)
{
        struct plait_address to = net_ip_address(trace->target, trace->port);
        struct linger at_once = {.l_onoff = 1}; /* leave no connection in TIME_WAIT */
        bool is_v6 = trace->target->family == AF_INET6;
        int ttl = (int)(trace->tcp_first + index);
        int fd = plait_socket(trace->target->family, SOCK_STREAM, 0);

        if (fd < 0)
                return;
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);

        int r = net_icmp_ask_for_errors(fd, trace->target->family);

        if (r == 0 &&
            setsockopt(fd, is_v6 ? SOL_IPV6 : SOL_IP, is_v6 ? IPV6_UNICAST_HOPS : IP_TTL, &ttl, sizeof ttl) < 0)
                r = -errno;
        if (r == 0)
                r = plait_connect(fd, &to.as.any, to.length, 0);
        if (r == 0 || r == -ETIMEDOUT)
                trace->tcp[index] = fd;
        else
                plait_close(fd);
}

/* What was sent first did not get there: try other kinds of packets. */
static void start_second_stage(struct trace *trace)
{
        trace->second_stage = true;
        if (trace->pingers[0].way != NET_PING_BY_UDP &&
            net_ping_open(&trace->pingers[1], trace->target, NET_PING_MAY_UDP) == 0)
                send_all(trace, 1);
        if (trace->port == 0)
                return;
        trace->tcp_first = trace->last + 1;
        trace->tcp_sent_ns = net_ping_realtime_ns();
        for (size_t i = 0; i < TCP_HOPS && trace->tcp_first + i <= NET_HOPS_MAX; i++)
                connect_with_ttl(trace, i);
}

/* How many hops count: those behind are answers to packets that had hops to spare. */
static size_t end_of(const struct trace *trace)
{
        if (trace->target_at)
                return trace->target_at;
        return trace->complained_at ? trace->complained_at : trace->last;
}

static bool is_complete(const struct trace *trace)
{
        struct net_ip loop;
        size_t known = 0;
        size_t wanted = end_of(trace);

        if (net_path_loops(trace->path, &loop))
                return true;
        for (size_t i = 0; i < wanted; i++)
                known += trace->path->hops[i].from.family != 0;
        return trace->decided_ns != 0 && known == wanted;
}

/* When to stop waiting, or to do something else. */
static int64_t next_ns(const struct trace *trace, int64_t begin_ns, int64_t deadline_ns)
{
        int64_t next = deadline_ns;

        if (trace->decided_ns != 0)
                next = trace->decided_ns + (trace->decided_ns - begin_ns) / 2 + MUTE_HOPS_MS * 1000000LL;
        else if (!trace->second_stage)
                next = begin_ns + SECOND_STAGE_MS * 1000000LL;
        return next < deadline_ns ? next : deadline_ns;
}

static int wait_and_take(struct trace *trace, int64_t until_ns)
{
        struct pollfd fds[FDS];

        for (size_t i = 0; i < FDS; i++)
                fds[i] = i < PINGERS ? (struct pollfd){.fd = trace->pingers[i].fd, .events = POLLIN}
                                     : (struct pollfd){.fd = trace->tcp[i - PINGERS], .events = POLLOUT};

        int r = plait_poll(fds, FDS, until_ns);

        if (r < 0)
                return r;
        for (size_t i = 0; i < PINGERS; i++)
                take_pongs(trace, i);
        for (size_t i = PINGERS; i < FDS; i++)
                if (fds[i].fd >= 0 && fds[i].revents && take_tcp(trace, i - PINGERS, fds[i].revents)) {
                        plait_close(fds[i].fd);
                        trace->tcp[i - PINGERS] = -1;
                }
        return 0;
}

static int run(struct trace *trace, int64_t deadline_ns)
{
        int64_t begin_ns = plait_now_ns();

        send_all(trace, 0);
        while (!is_complete(trace)) {
                int64_t until_ns = next_ns(trace, begin_ns, deadline_ns);
                int r = wait_and_take(trace, until_ns);

                if (r == -ETIMEDOUT && plait_cancelled() < 0)
                        return plait_cancelled();
                if (r < 0 && r != -ETIMEDOUT)
                        return r;
                if (r == 0 || plait_now_ns() < until_ns)
                        continue;
                if (trace->decided_ns != 0 || trace->second_stage || until_ns >= deadline_ns)
                        return 0;
                start_second_stage(trace);
        }
        return 0;
}

static void close_all(struct trace *trace)
{
        for (size_t i = 0; i < PINGERS; i++)
                net_ping_close(&trace->pingers[i]);
        for (size_t i = 0; i < TCP_HOPS; i++)
                if (trace->tcp[i] >= 0)
                        plait_close(trace->tcp[i]);
}

int net_path_trace(const struct net_ip *target, uint16_t port, int64_t deadline_ns, struct net_path *ret)
{
        struct net_path path = {.icmp_allowed = true};
        struct trace trace = {.path = &path, .target = target, .port = port, .pingers = {{.fd = -1}, {.fd = -1}}};
        int r = net_ping_open(&trace.pingers[0], target, NET_PING_MAY_ICMP);

        memset(trace.tcp, 0xff, sizeof trace.tcp);
        if (r == -EACCES) {
                path.icmp_allowed = false;
                r = net_ping_open(&trace.pingers[0], target, NET_PING_MAY_UDP);
        }
        if (r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EADDRNOTAVAIL || r == -EPERM || r == -EINVAL) {
                path.local_error = -r;
                r = 0;
        } else if (r == 0) {
                r = run(&trace, deadline_ns);
        }
        close_all(&trace);
        if (r < 0)
                return r;
        path.hop_count = end_of(&trace);
        *ret = path;
        return 0;
}

bool net_path_loops(const struct net_path *path, struct net_ip *ret)
{
        for (size_t i = 0; i < NET_HOPS_MAX && !path->reached; i++) {
                const struct net_ip *hop = &path->hops[i].from;
                unsigned visits = 1;
                bool left = false; /* another hop was seen since the last visit */

                for (size_t k = i + 1; k < NET_HOPS_MAX && hop->family != 0; k++) {
                        const struct net_ip *later = &path->hops[k].from;

                        if (later->family == 0)
                                continue;
                        if (!net_ip_equal(hop, later)) {
                                left = true;
                        } else if (left) {
                                visits++;
                                left = false;
                        }
                }
                if (visits >= LOOP_VISITS) {
                        *ret = *hop;
                        return true;
                }
        }
        return false;
}

const char *net_path_text(const struct net_path *path, char *buf, size_t bytes)
{
        size_t used = 0;

        buf[0] = 0;
        for (size_t i = 0; i < path->hop_count && used < bytes; i++) {
                char text[NET_IP_TEXT];
                const struct net_ip *from = &path->hops[i].from;
                int n = snprintf(buf + used, bytes - used, "%s%s", i ? " > " : "",
                                 from->family ? net_ip_text(from, text) : "*");

                used += n > 0 ? (size_t)n : 0;
        }
        return buf;
}
