/*
 * ICMP and ICMPv6 on the wire and in error queues. Everything here comes from foreign machines: no length is believed.
 */
#include "net/icmp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>

#define NS 1000000000LL

enum { IPV4_HEADER_MIN = 20, CONTROL_BYTES = 512 };

static enum net_icmp_meaning meaning_v4(uint8_t type, uint8_t code)
{
        if (type == ICMP_TIME_EXCEEDED)
                return NET_ICMP_TTL_EXCEEDED;
        if (type != ICMP_DEST_UNREACH)
                return NET_ICMP_OTHER;
        switch (code) {
        case ICMP_NET_UNREACH:
        case ICMP_SR_FAILED:
        case ICMP_NET_UNKNOWN:
        case ICMP_NET_UNR_TOS: return NET_ICMP_NET_UNREACHABLE;
        case ICMP_HOST_UNREACH:
        case ICMP_HOST_UNKNOWN:
        case ICMP_HOST_ISOLATED:
        case ICMP_HOST_UNR_TOS: return NET_ICMP_HOST_UNREACHABLE;
        case ICMP_PROT_UNREACH:
        case ICMP_PORT_UNREACH: return NET_ICMP_PORT_UNREACHABLE;
        case ICMP_FRAG_NEEDED: return NET_ICMP_TOO_BIG;
        case ICMP_NET_ANO:
        case ICMP_HOST_ANO:
        case ICMP_PKT_FILTERED: return NET_ICMP_PROHIBITED;
        default: return NET_ICMP_OTHER;
        }
}

static enum net_icmp_meaning meaning_v6(uint8_t type, uint8_t code)
{
        if (type == ICMP6_TIME_EXCEEDED)
                return NET_ICMP_TTL_EXCEEDED;
        if (type == ICMP6_PACKET_TOO_BIG)
                return NET_ICMP_TOO_BIG;
        if (type != ICMP6_DST_UNREACH)
                return NET_ICMP_OTHER;
        switch (code) {
        case ICMP6_DST_UNREACH_NOROUTE:
        case ICMP6_DST_UNREACH_BEYONDSCOPE: return NET_ICMP_NET_UNREACHABLE;
        case ICMP6_DST_UNREACH_ADDR: return NET_ICMP_HOST_UNREACHABLE;
        case ICMP6_DST_UNREACH_NOPORT: return NET_ICMP_PORT_UNREACHABLE;
        case ICMP6_DST_UNREACH_ADMIN:
        case 5: /* source address failed ingress policy */
        case 6: /* reject route */ return NET_ICMP_PROHIBITED;
        default: return NET_ICMP_OTHER;
        }
}

enum net_icmp_meaning net_icmp_error_meaning(const struct net_icmp_error *error)
{
        if (error->is_local)
                return error->error == EMSGSIZE ? NET_ICMP_TOO_BIG : NET_ICMP_OTHER;
        return error->is_v6 ? meaning_v6(error->type, error->code) : meaning_v4(error->type, error->code);
}

const char *net_icmp_error_text(const struct net_icmp_error *error)
{
        static const char *const texts[] = {
                [NET_ICMP_OTHER] = "another ICMP error",
                [NET_ICMP_NET_UNREACHABLE] = "network unreachable",
                [NET_ICMP_HOST_UNREACHABLE] = "host unreachable",
                [NET_ICMP_PORT_UNREACHABLE] = "port unreachable",
                [NET_ICMP_PROHIBITED] = "administratively prohibited",
                [NET_ICMP_TOO_BIG] = "packet too big",
                [NET_ICMP_TTL_EXCEEDED] = "time to live exceeded",
        };

        return texts[net_icmp_error_meaning(error)];
}

/* An address from the kernel or from another machine, if it is whole. */
static struct net_ip keep_address(const void *from, size_t bytes, uint16_t *ret_port)
{
        struct sockaddr_storage address = {0};

        memcpy(&address, from, bytes < sizeof address ? bytes : sizeof address);
        *ret_port = ntohs(((const struct sockaddr_in *)&address)->sin_port); /* at the same place in both families */
        if (bytes >= sizeof(struct sockaddr_in) && address.ss_family == AF_INET)
                return net_ip_of((const struct sockaddr *)&address);
        if (bytes >= sizeof(struct sockaddr_in6) && address.ss_family == AF_INET6)
                return net_ip_of((const struct sockaddr *)&address);
        return (struct net_ip){0};
}

static void keep_report(struct net_icmp_error *ret, const struct cmsghdr *part)
{
        struct sock_extended_err report;
        uint16_t ignored;
        size_t bytes = part->cmsg_len - CMSG_LEN(0);

        memcpy(&report, CMSG_DATA(part), sizeof report);
        ret->is_local = report.ee_origin == SO_EE_ORIGIN_LOCAL;
        ret->is_v6 = part->cmsg_level == SOL_IPV6;
        ret->type = report.ee_type;
        ret->code = report.ee_code;
        ret->error = (int)report.ee_errno;
        ret->mtu = report.ee_errno == EMSGSIZE ? report.ee_info : 0;
        ret->offender = keep_address(CMSG_DATA(part) + sizeof report, bytes - sizeof report, &ignored);
}

static bool is_report(const struct cmsghdr *part)
{
        bool is_v4 = part->cmsg_level == SOL_IP && part->cmsg_type == IP_RECVERR;
        bool is_v6 = part->cmsg_level == SOL_IPV6 && part->cmsg_type == IPV6_RECVERR;

        return (is_v4 || is_v6) && part->cmsg_len >= CMSG_LEN(sizeof(struct sock_extended_err));
}

/* The part after *part* (NULL: the first), if it is whole: the macros do not look. */
static struct cmsghdr *next_part(const struct msghdr *message, struct cmsghdr *part)
{
        struct msghdr copy = *message; /* CMSG_NXTHDR() takes one that it could change */
        struct cmsghdr *next = part ? CMSG_NXTHDR(&copy, part) : CMSG_FIRSTHDR(&copy);

        if (!next)
                return NULL;

        size_t left = message->msg_controllen - (size_t)((const char *)next - (const char *)message->msg_control);

        return next->cmsg_len >= sizeof *next && next->cmsg_len <= left ? next : NULL;
}

void net_icmp_parse_extras(const struct msghdr *message, int64_t *ret_realtime_ns, int *ret_ttl)
{
        *ret_realtime_ns = 0;
        *ret_ttl = -1;
        for (struct cmsghdr *part = next_part(message, NULL); part; part = next_part(message, part)) {
                struct timespec when;
                int ttl;

                if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS &&
                    part->cmsg_len >= CMSG_LEN(sizeof when)) {
                        memcpy(&when, CMSG_DATA(part), sizeof when);
                        if (when.tv_sec >= 0 && when.tv_sec < INT64_MAX / NS - 1)
                                *ret_realtime_ns = (int64_t)when.tv_sec * NS + when.tv_nsec % NS;
                }
                if (((part->cmsg_level == SOL_IP && part->cmsg_type == IP_TTL) ||
                     (part->cmsg_level == SOL_IPV6 && part->cmsg_type == IPV6_HOPLIMIT)) &&
                    part->cmsg_len >= CMSG_LEN(sizeof ttl)) {
                        memcpy(&ttl, CMSG_DATA(part), sizeof ttl);
                        *ret_ttl = ttl;
                }
        }
}

int net_icmp_error_parse(const struct msghdr *message, struct net_icmp_error *ret)
{
        struct net_icmp_error error = {0};
        bool found = false;
        int ttl;

        for (struct cmsghdr *part = next_part(message, NULL); part; part = next_part(message, part))
                if (is_report(part)) {
                        keep_report(&error, part);
                        found = true;
                }
        if (!found)
                return -EBADMSG;
        net_icmp_parse_extras(message, &error.realtime_ns, &ttl);
        if (message->msg_name)
                error.addressee = keep_address(message->msg_name, message->msg_namelen, &error.port);
        *ret = error;
        return 0;
}

int net_icmp_error_take(int fd, struct net_icmp_error *ret, void *buf, size_t bytes)
{
        union {
                struct cmsghdr align;
                char bytes[CONTROL_BYTES];
        } control;
        struct sockaddr_storage name = {0};
        struct iovec part = {.iov_base = buf, .iov_len = bytes};
        struct msghdr message = {.msg_name = &name,
                                 .msg_namelen = sizeof name,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        ssize_t n = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);

        if (n < 0)
                return -errno;

        int r = net_icmp_error_parse(&message, ret);

        if (r == 0)
                ret->bytes = (size_t)n < bytes ? (size_t)n : bytes;
        return r;
}

static int set(int fd, int level, int option, int value)
{
        return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

int net_icmp_ask_for_errors(int fd, int family)
{
        int r = family == AF_INET6 ? set(fd, SOL_IPV6, IPV6_RECVERR, 1) : set(fd, SOL_IP, IP_RECVERR, 1);

        if (r < 0)
                return r;
        r = set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
        if (r < 0)
                return r;
        return family == AF_INET6 ? set(fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1) : set(fd, SOL_IP, IP_RECVTTL, 1);
}

uint16_t net_icmp_checksum(const uint8_t *buf, size_t bytes)
{
        uint32_t sum = 0;

        for (size_t i = 0; i + 1 < bytes; i += 2)
                sum += (uint32_t)(buf[i] << 8 | buf[i + 1]);
        if (bytes % 2)
                sum += (uint32_t)buf[bytes - 1] << 8;
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t)~sum;
}

static void put16(uint8_t *at, uint16_t value)
{
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *at)
{
        return (uint16_t)(at[0] << 8 | at[1]);
}

size_t net_icmp_echo_write(uint8_t *buf, bool is_v6, uint16_t id, uint16_t seq, size_t payload_bytes)
{
        buf[0] = is_v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
        buf[1] = 0;
        put16(buf + 2, 0);
        put16(buf + 4, id);
        put16(buf + 6, seq);
        for (size_t i = 0; i < payload_bytes; i++)
                buf[NET_ICMP_HEADER + i] = (uint8_t)i;
        if (!is_v6) /* for ICMPv6 the kernel does it: the addresses are part of the sum */
                put16(buf + 2, net_icmp_checksum(buf, NET_ICMP_HEADER + payload_bytes));
        return NET_ICMP_HEADER + payload_bytes;
}

int net_icmp_echo_parse(const uint8_t *buf, size_t bytes, bool is_v6, struct net_icmp_echo *ret)
{
        if (bytes < NET_ICMP_HEADER || buf[1] != 0)
                return -EBADMSG;

        bool is_reply = buf[0] == (is_v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY);

        if (!is_reply && buf[0] != (is_v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO))
                return -EBADMSG;
        *ret = (struct net_icmp_echo){.is_reply = is_reply,
                                      .id = get16(buf + 4),
                                      .seq = get16(buf + 6),
                                      .payload = buf + NET_ICMP_HEADER,
                                      .payload_bytes = bytes - NET_ICMP_HEADER};
        return 0;
}

int net_icmp_skip_ipv4(const uint8_t *buf, size_t bytes)
{
        if (bytes < IPV4_HEADER_MIN || buf[0] >> 4 != 4)
                return -EBADMSG;

        size_t header = (size_t)(buf[0] & 15) * 4;

        return header < IPV4_HEADER_MIN || header > bytes ? -EBADMSG : (int)header;
}

bool net_ip_is_own(const struct net_ip *ip)
{
        struct plait_address address = net_ip_address(ip, 0);

        if (address.length == 0)
                return false;

        /* Only own addresses can be bound to. */
        int fd = socket(ip->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return false;

        bool is_own = bind(fd, &address.as.any, address.length) == 0;

        close(fd);
        return is_own;
}
