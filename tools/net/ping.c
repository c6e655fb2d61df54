/*
 * Packets that a host is to answer. See ping.h. Answers are matched to what was sent by an id and a number, for UDP by
 * the port that they were sent to: routers return little more than the headers of a packet.
 */
#include "net/ping.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <plait/fd.h>
#include <plait/socket.h>

#ifndef ICMP_FILTER /* <linux/icmp.h> cannot be included beside <netinet/ip_icmp.h> */
#define ICMP_FILTER 1
#endif

/* Ports of traceroute: hardly anything listens there. */
enum {
        UDP_PORT_FIRST = 33434,
        UDP_PORT_LAST = 65000,
        IPV4_HEADER = 20,
        IPV6_HEADER = 40,
        TRANSPORT_HEADER = 8
};                      /* UDP's or ICMP's */
enum { TAKE_MAX = 64 }; /* messages that are none of ours, one after the other */

int64_t net_ping_realtime_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A raw socket sees all ICMP messages of the machine: let the kernel pass on only the replies. */
static void filter(int fd, bool is_v6)
{
        uint32_t all_but_replies = ~(1U << ICMP_ECHOREPLY);
        struct icmp6_filter filter_v6;

        ICMP6_FILTER_SETBLOCKALL(&filter_v6);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter_v6);
        if (is_v6)
                setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter_v6, sizeof filter_v6);
        else
                setsockopt(fd, SOL_RAW, ICMP_FILTER, &all_but_replies, sizeof all_but_replies);
}

static int open_way(struct net_pinger *pinger, enum net_ping_way way)
{
        int family = pinger->is_v6 ? AF_INET6 : AF_INET;
        int protocol = pinger->is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
        int fd = way == NET_PING_BY_UDP
                         ? plait_socket(family, SOCK_DGRAM, 0)
                         : plait_socket(family, way == NET_PING_BY_RAW ? SOCK_RAW : SOCK_DGRAM, protocol);

        if (fd < 0)
                return fd;
        if (way == NET_PING_BY_RAW)
                filter(fd, pinger->is_v6);

        int r = net_icmp_ask_for_errors(fd, family);

        /* One address of this machine for all packets, and at once an error if there is no route. */
        struct plait_address to = net_ip_address(&pinger->target, 0);

        if (r == 0 && way != NET_PING_BY_UDP)
                r = plait_connect(fd, &to.as.any, to.length, PLAIT_NEVER);
        if (r < 0) {
                plait_close(fd);
                return r;
        }
        pinger->fd = fd;
        pinger->way = way;
        return 0;
}

int net_ping_open(struct net_pinger *pinger, const struct net_ip *target, unsigned may)
{
        uint16_t random = 0;
        int r = -EACCES;

        *pinger = (struct net_pinger){.fd = -1, .is_v6 = target->family == AF_INET6, .target = *target};
        if (may & NET_PING_MAY_ICMP) {
                r = open_way(pinger, NET_PING_BY_ICMP);
                if (r == -EACCES || r == -EPERM || r == -EPROTONOSUPPORT)
                        r = open_way(pinger, NET_PING_BY_RAW);
        }
        if ((r == -EACCES || r == -EPERM || r == -EPROTONOSUPPORT) && may & NET_PING_MAY_UDP)
                r = open_way(pinger, NET_PING_BY_UDP);
        if (r < 0)
                return r == -EPERM ? -EACCES : r;
        if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
                random = (uint16_t)net_ping_realtime_ns();
        pinger->id = random;
        if (pinger->way == NET_PING_BY_UDP)
                pinger->id = (uint16_t)(UDP_PORT_FIRST + random % (UDP_PORT_LAST - UDP_PORT_FIRST - NET_PING_NUMBERS));
        return 0;
}

void net_ping_close(struct net_pinger *pinger)
{
        if (pinger->fd >= 0)
                plait_close(pinger->fd);
        pinger->fd = -1;
}

int net_ping_forbid_fragments(struct net_pinger *pinger)
{
        int value = IP_PMTUDISC_PROBE; /* IPv6 has the same number for it */
        int r = pinger->is_v6 ? setsockopt(pinger->fd, SOL_IPV6, IPV6_MTU_DISCOVER, &value, sizeof value)
                              : setsockopt(pinger->fd, SOL_IP, IP_MTU_DISCOVER, &value, sizeof value);

        return r < 0 ? -errno : 0;
}

size_t net_ping_overhead(const struct net_pinger *pinger)
{
        return TRANSPORT_HEADER + (pinger->is_v6 ? (size_t)IPV6_HEADER : (size_t)IPV4_HEADER);
}

static int send_once(struct net_pinger *pinger, struct iovec *part, uint16_t number, int ttl)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct plait_address to = net_ip_address(&pinger->target, (uint16_t)(pinger->id + number));
        struct msghdr message = {.msg_iov = part, .msg_iovlen = 1};

        if (pinger->way == NET_PING_BY_UDP) {
                message.msg_name = &to.as;
                message.msg_namelen = to.length;
        }
        if (ttl > 0) {
                message.msg_control = &control;
                message.msg_controllen = sizeof control;

                struct cmsghdr *header = CMSG_FIRSTHDR(&message);

                header->cmsg_level = pinger->is_v6 ? SOL_IPV6 : SOL_IP;
                header->cmsg_type = pinger->is_v6 ? IPV6_HOPLIMIT : IP_TTL;
                header->cmsg_len = CMSG_LEN(sizeof ttl);
                memcpy(CMSG_DATA(header), &ttl, sizeof ttl);
        }
        return sendmsg(pinger->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int net_ping_send(struct net_pinger *pinger, uint16_t number, size_t payload, int ttl, int64_t *ret_realtime_ns)
{
        uint8_t buf[NET_PING_BYTES_MAX + NET_ICMP_HEADER];
        struct iovec part = {.iov_base = buf};

        if (number >= NET_PING_NUMBERS || payload > NET_PING_BYTES_MAX)
                return -EINVAL;
        if (pinger->way == NET_PING_BY_UDP) {
                memset(buf, 0, payload);
                part.iov_len = payload;
        } else {
                part.iov_len = net_icmp_echo_write(buf, pinger->is_v6, pinger->id, number, payload);
        }

        int64_t now = net_ping_realtime_ns();
        int r = send_once(pinger, &part, number, ttl);

        /* The first error may be that of an earlier packet, reported once; a second one is this packet's. */
        if (r < 0 && r != -EAGAIN)
                r = send_once(pinger, &part, number, ttl);
        if (r == 0)
                *ret_realtime_ns = now;
        return r;
}

/* The number that a returned packet had; -1: it was none of this pinger's. */
static int number_of(const struct net_pinger *pinger, const struct net_icmp_error *error, const uint8_t *buf)
{
        struct net_icmp_echo echo;

        if (pinger->way == NET_PING_BY_UDP) {
                int number = error->addressee.family ? error->port - pinger->id : -1;

                return number >= 0 && number < NET_PING_NUMBERS ? number : -1;
        }
        if (net_icmp_echo_parse(buf, error->bytes, pinger->is_v6, &echo) < 0 || echo.is_reply)
                return -1;
        /* The kernel puts an id of its own into what a ping socket sends. */
        return (pinger->way == NET_PING_BY_ICMP || echo.id == pinger->id) && echo.seq < NET_PING_NUMBERS ? echo.seq
                                                                                                         : -1;
}

static int take_error(struct net_pinger *pinger, struct net_pong *ret)
{
        uint8_t buf[128];

        for (;;) {
                struct net_icmp_error error;
                int r = net_icmp_error_take(pinger->fd, &error, buf, sizeof buf);

                if (r == -EBADMSG)
                        continue;
                if (r < 0)
                        return r;

                int number = number_of(pinger, &error, buf);

                if (number < 0 || error.is_local) /* what is local was said by net_ping_send() */
                        continue;
                *ret = (struct net_pong){.number = (uint16_t)number, .ttl = -1, .error = error};
                ret->realtime_ns = error.realtime_ns ? error.realtime_ns : net_ping_realtime_ns();
                ret->is_reply = pinger->way == NET_PING_BY_UDP &&
                                net_icmp_error_meaning(&error) == NET_ICMP_PORT_UNREACHABLE &&
                                net_ip_equal(&error.offender, &pinger->target);
                return 0;
        }
}

static int take_reply(struct net_pinger *pinger, struct net_pong *ret)
{
        union {
                struct cmsghdr align;
                char bytes[256];
        } control;
        uint8_t buf[128];

        for (int tries = 0; tries < TAKE_MAX; tries++) {
                struct iovec part = {.iov_base = buf, .iov_len = sizeof buf};
                struct msghdr message = {
                        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
                ssize_t n = recvmsg(pinger->fd, &message, MSG_DONTWAIT);
                struct net_icmp_echo echo;

                if (n < 0 && errno != EAGAIN && errno != EINTR) /* an error of a packet, which its queue tells, too */
                        continue;
                if (n < 0)
                        return -EAGAIN;
                if (pinger->way == NET_PING_BY_UDP)
                        continue;

                int skip = pinger->way == NET_PING_BY_RAW && !pinger->is_v6 ? net_icmp_skip_ipv4(buf, (size_t)n) : 0;

                if (skip < 0 || net_icmp_echo_parse(buf + skip, (size_t)(n - skip), pinger->is_v6, &echo) < 0 ||
                    !echo.is_reply || echo.seq >= NET_PING_NUMBERS ||
                    (pinger->way == NET_PING_BY_RAW && echo.id != pinger->id))
                        continue;
                *ret = (struct net_pong){.number = echo.seq, .is_reply = true};
                net_icmp_parse_extras(&message, &ret->realtime_ns, &ret->ttl);
                if (ret->realtime_ns == 0)
                        ret->realtime_ns = net_ping_realtime_ns();
                return 0;
        }
        return -EAGAIN;
}

int net_ping_take(struct net_pinger *pinger, struct net_pong *ret)
{
        int r = take_error(pinger, ret);

        return r == -EAGAIN ? take_reply(pinger, ret) : r;
}

int net_ping_wait(struct net_pinger *pinger, int64_t deadline_ns)
{
        int r = plait_wait_fd(pinger->fd, POLLIN, deadline_ns);

        return r < 0 ? r : 0;
}
