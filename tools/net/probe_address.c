/*
 * The addresses of the links on the way, and their leases, as far as the kernel and the lease files tell.
 */
#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/probes.h"
#include "net/way.h"

/* Writes the addresses of a link, "10.0.0.2/24 10.0.0.3/24". Returns how many are there that are not link-local. */
static size_t list(const struct net_host *host, uint32_t link, int family, char *text, size_t size, size_t *ret_local)
{
        char one[NET_IP_TEXT];
        size_t count = 0;
        size_t used = 0;

        text[0] = 0;
        for (size_t i = 0; i < host->addrs.count; i++) {
                const struct net_addr *addr = &host->addrs.at[i];
                if (addr->link != link || addr->ip.family != family || addr->flags & IFA_F_DADFAILED)
                        continue;
                if (used < size)
                        used += (size_t)snprintf(text + used, size - used, "%s%s/%u", used ? " " : "",
                                                 net_ip_text(&addr->ip, one), addr->prefix_bits);
                if (net_ip_is_link_local(&addr->ip))
                        ++*ret_local;
                else
                        count++;
        }
        return count;
}

static bool needs(const struct net_run *run, int family)
{
        return run->target.literal && run->target.ip.family == family && !net_ip_is_loopback(&run->target.ip) &&
               !net_ip_is_link_local(&run->target.ip);
}

static void judge_ipv4(struct net_run *run, const struct net_link *link)
{
        struct net_fact fact = net_fact_make(NET_ADDRESS, "addr.ipv4", link->name);
        char text[NET_VALUE_BYTES];
        size_t local = 0;
        size_t global = list(&run->host, link->index, AF_INET, text, sizeof text, &local);
        bool has_v6 = net_link_has_address(&run->host, link->index, AF_INET6);
        bool to_link_local = run->target.literal && net_ip_is_link_local(&run->target.ip);

        fact.family = AF_INET;
        fact.ms = (double)run->host.read_ns / 1e6;
        net_fact_value(&fact, "%s", text);
        if (global > 0 || (local > 0 && to_link_local))
                fact.state = NET_OK;
        else if (has_v6 && !needs(run, AF_INET))
                net_fact_unknown(&fact, "%s has IPv6 alone, which is enough", link->name);
        else if (local > 0)
                net_fact_fail(&fact, NET_APIPA, "%s has only %s, which it chose itself", link->name, text);
        else if (to_link_local)
                net_fact_unknown(&fact, "the target needs no IPv4");
        else
                net_fact_fail(&fact, NET_NO_ADDRESS, "%s has no IPv4 address%s", link->name,
                              has_v6 ? "" : " and no IPv6 address but link-local ones");
        net_post(run, &fact);
}

static void judge_ipv6(struct net_run *run, const struct net_link *link)
{
        struct net_fact fact = net_fact_make(NET_ADDRESS, "addr.ipv6", link->name);
        char text[NET_VALUE_BYTES];
        size_t local = 0;
        size_t global = list(&run->host, link->index, AF_INET6, text, sizeof text, &local);

        fact.family = AF_INET6;
        fact.ms = (double)run->host.read_ns / 1e6;
        net_fact_value(&fact, "%s", text);
        if (global > 0)
                fact.state = NET_OK;
        else if (needs(run, AF_INET6))
                net_fact_fail(&fact, NET_NO_ADDRESS, "%s has no IPv6 address%s", link->name,
                              local ? " but link-local ones" : "");
        else
                net_fact_unknown(&fact, "%s has no IPv6 address beyond the link: programs use IPv4", link->name);
        net_post(run, &fact);
}

/* Duplicate address detection of the kernel; IPv4 has none, see probe_duplicate.c. */
static void judge_dad(struct net_run *run, const struct net_link *link)
{
        for (size_t i = 0; i < run->host.addrs.count; i++) {
                const struct net_addr *addr = &run->host.addrs.at[i];
                char text[NET_IP_TEXT];
                if (addr->link != link->index || addr->ip.family != AF_INET6)
                        continue;
                struct net_fact fact = net_fact_make(NET_ADDRESS, "addr.duplicate", net_ip_text(&addr->ip, text));
                fact.family = AF_INET6;
                fact.from = addr->ip;
                if (addr->flags & IFA_F_DADFAILED)
                        net_fact_fail(&fact, NET_DUPLICATE, "the kernel found that another machine on %s has %s",
                                      link->name, text);
                else if (addr->flags & IFA_F_TENTATIVE)
                        net_fact_unknown(&fact, "the kernel is still checking whether %s is taken", text);
                else
                        net_fact_ok(&fact, "nobody else has it");
                net_post(run, &fact);
        }
}

static bool has_address(const struct net_host *host, uint32_t link, const struct net_ip *ip)
{
        for (size_t i = 0; i < host->addrs.count; i++)
                if (host->addrs.at[i].link == link && net_ip_equal(&host->addrs.at[i].ip, ip))
                        return true;
        return false;
}

/* An expired lease convicts only where its address is gone and no other came in its place. */
static void judge_lease(struct net_run *run, const struct net_link *link, const struct net_lease *lease)
{
        struct net_fact fact = net_fact_make(NET_ADDRESS, "lease.file", link->name);
        char address[NET_IP_TEXT];
        char server[NET_IP_TEXT];
        int64_t left = lease->expires - time(NULL);
        bool in_use = has_address(&run->host, link->index, &lease->address);

        fact.family = AF_INET;
        fact.from = lease->server;
        fact.number = -left;
        net_ip_text(&lease->address, address);
        net_ip_text(&lease->server, server);
        if (lease->expires == 0 || left > 0) {
                char more[40] = "";
                if (lease->expires != 0)
                        snprintf(more, sizeof more, ", for %lld s more", (long long)left);
                net_fact_ok(&fact, "%s from %s%s, written by %s%s%.60s", address, server, more, lease->client,
                            *lease->portal ? ", with the captive portal " : "", lease->portal);
        } else if (!in_use && net_link_has_address(&run->host, link->index, AF_INET)) {
                net_fact_unknown(&fact, "an old lease of %s (%s); another address is in use", lease->client, address);
        } else {
                net_fact_fail(&fact, NET_LEASE_EXPIRED, "the lease of %s from %s expired %lld s ago (%s)", address,
                              server, (long long)-left, lease->client);
        }
        net_post(run, &fact);
}

/* What the kernel knows of a lease: how long the address is good. */
static void judge_lifetime(struct net_run *run, const struct net_link *link)
{
        for (size_t i = 0; i < run->host.addrs.count; i++) {
                const struct net_addr *addr = &run->host.addrs.at[i];
                char text[NET_IP_TEXT];
                if (addr->link != link->index || addr->permanent || addr->ip.family != AF_INET)
                        continue;
                struct net_fact fact = net_fact_make(NET_ADDRESS, "lease.lifetime", net_ip_text(&addr->ip, text));
                fact.family = AF_INET;
                fact.number = addr->valid_s;
                net_fact_ok(&fact, "%u s more", addr->valid_s);
                net_post(run, &fact);
        }
}

int net_address_probe(struct net_run *run)
{
        for (size_t i = 0; i < run->host.links.count; i++) {
                const struct net_link *link = &run->host.links.at[i];
                if (link->loopback || !net_link_matters(run, link))
                        continue;
                judge_ipv4(run, link);
                judge_ipv6(run, link);
                judge_dad(run, link);
                judge_lifetime(run, link);
                for (size_t j = 0; j < run->host.leases.count; j++)
                        if (run->host.leases.at[j].link == link->index)
                                judge_lease(run, link, &run->host.leases.at[j]);
        }
        return 0;
}
