/*
 * Questions to the kernel over rtnetlink; the answers are read by netlink.h.
 */
#ifndef NET_KERNEL_H
#define NET_KERNEL_H

#include "net/netlink.h"

/* Each returns 0 or a -errno. They do not wait: the kernel has answered when send() returns. */
int net_kernel_dump(struct net_links *links, struct net_addrs *addrs, struct net_routes *routes,
                    struct net_neighbours *neighbours);
int net_kernel_neighbours(struct net_neighbours *ret);

/*
 * The route that a packet to *ip* would take, as `ip route get`. Returns 0, or what the kernel says: -ENETUNREACH,
 * -EHOSTUNREACH (unreachable), -EACCES (prohibit), -EINVAL (blackhole).
 */
int net_kernel_route(const struct net_ip *ip, struct net_route *ret);

#endif
