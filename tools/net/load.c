/*
 * The line under load. Uploads are POST requests with long bodies: even a server that turns them down takes what comes
 * for a while, and it is the line before it that is measured.
 */
#include "net/load.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/socket.h>
#include <plait/task.h>
#include <plait/time.h>

#include "net/stream.h"

enum { UPLOADS = 4, DOWNLOADS = 2, PIECE = 16 << 10, RECONNECTS = 40, PAUSE_MS = 50 };
enum { IDLE_PACKETS = 25, IDLE_INTERVAL_MS = 20, LOADED_PACKETS = 50, LOADED_INTERVAL_MS = 40, FILL_MS = 700 };
enum { BYTES_MIN = 64 << 10, STACK = 256 << 10 };

#define BODY_BYTES (1LL << 30)

struct traffic {
        const struct net_ip *target;
        const struct net_load_opts *opts;
        bool is_upload;
        _Atomic uint64_t *bytes;
};

static int ask(const struct traffic *traffic, struct net_stream *stream)
{
        const struct net_load_opts *opts = traffic->opts;
        char head[2048];
        int n;

        if (!opts->http)
                return 0;
        if (traffic->is_upload)
                n = snprintf(head, sizeof head,
                             "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\n"
                             "Content-Length: %lld\r\n\r\n",
                             opts->path, opts->authority, BODY_BYTES);
        else
                n = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", opts->path,
                             opts->authority);
        return n < (int)sizeof head ? net_stream_write(stream, head, (size_t)n, PLAIT_NEVER) : -EINVAL;
}

/* Until the other side has had enough. */
static int pump(const struct traffic *traffic, struct net_stream *stream, char *piece)
{
        for (;;) {
                ssize_t n = PIECE;

                if (traffic->is_upload) {
                        int r = net_stream_write(stream, piece, PIECE, PLAIT_NEVER);

                        n = r < 0 ? r : n;
                } else {
                        n = net_stream_read(stream, piece, PIECE, PLAIT_NEVER);
                }
                if (n <= 0)
                        return (int)n;
                atomic_fetch_add_explicit(traffic->bytes, (uint64_t)n, memory_order_relaxed);
        }
}

static int one_connection(const struct traffic *traffic, char *piece)
{
        struct plait_address to = net_ip_address(traffic->target, traffic->opts->port);
        struct net_tls_opts tls = {.host = traffic->opts->host};
        struct net_stream stream;
        int fd = plait_socket(traffic->target->family, SOCK_STREAM, 0);

        if (fd < 0)
                return fd;
        net_stream_begin(&stream, fd);

        int r = plait_connect(fd, &to.as.any, to.length, PLAIT_NEVER);

        if (r == 0 && traffic->opts->tls) {
                struct net_tls_report *report = malloc(sizeof *report);

                r = report ? net_stream_start_tls(&stream, &tls, PLAIT_NEVER, report) : -ENOMEM;
                free(report);
        }
        if (r == 0)
                r = ask(traffic, &stream);
        if (r == 0)
                r = pump(traffic, &stream, piece);
        net_stream_done(&stream);
        plait_close(fd);
        return r;
}

/* Until cancelled. */
static int make_traffic(void *arg)
{
        const struct traffic *traffic = arg;
        char *piece = calloc(1, PIECE);

        for (int i = 0; piece && i < RECONNECTS; i++) {
                (void)one_connection(traffic, piece);
                if (plait_sleep(plait_in_ms(PAUSE_MS)) < 0)
                        break;
        }
        free(piece);
        return 0;
}

static int series(const struct net_ip *target, unsigned count, int interval_ms, struct net_series_stats *ret)
{
        struct net_series_opts opts = {.count = count, .interval_ns = interval_ms * 1000000LL, .wait_ns = 1500000000};
        struct net_series *all = malloc(sizeof *all);

        if (!all)
                return -ENOMEM;

        int r = net_series_run(target, &opts, all);

        if (r == 0 && !net_series_sum_up(all, ret))
                r = -ENODATA;
        free(all);
        return r;
}

int net_load_measure(const struct net_ip *target, const struct net_load_opts *opts, struct net_load *ret)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts task = {.size = sizeof task, .stack_bytes = STACK};
        struct traffic traffic[UPLOADS + DOWNLOADS];
        _Atomic uint64_t bytes = 0;
        struct net_load load = {0};
        int r = series(target, IDLE_PACKETS, IDLE_INTERVAL_MS, &load.idle);

        if (r < 0)
                return r;

        int64_t begin_ns = plait_now_ns();

        for (int i = 0; i < UPLOADS + DOWNLOADS; i++) {
                traffic[i] = (struct traffic){
                        .target = target, .opts = opts, .is_upload = i < UPLOADS, .bytes = &bytes};
                plait_scope_start(&scope, make_traffic, &traffic[i], &task, NULL);
        }
        r = plait_sleep(plait_in_ms(FILL_MS)); /* the queues fill */
        if (r == 0)
                r = series(target, LOADED_PACKETS, LOADED_INTERVAL_MS, &load.loaded);
        load.seconds = (double)(plait_now_ns() - begin_ns) / 1e9;
        plait_scope_cancel(&scope);
        (void)plait_scope_join(&scope);
        if (r < 0)
                return r;
        load.bytes = atomic_load(&bytes);
        load.was_loaded = load.bytes >= BYTES_MIN;
        *ret = load;
        return 0;
}
