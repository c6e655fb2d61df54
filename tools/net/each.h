/*
 * For probes that look at each of the target's addresses, all at the same time.
 */
#ifndef NET_EACH_H
#define NET_EACH_H

#include <stddef.h>

#include "net/run.h"

/*
 * Wait for the target's addresses, and call *look* for each in a task of its own, with *stack_bytes* of stack (0: the
 * default). Of each family at most *per_family* are taken. Returns 0, or the first -errno.
 */
int net_each_address(struct net_run *run, size_t per_family, size_t stack_bytes,
                     int (*look)(struct net_run *run, const struct net_ip *ip));

/* The earlier of *ms* from now and the run's deadline, which a little time is kept back from to post what was found. */
int64_t net_probe_deadline(const struct net_run *run, int64_t ms);

/* Whether packets are sent to the target at all: there is one, and no proxy before it. */
bool net_is_direct(const struct net_run *run, const struct net_fact *facts, size_t count);

/* Note that something came from that address of the target itself. */
void net_post_alive(struct net_run *run, const struct net_ip *ip, const char *how);

#endif
