/*
 * A TCP connection. Since Linux 5.8 a socket with IP_RECVERR learns of ICMP errors while it connects, so anybody can
 * tell who turned a connection down.
 */
#include "net/tcp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <linux/tcp.h>

#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/socket.h>
#include <plait/time.h>

enum { ATTEMPTS = 3 };

/* When the attempts begin; each sends its second SYN after a second. */
static const int schedule_ms[ATTEMPTS] = {0, 250, 600};

static enum net_symptom symptom_of_errno(int error)
{
        switch (error) {
        case 0: return NET_NO_SYMPTOM;
        case ECONNREFUSED: return NET_REFUSED;
        case ECONNRESET: return NET_RESET;
        case EPERM:
        case EACCES: return NET_LOCAL_REJECT;
        case ENETUNREACH:
        case EHOSTUNREACH:
        case EADDRNOTAVAIL:
        case EINVAL: return NET_NO_ROUTE; /* the last is what a route of type blackhole says */
        default: return NET_SILENT;
        }
}

enum net_symptom net_tcp_symptom(int error, const struct net_icmp_error *icmp, const struct net_ip *target,
                                 bool is_from_self)
{
        if (!icmp || icmp->is_local || error == 0)
                return symptom_of_errno(error);

        enum net_icmp_meaning meaning = net_icmp_error_meaning(icmp);

        if (is_from_self)
                return meaning == NET_ICMP_HOST_UNREACHABLE ? NET_SELF_UNREACHABLE : NET_LOCAL_REJECT;
        switch (meaning) {
        case NET_ICMP_PORT_UNREACHABLE: return net_ip_equal(&icmp->offender, target) ? NET_REFUSED : NET_REJECTED;
        case NET_ICMP_PROHIBITED: return NET_ADMIN_PROHIBITED;
        case NET_ICMP_TTL_EXCEEDED: return NET_ROUTING_LOOP;
        case NET_ICMP_NET_UNREACHABLE:
        case NET_ICMP_HOST_UNREACHABLE:
        case NET_ICMP_TOO_BIG:
        case NET_ICMP_OTHER: break;
        }
        return NET_UNREACHABLE;
}

/* What the error queue holds of the attempt that ended with *error*. */
static void explain(int fd, int error, const struct net_ip *target, struct net_tcp_try *ret)
{
        uint8_t buf[64];
        struct net_icmp_error icmp;
        bool is_from_self = false;

        ret->error = error;
        while (!ret->complained && error != 0 && net_icmp_error_take(fd, &icmp, buf, sizeof buf) == 0) {
                if (icmp.is_local)
                        continue;
                ret->complained = true;
                ret->icmp = icmp;
                ret->from = icmp.offender;
                is_from_self = net_ip_is_own(&icmp.offender);
        }
        ret->symptom = net_tcp_symptom(error, ret->complained ? &ret->icmp : NULL, target, is_from_self);
        if (ret->symptom == NET_REFUSED)
                ret->from = *target;
}

/* The socket, or -errno; *ret_error gets what connect() said at once, -1 when nothing yet. */
static int begin(const struct net_ip *target, uint16_t port, int *ret_error)
{
        struct plait_address to = net_ip_address(target, port);
        struct linger at_once = {.l_onoff = 1}; /* leave no connection in TIME_WAIT */
        int fd = plait_socket(target->family, SOCK_STREAM, 0);

        if (fd < 0)
                return fd;
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);

        int r = net_icmp_ask_for_errors(fd, target->family);

        if (r < 0) {
                plait_close(fd);
                return r;
        }
        r = plait_connect(fd, &to.as.any, to.length, 0);
        *ret_error = r == -ETIMEDOUT ? -1 : -r;
        return fd;
}

/* Whether one of them is decided, which *ret* then tells. */
static bool is_decided(struct pollfd *fds, const struct net_ip *target, struct net_tcp_try *ret)
{
        for (int i = 0; i < ATTEMPTS; i++) {
                int error = 0;
                socklen_t length = sizeof error;

                if (fds[i].fd < 0 || fds[i].revents == 0)
                        continue;
                if (getsockopt(fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
                        continue;
                if (error == 0 && !(fds[i].revents & POLLOUT)) { /* a complaint that did not end the attempt */
                        struct net_icmp_error ignored;

                        while (net_icmp_error_take(fds[i].fd, &ignored, NULL, 0) == 0) {}
                        continue;
                }
                explain(fds[i].fd, error, target, ret);
                return true;
        }
        return false;
}

static int run(struct pollfd *fds, const struct net_ip *target, uint16_t port, int64_t deadline_ns,
               struct net_tcp_try *ret)
{
        int64_t begin_ns = plait_now_ns();

        for (;;) {
                int64_t until_ns = deadline_ns;
                unsigned n = ret->attempts;

                if (n < ATTEMPTS) {
                        int64_t next_ns = begin_ns + schedule_ms[n] * 1000000LL;

                        if (n == 0 || plait_now_ns() >= next_ns) {
                                int error = -1;
                                int fd = begin(target, port, &error);

                                if (fd < 0)
                                        return n == 0 ? fd : 0;
                                fds[ret->attempts++].fd = fd;
                                if (error >= 0) {
                                        explain(fd, error, target, ret);
                                        return 0;
                                }
                                continue;
                        }
                        until_ns = next_ns < deadline_ns ? next_ns : deadline_ns;
                }

                int r = plait_poll(fds, ATTEMPTS, until_ns);

                if (r >= 0 && is_decided(fds, target, ret))
                        return 0;
                if (r == -ETIMEDOUT && plait_cancelled() < 0)
                        return plait_cancelled();
                if (r < 0 && r != -ETIMEDOUT)
                        return r;
                if (plait_now_ns() >= deadline_ns) {
                        explain(fds[0].fd, ETIMEDOUT, target, ret);
                        return 0;
                }
        }
}

int net_tcp_connect(const struct net_ip *target, uint16_t port, int64_t deadline_ns, struct net_tcp_try *ret)
{
        struct net_tcp_try try = {.error = ETIMEDOUT, .symptom = NET_SILENT};
        struct pollfd fds[ATTEMPTS];
        int64_t begin_ns = plait_now_ns();

        for (int i = 0; i < ATTEMPTS; i++)
                fds[i] = (struct pollfd){.fd = -1, .events = POLLOUT};

        int r = run(fds, target, port, deadline_ns, &try);

        for (int i = 0; i < ATTEMPTS; i++)
                if (fds[i].fd >= 0)
                        plait_close(fds[i].fd);
        if (r < 0)
                return r;
        try.ns = plait_now_ns() - begin_ns;
        *ret = try;
        return 0;
}

int net_tcp_look(int fd, struct net_tcp_state *ret)
{
        struct tcp_info info = {0};
        socklen_t length = sizeof info;

        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
                return -errno;
        *ret = (struct net_tcp_state){.retransmits = info.tcpi_retransmits,
                                      .backoff = info.tcpi_backoff,
                                      .unacked = info.tcpi_unacked,
                                      .retransmitted = info.tcpi_total_retrans,
                                      .rtt_us = info.tcpi_rtt,
                                      .segment = info.tcpi_snd_mss,
                                      .path_mtu = info.tcpi_pmtu,
                                      .out_of_order = info.tcpi_rcv_ooopack,
                                      .acked = info.tcpi_bytes_acked,
                                      .received = info.tcpi_bytes_received};
        return 0;
}

bool net_tcp_is_stalled(const struct net_tcp_state *state)
{
        return state->retransmits >= 1 && state->backoff >= 1 && state->unacked > 0 && state->rtt_us > 0;
}
