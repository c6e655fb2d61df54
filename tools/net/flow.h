/*
 * Whether large segments get through to a server and back: a request that fills more than two of them, and what TCP
 * says about it. Needs no privilege and no ICMP.
 */
#ifndef NET_FLOW_H
#define NET_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "net/exchange.h"
#include "net/run.h"
#include "net/tcp.h"

enum net_flow_end {
        NET_FLOW_UNKNOWN, /* no connection, or the time was over before anything could be told */
        NET_FLOW_OK,      /* large segments were acknowledged, and an answer flowed */
        NET_FLOW_STALLED, /* what was sent was acknowledged never, or what the server sends does not arrive */
};

struct net_flow {
        enum net_flow_end end;
        bool is_upload; /* it is this side's segments that vanish; otherwise the server's */
        struct net_tcp_state tcp;
        uint64_t bytes; /* that flowed */
        int64_t silent_ns;
};

/*
 * Send a large request for the target's path, with segments of at most *segment* bytes in both directions (0: whatever
 * the two sides agree upon). 0 whatever came of it; -ECANCELED; or -errno. Needs 128 KiB of stack.
 */
int net_flow_try(struct net_run *run, const struct net_ip *ip, int segment, int64_t deadline_ns, struct net_flow *ret);

#endif
