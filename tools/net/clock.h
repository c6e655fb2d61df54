/*
 * Whether this machine's clock is wrong. One other clock may be wrong itself: it takes two that agree.
 */
#ifndef NET_CLOCK_H
#define NET_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/run.h"

#define NET_CLOCKS_MAX 8

struct net_clock {
        char what[NET_SUBJECT_BYTES]; /* "SNTP at 192.0.2.1" */
        int64_t ahead_s;              /* this machine's clock, of that one */
};

struct net_clocks {
        struct net_clock at[NET_CLOCKS_MAX];
        size_t count;
};

/* Note another clock, if there is room. */
void net_clocks_add(struct net_clocks *clocks, int64_t ahead_s, const char *what, const char *where);

/* Ask those SNTP servers that may be asked: --ntp, those of leases, the target, the gateways. 0 or -ECANCELED. */
int net_clocks_ask(struct net_run *run, const struct net_ip *target, struct net_clocks *clocks, int64_t deadline_ns);

/* Post clock.skew. Failed if two clocks agree that this machine's is wrong by a minute or more. */
void net_clocks_post(struct net_run *run, const struct net_clocks *clocks);

#define NET_CLOCK_WRONG_S 60

#endif
