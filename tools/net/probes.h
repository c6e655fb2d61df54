/*
 * What each file of probes offers to the table in probes.c. What they find is told in plait-net(1), by the names of the
 * facts.
 */
#ifndef NET_PROBES_H
#define NET_PROBES_H

#include "net/probe.h"

int net_link_probe(struct net_run *run);
int net_address_probe(struct net_run *run);
int net_duplicate_probe(struct net_run *run);
int net_route_probe(struct net_run *run);
int net_route_target_probe(struct net_run *run);
int net_gateway_probe(struct net_run *run);
int net_neighbour_target_probe(struct net_run *run);
int net_neighbour_table_probe(struct net_run *run);
int net_dhcp_probe(struct net_run *run);
int net_dns_probe(struct net_run *run);
int net_proxy_probe(struct net_run *run);

bool net_route_target_wanted(const struct net_run *run, const struct net_fact *facts, size_t count);
bool net_neighbour_target_wanted(const struct net_run *run, const struct net_fact *facts, size_t count);
bool net_neighbour_table_wanted(const struct net_run *run, const struct net_fact *facts, size_t count);
bool net_dhcp_wanted(const struct net_run *run, const struct net_fact *facts, size_t count);
bool net_proxy_wanted(const struct net_run *run, const struct net_fact *facts, size_t count);

int net_echo_probe(struct net_run *run);
int net_path_probe(struct net_run *run);
int net_alive_probe(struct net_run *run);
int net_tcp_probe(struct net_run *run);
int net_mtu_probe(struct net_run *run);
int net_quality_probe(struct net_run *run);
int net_load_probe(struct net_run *run);
int net_tls_probe(struct net_run *run);
int net_http_probe(struct net_run *run);
int net_portal_probe(struct net_run *run);

bool net_load_wanted(const struct net_run *run, const struct net_fact *facts, size_t count);
bool net_tls_wanted(const struct net_run *run, const struct net_fact *facts, size_t count);
bool net_http_wanted(const struct net_run *run, const struct net_fact *facts, size_t count);
bool net_portal_wanted(const struct net_run *run, const struct net_fact *facts, size_t count);

#endif
