/*
 * All probes, in the order of the layers.
 */
#include "net/probes.h"

#define LARGE_STACK (256U << 10)

const struct net_probe net_probes[] = {
        {"links", NET_LINK, NET_GATE, 0, NULL, net_link_probe},
        {"addresses", NET_ADDRESS, NET_GATE, LARGE_STACK, NULL, net_address_probe},
        {"duplicates", NET_ADDRESS, 0, 0, NULL, net_duplicate_probe},
        {"DHCP servers", NET_ADDRESS, NET_CONFIRM, LARGE_STACK, net_dhcp_wanted, net_dhcp_probe},
        {"routes", NET_ROUTE, NET_GATE, LARGE_STACK, NULL, net_route_probe},
        {"target's routes", NET_ROUTE, NET_GATE, LARGE_STACK, net_route_target_wanted, net_route_target_probe},
        {"gateways", NET_NEIGHBOUR, 0, LARGE_STACK, NULL, net_gateway_probe},
        {"target on link", NET_NEIGHBOUR, 0, LARGE_STACK, net_neighbour_target_wanted, net_neighbour_target_probe},
        {"neighbour table", NET_NEIGHBOUR, 0, LARGE_STACK, net_neighbour_table_wanted, net_neighbour_table_probe},
        {"name servers", NET_DNS, NET_GATE, LARGE_STACK, NULL, net_dns_probe},
        {"proxy", NET_PROXY, 0, LARGE_STACK, net_proxy_wanted, net_proxy_probe},
};

const size_t net_probe_count = sizeof net_probes / sizeof *net_probes;
