/*
 * libcurl, and of OpenSSL what its handles are asked about: loaded by whoever first needs them. Linked in they would
 * cost each program that uses plait, and each process of a pool, 5 ms and 8 MiB at its start, HTTP or not.
 *
 * This header stands for theirs. It calls their functions by their own names, through a table that
 * pl_http_libcurl_load() fills. Everything begins with a session or with plait_http_perform(), and both call that.
 */
#ifndef PL_HTTP_LIBCURL_H
#define PL_HTTP_LIBCURL_H

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/attributes.h"

/* libcurl's header has macros that check the types of arguments; they hide the functions. */
#undef curl_easy_getinfo
#undef curl_easy_setopt
#undef curl_multi_setopt
#undef curl_share_setopt

#define PL_HTTP_LIBCURL_FUNCTIONS(X)     \
        X(SSL_ctrl)                      \
        X(SSL_set_msg_callback)          \
        X(X509_verify_cert_error_string) \
        X(curl_easy_cleanup)             \
        X(curl_easy_getinfo)             \
        X(curl_easy_init)                \
        X(curl_easy_pause)               \
        X(curl_easy_perform)             \
        X(curl_easy_setopt)              \
        X(curl_easy_strerror)            \
        X(curl_free)                     \
        X(curl_global_init)              \
        X(curl_multi_add_handle)         \
        X(curl_multi_cleanup)            \
        X(curl_multi_info_read)          \
        X(curl_multi_init)               \
        X(curl_multi_perform)            \
        X(curl_multi_poll)               \
        X(curl_multi_remove_handle)      \
        X(curl_multi_setopt)             \
        X(curl_multi_socket_action)      \
        X(curl_multi_strerror)           \
        X(curl_share_cleanup)            \
        X(curl_share_init)               \
        X(curl_share_setopt)             \
        X(curl_slist_append)             \
        X(curl_slist_free_all)           \
        X(curl_url)                      \
        X(curl_url_cleanup)              \
        X(curl_url_get)                  \
        X(curl_url_set)                  \
        X(curl_version_info)

struct pl_http_libcurl {
#define PL_HTTP_POINTER(name) __typeof__(name) *name;
        PL_HTTP_LIBCURL_FUNCTIONS(PL_HTTP_POINTER)
#undef PL_HTTP_POINTER
};

extern struct pl_http_libcurl pl_http_libcurl;

/*
 * Load libcurl and set it up, unless that was done. 0, -ELIBACC if it cannot be loaded (why is told on standard error),
 * -ENOMEM if it cannot be set up. Any thread; never suspends, but the first call reads files.
 */
PL_WARN_UNUSED int pl_http_libcurl_load(void);

#ifndef PL_HTTP_LIBCURL_TABLE
#define SSL_ctrl pl_http_libcurl.SSL_ctrl
#define SSL_set_msg_callback pl_http_libcurl.SSL_set_msg_callback
#define X509_verify_cert_error_string pl_http_libcurl.X509_verify_cert_error_string
#define curl_easy_cleanup pl_http_libcurl.curl_easy_cleanup
#define curl_easy_getinfo pl_http_libcurl.curl_easy_getinfo
#define curl_easy_init pl_http_libcurl.curl_easy_init
#define curl_easy_pause pl_http_libcurl.curl_easy_pause
#define curl_easy_perform pl_http_libcurl.curl_easy_perform
#define curl_easy_setopt pl_http_libcurl.curl_easy_setopt
#define curl_easy_strerror pl_http_libcurl.curl_easy_strerror
#define curl_free pl_http_libcurl.curl_free
#define curl_global_init pl_http_libcurl.curl_global_init
#define curl_multi_add_handle pl_http_libcurl.curl_multi_add_handle
#define curl_multi_cleanup pl_http_libcurl.curl_multi_cleanup
#define curl_multi_info_read pl_http_libcurl.curl_multi_info_read
#define curl_multi_init pl_http_libcurl.curl_multi_init
#define curl_multi_perform pl_http_libcurl.curl_multi_perform
#define curl_multi_poll pl_http_libcurl.curl_multi_poll
#define curl_multi_remove_handle pl_http_libcurl.curl_multi_remove_handle
#define curl_multi_setopt pl_http_libcurl.curl_multi_setopt
#define curl_multi_socket_action pl_http_libcurl.curl_multi_socket_action
#define curl_multi_strerror pl_http_libcurl.curl_multi_strerror
#define curl_share_cleanup pl_http_libcurl.curl_share_cleanup
#define curl_share_init pl_http_libcurl.curl_share_init
#define curl_share_setopt pl_http_libcurl.curl_share_setopt
#define curl_slist_append pl_http_libcurl.curl_slist_append
#define curl_slist_free_all pl_http_libcurl.curl_slist_free_all
#define curl_url pl_http_libcurl.curl_url
#define curl_url_cleanup pl_http_libcurl.curl_url_cleanup
#define curl_url_get pl_http_libcurl.curl_url_get
#define curl_url_set pl_http_libcurl.curl_url_set
#define curl_version_info pl_http_libcurl.curl_version_info
#endif

#endif
