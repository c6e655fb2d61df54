/**
 * @file plait/socket.h
 * Sockets: TCP, UDP, Unix.
 *
 * Addresses are given as text: "HOST:PORT", "[IPV6]:PORT", "tcp:HOST:PORT", "udp:HOST:PORT", "unix:PATH" or
 * "unix:@NAME" (Linux's abstract names). HOST is a name or a number, PORT too. To listen everywhere HOST is "*" or
 * empty; port 0 lets the system choose, and plait_local_address() tells which it was.
 *
 * The sockets made here are owned (plait/fd.h): non-blocking, closed on exec, to be closed with plait_close(). TCP
 * sends without delay (TCP_NODELAY). Writing never raises SIGPIPE. plait_read() and plait_write() work, too.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int echo(void *arg)
 * {
 *         int fd = *(int *)arg;
 *         char text[64];
 *
 *         int peer = plait_accept(fd, NULL, PLAIT_NEVER);
 *         if (peer < 0)
 *                 return peer;
 *         ssize_t n = plait_read(peer, text, sizeof text, PLAIT_NEVER);
 *         if (n > 0)
 *                 n = plait_write_full(peer, text, (size_t)n, PLAIT_NEVER);
 *         plait_close(peer);
 *         return n < 0 ? (int)n : 0;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         struct plait_address address;
 *         char text[PLAIT_ADDRESS_TEXT];
 *
 *         (void)arg;
 *         int listener = plait_listen("127.0.0.1:0", NULL);
 *         if (listener < 0)
 *                 return listener;
 *         plait_scope_go(&scope, echo, &listener);
 *         int r = plait_local_address(listener, &address);
 *         assert(r == 0);
 *         int fd = plait_dial(plait_address_text(&address, text, sizeof text), plait_in_s(5));
 *         assert(fd >= 0);
 *         ssize_t n = plait_write_full(fd, "ping", 4, plait_in_s(5));
 *         assert(n == 4);
 *         n = plait_read_full(fd, text, 4, plait_in_s(5));
 *         assert(n == 4);
 *         plait_close(fd);
 *         r = plait_scope_join(&scope);
 *         plait_close(listener);
 *         return r;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_SOCKET_H
#define PLAIT_SOCKET_H

#include <sys/socket.h>
#include <sys/types.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/name.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** For plait_listen_opts.flags: "*" means IPv6 only; otherwise it means both. */
#define PLAIT_LISTEN_V6ONLY 1U
/** For plait_listen_opts.flags: others may listen there, too, and share the load (SO_REUSEPORT). */
#define PLAIT_LISTEN_SHARED 2U

/** How to listen. Zero means the default in every member but *size*. */
struct plait_listen_opts {
        size_t size;    /**< sizeof(struct plait_listen_opts) */
        int backlog;    /**< connections that may wait to be accepted; default: as many as the system allows */
        unsigned flags; /**< PLAIT_LISTEN_... or 0 */
};

/**
 * Make a socket.
 * @param domain    AF_INET, AF_INET6, AF_UNIX, ...
 * @param type      SOCK_STREAM, SOCK_DGRAM, ...
 * @param protocol  as for socket(2)
 * @return the socket, or an error of socket(2) such as -EMFILE, -EAFNOSUPPORT, -EACCES
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_socket(int domain, int type, int protocol);

/**
 * Connect to an address, in the form that is described above. Of several addresses that the name has, the first to
 * answer wins: each is given a quarter of a second before the next is tried beside it, IPv6 and IPv4 by turns.
 * @param address      where to. With "udp:" the socket gets a default destination; nothing is sent.
 * @param deadline_ns  for the name and the connection; see plait/time.h
 * @return the socket, or
 *   - -EINVAL  *address* is malformed
 *   - -ENOENT, -EAGAIN, -EIO  from the name (see plait_resolve()); -ENOENT also for a Unix socket that does not exist
 *   - -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH, ...  the last address's error
 *   - -EMFILE, -ENFILE, -ENOMEM, -ENOSPC  no resources
 *   - -ETIMEDOUT, -ECANCELED
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API int plait_dial(const char *address, int64_t deadline_ns);

/**
 * Connect a socket.
 * @param fd           a socket; one that is not owned is set to non-blocking mode
 * @param address      where to
 * @param length       bytes of *address*
 * @param deadline_ns  see plait/time.h; one that has passed starts the attempt only
 * @return 0, or
 *   - -ETIMEDOUT, -ECANCELED  while waiting; the attempt may go on, so close the socket
 *   - -EBADF   *fd* is not open, or plait_close() was called while waiting
 *   - what connect(2) says, such as -ECONNREFUSED
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API int plait_connect(int fd, const struct sockaddr *address, socklen_t length, int64_t deadline_ns);

/**
 * Listen for connections; with "udp:", receive what is sent to an address. A TCP port can be listened to again at once
 * after it was closed (SO_REUSEADDR).
 * @param address  in the form that is described above. The file of a Unix socket must not exist; it is the caller's to
 *                 remove.
 * @param opts     NULL for the defaults
 * @return the socket, or
 *   - -EINVAL  *address* is malformed, or an option is out of its range
 *   - -ENOENT, -EAGAIN, -EIO  from the name; see plait_resolve()
 *   - -EADDRINUSE, -EADDRNOTAVAIL, -EACCES  it cannot be had
 *   - -EMFILE, -ENFILE, -ENOMEM  no resources
 *   - -ETIMEDOUT, -ECANCELED  while looking up a name
 *
 * Threads: any. Suspends: may, if HOST is a name. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API int plait_listen(const char *address, const struct plait_listen_opts *opts);

/**
 * Take the next connection. Several tasks may do this at once.
 * @param listener     from plait_listen(); any other is set to non-blocking mode
 * @param ret_peer     who connected; NULL if that does not matter
 * @param deadline_ns  see plait/time.h
 * @return the connection, or
 *   - -ETIMEDOUT, -ECANCELED  while waiting
 *   - -EMFILE, -ENFILE, -ENOMEM, -ENOSPC  no resources; the connection waits on, so wait for some to become free
 *   - -EBADF   *listener* is not open, or plait_close() was called while waiting
 *   - -EINVAL  it does not listen
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API int plait_accept(int listener, struct plait_address *ret_peer, int64_t deadline_ns);

/**
 * Receive, as recv(2).
 * @param fd           a socket
 * @param buf          room for *bytes* bytes
 * @param bytes        how many at most
 * @param flags        MSG_PEEK, MSG_OOB, MSG_TRUNC, ... but not MSG_WAITALL: that is plait_read_full()
 * @param deadline_ns  see plait/time.h
 * @return bytes received, 0 at the end (or for an empty datagram); or an error as plait_read(), and
 *   - -ENOTSOCK  *fd* is no socket
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API ssize_t plait_recv(int fd, void *buf, size_t bytes, int flags, int64_t deadline_ns);

/**
 * Send, as send(2); SIGPIPE is not raised.
 * @param fd           a socket
 * @param buf          what to send
 * @param bytes        how much; a stream may take less
 * @param flags        MSG_MORE, MSG_OOB, ...
 * @param deadline_ns  see plait/time.h
 * @return bytes sent; or an error as plait_write(), and
 *   - -ENOTSOCK  *fd* is no socket
 *   - -EMSGSIZE  too much for one datagram
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API ssize_t plait_send(int fd, const void *buf, size_t bytes, int flags, int64_t deadline_ns);

/**
 * Receive, and learn from whom.
 * @param fd           a socket
 * @param buf          room for *bytes* bytes
 * @param bytes        how many at most; the rest of a longer datagram is lost
 * @param flags        as for plait_recv()
 * @param ret_peer     who sent it; NULL if that does not matter
 * @param deadline_ns  see plait/time.h
 * @return as plait_recv()
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API ssize_t plait_recvfrom(int fd, void *buf, size_t bytes, int flags, struct plait_address *ret_peer,
                                 int64_t deadline_ns);

/**
 * Send to an address.
 * @param fd           a socket
 * @param buf          what to send
 * @param bytes        how much
 * @param flags        as for plait_send()
 * @param peer         where to; NULL: where the socket is connected to
 * @param deadline_ns  see plait/time.h
 * @return as plait_send(), and what sendto(2) says, such as -EDESTADDRREQ
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API ssize_t plait_sendto(int fd, const void *buf, size_t bytes, int flags, const struct plait_address *peer,
                               int64_t deadline_ns);

/**
 * End one direction of a connection, or both; the socket stays open.
 * @param fd   a socket
 * @param how  SHUT_RD, SHUT_WR, SHUT_RDWR
 * @return 0, or what shutdown(2) says: -EBADF, -ENOTSOCK, -ENOTCONN, -EINVAL
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_shutdown(int fd, int how);

/**
 * The address a socket has at this end: the port the system chose, for one.
 * @param fd   a socket
 * @param ret  the address
 * @return 0, or -EBADF, -ENOTSOCK
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_local_address(int fd, struct plait_address *ret);

PLAIT_END_DECLS

#endif
