/*
 * Which fault explains which: what fails above because of what fails below is no fault of its own.
 */
#include <string.h>

#include "net/finding.h"

/* Faults of this machine's set-up, which nothing outside of it brings about. */
static bool is_own(enum net_code code)
{
        return code == NET_V_DNS_NO_SERVERS || code == NET_V_LINK_ADMIN_DOWN;
}

/* What manages the network forgets the name servers of a link that has no carrier or no lease. */
static bool takes_name_servers(enum net_code one, enum net_code other)
{
        return other == NET_V_DNS_NO_SERVERS && net_verdict_info(one)->layer <= NET_ADDRESS;
}

static bool is_one_of(enum net_code code, const enum net_code *codes, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (codes[i] == code)
                        return true;
        return false;
}

#define IS_ONE_OF(code, ...)                                  \
        is_one_of(code, (const enum net_code[]){__VA_ARGS__}, \
                  sizeof((const enum net_code[]){__VA_ARGS__}) / sizeof(enum net_code))

/* Whether the servers that a finding is about are reached without the gateway. */
static bool is_about_neighbours(const struct net_case *facts, const struct net_finding *finding)
{
        for (size_t i = 0; i < finding->evidence_count; i++) {
                const struct net_fact *server = &facts->facts[finding->evidence[i]];
                const struct net_fact *route = net_case_find(facts, "route.server", server->subject);
                if (route && route->state == NET_OK && route->from.family == 0 &&
                    strncmp(route->subject, "127.", 4) != 0)
                        return true;
        }
        return false;
}

/* What silence looks like, whoever is to blame. */
static bool is_silence(enum net_code code)
{
        return IS_ONE_OF(code, NET_V_GATEWAY_NO_ARP, NET_V_TARGET_NO_ARP, NET_V_DNS_DEAD, NET_V_DNS_PARTIAL,
                         NET_V_FILTERED, NET_V_HOST_SILENT, NET_V_IPV4_BROKEN, NET_V_IPV6_BROKEN, NET_V_LOSS,
                         NET_V_MTU_BLACK_HOLE, NET_V_PROXY_DEAD, NET_V_TLS_SILENT, NET_V_HTTP_NO_FIRST_BYTE,
                         NET_V_HTTP_BODY_STALL);
}

static bool address_explains(enum net_code one, enum net_code other)
{
        switch (one) {
        case NET_V_DUPLICATE_ADDRESS: return is_silence(other);
        case NET_V_ROGUE_DHCP:
                return IS_ONE_OF(other, NET_V_BAD_GATEWAY, NET_V_GATEWAY_NO_ARP, NET_V_DNS_DEAD,
                                 NET_V_DUPLICATE_ADDRESS, NET_V_NO_DEFAULT_ROUTE);
        case NET_V_DHCP_NO_SERVER:
                return net_verdict_info(other)->layer > NET_ADDRESS ||
                       IS_ONE_OF(other, NET_V_NO_ADDRESS, NET_V_APIPA, NET_V_LEASE_EXPIRED);
        case NET_V_LEASE_EXPIRED:
                return net_verdict_info(other)->layer > NET_ADDRESS || IS_ONE_OF(other, NET_V_NO_ADDRESS, NET_V_APIPA);
        default: return net_verdict_info(other)->layer > NET_ADDRESS;
        }
}

static bool tls_explains(enum net_code one, enum net_code other)
{
        switch (one) {
        case NET_V_CLOCK_SKEW: return other == NET_V_TLS_EXPIRED || other == NET_V_TLS_NOT_YET_VALID;
        case NET_V_TLS_RESET:
        case NET_V_TLS_PLAINTEXT:
        case NET_V_TLS_SILENT:
        case NET_V_TLS_PROTOCOL: return net_verdict_info(other)->layer == NET_HTTP;
        default: return false;
        }
}

static bool layer_explains(const struct net_case *facts, const struct net_finding *one, const struct net_finding *other)
{
        enum net_layer below = net_verdict_info(one->code)->layer;
        enum net_layer above = net_verdict_info(other->code)->layer;

        switch (below) {
        case NET_LINK: return above > NET_LINK;
        case NET_ADDRESS:
                /* The kernel does not use an IPv6 address that another machine has. */
                if (one->code == NET_V_DUPLICATE_ADDRESS && one->family == AF_INET6 && other->family == AF_INET6)
                        return above > NET_ADDRESS;
                return address_explains(one->code, other->code);
        case NET_ROUTE:
        case NET_NEIGHBOUR:
                if (above == NET_DNS)
                        return one->code != NET_V_TARGET_NO_ARP && !is_about_neighbours(facts, other);
                return above > below;
        case NET_DNS: return above > NET_DNS;
        case NET_PATH:
        case NET_TCP: return above > NET_TCP;
        case NET_MTU: return is_silence(other->code) || other->code == NET_V_TLS_RESET;
        case NET_PROXY: return above > NET_PROXY;
        case NET_TLS: return tls_explains(one->code, other->code);
        default: return false;
        }
}

/* What does not keep the target from being reached explains little. */
static bool degraded_explains(const struct net_finding *one, const struct net_finding *other)
{
        enum net_layer above = net_verdict_info(other->code)->layer;

        if (one->code == NET_V_ROGUE_DHCP)
                return address_explains(one->code, other->code);
        if (one->code ==
            NET_V_DNS_SPLIT) /* number: the addresses themselves are in dispute, so it is chance which it was */
                return one->number == 1 && above > NET_DNS && above != NET_PROXY;
        if (one->code == NET_V_BUFFERBLOAT) /* a full queue drops */
                return other->code == NET_V_LOSS;
        if (one->code == NET_V_DUPLICATE_ADDRESS || one->code == NET_V_GATEWAY_NO_ARP || one->code == NET_V_BAD_GATEWAY)
                return other->code == (one->family == AF_INET6 ? NET_V_IPV6_BROKEN : NET_V_IPV4_BROKEN);
        return one->code == NET_V_MTU_BLACK_HOLE && is_silence(other->code);
}

bool net_finding_explains(const struct net_case *facts, const struct net_finding *one, const struct net_finding *other)
{
        if (one == other || (is_own(other->code) && !takes_name_servers(one->code, other->code)))
                return false;
        if (one->family != 0 && other->family != 0 && one->family != other->family)
                return false;
        return one->degraded ? degraded_explains(one, other) : layer_explains(facts, one, other);
}
