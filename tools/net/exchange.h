/*
 * One HTTP request and its answer, watched closely: what came, when, and where it got stuck.
 */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/http1.h"
#include "net/stream.h"

enum net_http_end {
        NET_HTTP_END_OK,        /* all of the answer came, or as much as was wanted */
        NET_HTTP_END_SILENT,    /* no byte of an answer in time */
        NET_HTTP_END_CLOSED,    /* the connection was closed, or reset, before an answer */
        NET_HTTP_END_MALFORMED, /* what came is no HTTP */
        NET_HTTP_END_STALLED,   /* the answer began, and then nothing came for long */
        NET_HTTP_END_CUT,       /* the connection was closed before the end of the body */
        NET_HTTP_END_FLOWING,   /* the time was over while the body was coming */
};

struct net_http_request {
        const char *method;     /* "GET", "HEAD" */
        const char *path;       /* or a whole URL, for a proxy */
        const char *authority;  /* for Host: */
        const char *proxy_user; /* "USER:PASSWORD" for Proxy-Authorization; NULL or "": none */
        size_t padding;         /* bytes of a header that makes the request large; at most NET_HTTP_PADDING_MAX */
};

enum { NET_HTTP_PADDING_MAX = 4096, NET_HTTP_BODY_START = 4096, NET_HTTP_BODY_ENOUGH = 256 << 10 };

/* For sockets that a body is read from: what is under way is not to fill a slow line. */
enum { NET_HTTP_RECEIVE_BYTES = 16 << 10 };

struct net_http_reply {
        enum net_http_end end;
        struct net_http1_head head; /* status 0: there was none */
        uint64_t body_bytes;
        char body_start[NET_HTTP_BODY_START + 1];
        size_t body_start_bytes;
        char text_start[64];            /* of what is no HTTP, printable */
        int64_t first_byte_ns, body_ns; /* from the request to the first byte; from there to the end */
        int64_t silent_ns;              /* how long nothing had come when it ended badly */
        int64_t realtime_s;             /* when the head was there, seconds since 1970 by this machine's clock */
};

/* 0 whatever came of it; -ECANCELED; or -errno of this machine. *reply* is large: keep it off small stacks. */
int net_http_exchange(struct net_stream *stream, const struct net_http_request *request, int64_t deadline_ns,
                      struct net_http_reply *reply);

/* Only the first half: send the request. 0 or -errno. */
int net_http_send(struct net_stream *stream, const struct net_http_request *request, int64_t deadline_ns);

/*
 * Where a redirect leads to. *base* is the URL that was asked for. 0 with *ret_url* (to be freed with free()), or
 * -EINVAL: *location* is no URL of HTTP; or -ENOMEM.
 */
int net_http_redirect(const char *base, const char *location, char **ret_url);

/* The parts of a URL of http or https, cut where they do not fit; false when it is none. */
struct net_http_url {
        bool tls;
        char host[256];
        uint16_t port;
        char path[1024]; /* with the query */
        char authority[300];
};

bool net_http_split_url(const char *url, struct net_http_url *ret);

#endif
