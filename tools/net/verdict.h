/*
 * The verdicts: a code that never changes its meaning, its layer, and what to do. plait-net(1) documents each.
 */
#ifndef NET_VERDICT_H
#define NET_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "net/fact.h"

enum net_code {
        NET_HEALTHY,
        NET_UNDECIDED, /* "unknown" */
        /* link */
        NET_V_NO_LINK,
        NET_V_LINK_ADMIN_DOWN,
        NET_V_NO_CARRIER,
        /* address */
        NET_V_NO_ADDRESS,
        NET_V_APIPA,
        NET_V_DHCP_NO_SERVER,
        NET_V_LEASE_EXPIRED,
        NET_V_DUPLICATE_ADDRESS,
        NET_V_ROGUE_DHCP,
        /* route */
        NET_V_NO_DEFAULT_ROUTE,
        NET_V_UNREACHABLE_ROUTE,
        NET_V_PROHIBIT_ROUTE,
        NET_V_BLACKHOLE_ROUTE,
        NET_V_BAD_GATEWAY,
        /* neighbour */
        NET_V_GATEWAY_NO_ARP,
        NET_V_TARGET_NO_ARP,
        /* DNS */
        NET_V_DNS_NO_SERVERS,
        NET_V_DNS_DEAD,
        NET_V_DNS_NOT_LISTENING,
        NET_V_DNS_PARTIAL,
        NET_V_DNS_NXDOMAIN,
        NET_V_DNS_NODATA,
        NET_V_DNS_SERVFAIL,
        NET_V_DNS_REFUSED,
        NET_V_DNS_MALFORMED,
        NET_V_DNS_SPLIT,
        NET_V_DNS_SLOW,
        /* path */
        NET_V_UNREACHABLE_AT,
        NET_V_ADMIN_PROHIBITED_AT,
        NET_V_ROUTING_LOOP,
        /* TCP */
        NET_V_LOCAL_FIREWALL,
        NET_V_REFUSED,
        NET_V_REJECTED_BY,
        NET_V_FILTERED,
        NET_V_HOST_SILENT,
        NET_V_IPV6_BROKEN,
        NET_V_IPV4_BROKEN,
        /* MTU */
        NET_V_MTU_BLACK_HOLE,
        /* quality */
        NET_V_LOSS,
        NET_V_BUFFERBLOAT,
        /* proxy */
        NET_V_PROXY_DEAD,
        NET_V_PROXY_AUTH,
        NET_V_PROXY_REFUSES,
        NET_V_PROXY_INTERCEPTS,
        NET_V_CAPTIVE_PORTAL,
        /* TLS */
        NET_V_CLOCK_SKEW,
        NET_V_TLS_EXPIRED,
        NET_V_TLS_NOT_YET_VALID,
        NET_V_TLS_NAME,
        NET_V_TLS_SELF_SIGNED,
        NET_V_TLS_MISSING_INTERMEDIATE,
        NET_V_TLS_UNTRUSTED,
        NET_V_TLS_REVOKED,
        NET_V_TLS_RESET,
        NET_V_TLS_PLAINTEXT,
        NET_V_TLS_SILENT,
        NET_V_TLS_PROTOCOL,
        /* HTTP */
        NET_V_HTTP_SERVER_ERROR,
        NET_V_HTTP_CLIENT_ERROR,
        NET_V_HTTP_REDIRECT_LOOP,
        NET_V_HTTP_NO_FIRST_BYTE,
        NET_V_HTTP_BODY_STALL,
        NET_V_HTTP_MALFORMED,
        NET_CODES,
};

struct net_verdict_info {
        const char *code; /* "no-carrier" */
        enum net_layer layer;
        bool degraded;       /* the target can be reached in spite of it */
        unsigned waits;      /* layers whose probes must all have ended before it is final */
        const char *summary; /* a sentence; %s is what it is about (an interface, an address, a name), %f who said so,
                                %n the number, %t the target */
        const char *advice;  /* what to do, a sentence or two */
};

const struct net_verdict_info *net_verdict_info(enum net_code code);

#endif
