/*
 * HTTP/1.1 responses as they come, a piece at a time. Nothing here waits or allocates; no length is believed.
 */
#ifndef NET_HTTP1_H
#define NET_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { NET_HTTP1_HEAD_MAX = 64 << 10 };

/* What matters of a response's head. Texts are cut where they do not fit; what is not printable is '?'. */
struct net_http1_head {
        int status; /* 100 to 599 */
        int minor;  /* of HTTP/1.x */
        char reason[64];
        char location[1024];
        char date[64];
        char server[64];
        char via[128];
        char cache[64]; /* X-Cache */
        char content_type[64];
        char realm[128]; /* Proxy-Authenticate, or WWW-Authenticate */
        bool has_length;
        uint64_t length; /* Content-Length */
        bool chunked;
        bool closes; /* Connection: close, or HTTP/1.0 without keep-alive */
};

/* Bytes that the head takes; 0: it is not complete; -EBADMSG: it is no HTTP, or too long. */
ssize_t net_http1_parse_head(const char *data, size_t bytes, struct net_http1_head *ret);

enum net_http1_framing {
        NET_HTTP1_NO_BODY,
        NET_HTTP1_LENGTH,
        NET_HTTP1_CHUNKED,
        NET_HTTP1_UNTIL_CLOSE,
};

struct net_http1_body {
        enum net_http1_framing framing;
        bool done;
        uint64_t left; /* of the length, or of the chunk */
        int state;     /* within the chunks' frames */
        unsigned digits;
        uint64_t received; /* of the body itself */
};

/* How the body that follows *head* comes. */
void net_http1_begin_body(struct net_http1_body *body, const struct net_http1_head *head, bool is_head_request);

/*
 * Take in what came. Each run of bytes that are the body's own goes to *sink* (which may be NULL). Returns the bytes
 * that were used, fewer than *bytes* only when the body is done; or -EBADMSG.
 */
ssize_t net_http1_feed(struct net_http1_body *body, const char *data, size_t bytes,
                       void (*sink)(void *arg, const char *data, size_t bytes), void *arg);

/* Seconds since 1970 of a date in one of HTTP's three forms; -1: it is none. */
int64_t net_http1_parse_date(const char *text);

#endif
