/*
 * One HTTP exchange. Only so much of a body is read as shows that it flows.
 */
#include "net/exchange.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>
#include <openssl/evp.h>

#include <plait/base.h>
#include <plait/scope.h>
#include <plait/time.h>

enum { PIECE = 8192, REQUEST_ROOM = 12 << 10, STALL_MS = 1000, FLOWS_BYTES = 12 << 10, FLOWS_MS = 250 };

static int authorization(const char *user, char *buf, size_t room)
{
        size_t bytes = user ? strlen(user) : 0;

        buf[0] = 0;
        if (bytes == 0)
                return 0;
        if (bytes * 4 / 3 + 64 > room)
                return -EINVAL;

        int n = snprintf(buf, room, "Proxy-Authorization: Basic ");

        n += EVP_EncodeBlock((unsigned char *)buf + n, (const unsigned char *)user, (int)bytes);
        snprintf(buf + n, room - (size_t)n, "\r\n");
        return 0;
}

int net_http_send(struct net_stream *stream, const struct net_http_request *request, int64_t deadline_ns)
{
        char credentials[512];
        char *buf = malloc(REQUEST_ROOM);
        int r = authorization(request->proxy_user, credentials, sizeof credentials);

        if (!buf)
                return -ENOMEM;
        if (r == 0 && request->padding > NET_HTTP_PADDING_MAX)
                r = -EINVAL;
        if (r == 0) {
                int n = snprintf(buf, REQUEST_ROOM,
                                 "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: plait/%s\r\nAccept: */*\r\n%s"
                                 "Connection: close\r\n",
                                 request->method, request->path, request->authority, PLAIT_VERSION, credentials);

                if (n < 0 || (size_t)n + request->padding + 32 > REQUEST_ROOM) {
                        free(buf);
                        return -EINVAL;
                }
                if (request->padding > 0)
                        n += snprintf(buf + n, REQUEST_ROOM - (size_t)n, "X-Padding: %0*d\r\n", (int)request->padding,
                                      0);
                n += snprintf(buf + n, REQUEST_ROOM - (size_t)n, "\r\n");
                r = net_stream_write(stream, buf, (size_t)n, deadline_ns);
        }
        free(buf);
        return r;
}

struct exchange {
        struct net_stream *stream;
        struct net_http_reply *reply;
        bool is_head;
        int64_t sent_ns, last_ns; /* when the request was sent; when something came last */
        char *data;               /* a head that is not complete */
        size_t bytes;
};

/* More bytes of the head. 0: go on; 1: it is there; or -errno. */
static int read_some(struct exchange *exchange, int64_t deadline_ns)
{
        if (exchange->bytes + PIECE > NET_HTTP1_HEAD_MAX + PIECE)
                return -EBADMSG;

        char *more = realloc(exchange->data, exchange->bytes + PIECE);

        if (!more)
                return -ENOMEM;
        exchange->data = more;

        ssize_t n = net_stream_read(exchange->stream, more + exchange->bytes, PIECE, deadline_ns);

        if (n == 0)
                return -ENODATA;
        if (n < 0)
                return (int)n;
        exchange->last_ns = plait_now_ns();
        if (exchange->bytes == 0)
                exchange->reply->first_byte_ns = exchange->last_ns - exchange->sent_ns;
        exchange->bytes += (size_t)n;
        return 0;
}

/* Heads are skipped as long as they are provisional (1xx). The body's first bytes stay in *data*. */
static int read_head(struct exchange *exchange, int64_t deadline_ns)
{
        struct net_http1_head *head = &exchange->reply->head;

        for (;;) {
                ssize_t n = exchange->bytes ? net_http1_parse_head(exchange->data, exchange->bytes, head) : 0;

                if (n < 0)
                        return (int)n;
                if (n > 0) {
                        exchange->bytes -= (size_t)n;
                        memmove(exchange->data, exchange->data + n, exchange->bytes);
                        if (head->status >= 200 || head->status == 101)
                                return 0;
                        continue;
                }

                int r = read_some(exchange, deadline_ns);

                if (r < 0)
                        return r;
        }
}

static void keep_body(void *arg, const char *data, size_t bytes)
{
        struct net_http_reply *reply = arg;
        size_t room = NET_HTTP_BODY_START - reply->body_start_bytes;
        size_t n = bytes < room ? bytes : room;

        memcpy(reply->body_start + reply->body_start_bytes, data, n);
        reply->body_start_bytes += n;
        reply->body_bytes += bytes;
}

/* It flows: on a slow line that is to be seen sooner than after all that is read on a fast one. */
static bool is_enough(const struct net_http1_body *body, int64_t ns)
{
        return body->received >= NET_HTTP_BODY_ENOUGH || (body->received >= FLOWS_BYTES && ns >= FLOWS_MS * 1000000LL);
}

/* 0: done, or enough; -ENODATA: it was cut; or -errno. */
static int read_body(struct exchange *exchange, int64_t deadline_ns)
{
        struct net_http1_body body;
        int64_t stall_ns = STALL_MS * 1000000LL;
        int64_t begin_ns = plait_now_ns();

        net_http1_begin_body(&body, &exchange->reply->head, exchange->is_head);
        if (strncasecmp(exchange->reply->head.content_type, "text/event-stream", 17) == 0)
                return 0; /* it is meant to be silent now and then */
        for (;;) {
                ssize_t used = net_http1_feed(&body, exchange->data, exchange->bytes, keep_body, exchange->reply);

                if (used < 0)
                        return (int)used;
                if (body.done || is_enough(&body, plait_now_ns() - begin_ns))
                        return 0;
                exchange->bytes = 0;

                int64_t until_ns = exchange->last_ns + stall_ns;
                int r = read_some(exchange, until_ns < deadline_ns ? until_ns : deadline_ns);

                if (r == -ENODATA && body.framing == NET_HTTP1_UNTIL_CLOSE && !exchange->stream->was_reset)
                        return 0;
                if (r < 0)
                        return r;
        }
}

static void keep_text_start(const struct exchange *exchange)
{
        struct net_http_reply *reply = exchange->reply;
        size_t room = sizeof reply->text_start - 1;
        size_t n = exchange->bytes < room ? exchange->bytes : room;

        for (size_t i = 0; i < n; i++)
                reply->text_start[i] = isprint((unsigned char)exchange->data[i]) ? exchange->data[i] : '.';
        reply->text_start[n] = 0;
}

static enum net_http_end end_of_head(const struct exchange *exchange, int r)
{
        if (r == -EBADMSG || (exchange->bytes > 0 && r == -ENODATA))
                return NET_HTTP_END_MALFORMED;
        if (r == -ETIMEDOUT)
                return exchange->bytes > 0 ? NET_HTTP_END_STALLED : NET_HTTP_END_SILENT;
        return NET_HTTP_END_CLOSED;
}

static enum net_http_end end_of_body(const struct exchange *exchange, int r)
{
        if (r == -EBADMSG)
                return NET_HTTP_END_MALFORMED;
        if (r == -ETIMEDOUT)
                return exchange->reply->silent_ns >= STALL_MS * 1000000LL ? NET_HTTP_END_STALLED : NET_HTTP_END_FLOWING;
        return NET_HTTP_END_CUT;
}

int net_http_exchange(struct net_stream *stream, const struct net_http_request *request, int64_t deadline_ns,
                      struct net_http_reply *reply)
{
        struct exchange exchange = {.stream = stream, .reply = reply, .is_head = strcmp(request->method, "HEAD") == 0};

        memset(reply, 0, sizeof *reply);

        int r = net_http_send(stream, request, deadline_ns);

        exchange.sent_ns = exchange.last_ns = plait_now_ns();
        if (r == -ECANCELED || r == -ENOMEM || r == -EINVAL)
                return r;
        if (r == 0 || stream->was_reset) /* the last words before a reset may be there */
                r = read_head(&exchange, deadline_ns);
        reply->silent_ns = plait_now_ns() - exchange.last_ns;
        if (r < 0) {
                reply->end = end_of_head(&exchange, r);
                keep_text_start(&exchange);
        } else {
                int64_t head_ns = plait_now_ns();

                reply->realtime_s = (int64_t)time(NULL);
                r = read_body(&exchange, deadline_ns);
                reply->body_ns = plait_now_ns() - head_ns;
                reply->silent_ns = plait_now_ns() - exchange.last_ns;
                reply->end = r < 0 ? end_of_body(&exchange, r) : NET_HTTP_END_OK;
        }
        free(exchange.data);
        return r == -ECANCELED || r == -ENOMEM ? r : 0;
}

static bool is_http(CURLU *url)
{
        char *scheme = NULL;
        bool result = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                      (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

        curl_free(scheme);
        return result;
}

int net_http_redirect(const char *base, const char *location, char **ret_url)
{
        CURLU *url = curl_url();
        char *text = NULL;
        int r = -EINVAL;

        if (!url)
                return -ENOMEM;
        if (location[0] && curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
            curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK &&
            curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK && is_http(url) &&
            curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK) {
                char *copy = strdup(text);

                r = copy ? 0 : -ENOMEM;
                if (copy)
                        *ret_url = copy;
        }
        curl_free(text);
        curl_url_cleanup(url);
        return r;
}

static void take_part(CURLU *url, CURLUPart part, unsigned flags, char *buf, size_t room)
{
        char *text = NULL;

        buf[0] = 0;
        if (curl_url_get(url, part, &text, flags) == CURLUE_OK && text)
                snprintf(buf, room, "%s", text);
        curl_free(text);
}

bool net_http_split_url(const char *url, struct net_http_url *ret)
{
        struct net_http_url parts = {0};
        CURLU *handle = curl_url();
        char scheme[16];
        char port[8];
        char host[256];
        char query[512];

        if (!handle || curl_url_set(handle, CURLUPART_URL, url, 0) != CURLUE_OK || !is_http(handle)) {
                curl_url_cleanup(handle);
                return false;
        }
        take_part(handle, CURLUPART_SCHEME, 0, scheme, sizeof scheme);
        take_part(handle, CURLUPART_HOST, 0, host, sizeof host);
        take_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port);
        take_part(handle, CURLUPART_PATH, 0, parts.path, sizeof parts.path);
        take_part(handle, CURLUPART_QUERY, 0, query, sizeof query);
        curl_url_cleanup(handle);
        parts.tls = strcmp(scheme, "https") == 0;
        parts.port = (uint16_t)strtoul(port, NULL, 10);

        bool is_default = parts.port == (parts.tls ? 443 : 80);
        size_t used = strlen(parts.path);
        size_t bytes = strlen(host);

        snprintf(parts.authority, sizeof parts.authority, is_default ? "%s" : "%s:%s", host, port);
        if (query[0])
                snprintf(parts.path + used, sizeof parts.path - used, "?%s", query);
        if (host[0] == '[' && host[bytes - 1] == ']') {
                host[bytes - 1] = 0;
                memmove(host, host + 1, bytes - 1);
        }
        memcpy(parts.host, host, sizeof parts.host);
        *ret = parts;
        return true;
}
