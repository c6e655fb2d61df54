/*
 * Who is asked for names: resolv.conf and the hosts file, read from text by pure functions.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ip.h"

#define NET_SERVERS_MAX 8
#define NET_SEARCH_MAX 6

struct net_resolvers {
        struct net_ip servers[NET_SERVERS_MAX];
        size_t count;
        size_t configured;                /* so many of them are those that programs ask; the others stand behind */
        char search[NET_SEARCH_MAX][256]; /* domains to try behind a name with few dots */
        size_t search_count;
        unsigned ndots, attempts, timeout_s;
        bool missing; /* there is no resolv.conf: programs ask 127.0.0.1 */
};

/* Takes the text of a resolv.conf. */
void net_resolvers_parse(const char *text, size_t length, struct net_resolvers *ret);

/* Reads /etc/resolv.conf, and if it names only the local stub of systemd-resolved, the servers behind it. */
void net_resolvers_read(struct net_resolvers *ret);

/* Finds the addresses of *name* in the text of a hosts file. Returns how many. */
size_t net_hosts_parse(const char *text, size_t length, const char *name, struct net_ip *ret, size_t room);

/* The same in /etc/hosts. */
size_t net_hosts_find(const char *name, struct net_ip *ret, size_t room);

#endif
