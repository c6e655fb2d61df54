/*
 * One exchange of a request and its answer, without redirects: an easy handle with what its callbacks write to.
 * Sessions keep exchanges for use again; most of a handle's options are set once.
 *
 * In a task the callbacks run in the driver's task and only store what comes: the task decodes and delivers. In a
 * thread that runs no task they run in it, and deliver at once.
 */
#ifndef PL_HTTP_EXCHANGE_H
#define PL_HTTP_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/buffer.h"
#include "http/libcurl.h"
#include "http/origin.h"
#include "http/record.h"
#include "http/sink.h"
#include "http/transfer.h"

struct plait_session;

/* What one exchange is to do. */
struct pl_http_ask {
        const char *method;
        const char *url;
        const struct pl_http_origin *origin;
        struct curl_slist *headers;
        const void *body;
        size_t body_bytes;
        bool has_body;
        bool follow; /* an answer that redirects is not the final one */
        int64_t connect_ns;
        int64_t first_byte_ns;
        int64_t stall_ns;
        int64_t deadline_ns; /* of the whole request */
};

struct pl_http_exchange {
        struct pl_http_transfer transfer;
        struct plait_session *session;
        struct pl_http_exchange *next; /* in the session's list of those not in use */
        CURL *easy;
        CURLM *multi;                    /* for threads that run no task; made when needed */
        struct pl_http_sockets *sockets; /* of the driver that the handle was set up for */
        char error[CURL_ERROR_SIZE];
        bool pipewait;
        bool plain_get; /* the method options stand as for a GET */

        const struct pl_http_ask *ask;
        struct plait_response *response;
        struct pl_http_sink *sink;
        bool in_thread;
        bool streaming;  /* the body is not collected but delivered as it comes */
        bool discard;    /* the answer is a redirect that is followed */
        bool no_body;    /* none can follow this head */
        bool tls_closed; /* TLS's close alert has come */
        int failure;     /* what a callback stopped for: -errno, 0 nothing */
        enum plait_http_problem problem;
        size_t sent;
        uint64_t received;             /* of the body, as received */
        struct pl_http_buffer pending; /* as received; when streaming in a task, guarded by transfer.lock */
        struct pl_http_buffer taken;
        bool paused; /* guarded by transfer.lock */
        _Atomic bool answered;
        _Atomic int64_t asked_ns;    /* when the last byte of the request was sent; 0: not connected yet */
        _Atomic int64_t progress_ns; /* when the last byte came */
};

/* A handle with the session's options. NULL: no memory. */
struct pl_http_exchange *pl_http_exchange_new(struct plait_session *session);
void pl_http_exchange_free(struct pl_http_exchange *exchange);

/*
 * Do it. 0: there is an answer in *response* (status, version, headers, timings), and its body went whole to *sink*, or
 * nowhere if *exchange->discard*. Else the problem and the message are in *response*.
 */
PL_WARN_UNUSED int pl_http_exchange_run(struct pl_http_exchange *exchange, const struct pl_http_ask *ask,
                                        struct plait_response *response, struct pl_http_sink *sink);

/* callbacks.c: set the options that lead to the callbacks. */
void pl_http_exchange_set_callbacks(struct pl_http_exchange *exchange);
/* callbacks.c: how the body is coded, as far as that is to be undone. */
enum pl_http_coding pl_http_exchange_coding(const struct pl_http_exchange *exchange);
/* callbacks.c: hand some of the final answer's body to the sink; the head first. 0 or -errno, sink->problem is set. */
PL_WARN_UNUSED int pl_http_exchange_deliver(struct pl_http_exchange *exchange, const void *data, size_t bytes);
/* callbacks.c: note the answer's head in the response. */
void pl_http_exchange_note_head(struct pl_http_exchange *exchange);

/* verdict.c: what *result* means, and whether the answer is whole. 0 or -errno, and *response* says why. */
PL_WARN_UNUSED int pl_http_exchange_judge(struct pl_http_exchange *exchange, CURLcode result);
/* verdict.c: put what a callback or the sink has failed with into the response; returns it. */
int pl_http_exchange_explain(struct pl_http_exchange *exchange, enum plait_http_problem problem, int code);

#endif
