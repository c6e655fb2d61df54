/*
 * ARP (RFC 826, RFC 5227): asking a link who has an IPv4 address. Takes a packet socket, so CAP_NET_RAW.
 */
#ifndef NET_ARP_H
#define NET_ARP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/netlink.h"

#define NET_ARP_BYTES 28

struct net_arp {
        bool reply;
        uint8_t sender_mac[6], target_mac[6];
        struct net_ip sender, target;
};

/* Reads an ARP packet without its Ethernet header. False if it is none of IPv4 over Ethernet. */
bool net_arp_parse(const uint8_t *bytes, size_t length, struct net_arp *ret);

/* Makes a request. A *sender* without a family is 0.0.0.0: a probe, which changes nobody's table. */
void net_arp_request(const uint8_t mac[6], const struct net_ip *sender, const struct net_ip *target,
                     uint8_t ret[NET_ARP_BYTES]);

/*
 * Asks *tries* times, *gap_ms* apart, and waits as long again after the last. Returns 0 and who answered that is not
 * this link itself; -ETIMEDOUT when nobody did; -EPERM without the capability; -ECANCELED. May suspend.
 */
int net_arp_ask(const struct net_link *link, const struct net_ip *sender, const struct net_ip *target, unsigned tries,
                int64_t gap_ms, uint8_t ret_mac[6]);

#endif
