/*
 * What this machine says of its own network, read in one go: links, addresses, routes, neighbours, resolvers, leases,
 * proxies. It is not changed after that, so probes read it without a lock.
 */
#ifndef NET_HOST_H
#define NET_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ip.h"
#include "net/lease.h"
#include "net/netlink.h"
#include "net/resolver.h"

struct net_host {
        struct net_links links;
        struct net_addrs addrs;
        struct net_routes routes;
        struct net_neighbours neighbours;
        struct net_resolvers resolvers;
        struct net_leases leases;
        bool netlink_failed; /* nothing of the first four is known */
        int64_t read_ns;     /* how long it took */
};

/* Returns 0, or the -errno of netlink; the rest is read in any case. It takes a few milliseconds and does not wait. */
int net_host_read(struct net_host *host);

const struct net_link *net_host_link(const struct net_host *host, uint32_t index);

/* The route that the kernel would take to *ip*; NULL: none that is known here. */
const struct net_route *net_host_route(const struct net_host *host, const struct net_ip *ip);

/* Whether there is an address, not link-local or loopback, and a route out, so that programs would try that family. */
bool net_host_has_family(const struct net_host *host, int family);

#endif
