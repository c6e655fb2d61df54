/*
 * What the kernel's dumps hold, read from bytes by pure functions: links, addresses, routes, neighbours. Whatever the
 * bytes are, nothing outside of them is read; what is malformed is passed over.
 */
#ifndef NET_NETLINK_H
#define NET_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ip.h"

#define NET_LINKS_MAX 64
#define NET_ADDRS_MAX 128
#define NET_ROUTES_MAX 256
#define NET_NEIGHBOURS_MAX 256

struct net_link {
        uint32_t index;
        char name[16];
        bool loopback, up, carrier; /* IFF_LOOPBACK, IFF_UP, IFF_LOWER_UP */
        bool no_arp, point_to_point, ethernet;
        uint8_t mac[6];
        uint32_t mtu;
        uint32_t master;   /* the bridge or bond that it is part of; 0: none */
        uint8_t operstate; /* IF_OPER_... */
};

struct net_links {
        struct net_link at[NET_LINKS_MAX];
        size_t count;
};

struct net_addr {
        uint32_t link;
        struct net_ip ip;
        uint8_t prefix_bits;
        uint8_t scope;  /* RT_SCOPE_... */
        uint32_t flags; /* IFA_F_... */
        bool permanent;
        uint32_t valid_s; /* if it is not */
        uint8_t protocol; /* IFAPROT_... of Linux 5.18 and later; 0: not told */
};

struct net_addrs {
        struct net_addr at[NET_ADDRS_MAX];
        size_t count;
};

struct net_route {
        struct net_ip destination; /* all zero bits with prefix_bits 0: the default route; family is always set */
        uint8_t prefix_bits;
        uint8_t type;     /* RTN_... */
        uint8_t protocol; /* RTPROT_... */
        uint32_t table, metric;
        uint32_t link;         /* 0: none */
        struct net_ip gateway; /* family 0: on link */
        struct net_ip source;  /* family 0: not told */
        bool on_link;          /* RTNH_F_ONLINK: the gateway need not be in a network of the link's */
        bool link_down;        /* RTNH_F_LINKDOWN */
        uint32_t mtu;          /* RTAX_MTU; 0: the link's */
};

struct net_routes {
        struct net_route at[NET_ROUTES_MAX];
        size_t count;
};

struct net_neighbour {
        uint32_t link;
        struct net_ip ip;
        uint16_t state; /* NUD_... */
        bool has_mac, is_router;
        uint8_t mac[6];
};

struct net_neighbours {
        struct net_neighbour at[NET_NEIGHBOURS_MAX];
        size_t count;
};

/* What net_netlink_parse() fills in; a NULL is passed over. */
struct net_dumps {
        struct net_links *links;
        struct net_addrs *addrs;
        struct net_routes *routes;
        struct net_neighbours *neighbours;
};

/*
 * Reads one message after the other. Returns 1 at NLMSG_DONE, 0 when more is to come, or the -errno of an NLMSG_ERROR.
 */
int net_netlink_parse(const void *bytes, size_t length, const struct net_dumps *ret);

/* "REACHABLE", "INCOMPLETE", "FAILED", ... */
const char *net_neighbour_state(uint16_t state);

#endif
