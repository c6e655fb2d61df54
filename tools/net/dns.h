/*
 * DNS messages (RFC 1035): made and read as bytes, without a socket.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ip.h"

#define NET_DNS_MAX 4096   /* bytes of a message that is read */
#define NET_DNS_ANSWERS 16 /* addresses that are kept of an answer */

enum net_dns_type {
        NET_DNS_A = 1,
        NET_DNS_NS = 2,
        NET_DNS_AAAA = 28,
};

enum net_dns_code {
        NET_DNS_OK = 0,
        NET_DNS_SERVER_FAILURE = 2,
        NET_DNS_NO_NAME = 3,
        NET_DNS_IS_REFUSED = 5,
};

struct net_dns {
        uint16_t id, type; /* of the question */
        bool reply, truncated, recursion;
        uint8_t code;
        char name[256]; /* of the question, as text */
        struct net_ip addresses[NET_DNS_ANSWERS];
        size_t count;
        uint32_t ttl_s; /* the least of them */
};

/* Makes a question with an EDNS record. Returns its length; 0 if *name* cannot be put into one. "." is the root. */
size_t net_dns_question(const char *name, uint16_t type, uint16_t id, bool recurse, uint8_t *ret, size_t room);

/* Reads a message. Returns 0, or -EBADMSG if it is none. */
int net_dns_parse(const uint8_t *bytes, size_t length, struct net_dns *ret);

#endif
