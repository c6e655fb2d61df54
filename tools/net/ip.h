/*
 * An IP address of either family, small enough to be copied about.
 */
#ifndef NET_IP_H
#define NET_IP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plait/name.h>

#define NET_IP_TEXT 64 /* bytes that hold any address as text, with its scope */

struct net_ip {
        sa_family_t family; /* AF_INET, AF_INET6; 0: none */
        uint32_t scope;     /* interface index of a link-local IPv6 address; 0 otherwise */
        uint8_t bytes[16];  /* in network order; an IPv4 address takes the first four */
};

/* Bytes of an address of that family: 4 or 16; 0 for any other. */
size_t net_ip_bytes(int family);

/* Makes one from bytes in network order; none if *family* is neither. */
struct net_ip net_ip_make(int family, const void *bytes);

/* Takes "192.0.2.1", "2001:db8::1" or "fe80::1%eth0". */
bool net_ip_parse(const char *text, struct net_ip *ret);

/* "192.0.2.1", "fe80::1%eth0"; "none". Returns *buffer*, of NET_IP_TEXT bytes. */
const char *net_ip_text(const struct net_ip *ip, char *buffer);

bool net_ip_equal(const struct net_ip *one, const struct net_ip *other);
bool net_ip_in(const struct net_ip *ip, const struct net_ip *network, unsigned prefix_bits);
bool net_ip_is_loopback(const struct net_ip *ip);
bool net_ip_is_link_local(const struct net_ip *ip); /* 169.254/16, fe80::/10 */
bool net_ip_is_private(const struct net_ip *ip);    /* RFC 1918, 100.64/10, fc00::/7 */
bool net_ip_is_any(const struct net_ip *ip);        /* 0.0.0.0, :: */

/* The socket address with that port (in host order). */
struct plait_address net_ip_address(const struct net_ip *ip, uint16_t port);

/* The IP address of a socket address, an IPv4-mapped one as IPv4; none for other families. */
struct net_ip net_ip_of(const struct sockaddr *address);

#endif
