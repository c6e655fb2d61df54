/*
 * One name server, asked over one connected socket: all questions at once, again when packets seem lost, over TCP when
 * an answer is too long for UDP.
 */
#ifndef NET_DNS_CLIENT_H
#define NET_DNS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/dns.h"
#include "net/fact.h"
#include "net/ip.h"

#define NET_DNS_QUESTIONS 2

struct net_dns_reply {
        struct net_dns answers[NET_DNS_QUESTIONS];
        bool answered[NET_DNS_QUESTIONS];
        double ms;                /* until the first answer */
        bool by_tcp;              /* an answer was too long for UDP */
        struct net_ip offender;   /* who sent an ICMP error */
        enum net_symptom symptom; /* why there is no answer */
        char why[NET_WHY_BYTES];
};

/*
 * Asks *server* for the records of *types* (*count* of them) of *name*. Returns 0 with one answer or more, -ECANCELED,
 * or another -errno with *symptom* and *why* set. May suspend.
 */
int net_dns_ask(const struct net_ip *server, const char *name, const uint16_t *types, size_t count, bool recurse,
                int64_t deadline_ns, struct net_dns_reply *ret);

#endif
