/*
 * What became of an exchange: libcurl's result, and, when libcurl is content, whether the answer is whole. libcurl 7.88
 * takes for success: a connection closed inside the headers, a compressed body that ends too early, and (unless OpenSSL
 * is told otherwise, see callbacks.c) a TLS connection that just ends. So each way in which an answer can end is
 * checked here again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/libcurl.h"
#include "http/session.h"
#include "plait/time.h"

/* "127.0.0.1:81" */
struct place {
        char text[280];
};

static struct place place_of(const struct pl_http_exchange *exchange)
{
        struct place place;

        snprintf(place.text, sizeof place.text, "%s:%u", exchange->ask->origin->host, exchange->ask->origin->port);
        return place;
}

/* Whom libcurl could not connect to: the host itself, or a proxy on the way, which only its words tell. */
static struct place dialled(const struct pl_http_exchange *exchange)
{
        static const char before[] = "Failed to connect to ";
        const struct pl_http_origin *origin = exchange->ask->origin;
        const char *host = exchange->error + strlen(before);
        const char *end = strncmp(exchange->error, before, strlen(before)) == 0 ? strstr(host, " port ") : NULL;
        const bool in_brackets = *origin->host == '[';
        const size_t length = strlen(origin->host) - (in_brackets ? 2 : 0);
        struct place place;

        if (!exchange->session->uses_proxy || !end)
                return place_of(exchange);
        const unsigned long port = strtoul(end + strlen(" port "), NULL, 10);
        if (port == origin->port && (size_t)(end - host) == length &&
            strncasecmp(host, origin->host + in_brackets, length) == 0)
                return place_of(exchange);
        snprintf(place.text, sizeof place.text, "the proxy %.*s:%lu", (int)(end - host < 250 ? end - host : 250), host,
                 port);
        return place;
}

static double seconds(int64_t ns)
{
        return (double)ns * 1e-9;
}

/* --- an answer that libcurl is content with --- */

static int truncated(struct pl_http_exchange *exchange, const char *how)
{
        return pl_http_fail(exchange->response, PLAIT_HTTP_TRUNCATED, -ENODATA,
                            "the answer of %s was cut short: %s. What has come is not the whole; try again.",
                            place_of(exchange).text, how);
}

static int check_end(struct pl_http_exchange *exchange)
{
        const struct pl_http_head *head = &exchange->response->pl_record->head;
        char how[128];

        if (!head->ended || head->status < 200)
                return truncated(exchange, "the connection was closed inside the headers");
        if (exchange->no_body || exchange->discard || head->version >= 20 || head->chunked)
                return 0; /* no body that matters, or one whose last frame or chunk libcurl has seen */
        if (head->has_length) {
                if (exchange->received == head->length)
                        return 0;
                snprintf(how, sizeof how, "%" PRIu64 " of %" PRIu64 " bytes came", exchange->received, head->length);
                return truncated(exchange, how);
        }
        if (exchange->ask->origin->tls && !exchange->tls_closed)
                return truncated(exchange, "TLS ended without its close alert, and no length was announced");
        return 0;
}

/* The body has been decoded. Over plain TCP, without a length, only the end of its compression can prove anything. */
static int check_unverified(struct pl_http_exchange *exchange)
{
        const struct pl_http_head *head = &exchange->response->pl_record->head;

        if (exchange->no_body || exchange->discard || head->version >= 20 || head->chunked || head->has_length ||
            exchange->ask->origin->tls || exchange->sink->decoder)
                return 0;
        if (exchange->session->opts.flags & PLAIT_SESSION_VERIFIED_END)
                return pl_http_fail(
                        exchange->response, PLAIT_HTTP_TRUNCATED, -ENODATA,
                        "nobody can know whether the answer of %s is whole: it has no length, and its end is "
                        "the end of the connection",
                        place_of(exchange).text);
        exchange->response->end_unverified = true;
        return 0;
}

/* HTTP/2 has its own end, but the length has to be right there, too. */
static int check_length(struct pl_http_exchange *exchange)
{
        const struct pl_http_head *head = &exchange->response->pl_record->head;
        char how[128];

        if (exchange->no_body || exchange->discard || head->version < 20 || !head->has_length ||
            exchange->received == head->length)
                return 0;
        snprintf(how, sizeof how, "%" PRIu64 " of %" PRIu64 " bytes came", exchange->received, head->length);
        return truncated(exchange, how);
}

/* Hand over what was collected, if it was, and see whether the sink has all of it. */
static int finish_body(struct pl_http_exchange *exchange)
{
        struct pl_http_sink *sink = exchange->sink;
        int r;

        if (exchange->discard)
                return 0;
        if (!exchange->streaming) {
                if (pl_http_exchange_coding(exchange) == PL_HTTP_IDENTITY) {
                        pl_http_buffer_done(&sink->memory);
                        sink->memory = exchange->pending;
                        sink->bytes = exchange->pending.bytes;
                        exchange->pending = (struct pl_http_buffer){0};
                        return 0;
                }
                r = pl_http_exchange_deliver(exchange, exchange->pending.data, exchange->pending.bytes);
                if (r < 0)
                        return pl_http_exchange_explain(exchange, sink->problem, r);
        } else { /* an empty body has not been announced yet */
                r = pl_http_exchange_deliver(exchange, NULL, 0);
                if (r < 0)
                        return pl_http_exchange_explain(exchange, sink->problem, r);
        }
        r = pl_http_sink_finish(sink);
        return r < 0 ? pl_http_exchange_explain(exchange, sink->problem, r) : 0;
}

static void note_times(struct pl_http_exchange *exchange)
{
        struct plait_response *response = exchange->response;
        CURL *easy = exchange->easy;
        curl_off_t us[4] = {0};
        long connects = 0;
        curl_off_t retry_after = 0;

        curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
        curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &us[3]);
        if (connects) {
                curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &us[0]);
                curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &us[1]);
                curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &us[2]);
        }
        response->reused_connection = connects == 0 && response->status;
        response->name_ns = us[0] * 1000;
        response->connect_ns = us[1] * 1000;
        response->tls_ns = us[2] * 1000;
        response->first_byte_ns = us[3] * 1000;
        if (response->status >= 300 && curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK)
                response->retry_after_ns = retry_after > INT64_C(9000000000) ? PLAIT_NEVER
                                                                             : retry_after * INT64_C(1000000000);
}

static int judge_answer(struct pl_http_exchange *exchange)
{
        int r = check_end(exchange);

        if (r >= 0)
                r = check_length(exchange);
        if (r >= 0)
                r = finish_body(exchange);
        return r < 0 ? r : check_unverified(exchange);
}

/* --- failures --- */

static int cannot_connect(struct pl_http_exchange *exchange)
{
        struct plait_response *response = exchange->response;
        struct place place = dialled(exchange);
        long code = 0;

        curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &code);
        switch (code) {
        case ECONNREFUSED:
                return pl_http_fail(
                        response, PLAIT_HTTP_REFUSED, -ECONNREFUSED,
                        "cannot connect to %s: connection refused. Is the server running, and the port right?",
                        place.text);
        case ETIMEDOUT:
                return pl_http_fail(response, PLAIT_HTTP_CONNECT_TIMEOUT, -ETIMEDOUT,
                                    "cannot connect to %s: no answer. Is the host up, or a firewall in between?",
                                    place.text);
        case EMFILE:
        case ENFILE:
                return pl_http_fail(response, PLAIT_HTTP_UNREACHABLE, -(int)code,
                                    "cannot connect to %s: too many open files. Fewer transfers at once, or a higher "
                                    "`ulimit -n`, help.",
                                    place.text);
        case 0:
                return pl_http_fail(response, PLAIT_HTTP_UNREACHABLE, -EHOSTUNREACH, "cannot connect to %s: %s",
                                    place.text, exchange->error);
        default:
                return pl_http_fail(response, PLAIT_HTTP_UNREACHABLE, -(int)code, "cannot connect to %s: %s",
                                    place.text, strerror((int)code));
        }
}

static int bad_certificate(struct pl_http_exchange *exchange)
{
        struct plait_response *response = exchange->response;
        const char *host = exchange->ask->origin->host;
        long code = 0;

        curl_easy_getinfo(exchange->easy, CURLINFO_SSL_VERIFYRESULT, &code);
        switch (code) {
        case X509_V_OK:
        case X509_V_ERR_UNSPECIFIED: /* libcurl has checked the name before it noted a result */
                return pl_http_fail(response, PLAIT_HTTP_CERTIFICATE_NAME, -EKEYREJECTED,
                                    "the certificate of %s is for another host (%s). Use the name that it is for.",
                                    host, exchange->error);
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID:
                return pl_http_fail(
                        response, PLAIT_HTTP_CERTIFICATE_DATE, -EKEYEXPIRED,
                        "the certificate of %s is not valid now: %s. If the clock here is right, the server "
                        "needs a new one.",
                        host, X509_verify_cert_error_string(code));
        default:
                return pl_http_fail(
                        response, PLAIT_HTTP_CERTIFICATE, -EKEYREJECTED,
                        "the certificate of %s is not trusted: %s. If it should be, name the CA's certificate "
                        "(ca_file).",
                        host, X509_verify_cert_error_string(code));
        }
}

static int broken(struct pl_http_exchange *exchange)
{
        const struct pl_http_head *head = &exchange->response->pl_record->head;

        if (strstr(exchange->error, "unexpected eof")) /* as later versions of libcurl say */
                return truncated(exchange, "TLS ended without its close alert");
        if (strstr(exchange->error, "chunk"))
                return pl_http_fail(exchange->response, PLAIT_HTTP_PROTOCOL, -EPROTO, "%s does not keep to HTTP: %s",
                                    place_of(exchange).text, exchange->error);
        return pl_http_fail(exchange->response, PLAIT_HTTP_RESET, -ECONNRESET,
                            "the connection to %s broke %s: %s. Try again.", place_of(exchange).text,
                            head->status < 200 ? "before the answer"
                            : !head->ended     ? "inside the headers"
                                               : "inside the body",
                            *exchange->error ? exchange->error : "connection reset");
}

/* What a proxy answered when it was asked for a way to the host. */
static int no_way_through(struct pl_http_exchange *exchange, long status)
{
        struct plait_response *response = exchange->response;
        struct place place = place_of(exchange);

        switch (status) {
        case 401: /* as some of them say */
        case 407:
                return pl_http_fail(response, PLAIT_HTTP_PROXY, -EPROTO,
                                    "the proxy does not forward to %s: it wants another user or password (%ld). They "
                                    "can stand in its URL: http://USER:PASSWORD@HOST:PORT",
                                    place.text, status);
        case 500: /* as above */
        case 502:
        case 503:
        case 504:
                return pl_http_fail(response, PLAIT_HTTP_UNREACHABLE, -EHOSTUNREACH,
                                    "the proxy cannot connect to %s (%ld). Is the host up, and the name right?",
                                    place.text, status);
        default:
                return pl_http_fail(response, PLAIT_HTTP_PROXY, -EPROTO,
                                    "the proxy does not forward to %s: it says %ld", place.text, status);
        }
}

static int judge_failure(struct pl_http_exchange *exchange, CURLcode result)
{
        struct plait_response *response = exchange->response;
        struct place place = place_of(exchange);
        const char *text = *exchange->error ? exchange->error : curl_easy_strerror(result);
        long from_proxy = 0;

        curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE, &from_proxy);
        if (from_proxy >= 300)
                return no_way_through(exchange, from_proxy);
        switch ((int)result) {
        case CURLE_URL_MALFORMAT: return pl_http_fail(response, PLAIT_HTTP_BAD_URL, -EINVAL, "malformed URL: %s", text);
        case CURLE_COULDNT_RESOLVE_HOST:
                return pl_http_fail(response, PLAIT_HTTP_NAME_NOT_FOUND, -ENOENT,
                                    "there is no host %s: its name was not found. Is it spelt right?",
                                    exchange->ask->origin->host);
        case CURLE_COULDNT_RESOLVE_PROXY:
                return pl_http_fail(response, PLAIT_HTTP_PROXY, -ENOENT, "the proxy's name was not found: %s", text);
        case CURLE_PROXY: return pl_http_fail(response, PLAIT_HTTP_PROXY, -EPROTO, "the proxy failed: %s", text);
        case CURLE_COULDNT_CONNECT: return cannot_connect(exchange);
        case CURLE_OPERATION_TIMEDOUT:
                return pl_http_exchange_explain(exchange, PLAIT_HTTP_CONNECT_TIMEOUT, -ETIMEDOUT);
        case CURLE_PEER_FAILED_VERIFICATION: return bad_certificate(exchange);
        case CURLE_GOT_NOTHING:
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR: return broken(exchange);
        case CURLE_PARTIAL_FILE: return truncated(exchange, text);
        case CURLE_HTTP2_STREAM:
                return pl_http_fail(response, PLAIT_HTTP_RESET, -ECONNRESET,
                                    "%s broke the HTTP/2 stream off: %s. Try again.", place.text, text);
        case CURLE_OUT_OF_MEMORY: return pl_http_fail(response, PLAIT_HTTP_NO_MEMORY, -ENOMEM, "out of memory");
        case CURLE_HTTP2:
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_BAD_CONTENT_ENCODING:
                return pl_http_fail(response, PLAIT_HTTP_PROTOCOL, -EPROTO, "%s does not keep to HTTP: %s", place.text,
                                    text);
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_ENGINE_NOTFOUND:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
                return pl_http_fail(response, PLAIT_HTTP_TLS, -EPROTO, "no TLS with %s: %s", place.text, text);
        default:
                return pl_http_fail(response, PLAIT_HTTP_OTHER, -EIO, "the transfer from %s failed: %s", place.text,
                                    text);
        }
}

int pl_http_exchange_explain(struct pl_http_exchange *exchange, enum plait_http_problem problem, int code)
{
        const struct pl_http_ask *ask = exchange->ask;
        struct plait_response *response = exchange->response;
        struct place place = place_of(exchange);

        switch ((int)problem) {
        case PLAIT_HTTP_CONNECT_TIMEOUT:
                return pl_http_fail(
                        response, problem, code,
                        "cannot connect to %s: no connection after %.3g s. Is the host up, or a firewall in "
                        "between?",
                        place.text, seconds(ask->connect_ns));
        case PLAIT_HTTP_FIRST_BYTE_TIMEOUT:
                return pl_http_fail(response, problem, code, "%s did not answer within %.3g s", place.text,
                                    seconds(ask->first_byte_ns));
        case PLAIT_HTTP_STALL_TIMEOUT:
                return pl_http_fail(response, problem, code, "the answer of %s stalled: nothing came for %.3g s",
                                    place.text, seconds(ask->stall_ns));
        case PLAIT_HTTP_TOTAL_TIMEOUT:
                return pl_http_fail(response, problem, code,
                                    "the request to %s took longer than it may (total time-out)", place.text);
        case PLAIT_HTTP_DEADLINE:
                return pl_http_fail(response, problem, code,
                                    "the request to %s was not done when its task's deadline came", place.text);
        case PLAIT_HTTP_CANCELED:
                return pl_http_fail(response, problem, code, "the request to %s was cancelled", place.text);
        case PLAIT_HTTP_TRUNCATED: return truncated(exchange, "its compressed stream has no end");
        case PLAIT_HTTP_ENCODING:
                return pl_http_fail(response, problem, code, "the answer of %s cannot be decoded: %s", place.text,
                                    response->pl_record->head.coding == PL_HTTP_UNKNOWN_CODING
                                            ? "nobody asked for its Content-Encoding"
                                            : "its compressed stream is damaged");
        case PLAIT_HTTP_TOO_LARGE:
                if (!response->pl_record->head.ended)
                        return pl_http_fail(response, problem, code,
                                            "the answer of %s has more than %zu KiB of headers", place.text,
                                            PL_HTTP_HEAD_BYTES >> 10);
                return pl_http_fail(response, problem, code,
                                    "the answer of %s is larger than the %" PRIu64 " bytes allowed", place.text,
                                    exchange->sink->limit);
        case PLAIT_HTTP_PROTOCOL:
                return pl_http_fail(
                        response, problem, code,
                        "%s does not keep to HTTP: its status line, Content-Length or Transfer-Encoding is wrong",
                        place.text);
        case PLAIT_HTTP_SINK:
                return pl_http_fail(response, problem, code, "the answer of %s could not be stored: %s", place.text,
                                    strerror(-code));
        default: return pl_http_fail(response, problem, code, "%s", strerror(-code));
        }
}

int pl_http_exchange_judge(struct pl_http_exchange *exchange, CURLcode result)
{
        pl_http_exchange_note_head(exchange);
        note_times(exchange);
        if (exchange->failure)
                return pl_http_exchange_explain(exchange, exchange->problem, exchange->failure);
        return result == CURLE_OK ? judge_answer(exchange) : judge_failure(exchange, result);
}
