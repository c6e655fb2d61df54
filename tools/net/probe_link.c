/*
 * The links: are they switched on, and is somebody at the other end?
 */
#include <stdio.h>

#include "net/probes.h"
#include "net/way.h"

static void describe(const struct net_link *link, struct net_fact *fact)
{
        net_fact_value(fact, "%s, %s, MTU %u, %02x:%02x:%02x:%02x:%02x:%02x", link->up ? "up" : "down",
                       link->carrier ? "carrier" : "no carrier", link->mtu, link->mac[0], link->mac[1], link->mac[2],
                       link->mac[3], link->mac[4], link->mac[5]);
}

static void judge(const struct net_run *run, const struct net_link *link, struct net_fact *fact)
{
        if (link->up && link->carrier)
                fact->state = NET_OK;
        else if (!net_link_matters(run, link))
                net_fact_unknown(fact, "it is not on the way, so it does not matter");
        else if (!link->up)
                net_fact_fail(fact, NET_ADMIN_DOWN, "%s is administratively down (no IFF_UP)", link->name);
        else
                net_fact_fail(fact, NET_NO_CARRIER, "%s is up, but has no carrier (no IFF_LOWER_UP)", link->name);
}

int net_link_probe(struct net_run *run)
{
        size_t others = 0;

        if (run->host.netlink_failed) {
                struct net_fact fact = net_fact_make(NET_LINK, "link.state", NULL);
                net_fact_unknown(&fact, "the kernel does not tell of its links (netlink is not allowed)");
                net_post(run, &fact);
                return 0;
        }
        for (size_t i = 0; i < run->host.links.count; i++) {
                const struct net_link *link = &run->host.links.at[i];
                struct net_fact fact = net_fact_make(NET_LINK, "link.state", link->name);
                fact.ms = (double)run->host.read_ns / 1e6;
                fact.number = link->mtu;
                others += !link->loopback;
                describe(link, &fact);
                judge(run, link, &fact);
                net_post(run, &fact);
        }
        if (others == 0 && !run->to_self) {
                struct net_fact fact = net_fact_make(NET_LINK, "link.state", NULL);
                net_fact_fail(&fact, NET_NO_LINK, "the kernel knows no interface but the loopback");
                net_post(run, &fact);
        }
        return 0;
}
