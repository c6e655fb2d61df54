/**
 * @file plait/http.h
 * HTTP: a session that tasks and threads share, and requests that read like blocking code.
 *
 * A request suspends its task, not its worker, until the answer is there. Connections are kept and used again, HTTP/2
 * is spoken where the server offers it over TLS, certificates are verified, compressed bodies are decoded, redirects
 * are followed, cookies are kept for the session.
 *
 * **Whole or not at all.** A request returns 0 only if the body is known to be whole: as long as announced, its last
 * chunk or frame seen, its compression ended and its checksum right, TLS closed by its close alert. One kind of answer
 * has no end that can be told from a cut: HTTP/1 over plain TCP that announces no length, sends no chunks, uses no
 * compression and just closes the connection. Such an answer is taken, with plait_response.end_unverified set, or
 * refused with #PLAIT_SESSION_VERIFIED_END.
 *
 * A status such as 404 is an answer, not an error: look at plait_response.status.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <stdio.h>
 *
 * static struct plait_session *session;
 *
 * static int download(void *url)
 * {
 *         struct plait_response page = PLAIT_RESPONSE_INIT;
 *
 *         int r = plait_session_get(session, url, &page, NULL);
 *         if (r < 0)
 *                 printf("%s: %s\n", (char *)url, page.message);
 *         else
 *                 printf("%s: status %d, %zu bytes\n", page.url, page.status, page.body_bytes);
 *         plait_response_done(&page);
 *         return 0;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         static char *urls[] = {"http://127.0.0.1:1/", "http://name.invalid/", "no URL at all"};
 *
 *         (void)arg;
 *         int r = plait_session_new(&session, NULL);
 *         if (r < 0)
 *                 return r;
 *         for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
 *                 plait_scope_go(&scope, download, urls[i]);
 *         r = plait_scope_join(&scope);
 *         plait_session_free(session);
 *         return r;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL) ? 1 : 0;
 * }
 * @endcode
 */
#ifndef PLAIT_HTTP_H
#define PLAIT_HTTP_H

#include <stdbool.h>
#include <stdio.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A session; opaque. */
struct plait_session;

/** What went wrong with a request, more exactly than an errno can say; see plait_http_problem_name(). */
enum plait_http_problem {
        PLAIT_HTTP_OK = 0,          /**< nothing */
        PLAIT_HTTP_MISUSE,          /**< -EINVAL: bad arguments */
        PLAIT_HTTP_BAD_URL,         /**< -EINVAL: not a URL; or -EPROTONOSUPPORT: neither http nor https */
        PLAIT_HTTP_NAME_NOT_FOUND,  /**< -ENOENT: the host's name has no address */
        PLAIT_HTTP_NAME_FAILED,     /**< -EAGAIN: the name servers gave no answer, or could not be asked */
        PLAIT_HTTP_REFUSED,         /**< -ECONNREFUSED: nobody listens there */
        PLAIT_HTTP_UNREACHABLE,     /**< -EHOSTUNREACH, -ENETUNREACH, ...: other reasons why there is no connection */
        PLAIT_HTTP_RESET,           /**< -ECONNRESET: the connection broke, or was closed without an answer */
        PLAIT_HTTP_CONNECT_TIMEOUT, /**< -ETIMEDOUT: no connection (TLS included) in time */
        PLAIT_HTTP_FIRST_BYTE_TIMEOUT, /**< -ETIMEDOUT: asked, but no answer in time */
        PLAIT_HTTP_STALL_TIMEOUT,      /**< -ETIMEDOUT: the body stopped coming */
        PLAIT_HTTP_TOTAL_TIMEOUT,      /**< -ETIMEDOUT: the whole took too long */
        PLAIT_HTTP_DEADLINE,           /**< -ETIMEDOUT: the deadline of a scope the task is in came */
        PLAIT_HTTP_CANCELED,           /**< -ECANCELED: the task's scope was cancelled */
        PLAIT_HTTP_TLS,                /**< -EPROTO: the TLS handshake failed */
        PLAIT_HTTP_CERTIFICATE,        /**< -EKEYREJECTED: the server's certificate is not trusted */
        PLAIT_HTTP_CERTIFICATE_NAME,   /**< -EKEYREJECTED: the certificate is for another host */
        PLAIT_HTTP_CERTIFICATE_DATE,   /**< -EKEYEXPIRED: the certificate has expired, or is not valid yet */
        PLAIT_HTTP_REDIRECTS,          /**< -ELOOP: too many redirects */
        PLAIT_HTTP_TRUNCATED,          /**< -ENODATA: the answer ended too early */
        PLAIT_HTTP_ENCODING,           /**< -EBADMSG: the body's compression is damaged or unknown */
        PLAIT_HTTP_TOO_LARGE, /**< -EFBIG: the body is larger than max_body_bytes, or the headers are endless */
        PLAIT_HTTP_PROTOCOL,  /**< -EPROTO: the server does not keep to HTTP */
        PLAIT_HTTP_PROXY,     /**< -EPROTO, -ENOENT, ...: the proxy cannot be used, or refused to forward */
        PLAIT_HTTP_SINK,      /**< the error of where the body goes: -ENOSPC, or what a callback returned */
        PLAIT_HTTP_NO_MEMORY, /**< -ENOMEM */
        PLAIT_HTTP_OTHER,     /**< -EIO: something else; the message has libcurl's words */
};

/** For plait_session_opts.flags: do not verify certificates. Anybody on the way can read and change what is sent. */
#define PLAIT_SESSION_INSECURE 1U
/** For plait_session_opts.flags: do not ask for compressed bodies, and deliver bodies as they are sent. */
#define PLAIT_SESSION_NO_COMPRESSION 2U
/** For plait_session_opts.flags: neither keep nor send cookies. */
#define PLAIT_SESSION_NO_COOKIES 4U
/** For plait_session_opts.flags: HTTP/1.1 only. */
#define PLAIT_SESSION_HTTP1 8U
/** For plait_session_opts.flags: HTTP/2 from the first byte for http: URLs too, whose servers cannot offer it. With
   libcurl before 8.0 each request makes a connection of its own then. */
#define PLAIT_SESSION_HTTP2_DIRECT 16U
/** For plait_session_opts.flags: hand redirects to the caller instead of following them. */
#define PLAIT_SESSION_NO_REDIRECTS 32U
/** For plait_session_opts.flags: refuse (#PLAIT_HTTP_TRUNCATED) a body whose end cannot be verified. */
#define PLAIT_SESSION_VERIFIED_END 64U

/** How a session makes requests. Zero means the default in every member but *size*. Everything is copied. */
struct plait_session_opts {
        size_t size;                   /**< sizeof(struct plait_session_opts) */
        unsigned flags;                /**< PLAIT_SESSION_... or 0 */
        const char *const *headers;    /**< "Name: value" sent with every request, NULL-terminated; Authorization and
                                            Cookie are not sent on to another host by a redirect */
        const char *user_agent;        /**< default "plait/VERSION"; "" sends none */
        int64_t connect_timeout_ns;    /**< for name, connection and TLS; default 30 s, PLAIT_NEVER: none */
        int64_t first_byte_timeout_ns; /**< from the request's last byte to the answer's first; default 60 s,
                                          PLAIT_NEVER: none */
        int64_t stall_timeout_ns;      /**< longest silence within an answer; default 60 s, PLAIT_NEVER: none */
        int64_t total_timeout_ns;      /**< the whole request with its redirects, but not the wait for its turn (see
                                        *transfers*); default none */
        unsigned max_redirects;        /**< default 10 */
        unsigned transfers;            /**< requests in flight at once, further ones wait their turn; default 256 */
        unsigned transfers_per_host;   /**< of these to one host and port, and so the connections to it; default 64 */
        uint64_t max_body_bytes;       /**< largest body, after decoding, that goes to memory; default 1 GiB */
        const char *ca_file;           /**< certificates to trust, PEM; default: the system's */
        const char *proxy;             /**< URL of a proxy for everything; "" for none at all; default: as http_proxy,
                                            https_proxy, all_proxy and no_proxy in the environment say */
};

/** The answer to a request, or how far it got. Initialise with PLAIT_RESPONSE_INIT; free with plait_response_done(). */
struct plait_response {
        int status;                      /**< as 200; 0: no answer came */
        int version;                     /**< 10, 11 or 20 for HTTP/1.0, 1.1, 2; 0: no answer came */
        enum plait_http_problem problem; /**< what went wrong, if the request returned an error */
        bool end_unverified;             /**< the body ended with its connection, which proves nothing; see above */
        bool reused_connection;          /**< the last exchange needed no new connection */
        unsigned redirects;              /**< redirects followed */
        const char *message;             /**< what failed, why, and what to do, one line; "" when all went well */
        const char *url;                 /**< where the answer came from, after redirects; "" when it got nowhere */
        char *body;                      /**< when it went to memory, with a NUL after it; else NULL */
        size_t body_bytes;               /**< bytes of the body after decoding, wherever they went */
        uint64_t wire_bytes;             /**< bytes of the body as received; redirects' bodies included */
        int64_t retry_after_ns;          /**< how long the server asks to wait (Retry-After); 0: it does not */
        int64_t name_ns;                 /**< last exchange: until the name was resolved, from its start; 0: no need */
        int64_t connect_ns;              /**< ... until it was connected; 0: the connection was there */
        int64_t tls_ns;                  /**< ... until TLS was ready; 0: none, or the connection was there */
        int64_t first_byte_ns;           /**< ... until the first byte of the answer */
        int64_t total_ns;                /**< the whole request, from its turn to its end, with redirects */
        /** @cond private */
        struct pl_http_record *pl_record;
        /** @endcond */
};

/** An empty response. */
#define PLAIT_RESPONSE_INIT              \
        {                                \
                .message = "", .url = "" \
        }

/** For plait_request_opts.flags: write the body to *fd*. */
#define PLAIT_REQUEST_TO_FD 1U
/** For plait_request_opts.flags: hand a redirect to the caller instead of following it. */
#define PLAIT_REQUEST_NO_REDIRECTS 2U

/**
 * What a request wants beyond its URL. Zero means the default in every member but *size*. The body of the answer goes
 * to one of *on_body*, *file* and *fd*, else to plait_response.body. A body that goes there arrives as it is received,
 * so if the request fails later some of it has been delivered: what is kept must be thrown away on an error.
 */
struct plait_request_opts {
        size_t size;                   /**< sizeof(struct plait_request_opts) */
        unsigned flags;                /**< PLAIT_REQUEST_... or 0 */
        const char *const *headers;    /**< "Name: value", NULL-terminated; replaces the session's of the same name;
                                            "Name:" takes one away */
        const void *body;              /**< sent; borrowed until the request returns; NULL: none */
        size_t body_bytes;             /**< size of *body* */
        const char *content_type;      /**< of *body*; default application/octet-stream */
        int64_t first_byte_timeout_ns; /**< 0: the session's */
        int64_t stall_timeout_ns;      /**< 0: the session's */
        int64_t total_timeout_ns;      /**< 0: the session's */
        uint64_t max_body_bytes;       /**< wherever it goes; 0: the session's in memory, no limit elsewhere */
        /** Called in the requesting task, with *arg*, when the headers of the final answer are there, before any of its
            body. *head* has status, version, url, redirects and headers. 0, or a negative errno to stop. May suspend.
         */
        int (*on_head)(void *arg, const struct plait_response *head);
        /** Takes the body, piece by piece, in the requesting task. 0, or a negative errno to stop. May suspend. */
        int (*on_body)(void *arg, const void *data, size_t bytes);
        void *arg;  /**< handed to *on_head* and *on_body* */
        FILE *file; /**< takes the body, by fwrite(), and is flushed at the end */
        int fd;     /**< takes the body, with PLAIT_REQUEST_TO_FD */
};

/**
 * Make a session.
 * @param ret   the session, to be freed with plait_session_free()
 * @param opts  NULL for the defaults
 * @return 0, or
 *   - -EINVAL  an option is out of its range, has unknown flags, or a header is not of the form "Name: value"
 *   - -ENOMEM  no memory
 *   - -ELIBACC libcurl.so.4 cannot be loaded, or is not built with OpenSSL; a message says why. The first session of a
 *     program loads it, so that programs without HTTP do not pay for it; a later call tries again.
 *   - the error of reading *ca_file*: -ENOENT, -EACCES, ...
 *
 * Threads: any. Suspends: never, but the first call reads libraries for some milliseconds. Cancellation: not affected.
 * Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_session_new(struct plait_session **ret, const struct plait_session_opts *opts);

/**
 * Free a session. Its kept connections close soon, or with the run.
 * @param session  no request may be under way; NULL does nothing
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_session_free(struct plait_session *session);

/**
 * Ask for *url* by GET.
 * @param session   the session
 * @param url       http: or https:
 * @param response  the answer; what it held is freed first. Filled in on errors too, as far as the request got. NULL
 *                  when only the result matters
 * @param opts      NULL for the defaults; with a *body* it is sent all the same
 * @return 0: there is an answer, whatever its status, and its body is whole. Or a negative errno, listed with enum
 *         plait_http_problem; plait_response.problem and .message say more.
 *
 * Ownership: *response* is the caller's; see plait_response_done().
 * Threads: any; requests of one session may run at the same time. In a thread that runs no task it blocks. Suspends:
 * may. Cancellation: ends it; the connection it used is closed. Since: 0.1.
 */
PLAIT_API int plait_session_get(struct plait_session *session, const char *url, struct plait_response *response,
                                const struct plait_request_opts *opts);

/**
 * Send *body* to *url* by POST.
 * @param session     the session
 * @param url         http: or https:
 * @param body        borrowed until the call returns; NULL: empty
 * @param body_bytes  its size
 * @param response    as for plait_session_get()
 * @param opts        as for plait_session_get(), without a body of its own
 * @return as plait_session_get()
 *
 * Threads, suspends, cancellation: as plait_session_get(). Since: 0.1.
 */
PLAIT_API int plait_session_post(struct plait_session *session, const char *url, const void *body, size_t body_bytes,
                                 struct plait_response *response, const struct plait_request_opts *opts);

/**
 * Make a request with any method.
 * @param session   the session
 * @param method    an HTTP token such as "PUT", sent as it is; "HEAD" expects no body
 * @param url       http: or https:
 * @param response  as for plait_session_get()
 * @param opts      as for plait_session_get()
 * @return as plait_session_get()
 *
 * Threads, suspends, cancellation: as plait_session_get(). Since: 0.1.
 */
PLAIT_API int plait_session_request(struct plait_session *session, const char *method, const char *url,
                                    struct plait_response *response, const struct plait_request_opts *opts);

/**
 * The value of a header of the answer.
 * @param response  filled in by a request
 * @param name      any case
 * @param index     0 for the first header of that name, 1 for the second, ...
 * @return borrowed, good until *response* is used again or done; NULL when there is none
 *
 * Threads: one at a time for a response. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API const char *plait_response_header(const struct plait_response *response, const char *name, unsigned index);

/**
 * The headers of the answer, one by one.
 * @param response   filled in by a request
 * @param index      0 for the first, 1 for the second, ...
 * @param ret_name   its name as the server wrote it
 * @param ret_value  its value
 * @return 0, or -ENOENT past the last. Both are borrowed, good until *response* is used again or done.
 *
 * Threads: one at a time for a response. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_response_header_at(const struct plait_response *response, unsigned index, const char **ret_name,
                                       const char **ret_value);

/**
 * Take the body out of a response.
 * @param response  filled in by a request
 * @return plait_response.body, now the caller's, to be freed with free(); NULL when there is none
 *
 * Threads: one at a time for a response. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API char *plait_response_take_body(struct plait_response *response);

/**
 * Free what a response holds and make it empty again.
 * @param response  initialised; done twice does nothing
 *
 * Threads: one at a time for a response. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_response_done(struct plait_response *response);

/**
 * A problem's name, for logs and machines.
 * @param problem  as in plait_response.problem
 * @return a static string such as "refused" or "first-byte-timeout"; "ok" for PLAIT_HTTP_OK
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API const char *plait_http_problem_name(enum plait_http_problem problem);

PLAIT_END_DECLS

#endif
