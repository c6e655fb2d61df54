/*
 * Asking for the time (SNTP, RFC 4330).
 */
#ifndef NET_SNTP_H
#define NET_SNTP_H

#include <stddef.h>
#include <stdint.h>

#include "net/ip.h"

enum { NET_SNTP_BYTES = 48 };

/*
 * Ask a server, again and again until *deadline_ns*. 0: *ret_ahead_ns* says how far this machine's clock is ahead of
 * the server's; -ETIMEDOUT, also when only nonsense came, or a server does not know the time itself; -ECANCELED; or
 * -errno, such as -ECONNREFUSED.
 */
int net_sntp_ask(const struct net_ip *server, uint16_t port, int64_t deadline_ns, int64_t *ret_ahead_ns);

/*
 * Understand an answer to a request with *cookie* as its transmit time, sent and received at these times
 * (CLOCK_REALTIME). 0 or -EBADMSG.
 */
int net_sntp_parse(const uint8_t *data, size_t bytes, uint64_t cookie, int64_t sent_ns, int64_t received_ns,
                   int64_t *ret_ahead_ns);

#endif
