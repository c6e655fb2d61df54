/*
 * ICMP and ICMPv6: echo requests and replies as they are on the wire, and errors as the kernel hands them to the socket
 * that caused them (IP_RECVERR, MSG_ERRQUEUE). No function here waits.
 */
#ifndef NET_ICMP_H
#define NET_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "net/ip.h"

/* What an ICMP error is about, whichever IP version said so. */
enum net_icmp_meaning {
        NET_ICMP_OTHER,
        NET_ICMP_NET_UNREACHABLE,  /* no route to the network */
        NET_ICMP_HOST_UNREACHABLE, /* the last router cannot reach the host */
        NET_ICMP_PORT_UNREACHABLE, /* nobody listens, or a firewall says so; the same for a protocol */
        NET_ICMP_PROHIBITED,       /* a firewall forbids it */
        NET_ICMP_TOO_BIG,          /* the packet does not fit, and must not be cut */
        NET_ICMP_TTL_EXCEEDED,     /* it was passed on too often */
};

/* An error that came back for a packet that was sent. */
struct net_icmp_error {
        bool is_local; /* from this machine's kernel without any ICMP: the packet was never sent */
        bool is_v6;
        uint8_t type;
        uint8_t code;
        int error;               /* the errno that the kernel made of it, positive */
        uint32_t mtu;            /* with TOO_BIG: what would fit; 0: not said */
        struct net_ip offender;  /* who sent the ICMP message; family 0: unknown */
        struct net_ip addressee; /* where the packet was going, */
        uint16_t port;           /* and to which port */
        size_t bytes;            /* of the packet's beginning, in the caller's buffer */
        int64_t realtime_ns;     /* when it came, CLOCK_REALTIME; 0: unknown */
};

enum net_icmp_meaning net_icmp_error_meaning(const struct net_icmp_error *error);

/* In words: "port unreachable". */
const char *net_icmp_error_text(const struct net_icmp_error *error);

/*
 * Take the oldest error from the queue of *fd*; *buf* gets what came back of the packet's payload (for ICMP sockets,
 * from its ICMP header on). 0, -EAGAIN when there is none, or -errno.
 */
int net_icmp_error_take(int fd, struct net_icmp_error *ret, void *buf, size_t bytes);

/* The same from a received message. -EBADMSG when it holds no error report. */
int net_icmp_error_parse(const struct msghdr *message, struct net_icmp_error *ret);

/* Ask the kernel to queue errors, and to say when packets came and with which TTL. 0 or -errno. */
int net_icmp_ask_for_errors(int fd, int family);

/* What else a received message tells: when it came (CLOCK_REALTIME, 0: unknown) and its TTL (-1: unknown). */
void net_icmp_parse_extras(const struct msghdr *message, int64_t *ret_realtime_ns, int *ret_ttl);

enum { NET_ICMP_HEADER = 8 };

/* An ICMP message that matters to who sends echo requests. */
struct net_icmp_echo {
        bool is_reply; /* otherwise a request */
        uint16_t id;
        uint16_t seq;
        const uint8_t *payload; /* in the caller's buffer */
        size_t payload_bytes;
};

/* Write an echo request with *payload_bytes* bytes that follow the header. Returns the bytes of the whole. */
size_t net_icmp_echo_write(uint8_t *buf, bool is_v6, uint16_t id, uint16_t seq, size_t payload_bytes);

/* Understand an ICMP message that starts at *buf*. 0, or -EBADMSG: neither an echo request nor a reply, or too short.
 */
int net_icmp_echo_parse(const uint8_t *buf, size_t bytes, bool is_v6, struct net_icmp_echo *ret);

/* Skip the header of an IPv4 packet, as a raw socket delivers it. Bytes to skip, or -EBADMSG. */
int net_icmp_skip_ipv4(const uint8_t *buf, size_t bytes);

/* The checksum of RFC 1071. */
uint16_t net_icmp_checksum(const uint8_t *buf, size_t bytes);

/* Whether an address is one of this machine's. */
bool net_ip_is_own(const struct net_ip *ip);

#endif
