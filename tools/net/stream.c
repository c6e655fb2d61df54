/*
 * A stream, plain or TLS. TLS goes through two buffers in memory, so no call of OpenSSL ever waits: its error queue is
 * the thread's own, and a task may be in another thread after a wait.
 */
#include "net/stream.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include <plait/fd.h>

enum { PIECE = 4096, TLS_ALERT = 21, TLS_HANDSHAKE = 22, TLS_MAJOR = 3 };

void net_stream_begin(struct net_stream *stream, int fd)
{
        *stream = (struct net_stream){.fd = fd};
}

void net_stream_done(struct net_stream *stream)
{
        SSL_free(stream->ssl);
        stream->ssl = NULL;
        stream->fd = -1;
}

static ssize_t read_socket(struct net_stream *stream, void *buf, size_t bytes, int64_t deadline_ns)
{
        ssize_t n = plait_read(stream->fd, buf, bytes, deadline_ns);

        if (n == 0)
                stream->ended = true;
        if (n == -ECONNRESET || n == -EPIPE)
                stream->was_reset = true;
        if (n <= 0)
                return n;

        size_t room = sizeof stream->first - stream->first_bytes;
        size_t keep = (size_t)n < room ? (size_t)n : room;

        memcpy(stream->first + stream->first_bytes, buf, keep);
        stream->first_bytes += keep;
        stream->received += n;
        return n;
}

/* Send what TLS has ready. */
static int flush(struct net_stream *stream, int64_t deadline_ns)
{
        char buf[PIECE];
        BIO *out = SSL_get_wbio(stream->ssl);

        for (;;) {
                int n = BIO_read(out, buf, sizeof buf);

                if (n <= 0)
                        return 0;

                ssize_t r = plait_write_full(stream->fd, buf, (size_t)n, deadline_ns);

                if (r == -ECONNRESET || r == -EPIPE)
                        stream->was_reset = true;
                if (r < 0)
                        return (int)r;
        }
}

/* Get more for TLS. 0, or -errno; -ENODATA at the end. */
static int fill(struct net_stream *stream, int64_t deadline_ns)
{
        char buf[PIECE];
        ssize_t n = read_socket(stream, buf, sizeof buf, deadline_ns);

        if (n <= 0)
                return n == 0 ? -ENODATA : (int)n;
        return BIO_write(SSL_get_rbio(stream->ssl), buf, (int)n) == n ? 0 : -ENOMEM;
}

/* What a call of OpenSSL that failed says; nothing may have waited since. */
static int explain(struct net_stream *stream, int result, struct net_tls_report *report)
{
        int kind = SSL_get_error(stream->ssl, result);
        unsigned long error = ERR_peek_error();
        int reason = ERR_GET_REASON(error);

        if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
                return -EAGAIN;
        if (kind == SSL_ERROR_ZERO_RETURN)
                return 0;
        if (report && error) {
                report->end = NET_TLS_END_FAILED;
                if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) {
                        report->end = NET_TLS_END_ALERT;
                        report->alert = reason - SSL_AD_REASON_OFFSET;
                }
                snprintf(report->problem, sizeof report->problem, "%s", ERR_reason_error_string(error));
                /* What this side refuses came in a ServerHello, which chose a version. */
                if (report->end == NET_TLS_END_FAILED && stream->first_bytes > 0 && stream->first[0] == TLS_HANDSHAKE)
                        snprintf(report->version, sizeof report->version, "%s", SSL_get_version(stream->ssl));
        }
        ERR_clear_error();
        return -EPROTO;
}

static bool is_tls(const struct net_stream *stream)
{
        if (stream->first_bytes == 0)
                return true;
        return (stream->first[0] == TLS_HANDSHAKE || stream->first[0] == TLS_ALERT) &&
               (stream->first_bytes == 1 || stream->first[1] == TLS_MAJOR);
}

static void note_plaintext(const struct net_stream *stream, struct net_tls_report *report)
{
        size_t n = stream->first_bytes < sizeof report->text_start ? stream->first_bytes
                                                                   : sizeof report->text_start - 1;

        report->end = NET_TLS_END_PLAINTEXT;
        for (size_t i = 0; i < n; i++)
                report->text_start[i] = isprint(stream->first[i]) ? (char)stream->first[i] : '.';
        report->text_start[n] = 0;
}

/* How the handshake ended, after *r* from the socket. */
static int handshake_failed(const struct net_stream *stream, int r, struct net_tls_report *report)
{
        if (r == -ECANCELED || r == -ENOMEM)
                return r;
        if (r == -ETIMEDOUT) {
                report->end = stream->received > 0 ? NET_TLS_END_SLOW : NET_TLS_END_SILENT;
                return -ETIMEDOUT;
        }
        if (r == -ENODATA)
                report->end = NET_TLS_END_CLOSED;
        else if (r != -EPROTO)
                report->end = NET_TLS_END_RESET;
        return -EPROTO;
}

int net_stream_start_tls(struct net_stream *stream, const struct net_tls_opts *opts, int64_t deadline_ns,
                         struct net_tls_report *report)
{
        memset(report, 0, sizeof *report);
        report->alert = -1;
        stream->ssl = net_tls_new(opts, report);
        if (!stream->ssl)
                return -ENOMEM;
        for (;;) {
                ERR_clear_error();

                int done = SSL_do_handshake(stream->ssl);
                int said = done == 1 ? 0 : explain(stream, done, report);
                int r = flush(stream, deadline_ns);

                if (done == 1) {
                        report->end = NET_TLS_END_OK;
                        net_tls_inspect(stream->ssl, report);
                        return r;
                }
                if (said != -EAGAIN)
                        return handshake_failed(stream, -EPROTO, report);
                if (r == 0 || stream->was_reset) /* the server's last words may be there to be read */
                        r = fill(stream, deadline_ns);
                if (!is_tls(stream)) {
                        note_plaintext(stream, report);
                        return -EPROTO;
                }
                if (r < 0)
                        return handshake_failed(stream, r, report);
        }
}

ssize_t net_stream_read(struct net_stream *stream, void *buf, size_t bytes, int64_t deadline_ns)
{
        if (!stream->ssl)
                return read_socket(stream, buf, bytes, deadline_ns);
        for (;;) {
                ERR_clear_error();

                int n = SSL_read(stream->ssl, buf, bytes < PIECE ? (int)bytes : PIECE);

                if (n > 0)
                        return n;

                int r = explain(stream, n, NULL);

                if (r != -EAGAIN)
                        return r;
                r = flush(stream, deadline_ns); /* an answer to a key update, say */
                if (r == 0)
                        r = fill(stream, deadline_ns);
                if (r < 0)
                        return r == -ENODATA ? 0 : r;
        }
}

int net_stream_write(struct net_stream *stream, const void *buf, size_t bytes, int64_t deadline_ns)
{
        if (!stream->ssl) {
                ssize_t n = plait_write_full(stream->fd, buf, bytes, deadline_ns);

                return n < 0 ? (int)n : 0;
        }
        while (bytes > 0) {
                ERR_clear_error();

                int n = SSL_write(stream->ssl, buf, bytes < PIECE ? (int)bytes : PIECE);
                int said = n > 0 ? 0 : explain(stream, n, NULL);
                int r = flush(stream, deadline_ns);

                if (r < 0)
                        return r;
                if (said < 0 && said != -EAGAIN)
                        return said;
                if (n <= 0) {
                        r = fill(stream, deadline_ns);
                        if (r < 0)
                                return r;
                        continue;
                }
                buf = (const char *)buf + n;
                bytes -= (size_t)n;
        }
        return 0;
}
