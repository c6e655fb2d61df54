/*
 * A connection to the target, direct or through the proxy, for the probes above TCP.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stddef.h>
#include <stdint.h>

#include "net/run.h"

/*
 * Connects to the target's *ip*, or, when the target has a proxy, to that (*ip* does not matter then), with CONNECT if
 * the target wants TLS. Returns a socket to be closed with plait_close(), or a -errno: as plait_connect(), or -EPROTO
 * when the proxy answers CONNECT with something else than 200. May suspend.
 */
int net_dial_target(struct net_run *run, const struct net_ip *ip, int64_t deadline_ns);

#endif
