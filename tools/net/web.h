/*
 * What the probes of TLS and HTTP share: how they come to a stream to the target.
 */
#ifndef NET_WEB_H
#define NET_WEB_H

#include <stdint.h>

#include "net/clock.h"
#include "net/exchange.h"
#include "net/run.h"
#include "net/stream.h"

/* A socket that is connected to *ip* and *port*, which no proxy is asked for; to be closed with plait_close(). */
int net_web_connect(const struct net_ip *ip, uint16_t port, int64_t deadline_ns);

/* The same to the target at its own port, through its proxy if it has one (then *ip* does not matter). */
int net_web_dial(struct net_run *run, const struct net_ip *ip, int64_t deadline_ns);

/* Call *look* for up to *per_family* addresses of the target; once, with NULL, when it has a proxy. */
int net_web_each(struct net_run *run, size_t per_family, int (*look)(struct net_run *run, const struct net_ip *ip));

/* What the facts are about: an address, or the target as the proxy knows it. Returns *buf*, of NET_SUBJECT_BYTES. */
const char *net_web_subject(const struct net_run *run, const struct net_ip *ip, char *buf);

/* The request for the target as the proxy, or the server, wants it. *path* is of NET_WEB_PATH bytes, for its use. */
enum { NET_WEB_PATH = 1536, NET_WEB_STACK = 256 << 10 };
struct net_http_request net_web_request(const struct net_run *run, const char *method, char *path);

/* If *reply* has a date, note the clock that it is from. */
void net_web_note_date(const struct net_run *run, const struct net_http_reply *reply, struct net_clocks *clocks);

#endif
