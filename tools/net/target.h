/*
 * What is to be reached: HOST, HOST:PORT, [ADDRESS]:PORT or a URL.
 */
#ifndef NET_TARGET_H
#define NET_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "net/ip.h"

struct net_target {
        bool given;          /* false: the machine's own connectivity */
        char text[512];      /* as it was given */
        char host[256];      /* a name or an address, without brackets */
        bool literal;        /* it is an address: */
        struct net_ip ip;    /* this one */
        bool has_port;       /* one was given, or the scheme has one */
        uint16_t port;       /* 0: none */
        bool tls;            /* https:, or a port that is for TLS alone */
        bool http;           /* a URL: http: or https: */
        char path[1024];     /* "/", with the query, of a URL */
        char authority[300]; /* for Host: the host as a URL has it, with the port if it is not the scheme's */
};

/* Returns 0, or -EINVAL with a sentence about what is wrong in *ret_why*. An empty target is the machine itself. */
int net_target_parse(const char *text, struct net_target *ret, const char **ret_why);

#endif
