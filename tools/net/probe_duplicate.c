/*
 * Does another machine use one of this machine's IPv4 addresses? Linux does not look, so this asks, as RFC 5227 says.
 */
#include <errno.h>
#include <stdio.h>

#include <plait/scope.h>

#include "net/arp.h"
#include "net/probes.h"
#include "net/way.h"

struct check {
        struct net_run *run;
        const struct net_link *link;
        const struct net_addr *addr;
};

static int check(void *arg)
{
        static const struct net_ip nobody;
        struct check *check = arg;
        char text[NET_IP_TEXT];
        uint8_t mac[6] = {0};
        struct net_fact fact = net_fact_make(NET_ADDRESS, "addr.duplicate", net_ip_text(&check->addr->ip, text));
        int64_t begin = plait_now_ns();
        int r = net_arp_ask(check->link, &nobody, &check->addr->ip, 2, 80, mac);

        fact.family = AF_INET;
        fact.from = check->addr->ip;
        fact.ms = net_ms_since(begin);
        if (r == -ECANCELED)
                return r;
        if (r == 0)
                net_fact_fail(&fact, NET_DUPLICATE, "%02x:%02x:%02x:%02x:%02x:%02x on %s has %s, too", mac[0], mac[1],
                              mac[2], mac[3], mac[4], mac[5], check->link->name, text);
        else if (r == -ETIMEDOUT)
                net_fact_ok(&fact, "nobody else has it");
        else
                net_fact_unknown(&fact, "not checked: %s", r == -EPERM ? net_raw_advice() : strerrordesc_np(-r));
        net_post(check->run, &fact);
        return 0;
}

int net_duplicate_probe(struct net_run *run)
{
        struct check checks[NET_WAYS_MAX];
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        size_t count = 0;

        for (size_t i = 0; i < run->host.addrs.count && count < NET_WAYS_MAX; i++) {
                const struct net_addr *addr = &run->host.addrs.at[i];
                const struct net_link *link = net_host_link(&run->host, addr->link);
                if (!link || addr->ip.family != AF_INET || !link->ethernet || !link->up || !link->carrier ||
                    link->no_arp || !net_link_matters(run, link))
                        continue;
                checks[count] = (struct check){run, link, addr};
                plait_scope_go(&scope, check, &checks[count++]);
        }
        return plait_scope_join(&scope);
}
