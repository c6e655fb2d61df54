/*
 * Which proxy a target is reached through: as curl and most programs read http_proxy, https_proxy, all_proxy and
 * no_proxy.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/target.h"

struct net_proxy {
        bool set;
        char source[16];      /* "http_proxy": the variable, or "--proxy" */
        char text[300];       /* the URL without user and password */
        char user[256];       /* "USER:PASSWORD", decoded; "": none */
        struct net_target at; /* the proxy itself */
        bool malformed;       /* the variable is set, but names no HTTP proxy */
};

/* What the environment says of such things. Each may be NULL. */
struct net_proxy_settings {
        const char *http, *https, *all, *none; /* http_proxy, https_proxy (HTTPS_PROXY), all_proxy, no_proxy */
        const char *option;                    /* --proxy; "": none whatever the environment says */
};

/* Reads the environment. */
struct net_proxy_settings net_proxy_environment(const char *option);

/* A pure function of its arguments. A target that is no URL takes no proxy. */
void net_proxy_choose(const struct net_proxy_settings *settings, const struct net_target *target,
                      struct net_proxy *ret);

/* Whether *list* (no_proxy: "host,.domain,10.0.0.0/8,*") has the target. */
bool net_proxy_is_exempt(const char *list, const struct net_target *target);

#endif
