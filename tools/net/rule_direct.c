/*
 * Facts that are faults by themselves, one table, and those that are together with a second fact.
 */
#include <stdio.h>
#include <string.h>

#include "net/finding.h"

static const struct {
        enum net_code code;
        const char *fact;
        enum net_symptom symptom;
} rules[] = {
        {NET_V_NO_LINK, "link.state", NET_NO_LINK},
        {NET_V_LINK_ADMIN_DOWN, "link.state", NET_ADMIN_DOWN},
        {NET_V_NO_CARRIER, "link.state", NET_NO_CARRIER},
        {NET_V_NO_ADDRESS, "addr.ipv4", NET_NO_ADDRESS},
        {NET_V_NO_ADDRESS, "addr.ipv6", NET_NO_ADDRESS},
        {NET_V_APIPA, "addr.ipv4", NET_APIPA},
        {NET_V_LEASE_EXPIRED, "lease.file", NET_LEASE_EXPIRED},
        {NET_V_DUPLICATE_ADDRESS, "addr.duplicate", NET_DUPLICATE},
        {NET_V_ROGUE_DHCP, "dhcp.offer", NET_ROGUE_DHCP},
        {NET_V_LOSS, "quality.loss", NET_LOSS},
        {NET_V_BUFFERBLOAT, "quality.load", NET_BUFFERBLOAT},
        {NET_V_PROXY_DEAD, "proxy.connect", NET_PROXY_DEAD},
        {NET_V_PROXY_AUTH, "proxy.answer", NET_PROXY_AUTH},
        {NET_V_PROXY_REFUSES, "proxy.answer", NET_PROXY_REFUSES},
        {NET_V_PROXY_INTERCEPTS, "http.via", NET_INTERCEPTED},
        {NET_V_CAPTIVE_PORTAL, "http.portal", NET_CAPTIVE_PORTAL},
        {NET_V_TLS_EXPIRED, "tls.dates", NET_TLS_EXPIRED},
        {NET_V_TLS_NOT_YET_VALID, "tls.dates", NET_TLS_NOT_YET_VALID},
        {NET_V_TLS_NAME, "tls.name", NET_TLS_NAME},
        {NET_V_TLS_SELF_SIGNED, "tls.chain", NET_TLS_SELF_SIGNED},
        {NET_V_TLS_MISSING_INTERMEDIATE, "tls.chain", NET_TLS_MISSING_INTERMEDIATE},
        {NET_V_TLS_UNTRUSTED, "tls.chain", NET_TLS_UNTRUSTED},
        {NET_V_TLS_REVOKED, "tls.chain", NET_TLS_REVOKED},
        {NET_V_TLS_RESET, "tls.handshake", NET_TLS_RESET},
        {NET_V_TLS_PLAINTEXT, "tls.handshake", NET_TLS_PLAINTEXT},
        {NET_V_TLS_SILENT, "tls.handshake", NET_TLS_SILENT},
        {NET_V_TLS_PROTOCOL, "tls.handshake", NET_TLS_PROTOCOL},
        {NET_V_HTTP_SERVER_ERROR, "http.status", NET_HTTP_SERVER_ERROR},
        {NET_V_HTTP_CLIENT_ERROR, "http.status", NET_HTTP_CLIENT_ERROR},
        {NET_V_HTTP_REDIRECT_LOOP, "http.redirects", NET_HTTP_REDIRECT_LOOP},
        {NET_V_HTTP_NO_FIRST_BYTE, "http.status", NET_HTTP_NO_FIRST_BYTE},
        {NET_V_HTTP_BODY_STALL, "http.body", NET_HTTP_BODY_STALL},
        {NET_V_HTTP_MALFORMED, "http.status", NET_HTTP_MALFORMED},
};

static void apply_table(struct net_findings *findings)
{
        const struct net_case *facts = findings->facts;

        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
                for (size_t j = 0; j < facts->count; j++)
                        if (facts->facts[j].state == NET_FAIL && facts->facts[j].symptom == rules[i].symptom &&
                            strcmp(facts->facts[j].name, rules[i].fact) == 0)
                                net_findings_add(findings, rules[i].code, &facts->facts[j]);
}

/* That nobody offers an address is a fault only where one is missing. */
static void judge_dhcp(struct net_findings *findings)
{
        for (size_t i = 0; i < findings->facts->count; i++) {
                const struct net_fact *fact = &findings->facts->facts[i];
                if (fact->state == NET_FAIL && fact->symptom == NET_NO_OFFER &&
                    (net_findings_find(findings, NET_V_NO_ADDRESS) || net_findings_find(findings, NET_V_APIPA) ||
                     net_findings_find(findings, NET_V_LEASE_EXPIRED)))
                        net_findings_add(findings, NET_V_DHCP_NO_SERVER, fact);
        }
}

/* Whether the gateway of the other family answers. */
static bool other_gateway_answers(const struct net_findings *findings, const struct net_fact *than)
{
        for (size_t i = 0; i < findings->facts->count; i++) {
                const struct net_fact *fact = &findings->facts->facts[i];
                if (fact->state == NET_OK && fact->family != than->family && strcmp(fact->name, "neigh.gateway") == 0)
                        return true;
        }
        return false;
}

/*
 * A gateway that does not answer ARP, and through which nothing was reached. One beyond the link's networks may be
 * meant so (on-link gateways of hosting companies): it is a fault only when it does not answer either.
 */
static void judge_gateways(struct net_findings *findings)
{
        for (size_t i = 0; i < findings->facts->count; i++) {
                const struct net_fact *fact = &findings->facts->facts[i];
                if (fact->state != NET_FAIL || fact->symptom != NET_NO_ARP || strcmp(fact->name, "neigh.gateway") != 0)
                        continue;
                if (findings->reached[fact->family == AF_INET6] > 0)
                        continue;
                const struct net_fact *route = net_case_find(findings->facts, "route.gateway", fact->subject);
                struct net_finding *finding = NULL;
                if (route && route->state == NET_FAIL) {
                        finding = net_findings_add(findings, NET_V_BAD_GATEWAY, route);
                        if (finding)
                                net_finding_add_evidence(finding, findings->facts, fact);
                } else {
                        finding = net_findings_add(findings, NET_V_GATEWAY_NO_ARP, fact);
                }
                if (finding)
                        finding->degraded |= findings->reached[fact->family == AF_INET] > 0 ||
                                             (!findings->facts->target->given && other_gateway_answers(findings, fact));
        }
}

/* No route at all, and no address of the target that would be reached without one. */
static void judge_default_route(struct net_findings *findings)
{
        const struct net_fact *route = net_case_find(findings->facts, "route.default", "");

        if (route && route->state == NET_FAIL && !net_findings_find(findings, NET_V_NO_DEFAULT_ROUTE))
                for (size_t i = 0; i < findings->facts->count; i++) {
                        const struct net_fact *fact = &findings->facts->facts[i];
                        if (fact->state == NET_OK && strcmp(fact->name, "route.target") == 0)
                                return;
                }
        if (route && route->state == NET_FAIL && !net_findings_find(findings, NET_V_NO_DEFAULT_ROUTE)) {
                struct net_finding *finding = net_findings_add(findings, NET_V_NO_DEFAULT_ROUTE, route);
                if (finding)
                        snprintf(finding->about, sizeof finding->about, "%s",
                                 findings->facts->target->given ? findings->facts->target->text
                                                                : "anything beyond this network");
        }
}

/* Small packets pass, large ones do not, nobody says so, and TCP shows it. */
static void judge_mtu(struct net_findings *findings)
{
        for (size_t i = 0; i < findings->facts->count; i++) {
                const struct net_fact *fact = &findings->facts->facts[i];
                if (fact->state != NET_FAIL || fact->symptom != NET_BLACK_HOLE)
                        continue;
                const struct net_fact *tcp = net_case_find(findings->facts, "mtu.tcp", fact->subject);
                if (!tcp || tcp->state != NET_FAIL)
                        continue;
                struct net_finding *finding = net_findings_add(findings, NET_V_MTU_BLACK_HOLE, fact);
                if (finding)
                        net_finding_add_evidence(finding, findings->facts, tcp);
        }
}

/* A wrong clock is a fault of its own, and the one behind certificates that seem to be out of their time. */
static void judge_clock(struct net_findings *findings)
{
        const struct net_fact *clock = net_case_find(findings->facts, "clock.skew", NULL);
        const struct net_fact *dates = net_case_find(findings->facts, "tls.dates", NULL);

        if (!clock || clock->state != NET_FAIL)
                return;
        int64_t skew = clock->number < 0 ? -clock->number : clock->number;
        struct net_finding *finding = net_findings_add(findings, NET_V_CLOCK_SKEW, clock);
        if (!finding)
                return;
        if (dates && dates->state == NET_FAIL && skew > dates->number)
                net_finding_add_evidence(finding, findings->facts, dates);
        else
                finding->degraded = true;
}

void net_rule_directly(struct net_findings *findings)
{
        apply_table(findings);
        judge_dhcp(findings);
        judge_gateways(findings);
        judge_default_route(findings);
        judge_mtu(findings);
        judge_clock(findings);
}
