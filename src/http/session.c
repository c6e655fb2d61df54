/* Sessions: made, freed, and their handles. */
#include "http/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/libcurl.h"
#include "plait/errno.h"
#include "plait/time.h"

#define S_NS INT64_C(1000000000)

enum {
        KNOWN_FLAGS = PLAIT_SESSION_INSECURE | PLAIT_SESSION_NO_COMPRESSION | PLAIT_SESSION_NO_COOKIES |
                      PLAIT_SESSION_HTTP1 | PLAIT_SESSION_HTTP2_DIRECT | PLAIT_SESSION_NO_REDIRECTS |
                      PLAIT_SESSION_VERIFIED_END,
};

/* --- what the handles of a session share --- */

static void lock_share(CURL *easy, curl_lock_data data, curl_lock_access access, void *arg)
{
        struct plait_session *session = arg;

        (void)easy, (void)access;
        pl_lock_acquire(&session->share_lock[data]);
}

static void unlock_share(CURL *easy, curl_lock_data data, void *arg)
{
        struct plait_session *session = arg;

        (void)easy;
        pl_lock_release(&session->share_lock[data]);
}

static int make_share(struct plait_session *session)
{
        CURLSH *share = curl_share_init();

        if (!share)
                return -ENOMEM;
        curl_share_setopt(share, CURLSHOPT_LOCKFUNC, lock_share);
        curl_share_setopt(share, CURLSHOPT_UNLOCKFUNC, unlock_share);
        curl_share_setopt(share, CURLSHOPT_USERDATA, session);
        session->share = share;
        if (!(session->opts.flags & PLAIT_SESSION_NO_COOKIES) &&
            curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE) != CURLSHE_OK)
                return -ENOMEM;
        if (curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
                return -ENOMEM;
        return 0;
}

/* --- options --- */

static int check(const struct plait_session_opts *opts)
{
        if (opts->size < sizeof *opts || opts->flags & ~(unsigned)KNOWN_FLAGS || opts->connect_timeout_ns < 0 ||
            opts->first_byte_timeout_ns < 0 || opts->stall_timeout_ns < 0 || opts->total_timeout_ns < 0 ||
            opts->max_redirects > 1000)
                return -EINVAL;
        if ((opts->flags & PLAIT_SESSION_HTTP1) && (opts->flags & PLAIT_SESSION_HTTP2_DIRECT))
                return -EINVAL;
        if (!pl_http_headers_valid(opts->headers) || (opts->user_agent && strpbrk(opts->user_agent, "\r\n")))
                return -EINVAL;
        if (opts->ca_file) {
                int fd = open(opts->ca_file, O_RDONLY | O_CLOEXEC);

                if (fd < 0)
                        return -errno;
                close(fd);
        }
        return 0;
}

/* A copy of *text*, or NULL for NULL; *failed* is set when there is no memory. */
static const char *copy(const char *text, bool *failed)
{
        char *copied = text ? strdup(text) : NULL;

        if (text && !copied)
                *failed = true;
        return copied;
}

static void fill_in_defaults(struct plait_session_opts *opts)
{
        if (!opts->connect_timeout_ns)
                opts->connect_timeout_ns = 30 * S_NS;
        if (!opts->first_byte_timeout_ns)
                opts->first_byte_timeout_ns = 60 * S_NS;
        if (!opts->stall_timeout_ns)
                opts->stall_timeout_ns = 60 * S_NS;
        if (!opts->total_timeout_ns)
                opts->total_timeout_ns = PLAIT_NEVER;
        if (!opts->max_redirects)
                opts->max_redirects = 10;
        if (!opts->transfers)
                opts->transfers = 256;
        if (!opts->transfers_per_host)
                opts->transfers_per_host = 64;
        if (!opts->max_body_bytes)
                opts->max_body_bytes = UINT64_C(1) << 30;
        if (!opts->user_agent)
                opts->user_agent = "plait/" PLAIT_VERSION;
}

static bool proxy_in_environment(void)
{
        static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

        for (size_t i = 0; i < PL_ARRAY_SIZE(names); i++) {
                const char *value = getenv(names[i]);

                if (value && *value)
                        return true;
        }
        return false;
}

static int copy_opts(struct plait_session *session, const struct plait_session_opts *opts)
{
        struct plait_session_opts *own = &session->opts;
        bool failed = false;

        if (opts)
                *own = *opts;
        own->size = sizeof *own;
        fill_in_defaults(own);
        own->user_agent = copy(own->user_agent, &failed);
        own->ca_file = copy(own->ca_file, &failed);
        own->proxy = copy(own->proxy, &failed);
        own->headers = NULL;
        session->uses_proxy = own->proxy ? *own->proxy != '\0' : proxy_in_environment();
        for (const char *const *h = opts ? opts->headers : NULL; h && *h && !failed; h++) {
                struct curl_slist *longer = curl_slist_append(session->headers, *h);

                if (longer)
                        session->headers = longer;
                else
                        failed = true;
        }
        return failed ? -ENOMEM : 0;
}

int plait_session_new(struct plait_session **ret, const struct plait_session_opts *opts)
{
        struct plait_session *session;
        int r = opts ? check(opts) : 0;

        if (!ret)
                return -EINVAL;
        if (r >= 0)
                r = pl_http_libcurl_load();
        if (r < 0)
                return r;
        session = calloc(1, sizeof *session);
        if (!session)
                return -ENOMEM;
        r = copy_opts(session, opts);
        if (r >= 0)
                r = make_share(session);
        if (r < 0) {
                plait_session_free(session);
                return r;
        }
        pl_http_limits_init(&session->limits, session->opts.transfers, session->opts.transfers_per_host);
        *ret = session;
        return 0;
}

void plait_session_free(struct plait_session *session)
{
        if (!session)
                return;
        while (session->idle) {
                struct pl_http_exchange *exchange = session->idle;

                session->idle = exchange->next;
                pl_http_exchange_free(exchange);
        }
        curl_share_cleanup(session->share);
        curl_slist_free_all(session->headers);
        free((char *)(uintptr_t)session->opts.user_agent);
        free((char *)(uintptr_t)session->opts.ca_file);
        free((char *)(uintptr_t)session->opts.proxy);
        free(session);
}

/* --- handles --- */

struct pl_http_exchange *pl_http_session_take(struct plait_session *session)
{
        struct pl_http_exchange *exchange;

        pl_lock_acquire(&session->lock);
        exchange = session->idle;
        if (exchange)
                session->idle = exchange->next;
        pl_lock_release(&session->lock);
        return exchange ? exchange : pl_http_exchange_new(session);
}

void pl_http_session_give_back(struct plait_session *session, struct pl_http_exchange *exchange)
{
        pl_lock_acquire(&session->lock);
        exchange->next = session->idle;
        session->idle = exchange;
        pl_lock_release(&session->lock);
}
