/*
 * Bytes to and from a server, as they are or through TLS. What the server shows for TLS is looked at closely and
 * believed in any case: the purpose is to tell what is wrong with it.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/tls.h"

struct net_stream {
        int fd;             /* borrowed */
        struct ssl_st *ssl; /* NULL: plain */
        int64_t received;   /* bytes from the socket */
        uint8_t first[16];  /* the first ones of them, */
        size_t first_bytes;
        bool ended, was_reset; /* how the server closed the connection */
};

/* Plain bytes on *fd*, which stays the caller's. */
void net_stream_begin(struct net_stream *stream, int fd);
void net_stream_done(struct net_stream *stream);

/*
 * Go over to TLS, and report about it. 0 when encrypted bytes can be exchanged, whatever the certificates are worth;
 * -EPROTO when not: see *report*; -ETIMEDOUT, -ECANCELED; -ENOMEM. Needs 128 KiB of stack.
 */
int net_stream_start_tls(struct net_stream *stream, const struct net_tls_opts *opts, int64_t deadline_ns,
                         struct net_tls_report *report);

/* Bytes read, 0 at the end, or -errno; -EPROTO when TLS broke. */
ssize_t net_stream_read(struct net_stream *stream, void *buf, size_t bytes, int64_t deadline_ns);

/* All of it: 0 or -errno. */
int net_stream_write(struct net_stream *stream, const void *buf, size_t bytes, int64_t deadline_ns);

#endif
