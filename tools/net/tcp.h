/*
 * A TCP connection: whether it can be had, who prevents it, and how it fares.
 */
#ifndef NET_TCP_H
#define NET_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "net/fact.h"
#include "net/icmp.h"

struct net_tcp_try {
        enum net_symptom symptom; /* NET_NO_SYMPTOM: it was established */
        int error;                /* positive errno of connect(); ETIMEDOUT: silence */
        bool complained;          /* an ICMP message came: *icmp* */
        struct net_icmp_error icmp;
        struct net_ip from; /* who prevents it, where that is known; family 0 otherwise */
        int64_t ns;         /* until it was decided */
        unsigned attempts;  /* that were made beside each other, each with its SYNs */
};

/*
 * Connect, several times beside each other so that a lost SYN is not taken for silence; the first to be decided counts.
 * What was established is closed again. 0 whatever came of it; -ECANCELED; or -errno when no socket can be had.
 */
int net_tcp_connect(const struct net_ip *target, uint16_t port, int64_t deadline_ns, struct net_tcp_try *ret);

/* What it means that connect() ended with *error* (positive) and that, or no, ICMP message. */
enum net_symptom net_tcp_symptom(int error, const struct net_icmp_error *icmp, const struct net_ip *target,
                                 bool is_from_self);

/* How a connection fares (TCP_INFO). */
struct net_tcp_state {
        unsigned retransmits, backoff, unacked; /* now */
        unsigned retransmitted;                 /* in all */
        unsigned rtt_us;
        unsigned segment;      /* bytes of a segment that is sent */
        unsigned path_mtu;     /* as the kernel knows it */
        unsigned out_of_order; /* packets received behind a gap */
        uint64_t acked, received;
};

/* 0 or -errno. */
int net_tcp_look(int fd, struct net_tcp_state *ret);

/*
 * Whether what was sent stays unacknowledged though acknowledgements came before: with a full segment under way, the
 * signature of a path that swallows large packets.
 */
bool net_tcp_is_stalled(const struct net_tcp_state *state);

#endif
