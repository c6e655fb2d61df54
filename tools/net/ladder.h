/*
 * The path MTU: packets of several sizes that must not be cut, and which of them are answered.
 */
#ifndef NET_LADDER_H
#define NET_LADDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/icmp.h"
#include "net/ping.h"

#define NET_RUNGS 14

enum net_ladder_end {
        NET_LADDER_UNKNOWN,   /* nothing was answered, or no pattern */
        NET_LADDER_CLEAN,     /* all that the interface takes gets through */
        NET_LADDER_ANNOUNCED, /* larger ones are turned down by *offender*, as it should be */
        NET_LADDER_SWALLOWED, /* small ones are answered, large ones vanish without a word */
};

struct net_rung {
        uint16_t bytes; /* of the IP packet */
        uint8_t sent, answered;
        bool too_big; /* somebody said so, or this machine's interface takes no more */
};

struct net_ladder {
        enum net_ladder_end end;
        enum net_ping_way way;
        struct net_rung rungs[NET_RUNGS];
        size_t rung_count;
        uint32_t largest;       /* packet that was answered; 0: none */
        uint32_t smallest_lost; /* of those that vanished; 0: none */
        uint32_t mtu;           /* with ANNOUNCED: what was said; with CLEAN: of the interface, at least */
        struct net_ip offender; /* with ANNOUNCED: who said so */
};

/* 0 whatever came of it; -EACCES: nothing can be sent that tells; -ETIMEDOUT, -ECANCELED; or -errno. */
int net_ladder_climb(const struct net_ip *target, int64_t deadline_ns, struct net_ladder *ret);

/* What the rungs mean; a pure function. Sets *end*, *largest* and *smallest_lost*. */
void net_ladder_judge(struct net_ladder *ladder);

#endif
