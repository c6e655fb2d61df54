/*
 * What the command line of `plait net` says.
 */
#ifndef NET_OPTIONS_H
#define NET_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* One layer alone, as the old tools show it. */
enum net_view {
        NET_VIEW_ALL,
        NET_VIEW_LINKS,
        NET_VIEW_ARP,
        NET_VIEW_DNS,
        NET_VIEW_PATH,
};

struct net_options {
        const char *target; /* NULL: the machine itself */
        enum net_view view;
        bool self, load, watch, verbose, plain, json, ipv4_only, ipv6_only;
        int64_t interval_ns;       /* of --watch */
        const char *ca_file;       /* trusted in place of the system's; NULL: the system's */
        const char *proxy;         /* NULL: as the environment says; "": none */
        const char *portal_url;    /* a page of the user's own that tells a portal; NULL: none */
        const char *portal_expect; /* a text that its body has; NULL: it answers 204 */
        const char *ntp;           /* an SNTP server to ask; NULL: those that leases name */
};

/* Fills in *options*, or ends the program with a message and exit code 2. */
void net_options_parse(struct net_options *options, int argc, char **argv);

#endif
