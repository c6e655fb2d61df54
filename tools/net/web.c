/*
 * Streams to the target for the probes of TLS and HTTP.
 */
#include "net/web.h"

#include <stdio.h>

#include <plait/fd.h>
#include <plait/socket.h>

#include "net/dial.h"
#include "net/each.h"

int net_web_connect(const struct net_ip *ip, uint16_t port, int64_t deadline_ns)
{
        struct plait_address to = net_ip_address(ip, port);
        int room = NET_HTTP_RECEIVE_BYTES;
        int fd = plait_socket(ip->family, SOCK_STREAM, 0);

        if (fd < 0)
                return fd;
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);

        int r = plait_connect(fd, &to.as.any, to.length, deadline_ns);

        if (r < 0) {
                plait_close(fd);
                return r;
        }
        return fd;
}

int net_web_dial(struct net_run *run, const struct net_ip *ip, int64_t deadline_ns)
{
        return ip ? net_web_connect(ip, run->target.port, deadline_ns) : net_dial_target(run, NULL, deadline_ns);
}

int net_web_each(struct net_run *run, size_t per_family, int (*look)(struct net_run *run, const struct net_ip *ip))
{
        return net_run_is_proxied(run) ? look(run, NULL) : net_each_address(run, per_family, NET_WEB_STACK, look);
}

const char *net_web_subject(const struct net_run *run, const struct net_ip *ip, char *buf)
{
        if (ip)
                return net_ip_text(ip, buf);
        snprintf(buf, NET_SUBJECT_BYTES, "%.*s", NET_SUBJECT_BYTES - 1, run->target.host);
        return buf;
}

struct net_http_request net_web_request(const struct net_run *run, const char *method, char *path)
{
        bool by_proxy = net_run_is_proxied(run) && !run->target.tls;

        snprintf(path, NET_WEB_PATH, "%s%s%s", by_proxy ? "http://" : "", by_proxy ? run->target.authority : "",
                 run->target.path);
        return (struct net_http_request){.method = method,
                                         .path = path,
                                         .authority = run->target.authority,
                                         .proxy_user = by_proxy ? run->proxy.user : NULL};
}

void net_web_note_date(const struct net_run *run, const struct net_http_reply *reply, struct net_clocks *clocks)
{
        int64_t date = reply->head.date[0] ? net_http1_parse_date(reply->head.date) : -1;

        if (date >= 0)
                net_clocks_add(clocks, reply->realtime_s - date, "the Date of", run->target.host);
}
