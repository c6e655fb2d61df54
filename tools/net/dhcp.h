/*
 * DHCP messages (RFC 2131): made and read as bytes, without a socket.
 */
#ifndef NET_DHCP_H
#define NET_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ip.h"

#define NET_DHCP_BYTES 300 /* of a message that is made here */

enum net_dhcp_type {
        NET_DHCP_NONE,
        NET_DHCP_DISCOVER = 1,
        NET_DHCP_OFFER = 2,
        NET_DHCP_ACK = 5,
        NET_DHCP_NAK = 6,
};

struct net_dhcp {
        bool reply;
        uint8_t type; /* NET_DHCP_...; 0: BOOTP */
        uint32_t transaction;
        uint8_t mac[6];
        struct net_ip address, server, router, dns, ntp; /* the first of each; family 0: not told */
        uint32_t lease_s;                                /* 0: not told */
        char portal[256];                                /* option 114 */
};

/* Reads a message. False if it is none. */
bool net_dhcp_parse(const uint8_t *bytes, size_t length, struct net_dhcp *ret);

/* Makes a DHCPDISCOVER whose answer may be sent to everybody. */
void net_dhcp_discover(const uint8_t mac[6], uint32_t transaction, uint8_t ret[NET_DHCP_BYTES]);

/* Finds the payload of a UDP datagram for port 68 in an IPv4 packet. NULL if it is something else. */
const uint8_t *net_dhcp_in_packet(const uint8_t *packet, size_t length, size_t *ret_length);

/* Wraps a message into UDP and IPv4, from 0.0.0.0:68 to 255.255.255.255:67. Returns the length. */
size_t net_dhcp_packet(const uint8_t *message, size_t length, uint8_t *ret, size_t room);

#endif
