/*
 * Many packets in a row: how many are lost, how long the answers take, and how much that varies.
 */
#ifndef NET_SERIES_H
#define NET_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ip.h"

#define NET_SERIES_MAX 512

enum net_series_way {
        NET_SERIES_ICMP,
        NET_SERIES_TCP, /* SYN to a port where nobody listens, and RST */
};

struct net_series_opts {
        unsigned count;      /* 1 to NET_SERIES_MAX */
        int64_t interval_ns; /* between packets */
        int64_t wait_ns;     /* without any further answer; for SYNs, each */
        int64_t deadline_ns; /* what has not come by then is not waited for; 0: none */
};

struct net_series {
        enum net_series_way way;
        unsigned sent, answered;        /* sent: up to the last one that was answered */
        unsigned lost;                  /* not answered, though a later one was */
        unsigned pending;               /* sent after the last one that was answered */
        unsigned unsent;                /* this machine refused to send; no fault of the path */
        int64_t rtt_ns[NET_SERIES_MAX]; /* of those answered, in the order of sending */
};

struct net_series_stats {
        int64_t min_ns, median_ns, p99_ns, max_ns;
        int64_t jitter_ns; /* the mean difference of two answers in a row (RFC 3550 without its smoothing) */
};

/*
 * 0; -EACCES when there is no way to measure: no right to send echo requests, and no closed port that answers;
 * -ETIMEDOUT, -ECANCELED, with nothing in *ret*; or -errno. Of echo requests a quarter is enough to give up, when none
 * of them was answered.
 */
int net_series_run(const struct net_ip *target, const struct net_series_opts *opts, struct net_series *ret);

/* False when nothing was answered. */
bool net_series_sum_up(const struct net_series *series, struct net_series_stats *ret);

#endif
