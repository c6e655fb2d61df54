/*
 * Facts: what the probes found out. A fact is ok, failed or unknown; only a failed one can convict, and what it says of
 * the fault is its symptom, with a number and an address where the symptom has them. The texts are for people.
 */
#ifndef NET_FACT_H
#define NET_FACT_H

#include <stdbool.h>
#include <stdint.h>

#include "net/ip.h"

/* From the ground up: a fault can explain what fails in its layer and in those after it. */
enum net_layer {
        NET_LINK,
        NET_ADDRESS,
        NET_ROUTE,
        NET_NEIGHBOUR,
        NET_DNS,
        NET_PATH,
        NET_TCP,
        NET_MTU,
        NET_QUALITY,
        NET_PROXY,
        NET_TLS,
        NET_HTTP,
        NET_LAYERS,
};

#define NET_LAYER_BIT(layer) (1U << (unsigned)(layer))
#define NET_LAYERS_ALL (NET_LAYER_BIT(NET_LAYERS) - 1)

enum net_state {
        NET_UNKNOWN,
        NET_OK,
        NET_FAIL,
};

/* What is wrong, as far as one probe can tell. "from" and "number" are members of the fact. */
enum net_symptom {
        NET_NO_SYMPTOM,
        /* link */
        NET_NO_LINK,    /* there is no interface but the loopback */
        NET_ADMIN_DOWN, /* no IFF_UP */
        NET_NO_CARRIER, /* no IFF_LOWER_UP */
        /* address */
        NET_NO_ADDRESS,
        NET_APIPA,         /* 169.254/16 only */
        NET_NO_OFFER,      /* DHCPDISCOVER stayed unanswered */
        NET_LEASE_EXPIRED, /* number: seconds since */
        NET_DUPLICATE,     /* someone else has the address; why names the MAC */
        NET_ROGUE_DHCP,    /* two server IDs; number: how many */
        /* route */
        NET_NO_DEFAULT_ROUTE, /* and no other to the target: ENETUNREACH at once */
        NET_ROUTE_UNREACHABLE,
        NET_ROUTE_PROHIBIT,
        NET_ROUTE_BLACKHOLE,
        NET_GATEWAY_OFF_LINK, /* from: the gateway */
        /* neighbour */
        NET_NO_ARP, /* from: who does not answer */
        /* DNS; subject: the server */
        NET_DNS_NO_SERVERS,
        NET_DNS_SILENT,
        NET_DNS_NOT_LISTENING, /* ICMP 3/3 */
        NET_DNS_UNREACHABLE,   /* any other error; from: who said so */
        NET_DNS_NXDOMAIN,
        NET_DNS_NODATA,
        NET_DNS_SERVFAIL,
        NET_DNS_REFUSED,
        NET_DNS_SLOW, /* number: ms */
        NET_DNS_DISAGREE,
        NET_DNS_MALFORMED,
        /* ways of not getting there, of any packet: echo, path and connect use the same */
        NET_SILENT,           /* no answer of any kind in time */
        NET_UNREACHABLE,      /* ICMP 3/0, 3/1, 3/5..8, 3/11, 3/12 (IPv6: 1/0, 1/3); from: the sender */
        NET_ADMIN_PROHIBITED, /* ICMP 3/9, 3/10, 3/13 (IPv6: 1/1, 1/5, 1/6); from: the sender */
        NET_REJECTED,         /* ICMP 3/2, 3/3 (IPv6: 1/4) for TCP; from: the sender, who is not the target */
        NET_SELF_UNREACHABLE, /* ICMP 3/1 from this machine itself: its ARP failed; from: who does not answer */
        NET_LOCAL_REJECT,     /* this machine's own filter: ICMP from self other than 3/1, EPERM, EACCES */
        NET_NO_ROUTE,         /* ENETUNREACH, EHOSTUNREACH at once with an empty error queue */
        NET_REFUSED,          /* RST, or ICMP 3/3 from the target itself */
        NET_RESET,            /* the connection was reset later on */
        NET_ROUTING_LOOP,     /* a hop repeats; from: which */
        /* MTU */
        NET_BLACK_HOLE, /* small packets pass, large ones vanish without 3/4; number: the largest that passed */
        NET_STALL,      /* TCP_INFO: retransmits and unacked with a normal rtt */
        /* quality */
        NET_LOSS,        /* number: lost, in percent */
        NET_BUFFERBLOAT, /* number: ms added under load */
        /* proxy */
        NET_PROXY_DEAD,     /* cannot be connected to */
        NET_PROXY_AUTH,     /* 407 */
        NET_PROXY_REFUSES,  /* it answers the request for the target with another error; number: its status */
        NET_INTERCEPTED,    /* a proxy nobody configured answers (Via) */
        NET_CAPTIVE_PORTAL, /* the answer is a portal's: redirect to a login page, 511 */
        /* TLS */
        NET_TLS_EXPIRED,       /* number: seconds since */
        NET_TLS_NOT_YET_VALID, /* number: seconds until */
        NET_TLS_NAME,
        NET_TLS_SELF_SIGNED,
        NET_TLS_MISSING_INTERMEDIATE,
        NET_TLS_UNTRUSTED,
        NET_TLS_REVOKED,
        NET_TLS_RESET,     /* closed or reset after the ClientHello */
        NET_TLS_PLAINTEXT, /* the answer is no TLS */
        NET_TLS_SILENT,    /* no answer to the ClientHello */
        NET_TLS_PROTOCOL,  /* no version or cipher in common; any other alert */
        NET_CLOCK_SKEW, /* number: seconds that this machine's clock is ahead (negative: behind); two sources agree */
        /* HTTP */
        NET_HTTP_SERVER_ERROR, /* number: the status */
        NET_HTTP_CLIENT_ERROR, /* number: the status */
        NET_HTTP_REDIRECT_LOOP,
        NET_HTTP_NO_FIRST_BYTE,
        NET_HTTP_BODY_STALL,
        NET_HTTP_MALFORMED, /* the answer is no HTTP, or it ends too early */
};

#define NET_NAME_BYTES 24
#define NET_SUBJECT_BYTES 80
#define NET_VALUE_BYTES 160
#define NET_WHY_BYTES 240

/* A fact is known by its name and subject: posted again, it takes the place of the earlier one. */
struct net_fact {
        enum net_layer layer;
        enum net_state state;
        enum net_symptom symptom;        /* set if and only if it failed */
        sa_family_t family;              /* AF_INET or AF_INET6 where it is about one of them; 0: both or neither */
        char name[NET_NAME_BYTES];       /* "tcp.connect": stable, documented in plait-net(1) */
        char subject[NET_SUBJECT_BYTES]; /* which interface, address, server; "" when there is but one */
        double ms;                       /* how long it took; negative: not measured */
        struct net_ip from;              /* who said so, or about whom; see the symptom */
        int64_t number;                  /* see the symptom; for others see the name */
        char value[NET_VALUE_BYTES];     /* what was found: "1500", "eth0 up", "refused" */
        char why[NET_WHY_BYTES];         /* a sentence: the evidence if it failed, what is missing if it is unknown */
};

/* Starts a fact; *subject* may be NULL. It is unknown until net_fact_ok() or net_fact_fail() says otherwise. */
struct net_fact net_fact_make(enum net_layer layer, const char *name, const char *subject);

/* Each sets the state and a text: the value if it is ok, the reason otherwise. */
__attribute__((format(printf, 2, 3))) void net_fact_ok(struct net_fact *fact, const char *value, ...);
__attribute__((format(printf, 3, 4))) void net_fact_fail(struct net_fact *fact, enum net_symptom symptom,
                                                         const char *why, ...);
__attribute__((format(printf, 2, 3))) void net_fact_unknown(struct net_fact *fact, const char *why, ...);
__attribute__((format(printf, 2, 3))) void net_fact_value(struct net_fact *fact, const char *value, ...);

const char *net_layer_name(enum net_layer layer); /* "link" */
const char *net_state_name(enum net_state state); /* "ok", "fail", "unknown" */

#endif
