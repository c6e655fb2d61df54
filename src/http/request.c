/* A request: one exchange after another until an answer is no redirect. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/session.h"
#include "plait/time.h"
#include "trace/trace.h"

/* A request on its way. */
struct request {
        struct plait_session *session;
        const struct plait_request_opts *opts;
        struct plait_response *response;
        struct pl_http_ask ask;
        struct pl_http_origin origin;
        struct pl_http_origin first; /* what secrets are for */
        struct pl_http_sink sink;
        struct curl_slist *headers; /* the request's own; NULL: the session's */
        unsigned max_redirects;
        int64_t started_ns;
        uint64_t number;  /* in a recording; 0: none is under way */
        int64_t begun_ns; /* as told there, */
        int64_t asked_ns; /* and when its last exchange began */
};

/* --- what a recording is told --- */

static PL_NOINLINE void tell_begin(struct request *request, const char *url)
{
        char text[PL_TRACE_TEXT_BYTES];

        request->number = pl_trace_number();
        request->begun_ns = plait_now_ns();
        snprintf(text, sizeof text, "%s %s", request->ask.method, url);
        pl_trace_record_text(PLAIT_RECORDING_REQUEST_BEGIN, request->number, 0, text);
}

static void tell_phase(const struct request *request, enum plait_recording_phase phase, int64_t at_ns)
{
        int64_t passed_ns = at_ns - request->begun_ns;

        pl_trace(PLAIT_RECORDING_REQUEST_PHASE, phase, request->number, passed_ns > 0 ? (uint64_t)passed_ns : 0);
}

/* The times are those of the last exchange. */
static PL_NOINLINE void tell_end(const struct request *request, int r)
{
        const struct plait_response *response = request->response;
        const int64_t times[PLAIT_RECORDING_PHASES] = {[PLAIT_RECORDING_NAME] = response->name_ns,
                                                       [PLAIT_RECORDING_CONNECT] = response->connect_ns,
                                                       [PLAIT_RECORDING_TLS] = response->tls_ns,
                                                       [PLAIT_RECORDING_FIRST_BYTE] = response->first_byte_ns};

        for (unsigned phase = PLAIT_RECORDING_NAME; request->asked_ns && phase <= PLAIT_RECORDING_FIRST_BYTE; phase++)
                if (times[phase])
                        tell_phase(request, phase, request->asked_ns + times[phase]);
        if (r >= 0)
                tell_phase(request, PLAIT_RECORDING_BODY, plait_now_ns());
        pl_trace_text(PLAIT_RECORDING_REQUEST_END, 0, request->number,
                      (uint64_t)(int64_t)(r < 0 ? r : response->status), r < 0 ? response->message : NULL);
}

/* --- the request --- */

static int64_t either(int64_t own, int64_t otherwise)
{
        return own ? own : otherwise;
}

static bool is_token(const char *text)
{
        static const char allowed[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

        return *text && text[strspn(text, allowed)] == '\0';
}

static bool opts_valid(const struct plait_request_opts *opts)
{
        int sinks = (opts->on_body != NULL) + (opts->file != NULL) + !!(opts->flags & PLAIT_REQUEST_TO_FD);

        return opts->size >= sizeof *opts && !(opts->flags & ~(PLAIT_REQUEST_TO_FD | PLAIT_REQUEST_NO_REDIRECTS)) &&
               sinks <= 1 && opts->first_byte_timeout_ns >= 0 && opts->stall_timeout_ns >= 0 &&
               opts->total_timeout_ns >= 0 && (opts->body || !opts->body_bytes) &&
               pl_http_headers_valid(opts->headers) &&
               !(opts->content_type && (strpbrk(opts->content_type, "\r\n") || strlen(opts->content_type) > 400));
}

static void choose_sink(struct request *request, bool response_wanted)
{
        const struct plait_request_opts *opts = request->opts;
        struct pl_http_sink *sink = &request->sink;
        bool memory = false;

        sink->opts = opts;
        if (opts->on_body)
                sink->kind = PL_HTTP_TO_CALLBACK;
        else if (opts->file)
                sink->kind = PL_HTTP_TO_FILE;
        else if (opts->flags & PLAIT_REQUEST_TO_FD)
                sink->kind = PL_HTTP_TO_FD;
        else if (!response_wanted)
                sink->kind = PL_HTTP_TO_NOBODY;
        else
                sink->kind = PL_HTTP_TO_MEMORY, memory = true;
        sink->limit = opts->max_body_bytes ? opts->max_body_bytes
                      : memory             ? request->session->opts.max_body_bytes
                                           : UINT64_MAX;
}

static int parse_url(struct request *request, const char *url)
{
        struct plait_response *response = request->response;
        const char *why;
        int r = pl_http_origin_parse(&request->origin, url, &why);

        if (r == -ENOMEM)
                return pl_http_fail(response, PLAIT_HTTP_NO_MEMORY, r, "out of memory");
        if (r < 0)
                return pl_http_fail(response, PLAIT_HTTP_BAD_URL, r, "malformed URL '%.200s': %s", url, why);
        if (pl_http_record_url(response, url) < 0)
                return pl_http_fail(response, PLAIT_HTTP_NO_MEMORY, -ENOMEM, "out of memory");
        request->ask.url = response->url;
        return 0;
}

/* The list of headers for the exchange that comes next. */
static int choose_headers(struct request *request, bool foreign)
{
        const struct plait_request_opts *opts = request->opts;
        const char *type = opts->content_type ? opts->content_type : "application/octet-stream";
        int r;

        curl_slist_free_all(request->headers);
        request->headers = NULL;
        request->ask.headers = request->session->headers;
        if (!opts->headers && !request->ask.has_body && !foreign)
                return 0;
        r = pl_http_headers_merge(&request->headers, request->session, opts->headers, foreign, type,
                                  request->ask.has_body);
        if (r < 0)
                return pl_http_fail(request->response, PLAIT_HTTP_NO_MEMORY, r, "out of memory");
        request->ask.headers = request->headers;
        return 0;
}

/* Where the answer points to; -ENOENT: nowhere, it is the final one after all. */
static int follow(struct request *request, CURL *easy)
{
        struct plait_response *response = request->response;
        struct pl_http_ask *ask = &request->ask;
        int status = response->status;
        const char *method = ask->method;
        char *url = NULL;
        int r;

        if (response->redirects >= request->max_redirects)
                return pl_http_fail(response, PLAIT_HTTP_REDIRECTS, -ELOOP,
                                    "%u redirects, and %.200s points on. Do they go round in circles?",
                                    response->redirects, response->url);
        if (curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &url) != CURLE_OK || !url)
                return pl_http_fail(response, PLAIT_HTTP_PROTOCOL, -EPROTO,
                                    "%.200s redirects to something that is no URL", response->url);
        r = parse_url(request, url);
        if (r < 0)
                return r;
        if ((status == 303 && strcmp(method, "HEAD") != 0) ||
            ((status == 301 || status == 302) && strcmp(method, "POST") == 0)) {
                ask->method = "GET";
                ask->body = NULL;
                ask->body_bytes = 0;
                ask->has_body = false;
        }
        response->redirects++;
        return choose_headers(request, !pl_http_origin_same(&request->origin, &request->first));
}

/* Until the final answer, with one handle; the caller has a turn for the first exchange. */
static int run(struct request *request, struct pl_http_exchange *exchange, struct pl_http_limit *limit)
{
        struct pl_http_limits *limits = &request->session->limits;

        for (;;) {
                struct pl_http_origin was = request->origin;
                if (PL_UNLIKELY(request->number != 0))
                        request->asked_ns = plait_now_ns();
                int r = pl_http_exchange_run(exchange, &request->ask, request->response, &request->sink);

                if (r >= 0 && exchange->discard)
                        r = follow(request, exchange->easy);
                if (r < 0 || !exchange->discard) {
                        pl_http_limits_leave(limits, limit);
                        return r;
                }
                if (pl_http_origin_same(&was, &request->origin))
                        continue;
                pl_http_limits_leave(limits, limit);
                r = pl_http_limits_enter(limits, &request->origin, request->ask.deadline_ns, &limit);
                if (r < 0)
                        return pl_http_fail(request->response,
                                            r == -ECANCELED   ? PLAIT_HTTP_CANCELED
                                            : r == -ETIMEDOUT ? PLAIT_HTTP_TOTAL_TIMEOUT
                                                              : PLAIT_HTTP_NO_MEMORY,
                                            r, "the request was not done when its turn came after a redirect");
        }
}

static int make(struct request *request)
{
        struct plait_response *response = request->response;
        struct pl_http_exchange *exchange;
        struct pl_http_limit *limit;
        int r = choose_headers(request, false);

        if (r < 0)
                return r;
        r = pl_http_limits_enter(&request->session->limits, &request->origin, PLAIT_NEVER, &limit);
        if (r < 0)
                return pl_http_fail(response,
                                    r == -ECANCELED   ? PLAIT_HTTP_CANCELED
                                    : r == -ETIMEDOUT ? PLAIT_HTTP_DEADLINE
                                                      : PLAIT_HTTP_NO_MEMORY,
                                    r, "the request had not got its turn yet: %s", strerror(-r));
        request->started_ns = plait_now_ns();
        if (PL_UNLIKELY(request->number != 0))
                tell_phase(request, PLAIT_RECORDING_QUEUED, request->started_ns);
        if (request->ask.deadline_ns != PLAIT_NEVER)
                request->ask.deadline_ns = plait_in_ns(request->ask.deadline_ns);
        exchange = pl_http_session_take(request->session);
        if (!exchange) {
                pl_http_limits_leave(&request->session->limits, limit);
                return pl_http_fail(response, PLAIT_HTTP_NO_MEMORY, -ENOMEM, "out of memory");
        }
        r = run(request, exchange, limit);
        pl_http_session_give_back(request->session, exchange);
        response->total_ns = plait_now_ns() - request->started_ns;
        return r;
}

static void hand_over_body(struct request *request)
{
        struct plait_response *response = request->response;
        struct pl_http_buffer *memory = &request->sink.memory;

        response->body_bytes = (size_t)request->sink.bytes;
        if (request->sink.kind != PL_HTTP_TO_MEMORY)
                return;
        if (!memory->data && pl_http_buffer_reserve(memory, 0) < 0)
                return; /* an empty body: NULL does as well */
        memory->data[memory->bytes] = '\0';
        response->body = memory->data;
        *memory = (struct pl_http_buffer){0};
}

static int check_and_make(struct request *request, const char *url, bool response_wanted)
{
        struct plait_response *response = request->response;
        struct pl_http_ask *ask = &request->ask;
        int r;

        if (!request->session || !url || !is_token(ask->method) || !opts_valid(request->opts))
                return pl_http_fail(response, PLAIT_HTTP_MISUSE, -EINVAL,
                                    "no request was made: the session, method, URL or an option is not valid");
        r = parse_url(request, url);
        if (r < 0)
                return r;
        request->first = request->origin;
        ask->origin = &request->origin;
        ask->follow = !((request->session->opts.flags & PLAIT_SESSION_NO_REDIRECTS) ||
                        (request->opts->flags & PLAIT_REQUEST_NO_REDIRECTS));
        ask->connect_ns = request->session->opts.connect_timeout_ns;
        ask->first_byte_ns = either(request->opts->first_byte_timeout_ns, request->session->opts.first_byte_timeout_ns);
        ask->stall_ns = either(request->opts->stall_timeout_ns, request->session->opts.stall_timeout_ns);
        ask->deadline_ns = either(request->opts->total_timeout_ns, request->session->opts.total_timeout_ns);
        request->max_redirects = request->session->opts.max_redirects;
        choose_sink(request, response_wanted);
        if (pl_trace_is_on())
                tell_begin(request, url);
        r = make(request);
        if (PL_UNLIKELY(request->number != 0))
                tell_end(request, r);
        if (r >= 0)
                hand_over_body(request);
        return r;
}

static int perform(struct plait_session *session, const char *method, const char *url, const void *body,
                   size_t body_bytes, bool has_body, struct plait_response *response,
                   const struct plait_request_opts *opts)
{
        static const struct plait_request_opts defaults = {.size = sizeof defaults};
        struct plait_response unwanted = PLAIT_RESPONSE_INIT;
        struct request request = {
                .session = session,
                .opts = opts ? opts : &defaults,
                .response = response ? response : &unwanted,
                .ask = {.method = method, .body = body, .body_bytes = body_bytes, .has_body = has_body},
        };
        int r = pl_http_record_begin(request.response);

        if (r >= 0)
                r = check_and_make(&request, url, response != NULL);
        pl_http_sink_done(&request.sink);
        curl_slist_free_all(request.headers);
        plait_response_done(&unwanted);
        return r;
}

int plait_session_request(struct plait_session *session, const char *method, const char *url,
                          struct plait_response *response, const struct plait_request_opts *opts)
{
        const void *body = opts ? opts->body : NULL;

        return perform(session, method ? method : "", url, body, body ? opts->body_bytes : 0, body != NULL, response,
                       opts);
}

int plait_session_get(struct plait_session *session, const char *url, struct plait_response *response,
                      const struct plait_request_opts *opts)
{
        return plait_session_request(session, "GET", url, response, opts);
}

int plait_session_post(struct plait_session *session, const char *url, const void *body, size_t body_bytes,
                       struct plait_response *response, const struct plait_request_opts *opts)
{
        if ((opts && opts->body) || (!body && body_bytes)) {
                int r = response ? pl_http_record_begin(response) : -EINVAL;

                return r < 0 ? r
                             : pl_http_fail(response, PLAIT_HTTP_MISUSE, -EINVAL,
                                            "no request was made: which body is it?");
        }
        return perform(session, "POST", url, body, body_bytes, true, response, opts);
}
