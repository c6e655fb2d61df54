/*
 * Captive portals: networks that answer every request themselves until somebody has logged in. Pure functions, but for
 * the second question, which tells a portal from a server that redirects.
 */
#ifndef NET_PORTAL_H
#define NET_PORTAL_H

#include <stdbool.h>

#include "net/exchange.h"
#include "net/ip.h"

enum net_portal_sign {
        NET_PORTAL_NONE,
        NET_PORTAL_STATUS,   /* 511 Network Authentication Required: nothing else says so */
        NET_PORTAL_REDIRECT, /* to an address of the local network, from a target that is elsewhere */
        NET_PORTAL_LIKELY,   /* a redirect as portals make them, and others: ask again */
};

/*
 * What the answer to the plain request for *url* at *ip* looks like. *gateway* is the default route's; family 0: none.
 * *location* is the whole URL that it redirects to; "" when it does not.
 */
enum net_portal_sign net_portal_judge(const char *url, const struct net_ip *ip, const struct net_ip *gateway,
                                      int status, const char *location);

/* Whether two URLs are of the same host. */
bool net_portal_same_site(const char *one, const char *other);

/* A host that does not exist: who redirects a request for it to the same place redirects everything. */
#define NET_PORTAL_NOWHERE "plait-check.invalid"

#endif
