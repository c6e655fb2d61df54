/*
 * All probes, in the order of the layers.
 */
#include "net/probes.h"
#include "net/each.h"

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
        {"echo", NET_PATH, 0, 0, net_is_direct, net_echo_probe},
        {"path", NET_PATH, 0, 0, net_is_direct, net_path_probe},
        {"signs of life", NET_PATH, 0, 0, net_is_direct, net_alive_probe},
        {"tcp", NET_TCP, 0, 0, net_is_direct, net_tcp_probe},
        {"mtu", NET_MTU, 0, LARGE_STACK, net_is_direct, net_mtu_probe},
        {"quality", NET_QUALITY, 0, LARGE_STACK, net_is_direct, net_quality_probe},
        {"load", NET_QUALITY, NET_CONFIRM, LARGE_STACK, net_load_wanted, net_load_probe},
        {"proxy", NET_PROXY, 0, LARGE_STACK, net_proxy_wanted, net_proxy_probe},
        {"portal page", NET_PROXY, 0, LARGE_STACK, net_portal_wanted, net_portal_probe},
        {"tls", NET_TLS, 0, LARGE_STACK, net_tls_wanted, net_tls_probe},
        {"http", NET_HTTP, 0, LARGE_STACK, net_http_wanted, net_http_probe},
};

const size_t net_probe_count = sizeof net_probes / sizeof *net_probes;
