/*
 * The path to a host, all hops at once: a packet for each TTL, and who complains that it ran out.
 */
#ifndef NET_PATH_H
#define NET_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/icmp.h"

#define NET_HOPS_MAX 30

struct net_hop {
        struct net_ip from; /* family 0: mute */
        int64_t rtt_ns;
};

struct net_path {
        struct net_hop hops[NET_HOPS_MAX]; /* of TTL 1, 2, ... */
        size_t hop_count;                  /* up to the target, or to the last hop that is known */
        bool reached;                      /* the target itself answered */
        bool complained;                   /* somebody sent another error than "time to live exceeded": *error* */
        struct net_icmp_error error;
        int local_error; /* positive errno with which this machine did not send; 0: it did */
        bool icmp_allowed;
};

/*
 * Measure until all is known or *deadline_ns*; with *port*, TCP packets to that port go beside the others.
 * 0 whatever came of it; -ECANCELED; or -errno.
 */
int net_path_trace(const struct net_ip *target, uint16_t port, int64_t deadline_ns, struct net_path *ret);

/*
 * Whether packets go round in circles: a hop that comes back again and again, with others in between. The target was
 * not reached then. *ret* says which.
 */
bool net_path_loops(const struct net_path *path, struct net_ip *ret);

/* "10.0.0.1 > * > 10.0.2.1", cut where it does not fit. Returns *buf*. */
const char *net_path_text(const struct net_path *path, char *buf, size_t bytes);

#endif
