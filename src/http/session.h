/* A session: its options, its admission, and the handles that wait for use. */
#ifndef PL_HTTP_SESSION_H
#define PL_HTTP_SESSION_H

#include <stdbool.h>

#include "http/exchange.h"
#include "http/libcurl.h"
#include "http/limits.h"
#include "plait/http.h"
#include "plat/lock.h"

struct plait_session {
        struct plait_session_opts opts; /* with the defaults filled in; its strings are the session's */
        struct curl_slist *headers;
        bool uses_proxy; /* then names are the proxy's to resolve */
        CURLSH *share;   /* cookies and TLS sessions */
        struct pl_lock share_lock[CURL_LOCK_DATA_LAST];
        struct pl_http_limits limits;
        struct pl_lock lock;           /* guards *idle* */
        struct pl_http_exchange *idle; /* last in, first out: the one whose memory and connection are warm */
};

/* Check a list of headers: each "Name: value", "Name:" or "Name;", without line ends. */
bool pl_http_headers_valid(const char *const *headers);

/*
 * The session's headers with *more* put over them, for a request; without those that are for one host only if
 * *foreign*. Two extra ones can follow. *ret* may be NULL then: none. 0 or -ENOMEM.
 */
PL_WARN_UNUSED int pl_http_headers_merge(struct curl_slist **ret, const struct plait_session *session,
                                         const char *const *more, bool foreign, const char *content_type,
                                         bool has_body);

/* An exchange for use, and its return. NULL: no memory. */
struct pl_http_exchange *pl_http_session_take(struct plait_session *session);
void pl_http_session_give_back(struct plait_session *session, struct pl_http_exchange *exchange);

#endif
