/* One exchange of a request and its answer: its handle, and running it in a task or a thread. See exchange.h. */
#include "http/exchange.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "http/driver.h"
#include "http/names.h"
#include "http/session.h"
#include "plait/time.h"
#include "sched/runtime.h"

#define MS_NS INT64_C(1000000)

enum { SMALL_BODY_BYTES = 32 << 10 };

/* --- the handle --- */

static long as_ms(int64_t ns)
{
        int64_t ms = ns / MS_NS;

        return ms < 1 ? 1 : ms > INT_MAX ? INT_MAX : (long)ms;
}

static void set_tls(CURL *easy, const struct plait_session_opts *opts)
{
        bool verify = !(opts->flags & PLAIT_SESSION_INSECURE);

        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
        /* libcurl keeps the parsed certificates from one connection to the next only if they come from one file */
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        if (opts->ca_file)
                curl_easy_setopt(easy, CURLOPT_CAINFO, opts->ca_file);
}

static void set_options(struct pl_http_exchange *exchange)
{
        const struct plait_session_opts *opts = &exchange->session->opts;
        CURL *easy = exchange->easy;
        long version = opts->flags & PLAIT_SESSION_HTTP1          ? CURL_HTTP_VERSION_1_1
                       : opts->flags & PLAIT_SESSION_HTTP2_DIRECT ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
                                                                  : CURL_HTTP_VERSION_2TLS;

        pl_http_exchange_set_callbacks(exchange);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* request.c does */
        curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
        if (!(opts->flags & PLAIT_SESSION_NO_COMPRESSION)) {
                curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate, br");
                curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L); /* decode.c does */
        }
        /* libcurl 7 cannot use such a connection again: "Error in the HTTP2 framing layer" */
        if ((opts->flags & PLAIT_SESSION_HTTP2_DIRECT) && curl_version_info(CURLVERSION_NOW)->version_num < 0x080000) {
                curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
                curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
        }
        if (*opts->user_agent)
                curl_easy_setopt(easy, CURLOPT_USERAGENT, opts->user_agent);
        if (opts->proxy)
                curl_easy_setopt(easy, CURLOPT_PROXY, opts->proxy);
        if (opts->connect_timeout_ns == PLAIT_NEVER)
                curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)INT_MAX);
        curl_easy_setopt(easy, CURLOPT_SHARE, exchange->session->share);
        if (!(opts->flags & PLAIT_SESSION_NO_COOKIES))
                curl_easy_setopt(easy, CURLOPT_COOKIEFILE, ""); /* once: each call would add a file to read */
        set_tls(easy, opts);
}

struct pl_http_exchange *pl_http_exchange_new(struct plait_session *session)
{
        struct pl_http_exchange *exchange = calloc(1, sizeof *exchange);

        if (!exchange)
                return NULL;
        exchange->session = session;
        exchange->easy = curl_easy_init();
        if (!exchange->easy) {
                free(exchange);
                return NULL;
        }
        pl_http_transfer_init(&exchange->transfer, exchange->easy);
        set_options(exchange);
        return exchange;
}

void pl_http_exchange_free(struct pl_http_exchange *exchange)
{
        curl_easy_cleanup(exchange->easy);
        curl_multi_cleanup(exchange->multi);
        pl_http_buffer_done(&exchange->pending);
        pl_http_buffer_done(&exchange->taken);
        free(exchange);
}

static void set_method(struct pl_http_exchange *exchange, const struct pl_http_ask *ask)
{
        CURL *easy = exchange->easy;
        bool get = !ask->has_body && strcmp(ask->method, "GET") == 0;

        if (get && exchange->plain_get)
                return;
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        if (strcmp(ask->method, "HEAD") == 0) {
                curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        } else if (ask->has_body) {
                /* a small one goes out with the headers, and so again if the kept connection turns out to be dead */
                bool small = ask->body_bytes <= SMALL_BODY_BYTES;

                curl_easy_setopt(easy, CURLOPT_POST, 1L);
                curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body_bytes);
                curl_easy_setopt(easy, CURLOPT_POSTFIELDS, !small ? NULL : ask->body_bytes ? ask->body : "");
        }
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, get ? NULL : ask->method);
        exchange->plain_get = get;
}

static int prepare(struct pl_http_exchange *exchange, const struct pl_http_ask *ask)
{
        CURL *easy = exchange->easy;
        /* whether the server speaks HTTP/2 is worth waiting for only where it can turn out that it does */
        bool pipewait = ask->origin->tls || (exchange->session->opts.flags & PLAIT_SESSION_HTTP2_DIRECT);

        set_method(exchange, ask);
        if (pipewait != exchange->pipewait) {
                curl_easy_setopt(easy, CURLOPT_PIPEWAIT, pipewait ? 1L : 0L);
                exchange->pipewait = pipewait;
        }
        if (exchange->session->opts.connect_timeout_ns != PLAIT_NEVER)
                curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, as_ms(ask->connect_ns));
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, ask->headers);
        if (curl_easy_setopt(easy, CURLOPT_URL, ask->url) != CURLE_OK)
                return -ENOMEM;
        pl_http_head_reset(&exchange->response->pl_record->head);
        exchange->error[0] = '\0';
        exchange->discard = false;
        exchange->no_body = false;
        exchange->failure = 0;
        exchange->problem = PLAIT_HTTP_OK;
        exchange->sent = 0;
        exchange->received = 0;
        exchange->pending.bytes = 0;
        exchange->paused = false;
        atomic_store_explicit(&exchange->answered, false, memory_order_relaxed);
        atomic_store_explicit(&exchange->asked_ns, 0, memory_order_relaxed);
        atomic_store_explicit(&exchange->progress_ns, plait_now_ns(), memory_order_relaxed);
        return 0;
}

static void use_sockets(struct pl_http_exchange *exchange, struct pl_http_sockets *sockets)
{
        CURL *easy = exchange->easy;

        if (exchange->sockets == sockets && sockets)
                return;
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, pl_http_socket_open);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, sockets);
        curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, pl_http_socket_close);
        curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets);
        exchange->sockets = sockets;
}

/* --- time-outs --- */

static int64_t later(int64_t from, int64_t ns)
{
        return ns > PLAIT_NEVER - from ? PLAIT_NEVER : from + ns;
}

/*
 * When to look at the time-outs next, and which of them has come: *ret_problem* is set if one has. What counts from a
 * moment that has not come yet is looked at again after its full time.
 */
static int64_t next_look(struct pl_http_exchange *exchange, int64_t now, enum plait_http_problem *ret_problem)
{
        const struct pl_http_ask *ask = exchange->ask;
        bool answered = atomic_load_explicit(&exchange->answered, memory_order_acquire);
        int64_t asked = atomic_load_explicit(&exchange->asked_ns, memory_order_relaxed);
        int64_t progress = atomic_load_explicit(&exchange->progress_ns, memory_order_relaxed);
        int64_t limit = answered ? later(progress, ask->stall_ns) : later(asked ? asked : now, ask->first_byte_ns);

        *ret_problem = PLAIT_HTTP_OK;
        if (now >= ask->deadline_ns)
                *ret_problem = PLAIT_HTTP_TOTAL_TIMEOUT;
        else if (now >= limit)
                *ret_problem = answered ? PLAIT_HTTP_STALL_TIMEOUT : PLAIT_HTTP_FIRST_BYTE_TIMEOUT;
        if (!answered && limit > later(now, ask->stall_ns)) /* the answer may begin, and stall, before the next look */
                limit = later(now, ask->stall_ns);
        return limit < ask->deadline_ns ? limit : ask->deadline_ns;
}

/* --- in a task --- */

/* Deliver what the driver has left here. */
static int deliver_pending(struct pl_http_exchange *exchange)
{
        struct pl_http_buffer swap;
        bool paused;
        int r;

        pl_lock_acquire(&exchange->transfer.lock);
        swap = exchange->pending;
        exchange->pending = exchange->taken;
        exchange->taken = swap;
        exchange->pending.bytes = 0;
        paused = exchange->paused;
        exchange->paused = false;
        pl_lock_release(&exchange->transfer.lock);
        r = pl_http_exchange_deliver(exchange, exchange->taken.data, exchange->taken.bytes);
        if (paused && r >= 0) {
                atomic_store_explicit(&exchange->progress_ns, plait_now_ns(), memory_order_relaxed);
                pl_http_transfer_continue(&exchange->transfer);
        }
        return r;
}

/* Wait until the transfer is done, delivering meanwhile. 0: it is, or why it must be abandoned. */
static int attend(struct pl_http_exchange *exchange, enum plait_http_problem *ret_problem)
{
        struct pl_http_transfer *transfer = &exchange->transfer;
        int64_t look = next_look(exchange, plait_now_ns(), ret_problem);

        for (;;) {
                int news = pl_http_transfer_wait(transfer, look, 0);

                if (news == -ECANCELED) {
                        *ret_problem = PLAIT_HTTP_CANCELED;
                        return news;
                }
                if (news == -ETIMEDOUT) {
                        look = next_look(exchange, plait_now_ns(), ret_problem);
                        if (*ret_problem == PLAIT_HTTP_OK && pl_sched_wait_check() < 0)
                                *ret_problem = PLAIT_HTTP_DEADLINE;
                        if (*ret_problem != PLAIT_HTTP_OK)
                                return news;
                        continue;
                }
                if (news & PL_HTTP_DONE)
                        return 0;
                news = deliver_pending(exchange);
                if (news < 0) {
                        *ret_problem = exchange->sink->problem;
                        return news;
                }
                look = next_look(exchange, plait_now_ns(), ret_problem);
                *ret_problem = PLAIT_HTTP_OK; /* delivering took its time: wait() tells what came meanwhile */
        }
}

static int run_in_task(struct pl_http_exchange *exchange)
{
        const struct pl_http_ask *ask = exchange->ask;
        enum plait_http_problem problem = PLAIT_HTTP_OK;
        struct curl_slist *names = NULL;
        struct pl_http_driver *driver;
        int r = pl_http_driver_for(&driver, ask->origin->hash);

        if (r < 0)
                return pl_http_fail(exchange->response, PLAIT_HTTP_NO_MEMORY, r, "HTTP cannot be used: %s",
                                    strerror(-r));
        if (!exchange->session->uses_proxy) {
                r = pl_http_names_for(&names, driver, ask, exchange->response);
                if (r < 0)
                        return r;
        }
        if (names)
                curl_easy_setopt(exchange->easy, CURLOPT_RESOLVE, names);
        use_sockets(exchange, &driver->sockets);
        pl_http_transfer_begin(&exchange->transfer, driver);
        r = attend(exchange, &problem);
        if (r < 0) {
                bool done = pl_http_transfer_abandon(&exchange->transfer);

                /* a whole answer that came at the last moment is not thrown away */
                if (done && exchange->transfer.result == CURLE_OK && problem != exchange->sink->problem)
                        r = 0;
        }
        if (names) {
                curl_easy_setopt(exchange->easy, CURLOPT_RESOLVE, NULL);
                curl_slist_free_all(names);
        }
        if (r < 0)
                return pl_http_exchange_explain(exchange, problem, r);
        r = exchange->streaming ? deliver_pending(exchange) : 0;
        if (r < 0)
                return pl_http_exchange_explain(exchange, exchange->sink->problem, r);
        return pl_http_exchange_judge(exchange, exchange->transfer.result);
}

/* --- in a thread --- */

static bool thread_done(struct pl_http_exchange *exchange, CURLcode *ret_result)
{
        CURLMsg *message;
        int left;

        while ((message = curl_multi_info_read(exchange->multi, &left))) {
                if (message->msg != CURLMSG_DONE)
                        continue;
                *ret_result = message->data.result;
                return true;
        }
        return false;
}

static int run_in_thread(struct pl_http_exchange *exchange)
{
        enum plait_http_problem problem = PLAIT_HTTP_OK;
        CURLcode result = CURLE_OUT_OF_MEMORY;
        CURLMcode code;
        int running;

        use_sockets(exchange, NULL);
        if (!exchange->multi)
                exchange->multi = curl_multi_init();
        code = exchange->multi ? curl_multi_add_handle(exchange->multi, exchange->easy) : CURLM_OUT_OF_MEMORY;
        if (code != CURLM_OK)
                return pl_http_exchange_judge(exchange, result);
        for (;;) {
                int64_t now;
                int64_t left;

                code = curl_multi_perform(exchange->multi, &running);
                if (code != CURLM_OK || thread_done(exchange, &result))
                        break;
                now = plait_now_ns();
                left = next_look(exchange, now, &problem) - now;
                if (problem != PLAIT_HTTP_OK)
                        break;
                curl_multi_poll(exchange->multi, NULL, 0, left > 1000 * MS_NS ? 1000 : (int)(left / MS_NS + 1), NULL);
        }
        curl_multi_remove_handle(exchange->multi, exchange->easy);
        if (problem != PLAIT_HTTP_OK)
                return pl_http_exchange_explain(exchange, problem, -ETIMEDOUT);
        return pl_http_exchange_judge(exchange, result);
}

static int run_once(struct pl_http_exchange *exchange)
{
        int r = prepare(exchange, exchange->ask);

        if (r < 0)
                return pl_http_fail(exchange->response, PLAIT_HTTP_NO_MEMORY, r, "out of memory");
        r = exchange->in_thread ? run_in_thread(exchange) : run_in_task(exchange);
        exchange->response->wire_bytes += exchange->received;
        return r;
}

/* Whether it failed because the server had closed a kept connection just when it was used again. */
static bool met_dead_connection(const struct pl_http_exchange *exchange, int r)
{
        long connects = 1;

        if (r != -ECONNRESET || exchange->response->pl_record->head.status || exchange->received)
                return false;
        curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS, &connects);
        return connects == 0;
}

int pl_http_exchange_run(struct pl_http_exchange *exchange, const struct pl_http_ask *ask,
                         struct plait_response *response, struct pl_http_sink *sink)
{
        int r;

        exchange->ask = ask;
        exchange->response = response;
        exchange->sink = sink;
        exchange->in_thread = !pl_sched_in_task();
        exchange->streaming = sink->kind != PL_HTTP_TO_MEMORY || sink->opts->on_head;
        r = run_once(exchange);
        if (met_dead_connection(exchange, r)) {
                /* libcurl tries again, too, but only five times in the life of a handle */
                curl_easy_setopt(exchange->easy, CURLOPT_FRESH_CONNECT, 1L);
                pl_http_forgive(response);
                r = run_once(exchange);
                curl_easy_setopt(exchange->easy, CURLOPT_FRESH_CONNECT, 0L);
        }
        return r;
}
