/*
 * DHCP leases as the clients of this machine have written them down: systemd-networkd, NetworkManager, dhclient,
 * dhcpcd. The parsers are pure functions of a file's bytes.
 */
#ifndef NET_LEASE_H
#define NET_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ip.h"

#define NET_LEASES_MAX 16

struct net_lease {
        char client[16];    /* "networkd", "NetworkManager", "dhclient", "dhcpcd" */
        char interface[16]; /* "" when the file does not say */
        uint32_t link;      /* interface index; 0: unknown */
        struct net_ip address, server, router, dns, ntp;
        int64_t expires;  /* seconds since 1970; 0: unknown or never */
        char portal[256]; /* option 114 (RFC 8910); "": none */
};

struct net_leases {
        struct net_lease at[NET_LEASES_MAX];
        size_t count;
};

/* Each takes one file, returns whether it holds a lease. *modified*: of the file, seconds since 1970. */
bool net_lease_networkd(const char *text, size_t length, int64_t modified, struct net_lease *ret);
bool net_lease_dhclient(const char *text, size_t length, struct net_lease *ret);
bool net_lease_message(const uint8_t *bytes, size_t length, int64_t modified, struct net_lease *ret); /* dhcpcd */

/* Reads all that are there and may be read. */
void net_leases_read(struct net_leases *ret);

#endif
