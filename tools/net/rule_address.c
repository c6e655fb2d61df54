/*
 * Reaching the target, address by address: who stands in the way of those that are not reached, and whether it is one
 * address, one family, or all.
 */
#include <stdio.h>
#include <string.h>

#include "net/finding.h"

enum { WITNESSES = 4 };

/* What is known of one address. */
struct reach {
        const struct net_fact *connect, *echo, *hops, *alive, *route, *neighbour;
        bool reached, decided;
};

static const struct net_fact *of(const struct net_case *facts, const char *name, const char *address)
{
        return net_case_find(facts, name, address);
}

static struct reach look(const struct net_case *facts, const char *address)
{
        bool with_port = facts->target->has_port;
        struct reach reach = {.connect = of(facts, with_port ? "tcp.connect" : "tcp.alive", address),
                              .echo = of(facts, "icmp.echo", address),
                              .hops = of(facts, "path.hops", address),
                              .alive = of(facts, "path.alive", address),
                              .route = of(facts, "route.target", address),
                              .neighbour = of(facts, "neigh.target", address)};

        reach.reached = reach.connect && reach.connect->state == NET_OK;
        if (!with_port)
                reach.reached |= (reach.echo && reach.echo->state == NET_OK) ||
                                 (reach.alive && reach.alive->state == NET_OK);
        reach.decided = reach.reached ||
                        (reach.connect && reach.connect->state == NET_FAIL &&
                         (with_port || (reach.echo && reach.echo->state == NET_FAIL))) ||
                        (reach.route && reach.route->state != NET_OK);
        return reach;
}

static bool failed_with(const struct net_fact *fact, enum net_symptom symptom)
{
        return fact && fact->state == NET_FAIL && fact->symptom == symptom;
}

/* What a symptom of a packet that did not get there says by itself. NET_HEALTHY: nothing. */
static enum net_code code_of(enum net_symptom symptom)
{
        switch (symptom) {
        case NET_REFUSED: return NET_V_REFUSED;
        case NET_REJECTED: return NET_V_REJECTED_BY;
        case NET_ADMIN_PROHIBITED: return NET_V_ADMIN_PROHIBITED_AT;
        case NET_UNREACHABLE: return NET_V_UNREACHABLE_AT;
        case NET_LOCAL_REJECT: return NET_V_LOCAL_FIREWALL;
        case NET_ROUTING_LOOP: return NET_V_ROUTING_LOOP;
        case NET_NO_DEFAULT_ROUTE:
        case NET_NO_ROUTE: return NET_V_NO_DEFAULT_ROUTE;
        case NET_ROUTE_UNREACHABLE: return NET_V_UNREACHABLE_ROUTE;
        case NET_ROUTE_PROHIBIT: return NET_V_PROHIBIT_ROUTE;
        case NET_ROUTE_BLACKHOLE: return NET_V_BLACKHOLE_ROUTE;
        default: return NET_HEALTHY;
        }
}

/* Who stands in the way of this address. Returns the code, and the fact that tells. */
static enum net_code judge(const struct reach *reach, const struct net_fact **ret)
{
        const struct net_fact *const explicit[WITNESSES] = {reach->route, reach->connect, reach->hops, reach->echo};

        if (failed_with(reach->neighbour, NET_NO_ARP)) {
                *ret = reach->neighbour;
                return NET_V_TARGET_NO_ARP;
        }
        if (failed_with(reach->connect, NET_SELF_UNREACHABLE) || failed_with(reach->echo, NET_SELF_UNREACHABLE)) {
                *ret = failed_with(reach->connect, NET_SELF_UNREACHABLE) ? reach->connect : reach->echo;
                bool on_link = reach->route && reach->route->state == NET_OK && reach->route->from.family == 0;
                return on_link ? NET_V_TARGET_NO_ARP : NET_V_GATEWAY_NO_ARP;
        }
        for (size_t i = 0; i < WITNESSES; i++) {
                const struct net_fact *fact = explicit[i];
                enum net_code code = fact && fact->state == NET_FAIL ? code_of(fact->symptom) : NET_HEALTHY;
                /* That an echo is filtered says nothing of a connection that only got no answer. */
                bool is_echo = fact == reach->echo && reach->connect && reach->connect->state == NET_FAIL;
                if (code == NET_V_NO_DEFAULT_ROUTE && reach->route && reach->route->state == NET_UNKNOWN)
                        continue; /* the other family has one, which is enough */
                if (code != NET_HEALTHY && !(is_echo && code != NET_V_UNREACHABLE_AT)) {
                        *ret = fact;
                        return code;
                }
        }
        if (failed_with(reach->connect, NET_SILENT) || failed_with(reach->echo, NET_SILENT)) {
                *ret = failed_with(reach->connect, NET_SILENT) ? reach->connect : reach->echo;
                bool up = (reach->alive && reach->alive->state == NET_OK) ||
                          (reach->echo && reach->echo->state == NET_OK) ||
                          (reach->neighbour && reach->neighbour->state == NET_OK);
                return up ? NET_V_FILTERED : NET_V_HOST_SILENT;
        }
        return NET_HEALTHY;
}

static void name_target(const struct net_case *facts, const char *address, struct net_finding *finding)
{
        const struct net_target *target = facts->target;
        bool same = target->literal || !*address;

        if (target->has_port)
                snprintf(finding->about, sizeof finding->about, "%s port %u%s%s%s", target->host, target->port,
                         same ? "" : " (", same ? "" : address, same ? "" : ")");
        else
                snprintf(finding->about, sizeof finding->about, "%s%s%s%s", target->host, same ? "" : " (",
                         same ? "" : address, same ? "" : ")");
}

static void add(struct net_findings *findings, enum net_code code, const struct net_fact *fact,
                const struct reach *reach, bool degraded)
{
        struct net_finding *finding = net_findings_add(findings, code, fact);

        if (!finding)
                return;
        if (finding->evidence_count == 1) {
                name_target(findings->facts, fact->subject, finding);
                finding->degraded |= degraded;
        }
        if (code == NET_V_GATEWAY_NO_ARP && reach->route)
                finding->from = reach->route->from;
        if (code == NET_V_HOST_SILENT && reach->hops && reach->hops != fact)
                net_finding_add_evidence(finding, findings->facts, reach->hops);
        if (code == NET_V_FILTERED && reach->alive && reach->alive->state == NET_OK)
                net_finding_add_evidence(finding, findings->facts, reach->alive);
}

/* A family that does not work while the other does. What its addresses lack is the evidence. */
static void add_broken(struct net_findings *findings, sa_family_t family, const struct net_fact *fact)
{
        enum net_code code = family == AF_INET6 ? NET_V_IPV6_BROKEN : NET_V_IPV4_BROKEN;
        struct net_finding *finding = net_findings_add(findings, code, fact);

        if (finding) {
                finding->degraded = true;
                snprintf(finding->about, sizeof finding->about, "%s", findings->facts->target->host);
        }
}

/* The subjects of the facts that stand for an address of the target each. */
static bool is_address(const struct net_fact *fact)
{
        return strcmp(fact->name, "route.target") == 0;
}

static void count(struct net_findings *findings)
{
        for (size_t i = 0; i < findings->facts->count; i++) {
                const struct net_fact *fact = &findings->facts->facts[i];
                if (!is_address(fact))
                        continue;
                struct reach reach = look(findings->facts, fact->subject);
                findings->reached[fact->family == AF_INET6] += reach.reached;
                findings->undecided += !reach.decided;
        }
}

void net_rule_addresses(struct net_findings *findings)
{
        count(findings);
        size_t reached = findings->reached[0] + findings->reached[1];
        for (size_t i = 0; i < findings->facts->count; i++) {
                const struct net_fact *fact = &findings->facts->facts[i];
                const struct net_fact *why = NULL;
                if (!is_address(fact))
                        continue;
                struct reach reach = look(findings->facts, fact->subject);
                enum net_code code = reach.reached ? NET_HEALTHY : judge(&reach, &why);
                if (code == NET_HEALTHY)
                        continue;
                if (reached > 0 && findings->reached[fact->family == AF_INET6] == 0)
                        add_broken(findings, fact->family, why);
                else
                        add(findings, code, why, &reach, reached > 0);
        }
}
