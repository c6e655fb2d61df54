/*
 * Talking to a proxy: the connection, CONNECT, and what it answers.
 */
#ifndef NET_PROXY_DIAL_H
#define NET_PROXY_DIAL_H

#include <stddef.h>
#include <stdint.h>

#include "net/run.h"

/* Connects to the proxy. Waits for its addresses. Returns a socket or a -errno; -ENOENT when its name has no address.
 */
int net_proxy_connect(struct net_run *run, int64_t deadline_ns);

/*
 * Sends a request for the target: CONNECT if it wants TLS, else HEAD. Returns the status, as 200 or 407; -EPROTO when
 * the answer is no HTTP; or a -errno.
 */
int net_proxy_request(struct net_run *run, int fd, int64_t deadline_ns);

/* The status of an answer's first line, 100 to 999; -EPROTO if it is none. A pure function. */
int net_proxy_status(const char *text, size_t length);

/* "Proxy-Authorization: Basic ...\r\n", or "". Returns *buffer*. */
const char *net_proxy_authorization(const struct net_proxy *proxy, char *buffer, size_t size);

#endif
