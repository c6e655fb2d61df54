/*
 * What this machine says of its own network.
 */
#include "net/host.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include <plait/time.h>

#include "net/kernel.h"

int net_host_read(struct net_host *host)
{
        int64_t begin = plait_now_ns();

        memset(host, 0, sizeof *host);
        int r = net_kernel_dump(&host->links, &host->addrs, &host->routes, &host->neighbours);
        host->netlink_failed = r < 0;
        net_resolvers_read(&host->resolvers);
        net_leases_read(&host->leases);
        host->read_ns = plait_now_ns() - begin;
        return r;
}

const struct net_link *net_host_link(const struct net_host *host, uint32_t index)
{
        for (size_t i = 0; i < host->links.count; i++)
                if (host->links.at[i].index == index)
                        return &host->links.at[i];
        return NULL;
}

static bool is_better(const struct net_route *route, const struct net_route *than)
{
        if (!than || route->prefix_bits != than->prefix_bits)
                return !than || route->prefix_bits > than->prefix_bits;
        return route->metric < than->metric;
}

const struct net_route *net_host_route(const struct net_host *host, const struct net_ip *ip)
{
        const struct net_route *best = NULL;

        for (size_t i = 0; i < host->routes.count; i++) {
                const struct net_route *route = &host->routes.at[i];
                if ((route->table == RT_TABLE_MAIN || route->table == RT_TABLE_LOCAL) &&
                    net_ip_in(ip, &route->destination, route->prefix_bits) && is_better(route, best))
                        best = route;
        }
        return best;
}

static bool has_default_route(const struct net_host *host, int family)
{
        for (size_t i = 0; i < host->routes.count; i++) {
                const struct net_route *route = &host->routes.at[i];
                if (route->destination.family == family && route->prefix_bits == 0 && route->type == RTN_UNICAST &&
                    route->table == RT_TABLE_MAIN)
                        return true;
        }
        return false;
}

bool net_host_has_family(const struct net_host *host, int family)
{
        for (size_t i = 0; i < host->addrs.count; i++) {
                const struct net_ip *ip = &host->addrs.at[i].ip;
                if (ip->family == family && !net_ip_is_loopback(ip) && !net_ip_is_link_local(ip))
                        return has_default_route(host, family);
        }
        return false;
}
