/*
 * Talking to a proxy.
 */
#include "net/proxy_dial.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include <plait/fd.h>
#include <plait/socket.h>
#include <plait/time.h>

#include "net/dial.h"

static int connect_to(const struct net_ip *ip, uint16_t port, int64_t deadline_ns)
{
        struct plait_address to = net_ip_address(ip, port);
        int fd = plait_socket(ip->family, SOCK_STREAM, 0);

        if (fd < 0)
                return fd;
        int r = plait_connect(fd, &to.as.any, to.length, deadline_ns);
        if (r < 0) {
                plait_close(fd);
                return r;
        }
        return fd;
}

int net_proxy_connect(struct net_run *run, int64_t deadline_ns)
{
        int r = plait_event_wait(&run->proxied, deadline_ns);

        if (r < 0)
                return r;
        r = -ENOENT;
        for (size_t i = 0; i < run->proxy_address_count && r != -ECANCELED; i++) {
                r = connect_to(&run->proxy_addresses[i], run->proxy.at.port, deadline_ns);
                if (r >= 0)
                        return r;
        }
        return r;
}

const char *net_proxy_authorization(const struct net_proxy *proxy, char *buffer, size_t size)
{
        unsigned char encoded[4 * (sizeof proxy->user / 3 + 1) + 1];

        buffer[0] = 0;
        if (*proxy->user) {
                EVP_EncodeBlock(encoded, (const unsigned char *)proxy->user, (int)strlen(proxy->user));
                snprintf(buffer, size, "Proxy-Authorization: Basic %s\r\n", (const char *)encoded);
        }
        return buffer;
}

int net_proxy_status(const char *text, size_t length)
{
        if (length < 12 || memcmp(text, "HTTP/1.", 7) != 0 || text[8] != ' ')
                return -EPROTO;
        int status = 0;
        for (size_t i = 9; i < 12; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return -EPROTO;
                status = status * 10 + (text[i] - '0');
        }
        return status >= 100 ? status : -EPROTO;
}

/* Reads up to the end of the head, byte by byte: what follows is not ours. */
static int read_status(int fd, int64_t deadline_ns)
{
        char head[4096];
        size_t length = 0;

        while (length < sizeof head) {
                ssize_t n = plait_read(fd, head + length, 1, deadline_ns);
                if (n < 0)
                        return (int)n;
                if (n == 0)
                        return length > 0 ? -EPROTO : -ECONNRESET;
                length++;
                if (length >= 4 && memcmp(head + length - 4, "\r\n\r\n", 4) == 0)
                        return net_proxy_status(head, length);
        }
        return -EPROTO;
}

int net_proxy_request(struct net_run *run, int fd, int64_t deadline_ns)
{
        const struct net_target *target = &run->target;
        bool v6 = target->literal && target->ip.family == AF_INET6;
        char authorization[512];
        char request[2600];
        int length;

        net_proxy_authorization(&run->proxy, authorization, sizeof authorization);
        if (target->tls)
                length = snprintf(request, sizeof request,
                                  "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n%s"
                                  "User-Agent: plait/" PLAIT_VERSION "\r\n\r\n",
                                  v6 ? "[" : "", target->host, v6 ? "]" : "", target->port, v6 ? "[" : "", target->host,
                                  v6 ? "]" : "", target->port, authorization);
        else
                length = snprintf(request, sizeof request,
                                  "HEAD http://%s%s HTTP/1.1\r\nHost: %s\r\n%sUser-Agent: plait/" PLAIT_VERSION
                                  "\r\nConnection: close\r\n\r\n",
                                  target->authority, target->path, target->authority, authorization);
        ssize_t n = plait_write_full(fd, request, (size_t)length, deadline_ns);
        return n < 0 ? (int)n : read_status(fd, deadline_ns);
}

int net_dial_target(struct net_run *run, const struct net_ip *ip, int64_t deadline_ns)
{
        if (!net_run_is_proxied(run))
                return connect_to(ip, run->target.port, deadline_ns);
        int fd = net_proxy_connect(run, deadline_ns);
        if (fd < 0 || !run->target.tls)
                return fd;
        int status = net_proxy_request(run, fd, deadline_ns);
        if (status / 100 == 2)
                return fd;
        plait_close(fd);
        return status < 0 ? status : -EPROTO;
}
