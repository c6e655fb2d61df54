/*
 * The way out of this machine: which link, source and gateway a packet takes, and so which of the machine's parts
 * matter for a target.
 */
#ifndef NET_WAY_H
#define NET_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/run.h"

#define NET_WAYS_MAX 8

struct net_way {
        struct net_ip gateway; /* family 0: the target is on link */
        uint32_t link;
        int family;
};

/*
 * The ways that matter before a name is known: to a literal target the one to it, otherwise the best default route of
 * each family. None is an answer, too.
 */
size_t net_ways(const struct net_run *run, struct net_way *ret, size_t room);

/* Whether a link is on one of the ways, or, when there is none, might be on one. */
bool net_link_matters(const struct net_run *run, const struct net_link *link);

/* Whether a link has an address that is neither loopback nor link-local, of that family; 0: of any. */
bool net_link_has_address(const struct net_host *host, uint32_t link, int family);

#endif
