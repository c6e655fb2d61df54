/*
 * Large segments. See flow.h. The connection is the probe's own, so that its segment size can be set.
 */
#include "net/flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/socket.h>
#include <plait/time.h>

enum { PADDING = 3000, QUIET_MS = 450, READ_MAX = 6 << 10, RECEIVE_BYTES = 6 << 10 };

static int dial(const struct net_ip *ip, uint16_t port, int segment, int64_t deadline_ns)
{
        struct plait_address to = net_ip_address(ip, port);
        int room = RECEIVE_BYTES;
        int fd = plait_socket(ip->family, SOCK_STREAM, 0);

        if (fd < 0)
                return fd;
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room); /* a few segments at a time: the line may be slow */
        if (segment > 0)
                setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);

        int r = plait_connect(fd, &to.as.any, to.length, deadline_ns);

        if (r < 0) {
                plait_close(fd);
                return r;
        }
        return fd;
}

/* How long silence is nothing special: longer where packets take longer. */
static int64_t quiet_of(int fd)
{
        struct net_tcp_state state = {0};

        (void)net_tcp_look(fd, &state);
        return QUIET_MS * 1000000LL + state.rtt_us * 2000LL;
}

/* Read until the end or enough, or until nothing comes for a while: -ETIMEDOUT. -EAGAIN: the time was over before. */
static int drain(struct net_stream *stream, struct net_flow *flow, int64_t quiet_ns, int64_t deadline_ns)
{
        char buf[4096];

        while (flow->bytes < READ_MAX) {
                int64_t until_ns = plait_in_ns(quiet_ns);
                bool is_last = until_ns > deadline_ns;
                ssize_t n = net_stream_read(stream, buf, sizeof buf, is_last ? deadline_ns : until_ns);

                if (n == -ETIMEDOUT && is_last)
                        return flow->bytes > 0 ? 0 : -EAGAIN;
                if (n <= 0)
                        return (int)n;
                flow->bytes += (uint64_t)n;
        }
        return 0;
}

/* After silence: are large segments missing, in one direction or the other? */
static void judge(int fd, struct net_flow *flow)
{
        if (net_tcp_look(fd, &flow->tcp) < 0)
                return;
        if (net_tcp_is_stalled(&flow->tcp)) {
                flow->end = NET_FLOW_STALLED;
                flow->is_upload = true;
        } else if (flow->tcp.unacked == 0) {
                flow->end = NET_FLOW_STALLED; /* or the server is slow: what follows a small segment size will tell */
        }
}

static int exchange(struct net_run *run, struct net_stream *stream, int64_t deadline_ns, struct net_flow *flow)
{
        struct net_http_request request = {
                .method = "GET", .path = run->target.path, .authority = run->target.authority, .padding = PADDING};
        struct net_tls_opts tls = {.host = run->target.host, .ca_file = run->options->ca_file};
        int64_t quiet_ns = quiet_of(stream->fd);
        int r = 0;

        if (run->target.tls) {
                struct net_tls_report *report = malloc(sizeof *report);
                int64_t until_ns = plait_in_ns(quiet_ns + quiet_ns / 3);
                bool is_last = until_ns > deadline_ns;

                r = report ? net_stream_start_tls(stream, &tls, is_last ? deadline_ns : until_ns, report) : -ENOMEM;
                free(report);
                if (r == -ETIMEDOUT && is_last)
                        return -EAGAIN;
        }
        if (r == 0)
                r = net_http_send(stream, &request, deadline_ns);
        if (r == 0)
                r = drain(stream, flow, quiet_ns, deadline_ns);
        return r;
}

int net_flow_try(struct net_run *run, const struct net_ip *ip, int segment, int64_t deadline_ns, struct net_flow *ret)
{
        struct net_flow flow = {.end = NET_FLOW_UNKNOWN};
        struct net_stream stream;
        int fd = dial(ip, run->target.port, segment, deadline_ns);

        if (fd == -ECANCELED)
                return fd;
        if (fd >= 0) {
                int64_t begin_ns = plait_now_ns();

                net_stream_begin(&stream, fd);

                int r = exchange(run, &stream, deadline_ns, &flow);

                flow.silent_ns = plait_now_ns() - begin_ns;
                if (r == -ETIMEDOUT)
                        judge(fd, &flow);
                else if (r >= 0)
                        flow.end = NET_FLOW_OK;
                (void)net_tcp_look(fd, &flow.tcp);
                net_stream_done(&stream);
                plait_close(fd);
                if (r == -ECANCELED || r == -ENOMEM)
                        return r;
        }
        *ret = flow;
        return 0;
}
