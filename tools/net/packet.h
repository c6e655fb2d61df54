/*
 * A packet socket on one link, for what is below IP: ARP, DHCP without an address. Takes CAP_NET_RAW.
 */
#ifndef NET_PACKET_H
#define NET_PACKET_H

#include <stdint.h>

#include <plait/name.h>

#include "net/netlink.h"

/* Opens one for an Ethernet type. Returns it and the address of everybody on the link; or -EPERM, or another -errno. */
int net_packet_open(const struct net_link *link, uint16_t ether_type, struct plait_address *ret_everybody);

/* Closes it. The kernel takes some 15 ms for that, in which no worker is held up. May suspend. */
void net_packet_close(int fd);

#endif
