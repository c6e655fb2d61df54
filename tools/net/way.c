/*
 * The way out of this machine.
 */
#include "net/way.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "net/kernel.h"

static const struct net_route *default_route(const struct net_host *host, int family)
{
        const struct net_route *best = NULL;

        for (size_t i = 0; i < host->routes.count; i++) {
                const struct net_route *route = &host->routes.at[i];
                if (route->destination.family == family && route->prefix_bits == 0 && route->type == RTN_UNICAST &&
                    route->table == RT_TABLE_MAIN && (!best || route->metric < best->metric))
                        best = route;
        }
        return best;
}

static struct net_way way_of(const struct net_route *route, int family)
{
        return (struct net_way){.gateway = route->gateway, .link = route->link, .family = family};
}

size_t net_ways(const struct net_run *run, struct net_way *ret, size_t room)
{
        static const int families[] = {AF_INET, AF_INET6};
        struct net_route route;
        size_t count = 0;

        if (run->target.given && run->target.literal) {
                if (room > 0 && net_kernel_route(&run->target.ip, &route) == 0)
                        ret[count++] = way_of(&route, run->target.ip.family);
                return count;
        }
        for (size_t i = 0; i < 2 && count < room; i++) {
                if (families[i] == AF_INET ? run->options->ipv6_only : run->options->ipv4_only)
                        continue;
                const struct net_route *found = default_route(&run->host, families[i]);
                if (found)
                        ret[count++] = way_of(found, families[i]);
        }
        return count;
}

bool net_link_has_address(const struct net_host *host, uint32_t link, int family)
{
        for (size_t i = 0; i < host->addrs.count; i++) {
                const struct net_addr *addr = &host->addrs.at[i];
                if (addr->link == link && (family == 0 || addr->ip.family == family) &&
                    !net_ip_is_link_local(&addr->ip) && !net_ip_is_loopback(&addr->ip))
                        return true;
        }
        return false;
}

static bool works(const struct net_host *host, const struct net_link *link)
{
        return !link->loopback && link->up && link->carrier && net_link_has_address(host, link->index, 0);
}

bool net_link_matters(const struct net_run *run, const struct net_link *link)
{
        struct net_way ways[NET_WAYS_MAX];
        size_t count = net_ways(run, ways, NET_WAYS_MAX);

        if (run->to_self)
                return link->loopback;
        for (size_t i = 0; i < count; i++)
                if (ways[i].link == link->index)
                        return true;
        if (count > 0 || link->loopback || link->master != 0)
                return false;
        for (size_t i = 0; i < run->host.links.count; i++)
                if (works(&run->host, &run->host.links.at[i]))
                        return link->index == run->host.links.at[i].index;
        return link->ethernet || !link->point_to_point;
}
