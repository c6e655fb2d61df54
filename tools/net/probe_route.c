/*
 * The routes: is there one to the target, to the name servers, out of here, and does its gateway make sense?
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "net/kernel.h"
#include "net/probes.h"
#include "net/way.h"

static void describe(const struct net_host *host, const struct net_route *route, struct net_fact *fact)
{
        const struct net_link *link = net_host_link(host, route->link);
        char gateway[NET_IP_TEXT];

        if (route->gateway.family != 0)
                net_fact_value(fact, "via %s dev %s", net_ip_text(&route->gateway, gateway), link ? link->name : "?");
        else
                net_fact_value(fact, "on link dev %s", link ? link->name : "?");
}

/* What the kernel's refusal to route means. */
static enum net_symptom symptom_of(int error)
{
        switch (error) {
        case -EHOSTUNREACH: return NET_ROUTE_UNREACHABLE;
        case -EACCES: return NET_ROUTE_PROHIBIT;
        case -EINVAL: return NET_ROUTE_BLACKHOLE;
        default: return NET_NO_DEFAULT_ROUTE;
        }
}

/* IPv6 says ENETUNREACH for an "unreachable" route of an administrator's, too: the table tells them apart. */
static enum net_symptom symptom_in_table(const struct net_host *host, const struct net_ip *ip, int error)
{
        const struct net_route *route = net_host_route(host, ip);

        if (route && route->prefix_bits > 0 && route->type == RTN_UNREACHABLE)
                return NET_ROUTE_UNREACHABLE;
        if (route && route->type == RTN_PROHIBIT)
                return NET_ROUTE_PROHIBIT;
        if (route && route->type == RTN_BLACKHOLE)
                return NET_ROUTE_BLACKHOLE;
        return symptom_of(error);
}

/* Asks the kernel for the route to *ip*. *spare*: without one nothing is lost, since the other family has one. */
static void judge(struct net_run *run, const char *name, const struct net_ip *ip, bool spare)
{
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_ROUTE, name, net_ip_text(ip, text));
        struct net_route route = {.type = RTN_UNSPEC};
        int r = net_kernel_route(ip, &route);

        fact.family = ip->family;
        if (r == 0 && (route.type == RTN_UNICAST || route.type == RTN_LOCAL)) {
                fact.state = NET_OK;
                fact.from = route.gateway;
                describe(&run->host, &route, &fact);
        } else if (r == 0 && route.type != RTN_UNREACHABLE && route.type != RTN_PROHIBIT &&
                   route.type != RTN_BLACKHOLE) {
                net_fact_unknown(&fact, "the route to %s is of a special kind (%u)", text, route.type);
        } else if (r != 0 && r != -ENETUNREACH && r != -EHOSTUNREACH && r != -EACCES && r != -EINVAL) {
                net_fact_unknown(&fact, "the kernel does not tell the route: %s", strerrordesc_np(-r));
        } else {
                enum net_symptom symptom = symptom_in_table(&run->host, ip, r);
                if (spare && symptom == NET_NO_DEFAULT_ROUTE)
                        net_fact_unknown(&fact, "no route leads there; programs use the other addresses");
                else
                        net_fact_fail(&fact, symptom, "asked for the route to %s, the kernel says: %s", text,
                                      r ? strerrordesc_np(-r) : "it is not to be gone");
        }
        net_post(run, &fact);
}

/* Whether the name has addresses of the other family, and this machine a way to them, be it open or barred. */
static bool has_other_family(const struct net_run *run, int family)
{
        struct net_route route;

        for (size_t i = 0; i < run->address_count; i++)
                if (run->addresses[i].family != family && net_kernel_route(&run->addresses[i], &route) != -ENETUNREACH)
                        return true;
        return false;
}

/* The gateway should be in a network that the link is in. */
static void judge_gateway(struct net_run *run, const struct net_way *way)
{
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_ROUTE, "route.gateway", net_ip_text(&way->gateway, text));

        fact.family = (sa_family_t)way->family;
        fact.from = way->gateway;
        for (size_t i = 0; i < run->host.addrs.count; i++) {
                const struct net_addr *addr = &run->host.addrs.at[i];
                if (addr->link == way->link && net_ip_in(&way->gateway, &addr->ip, addr->prefix_bits))
                        net_fact_ok(&fact, "in the network of its link");
        }
        if (net_ip_is_link_local(&way->gateway))
                net_fact_ok(&fact, "link-local");
        const struct net_link *link = net_host_link(&run->host, way->link);
        if (link && (link->point_to_point || link->no_arp))
                net_fact_ok(&fact, "at the other end of %s", link->name);
        if (fact.state != NET_OK)
                net_fact_fail(&fact, NET_GATEWAY_OFF_LINK, "%s is in no network that %s is in", text,
                              link ? link->name : "this machine");
        net_post(run, &fact);
}

static void judge_default(struct net_run *run)
{
        struct net_fact fact = net_fact_make(NET_ROUTE, "route.default", NULL);
        struct net_way ways[NET_WAYS_MAX];
        char text[NET_IP_TEXT];
        size_t count = net_ways(run, ways, NET_WAYS_MAX);

        for (size_t i = 0; i < count; i++) {
                const struct net_link *link = net_host_link(&run->host, ways[i].link);
                fact.subject[0] = 0;
                snprintf(fact.subject, sizeof fact.subject, "%s", ways[i].family == AF_INET ? "IPv4" : "IPv6");
                fact.family = (sa_family_t)ways[i].family;
                net_fact_ok(&fact, "via %s dev %s", net_ip_text(&ways[i].gateway, text), link ? link->name : "?");
                net_post(run, &fact);
        }
        if (count == 0) {
                net_fact_fail(&fact, NET_NO_DEFAULT_ROUTE, "neither IPv4 nor IPv6 has a default route");
                net_post(run, &fact);
        }
}

int net_route_probe(struct net_run *run)
{
        struct net_way ways[NET_WAYS_MAX];

        if (run->host.netlink_failed)
                return 0;
        size_t count = net_ways(run, ways, NET_WAYS_MAX);
        for (size_t i = 0; i < count; i++)
                if (ways[i].gateway.family != 0)
                        judge_gateway(run, &ways[i]);
        if (!run->target.literal)
                judge_default(run);
        else if (!net_run_is_proxied(run))
                judge(run, "route.target", &run->target.ip, false);
        for (size_t i = 0; i < run->host.resolvers.configured; i++)
                judge(run, "route.server", &run->host.resolvers.servers[i], true);
        return 0;
}

/* The same for the addresses of a name, as soon as they are known. */
int net_route_target_probe(struct net_run *run)
{
        int count = net_run_addresses(run);

        for (int i = 0; i < count; i++)
                judge(run, "route.target", &run->addresses[i], has_other_family(run, run->addresses[i].family));
        return count < 0 ? count : 0;
}

bool net_route_target_wanted(const struct net_run *run, const struct net_fact *facts, size_t count)
{
        (void)facts;
        (void)count;
        return run->target.given && !run->target.literal && !net_run_is_proxied(run) && !run->host.netlink_failed;
}
