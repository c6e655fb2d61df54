/*
 * Packets that a host is to answer: echo requests through the kernel's ping sockets or raw sockets, whichever this user
 * may open, or else UDP to ports where nobody listens, answered with "port unreachable". Each packet has a number.
 */
#ifndef NET_PING_H
#define NET_PING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/icmp.h"

enum net_ping_way {
        NET_PING_BY_ICMP, /* SOCK_DGRAM, for groups in net.ipv4.ping_group_range */
        NET_PING_BY_RAW,  /* SOCK_RAW, with CAP_NET_RAW */
        NET_PING_BY_UDP,  /* hosts limit how often they answer: good for existence and distance, not for loss */
};

/* Ways that net_ping_open() is to try, in this order. */
#define NET_PING_MAY_ICMP 1U /* either of the first two */
#define NET_PING_MAY_UDP 2U

enum { NET_PING_NUMBERS = 1024, NET_PING_BYTES_MAX = 9000 };

struct net_pinger {
        int fd;
        enum net_ping_way way;
        bool is_v6;
        uint16_t id; /* of echo requests; of UDP: the port of number 0 */
        struct net_ip target;
};

/* What came back. */
struct net_pong {
        uint16_t number;
        bool is_reply;               /* from the target itself; otherwise *error* says who complains of what */
        int ttl;                     /* of a reply, as received; -1: unknown */
        int64_t realtime_ns;         /* when it came */
        struct net_icmp_error error; /* unless is_reply; for UDP in any case */
};

/* Start sending to *target*. 0, -EACCES when none of the ways is allowed, or what socket(2) and connect(2) say. */
int net_ping_open(struct net_pinger *pinger, const struct net_ip *target, unsigned may);
void net_ping_close(struct net_pinger *pinger);

/* Send whole packets or none, as large as the interface takes, whatever is known about the path: to measure the MTU. */
int net_ping_forbid_fragments(struct net_pinger *pinger);

/* Bytes of an IP packet that are not payload. */
size_t net_ping_overhead(const struct net_pinger *pinger);

/*
 * Send number *number* with *payload* bytes and a TTL (0: the system's). *ret_realtime_ns*: when, on CLOCK_REALTIME.
 * 0, or what this machine said at once: -EMSGSIZE, -EPERM (a firewall), -ENETUNREACH, -EHOSTUNREACH, ...
 */
int net_ping_send(struct net_pinger *pinger, uint16_t number, size_t payload, int ttl, int64_t *ret_realtime_ns);

/* The next answer that is there. 0, -EAGAIN for none, or -errno. */
int net_ping_take(struct net_pinger *pinger, struct net_pong *ret);

/* Wait for something to take. 0, -ETIMEDOUT, -ECANCELED, or -errno. */
int net_ping_wait(struct net_pinger *pinger, int64_t deadline_ns);

/* CLOCK_REALTIME, which the kernel stamps packets with. */
int64_t net_ping_realtime_ns(void);

#endif
