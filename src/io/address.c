/* Addresses as text, in both directions. */
#include "io/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int take(char *to, size_t room, const char *from, size_t bytes)
{
        if (bytes >= room)
                return -EINVAL;
        memcpy(to, from, bytes);
        to[bytes] = '\0';
        return 0;
}

static int parse_unix(const char *path, struct plait_address *ret)
{
        struct sockaddr_un *un = &ret->as.un;
        size_t bytes = strlen(path);

        if (bytes == 0 || bytes >= sizeof un->sun_path)
                return -EINVAL;
        memset(ret, 0, sizeof *ret);
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, path, bytes);
        if (path[0] == '@') /* an abstract name: no file, no NUL at its end */
                un->sun_path[0] = '\0';
        else
                bytes++;
        ret->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
        return 0;
}

static int parse_host(const char *text, struct pl_io_address *ret)
{
        const char *host = text;
        const char *end, *port;

        if (*text == '[') {
                host++;
                end = strchr(text, ']');
                if (!end || end[1] != ':')
                        return -EINVAL;
                port = end + 2;
        } else {
                end = strrchr(text, ':');
                if (!end || memchr(text, ':', (size_t)(end - text))) /* IPv6 wants its brackets */
                        return -EINVAL;
                port = end + 1;
        }
        if (!*port || take(ret->service, sizeof ret->service, port, strlen(port)) < 0)
                return -EINVAL;
        return take(ret->host, sizeof ret->host, host, (size_t)(end - host));
}

int pl_io_address_parse(const char *text, struct pl_io_address *ret)
{
        if (!text)
                return -EINVAL;
        if (strncmp(text, "unix:", 5) == 0) {
                ret->transport = PL_IO_UNIX;
                return parse_unix(text + 5, &ret->unix_address);
        }
        ret->transport = PL_IO_TCP;
        if (strncmp(text, "udp:", 4) == 0)
                ret->transport = PL_IO_UDP;
        if (ret->transport == PL_IO_UDP || strncmp(text, "tcp:", 4) == 0) {
                /* "tcp:80" is port 80 of a host called tcp, "tcp:host:80" has a third part */
                if (strchr(text + 4, ':'))
                        text += 4;
                else
                        ret->transport = PL_IO_TCP;
        }
        return parse_host(text, ret);
}

static int port_number(const char *text, in_port_t *ret)
{
        char *end;
        unsigned long n;

        if (*text < '0' || *text > '9' || strlen(text) > 5)
                return -ENOENT;
        n = strtoul(text, &end, 10);
        if (*end || n > 65535)
                return -ENOENT;
        *ret = htons((in_port_t)n);
        return 0;
}

/* fe80::1%eth0 has its interface after the per cent sign. */
static int parse_v6(const char *host, struct sockaddr_in6 *ret)
{
        char bare[INET6_ADDRSTRLEN];
        const char *zone = strchr(host, '%');

        if (!zone)
                return inet_pton(AF_INET6, host, &ret->sin6_addr);
        if (take(bare, sizeof bare, host, (size_t)(zone - host)) < 0)
                return 0;
        ret->sin6_scope_id = if_nametoindex(zone + 1);
        if (!ret->sin6_scope_id)
                ret->sin6_scope_id = (uint32_t)strtoul(zone + 1, NULL, 10);
        return ret->sin6_scope_id ? inet_pton(AF_INET6, bare, &ret->sin6_addr) : 0;
}

int pl_io_address_literal(const char *host, const char *service, struct plait_address *ret)
{
        struct plait_address address = {0};
        in_port_t port;

        if (port_number(service, &port) < 0)
                return -ENOENT;
        if (inet_pton(AF_INET, host, &address.as.in.sin_addr) == 1) {
                address.as.in.sin_family = AF_INET;
                address.as.in.sin_port = port;
                address.length = sizeof address.as.in;
        } else {
                memset(&address, 0, sizeof address);
                if (parse_v6(host, &address.as.in6) != 1)
                        return -ENOENT;
                address.as.in6.sin6_family = AF_INET6;
                address.as.in6.sin6_port = port;
                address.length = sizeof address.as.in6;
        }
        *ret = address;
        return 0;
}

static void unix_text(const struct plait_address *address, char *buf, size_t bytes)
{
        const struct sockaddr_un *un = &address->as.un;
        int length = (int)address->length - (int)offsetof(struct sockaddr_un, sun_path);

        if (length <= 0)
                (void)snprintf(buf, bytes, "unix:");
        else if (un->sun_path[0] == '\0')
                (void)snprintf(buf, bytes, "unix:@%.*s", length - 1, un->sun_path + 1);
        else
                (void)snprintf(buf, bytes, "unix:%.*s", length, un->sun_path);
}

const char *plait_address_text(const struct plait_address *address, char *buf, size_t bytes)
{
        char host[INET6_ADDRSTRLEN];
        char zone[16] = "";

        if (address->as.any.sa_family == AF_INET) {
                inet_ntop(AF_INET, &address->as.in.sin_addr, host, sizeof host);
                (void)snprintf(buf, bytes, "%s:%u", host, (unsigned)ntohs(address->as.in.sin_port));
        } else if (address->as.any.sa_family == AF_INET6) {
                inet_ntop(AF_INET6, &address->as.in6.sin6_addr, host, sizeof host);
                if (address->as.in6.sin6_scope_id)
                        (void)snprintf(zone, sizeof zone, "%%%u", (unsigned)address->as.in6.sin6_scope_id);
                (void)snprintf(buf, bytes, "[%s%s]:%u", host, zone, (unsigned)ntohs(address->as.in6.sin6_port));
        } else if (address->as.any.sa_family == AF_UNIX) {
                unix_text(address, buf, bytes);
        } else {
                (void)snprintf(buf, bytes, "unknown address family %u", (unsigned)address->as.any.sa_family);
        }
        return buf;
}
