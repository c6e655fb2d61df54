/*
 * An IP address of either family: text and bytes.
 */
#include "net/ip.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t net_ip_bytes(int family)
{
        return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

struct net_ip net_ip_make(int family, const void *bytes)
{
        struct net_ip ip = {.family = 0};
        size_t count = net_ip_bytes(family);

        if (count > 0) {
                ip.family = (sa_family_t)family;
                memcpy(ip.bytes, bytes, count);
        }
        return ip;
}

static bool parse_scope(const char *name, uint32_t *ret)
{
        char *end = NULL;
        unsigned long number = strtoul(name, &end, 10);

        if (end != name && *end == 0 && number <= UINT32_MAX)
                *ret = (uint32_t)number;
        else
                *ret = if_nametoindex(name);
        return *ret != 0;
}

bool net_ip_parse(const char *text, struct net_ip *ret)
{
        char plain[INET6_ADDRSTRLEN];
        struct net_ip ip = {.family = 0};
        const char *percent = strchr(text, '%');
        size_t length = percent ? (size_t)(percent - text) : strlen(text);

        if (length >= sizeof plain)
                return false;
        memcpy(plain, text, length);
        plain[length] = 0;
        if (!percent && inet_pton(AF_INET, plain, ip.bytes) == 1)
                ip.family = AF_INET;
        else if (inet_pton(AF_INET6, plain, ip.bytes) == 1)
                ip.family = AF_INET6;
        else
                return false;
        if (percent && !parse_scope(percent + 1, &ip.scope))
                return false;
        *ret = ip;
        return true;
}

const char *net_ip_text(const struct net_ip *ip, char *buffer)
{
        char name[IF_NAMESIZE];

        if (ip->family == 0 || !inet_ntop(ip->family, ip->bytes, buffer, NET_IP_TEXT)) {
                snprintf(buffer, NET_IP_TEXT, "none");
                return buffer;
        }
        if (ip->scope != 0) {
                size_t length = strlen(buffer);
                if (if_indextoname(ip->scope, name))
                        snprintf(buffer + length, NET_IP_TEXT - length, "%%%s", name);
                else
                        snprintf(buffer + length, NET_IP_TEXT - length, "%%%u", ip->scope);
        }
        return buffer;
}

bool net_ip_equal(const struct net_ip *one, const struct net_ip *other)
{
        return one->family == other->family && memcmp(one->bytes, other->bytes, net_ip_bytes(one->family)) == 0;
}

bool net_ip_in(const struct net_ip *ip, const struct net_ip *network, unsigned prefix_bits)
{
        size_t whole = prefix_bits / 8;
        unsigned rest = prefix_bits % 8;

        if (ip->family != network->family || prefix_bits > net_ip_bytes(ip->family) * 8)
                return false;
        if (memcmp(ip->bytes, network->bytes, whole) != 0)
                return false;
        return rest == 0 || ((ip->bytes[whole] ^ network->bytes[whole]) >> (8 - rest)) == 0;
}

/* Whether it is in one of the networks. */
static bool is_in(const struct net_ip *ip, const char *const *networks, const unsigned *bits, size_t count)
{
        struct net_ip network;

        for (size_t i = 0; i < count; i++)
                if (net_ip_parse(networks[i], &network) && net_ip_in(ip, &network, bits[i]))
                        return true;
        return false;
}

bool net_ip_is_loopback(const struct net_ip *ip)
{
        static const char *const networks[] = {"127.0.0.0", "::1"};
        static const unsigned bits[] = {8, 128};

        return is_in(ip, networks, bits, 2);
}

bool net_ip_is_link_local(const struct net_ip *ip)
{
        static const char *const networks[] = {"169.254.0.0", "fe80::"};
        static const unsigned bits[] = {16, 10};

        return is_in(ip, networks, bits, 2);
}

bool net_ip_is_private(const struct net_ip *ip)
{
        static const char *const networks[] = {"10.0.0.0", "172.16.0.0", "192.168.0.0", "100.64.0.0", "fc00::"};
        static const unsigned bits[] = {8, 12, 16, 10, 7};

        return is_in(ip, networks, bits, 5);
}

bool net_ip_is_any(const struct net_ip *ip)
{
        static const uint8_t zero[16];

        return ip->family != 0 && memcmp(ip->bytes, zero, net_ip_bytes(ip->family)) == 0;
}

struct plait_address net_ip_address(const struct net_ip *ip, uint16_t port)
{
        struct plait_address address = {.length = 0};

        if (ip->family == AF_INET) {
                address.length = sizeof address.as.in;
                address.as.in.sin_family = AF_INET;
                address.as.in.sin_port = htons(port);
                memcpy(&address.as.in.sin_addr, ip->bytes, 4);
        } else if (ip->family == AF_INET6) {
                address.length = sizeof address.as.in6;
                address.as.in6.sin6_family = AF_INET6;
                address.as.in6.sin6_port = htons(port);
                address.as.in6.sin6_scope_id = ip->scope;
                memcpy(&address.as.in6.sin6_addr, ip->bytes, 16);
        }
        return address;
}

struct net_ip net_ip_of(const struct sockaddr *address)
{
        static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct net_ip ip = {.family = 0};

        if (address->sa_family == AF_INET) {
                memcpy(&in, address, sizeof in);
                return net_ip_make(AF_INET, &in.sin_addr);
        }
        if (address->sa_family != AF_INET6)
                return ip;
        memcpy(&in6, address, sizeof in6);
        if (memcmp(&in6.sin6_addr, mapped, sizeof mapped) == 0)
                return net_ip_make(AF_INET, (const uint8_t *)&in6.sin6_addr + 12);
        ip = net_ip_make(AF_INET6, &in6.sin6_addr);
        if (net_ip_is_link_local(&ip))
                ip.scope = in6.sin6_scope_id;
        return ip;
}
