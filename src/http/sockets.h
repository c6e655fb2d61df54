/*
 * The sockets that a multi handle waits for: a private epoll set, one descriptor for the poller to watch.
 *
 * Why not a watch per socket: libcurl asks for a socket, lets go of it and closes it in the middle of its own work,
 * where nothing may suspend; and a set of its own gives the driver all that is ready in one call.
 *
 * libcurl lets go of a socket after each answer and asks for it again with the next request. A socket that was opened
 * by pl_http_socket_open() stays in the set meanwhile, which saves two system calls a request; that is safe because its
 * closing is seen by pl_http_socket_close(). Other sockets are put in and taken out as libcurl says.
 */
#ifndef PL_HTTP_SOCKETS_H
#define PL_HTTP_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "http/libcurl.h"

struct pl_http_socket {
        uint8_t wanted;     /* CURL_POLL_IN | CURL_POLL_OUT, as libcurl asks */
        uint8_t registered; /* as the kernel has it */
        bool ours;
};

struct pl_http_sockets {
        int set;
        struct pl_http_socket *table; /* by descriptor */
        size_t capacity;
};

struct pl_http_ready {
        curl_socket_t fd;
        int what; /* CURL_CSELECT_... */
};

PL_WARN_UNUSED int pl_http_sockets_init(struct pl_http_sockets *sockets);
void pl_http_sockets_done(struct pl_http_sockets *sockets);

/* libcurl wants to know *what* (CURL_POLL_...) about *fd*. 0 or -errno. */
PL_WARN_UNUSED int pl_http_sockets_want(struct pl_http_sockets *sockets, curl_socket_t fd, int what);

/* Which sockets are ready, at most *n* of them; never blocks. */
size_t pl_http_sockets_ready(struct pl_http_sockets *sockets, struct pl_http_ready *ready, size_t n);

/* For CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION; *data* is the sockets, or NULL outside tasks. */
curl_socket_t pl_http_socket_open(void *data, curlsocktype purpose, struct curl_sockaddr *address);
int pl_http_socket_close(void *data, curl_socket_t fd);

#endif
