/*
 * What libcurl calls during an exchange. In a task this runs in the driver's task: nothing here may suspend, and what
 * the requesting task reads meanwhile is atomic or under the transfer's lock.
 */
#include <errno.h>
#include <string.h>

#include "http/driver.h"
#include "http/exchange.h"
#include "http/libcurl.h"
#include "http/session.h"
#include "plait/time.h"

/* How much of a body waits for its task before libcurl is told to stop reading. */
enum { PENDING_BYTES = 256 << 10, RESERVE_BYTES = 16 << 20 };

static void stop_for(struct pl_http_exchange *exchange, enum plait_http_problem problem, int code)
{
        if (exchange->failure)
                return;
        exchange->failure = code;
        exchange->problem = problem;
}

static void note_progress(struct pl_http_exchange *exchange)
{
        atomic_store_explicit(&exchange->progress_ns, plait_now_ns(), memory_order_relaxed);
        atomic_store_explicit(&exchange->answered, true, memory_order_release);
}

enum pl_http_coding pl_http_exchange_coding(const struct pl_http_exchange *exchange)
{
        if (exchange->no_body || (exchange->session->opts.flags & PLAIT_SESSION_NO_COMPRESSION))
                return PL_HTTP_IDENTITY;
        return exchange->response->pl_record->head.coding;
}

int pl_http_exchange_deliver(struct pl_http_exchange *exchange, const void *data, size_t bytes)
{
        const struct pl_http_head *head = &exchange->response->pl_record->head;
        int r;

        if (!head->ended || exchange->discard)
                return 0;
        pl_http_exchange_note_head(exchange);
        r = pl_http_sink_head(exchange->sink, exchange->response, pl_http_exchange_coding(exchange));
        if (r >= 0 && bytes)
                r = pl_http_sink_write(exchange->sink, data, bytes);
        return r;
}

/* The same, in a callback. */
static int deliver_here(struct pl_http_exchange *exchange, const void *data, size_t bytes)
{
        int r = pl_http_exchange_deliver(exchange, data, bytes);

        if (r < 0)
                stop_for(exchange, exchange->sink->problem, r);
        return r;
}

void pl_http_exchange_note_head(struct pl_http_exchange *exchange)
{
        struct plait_response *response = exchange->response;
        const struct pl_http_head *head = &response->pl_record->head;

        response->status = head->status;
        response->version = head->version;
}

/* OpenSSL tells of each record; the one that matters is the close alert of the other side. */
static void on_tls_record(int sent, int version, int type, const void *data, size_t bytes, SSL *tls, void *arg)
{
        struct pl_http_exchange *exchange = arg;
        const unsigned char *alert = data;

        (void)version, (void)tls;
        if (!sent && type == SSL3_RT_ALERT && bytes >= 2 && alert[1] == SSL_AD_CLOSE_NOTIFY)
                exchange->tls_closed = true;
}

/*
 * The body ends with the connection. libcurl takes a TLS connection that just ends for one that was closed, so watch
 * how it ends. The connection is used for nothing after this exchange, so the watch need not be taken away.
 */
static void watch_tls_end(struct pl_http_exchange *exchange)
{
        struct curl_tlssessioninfo *session = NULL;

        exchange->tls_closed = false;
        if (curl_easy_getinfo(exchange->easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || !session ||
            session->backend != CURLSSLBACKEND_OPENSSL || !session->internals)
                return; /* then its end counts as a cut */
        SSL_set_msg_callback(session->internals, on_tls_record);
        SSL_set_msg_callback_arg(session->internals, exchange);
}

/* The final head is complete. */
static int judge_head(struct pl_http_exchange *exchange)
{
        const struct pl_http_head *head = &exchange->response->pl_record->head;
        int status = head->status;
        bool whole_answer = head->has_length && !head->chunked;

        exchange->no_body = strcmp(exchange->ask->method, "HEAD") == 0 || status == 204 || status == 304;
        exchange->discard = exchange->ask->follow && head->has_location &&
                            (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
        if (exchange->no_body)
                return 0;
        if (exchange->ask->origin->tls && head->version < 20 && !head->chunked && !head->has_length)
                watch_tls_end(exchange);
        if (exchange->discard)
                return 0;
        if (head->bad_length || head->bad_coding) {
                stop_for(exchange, PLAIT_HTTP_PROTOCOL, -EPROTO);
                return -EPROTO;
        }
        if (whole_answer && pl_http_exchange_coding(exchange) == PL_HTTP_IDENTITY &&
            head->length > exchange->sink->limit) {
                stop_for(exchange, PLAIT_HTTP_TOO_LARGE, -EFBIG);
                return -EFBIG;
        }
        if (whole_answer && !exchange->streaming && head->length <= RESERVE_BYTES &&
            pl_http_buffer_reserve(&exchange->pending, (size_t)head->length) < 0) {
                stop_for(exchange, PLAIT_HTTP_NO_MEMORY, -ENOMEM);
                return -ENOMEM;
        }
        return 0;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
        struct pl_http_exchange *exchange = arg;
        struct pl_http_head *head = &exchange->response->pl_record->head;
        bool trailer = head->ended && head->status >= 200;
        int r;

        if (trailer && exchange->streaming && !exchange->in_thread)
                return size * n; /* the task may be reading the headers */
        r = pl_http_head_line(head, line, size * n);
        if (r < 0)
                stop_for(exchange,
                         r == -EFBIG    ? PLAIT_HTTP_TOO_LARGE
                         : r == -EPROTO ? PLAIT_HTTP_PROTOCOL
                                        : PLAIT_HTTP_NO_MEMORY,
                         r);
        note_progress(exchange);
        if (r < 0 || trailer || !head->ended || head->status < 200)
                return r < 0 ? 0 : size * n;
        r = judge_head(exchange);
        if (r >= 0 && exchange->in_thread && exchange->streaming)
                r = deliver_here(exchange, NULL, 0);
        if (r >= 0 && !exchange->in_thread && exchange->streaming && exchange->sink->opts->on_head)
                pl_http_transfer_tell(&exchange->transfer);
        return r < 0 ? 0 : size * n;
}

/* Collect the body for later. */
static size_t collect(struct pl_http_exchange *exchange, const char *data, size_t bytes)
{
        if (bytes > exchange->sink->limit || exchange->pending.bytes > exchange->sink->limit - bytes) {
                stop_for(exchange, PLAIT_HTTP_TOO_LARGE, -EFBIG);
                return 0;
        }
        if (pl_http_buffer_append(&exchange->pending, data, bytes) < 0) {
                stop_for(exchange, PLAIT_HTTP_NO_MEMORY, -ENOMEM);
                return 0;
        }
        return bytes;
}

/* Leave the body for the task, which delivers it while more comes. */
static size_t leave(struct pl_http_exchange *exchange, const char *data, size_t bytes)
{
        size_t result = bytes;

        pl_lock_acquire(&exchange->transfer.lock);
        if (exchange->pending.bytes >= PENDING_BYTES) {
                exchange->paused = true;
                result = CURL_WRITEFUNC_PAUSE;
        } else if (pl_http_buffer_append(&exchange->pending, data, bytes) < 0) {
                stop_for(exchange, PLAIT_HTTP_NO_MEMORY, -ENOMEM);
                result = 0;
        }
        pl_lock_release(&exchange->transfer.lock);
        if (result == bytes)
                pl_http_transfer_tell(&exchange->transfer);
        return result;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
        struct pl_http_exchange *exchange = arg;
        size_t bytes = size * n;
        size_t result = bytes;

        if (!exchange->discard) {
                if (!exchange->streaming)
                        result = collect(exchange, data, bytes);
                else if (!exchange->in_thread)
                        result = leave(exchange, data, bytes);
                else if (deliver_here(exchange, data, bytes) < 0)
                        result = 0;
        }
        if (result == bytes) {
                exchange->received += bytes;
                note_progress(exchange);
        }
        return result;
}

static int on_connected(void *arg, char *ip, char *local_ip, int port, int local_port)
{
        struct pl_http_exchange *exchange = arg;

        (void)ip, (void)local_ip, (void)port, (void)local_port;
        atomic_store_explicit(&exchange->asked_ns, plait_now_ns(), memory_order_relaxed);
        return CURL_PREREQFUNC_OK;
}

static size_t on_send(char *to, size_t size, size_t n, void *arg)
{
        struct pl_http_exchange *exchange = arg;
        size_t bytes = exchange->ask->body_bytes - exchange->sent;

        if (bytes > size * n)
                bytes = size * n;
        if (bytes)
                memcpy(to, (const char *)exchange->ask->body + exchange->sent, bytes);
        exchange->sent += bytes;
        atomic_store_explicit(&exchange->asked_ns, plait_now_ns(), memory_order_relaxed);
        return bytes;
}

/* libcurl sends again when a kept connection turns out to be dead. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
        struct pl_http_exchange *exchange = arg;

        if (origin != SEEK_SET || offset < 0 || (size_t)offset > exchange->ask->body_bytes)
                return CURL_SEEKFUNC_CANTSEEK;
        exchange->sent = (size_t)offset;
        return CURL_SEEKFUNC_OK;
}

void pl_http_exchange_set_callbacks(struct pl_http_exchange *exchange)
{
        CURL *easy = exchange->easy;

        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
        curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
        curl_easy_setopt(easy, CURLOPT_PREREQDATA, exchange);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, exchange);
}
