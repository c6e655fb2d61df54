/*
 * Whether a host answers at all, and how soon; or who says why not.
 */
#ifndef NET_ECHO_H
#define NET_ECHO_H

#include <stdbool.h>
#include <stdint.h>

#include "net/icmp.h"
#include "net/ping.h"

struct net_echo {
        bool answered;     /* by the target itself */
        bool complained;   /* somebody sent an ICMP error: *error* */
        bool icmp_allowed; /* this user may send echo requests; otherwise only UDP was tried */
        enum net_ping_way way;
        int64_t rtt_ns;
        int ttl;         /* of the reply; -1: unknown */
        int local_error; /* positive errno with which this machine did not even send; 0: it did */
        unsigned sent;
        struct net_icmp_error error;
};

/*
 * Send until an answer comes or *deadline_ns*; later packets go by UDP, too, for hosts that answer no echo request.
 * 0 whatever came of it; -ECANCELED, or -errno when no socket can be had.
 */
int net_echo_try(const struct net_ip *target, int64_t deadline_ns, struct net_echo *ret);

#endif
