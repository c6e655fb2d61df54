/* Sockets: making, listening, accepting, sending and receiving. */
#include "plait/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "io/address.h"
#include "io/call.h"
#include "io/descriptor.h"
#include "io/fd_table.h"
#include "io/transfer.h"
#include "plait/fd.h"

int plait_socket(int domain, int type, int protocol)
{
        int fd = pl_io_call_socket(domain, type, protocol);

        if (fd < 0)
                return fd;

        unsigned flags = pl_io_socket_flags(domain, type);

        if (flags & PL_IO_STREAM)
                (void)pl_io_call_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        return pl_io_own_or_close(fd, flags);
}

/* A listening socket, whose connections inherit TCP_NODELAY; or a bound datagram socket. */
static int listen_at(const struct plait_address *address, int type, const struct plait_listen_opts *opts, bool both)
{
        int domain = address->as.any.sa_family;
        int saved = errno;
        int fd = plait_socket(domain, type, 0);
        int r = 0;

        if (fd < 0)
                return fd;
        if (domain == AF_INET6)
                r = pl_io_call_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, !both);
        if (r == 0 && domain != AF_UNIX && type == SOCK_STREAM)
                r = pl_io_call_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (r == 0 && opts->flags & PLAIT_LISTEN_SHARED)
                r = pl_io_call_setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        if (r == 0 && bind(fd, &address->as.any, address->length) < 0)
                r = -errno;
        if (r == 0 && type == SOCK_STREAM && listen(fd, opts->backlog ? opts->backlog : SOMAXCONN) < 0)
                r = -errno;
        errno = saved;
        if (r < 0) {
                (void)plait_close(fd);
                return r;
        }
        return fd;
}

static int listen_everywhere(const char *service, int type, const struct plait_listen_opts *opts)
{
        bool both = !(opts->flags & PLAIT_LISTEN_V6ONLY);
        struct plait_address any;

        if (pl_io_address_literal("::", service, &any) < 0)
                return -EINVAL;

        int fd = listen_at(&any, type, opts, both);

        if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
                return fd;
        if (!both || pl_io_address_literal("0.0.0.0", service, &any) < 0) /* a system without IPv6 */
                return fd;
        return listen_at(&any, type, opts, false);
}

static int listen_by_name(const struct pl_io_address *where, int type, const struct plait_listen_opts *opts)
{
        struct plait_addresses *found;
        int fd = -ENOENT;
        int r = plait_resolve(where->host, where->service, PLAIT_NEVER, &found);

        if (r < 0)
                return r;
        for (size_t i = 0; i < found->count && fd < 0; i++)
                fd = listen_at(&found->at[i], type, opts, false);
        plait_addresses_free(found);
        return fd;
}

int plait_listen(const char *address, const struct plait_listen_opts *opts)
{
        struct plait_listen_opts own = {.size = sizeof own};
        struct pl_io_address where;

        if (opts) {
                if (opts->size < sizeof own)
                        return -EINVAL;
                own = *opts;
        }
        if (own.backlog < 0 || own.flags & ~(PLAIT_LISTEN_V6ONLY | PLAIT_LISTEN_SHARED))
                return -EINVAL;

        int r = pl_io_address_parse(address, &where);

        if (r < 0)
                return r;
        if (where.transport == PL_IO_UNIX)
                return listen_at(&where.unix_address, SOCK_STREAM, &own, false);

        int type = where.transport == PL_IO_UDP ? SOCK_DGRAM : SOCK_STREAM;

        if (!where.host[0] || strcmp(where.host, "*") == 0)
                return listen_everywhere(where.service, type, &own);
        return listen_by_name(&where, type, &own);
}

static ssize_t attempt_accept(int fd, const struct pl_io_op *op)
{
        struct plait_address *peer = op->buf;
        ssize_t r;

        do { /* connections that broke while they waited are not the caller's concern */
                if (peer)
                        peer->length = sizeof peer->as;
                r = pl_io_call_accept(fd, peer ? &peer->as.any : NULL, peer ? &peer->length : NULL);
        } while (r == -ECONNABORTED || r == -EPROTO);
        return r == -EOPNOTSUPP ? -EINVAL : r;
}

/* accept() cannot be told not to block: the socket must not. */
static int make_nonblocking(int fd)
{
        int mode = pl_io_call_fcntl(fd, F_GETFL, 0);

        if (mode < 0 || mode & O_NONBLOCK)
                return mode < 0 ? mode : 0;
        return pl_io_call_fcntl(fd, F_SETFL, mode | O_NONBLOCK);
}

static unsigned owned_flags(int fd)
{
        const struct pl_io_fd *entry = pl_io_fd_peek(fd);
        unsigned state = entry ? atomic_load_explicit(&entry->state, memory_order_relaxed) : 0;

        return state & PL_IO_OWNED ? state & (PL_IO_OWNED | PL_IO_SOCKET | PL_IO_STREAM) : 0;
}

int plait_accept(int listener, struct plait_address *ret_peer, int64_t deadline_ns)
{
        struct plait_address peer;
        struct pl_io_op op = {.attempt = attempt_accept, .event = POLLIN, .buf = ret_peer ? &peer : NULL};
        unsigned flags = owned_flags(listener);
        int r = flags ? 0 : make_nonblocking(listener);

        if (r < 0)
                return r;

        int fd = (int)pl_io_transfer(listener, &op, deadline_ns);

        if (fd < 0)
                return fd;
        if (!flags) {
                flags = pl_io_socket_flags(pl_io_call_getsockopt(fd, SOL_SOCKET, SO_DOMAIN),
                                           pl_io_call_getsockopt(fd, SOL_SOCKET, SO_TYPE));
                if (flags & PL_IO_STREAM)
                        (void)pl_io_call_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        }
        fd = pl_io_own_or_close(fd, flags & ~(unsigned)PL_IO_OWNED);
        if (fd >= 0 && ret_peer)
                *ret_peer = peer;
        return fd;
}

int plait_connect(int fd, const struct sockaddr *address, socklen_t length, int64_t deadline_ns)
{
        int r = owned_flags(fd) ? 0 : make_nonblocking(fd);

        if (r < 0)
                return r;
        r = pl_io_call_connect(fd, address, length);
        if (r != -EINPROGRESS && r != -EALREADY)
                return r;
        r = plait_wait_fd(fd, POLLOUT, deadline_ns);
        if (r < 0)
                return r;
        r = pl_io_call_getsockopt(fd, SOL_SOCKET, SO_ERROR);
        return r > 0 ? -r : r;
}

static ssize_t attempt_recv(int fd, const struct pl_io_op *op)
{
        return pl_io_call_recv(fd, op->buf, op->bytes, op->flags);
}

static ssize_t attempt_send(int fd, const struct pl_io_op *op)
{
        return pl_io_call_send(fd, op->buf, op->bytes, op->flags);
}

ssize_t plait_recv(int fd, void *buf, size_t bytes, int flags, int64_t deadline_ns)
{
        struct pl_io_op op = {.attempt = attempt_recv, .event = POLLIN, .flags = flags, .buf = buf, .bytes = bytes};

        if (flags & MSG_WAITALL)
                return -EINVAL;
        return pl_io_transfer(fd, &op, deadline_ns);
}

ssize_t plait_send(int fd, const void *buf, size_t bytes, int flags, int64_t deadline_ns)
{
        struct pl_io_op op = {.attempt = attempt_send,
                              .event = POLLOUT,
                              .flags = flags,
                              .buf = (void *)(uintptr_t)buf,
                              .bytes = bytes};

        return pl_io_transfer(fd, &op, deadline_ns);
}

static ssize_t attempt_recvmsg(int fd, const struct pl_io_op *op)
{
        op->msg->msg_namelen = sizeof(struct sockaddr_storage);
        return pl_io_call_recvmsg(fd, op->msg, op->flags);
}

static ssize_t attempt_sendmsg(int fd, const struct pl_io_op *op)
{
        return pl_io_call_sendmsg(fd, op->msg, op->flags);
}

ssize_t plait_recvfrom(int fd, void *buf, size_t bytes, int flags, struct plait_address *ret_peer, int64_t deadline_ns)
{
        struct plait_address peer = {0};
        struct iovec iov = {.iov_base = buf, .iov_len = bytes};
        struct msghdr msg = {.msg_name = &peer.as, .msg_iov = &iov, .msg_iovlen = 1};
        struct pl_io_op op = {.attempt = attempt_recvmsg, .event = POLLIN, .flags = flags, .msg = &msg};

        if (!ret_peer)
                return plait_recv(fd, buf, bytes, flags, deadline_ns);
        if (flags & MSG_WAITALL)
                return -EINVAL;

        ssize_t n = pl_io_transfer(fd, &op, deadline_ns);

        if (n >= 0) {
                peer.length = msg.msg_namelen;
                *ret_peer = peer;
        }
        return n;
}

ssize_t plait_sendto(int fd, const void *buf, size_t bytes, int flags, const struct plait_address *peer,
                     int64_t deadline_ns)
{
        struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = bytes};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        struct pl_io_op op = {.attempt = attempt_sendmsg, .event = POLLOUT, .flags = flags, .msg = &msg};

        if (!peer)
                return plait_send(fd, buf, bytes, flags, deadline_ns);
        msg.msg_name = (void *)(uintptr_t)&peer->as;
        msg.msg_namelen = peer->length;
        return pl_io_transfer(fd, &op, deadline_ns);
}

int plait_shutdown(int fd, int how)
{
        int saved = errno;
        int r = shutdown(fd, how) < 0 ? -errno : 0;

        errno = saved;
        return r;
}

int plait_local_address(int fd, struct plait_address *ret)
{
        struct plait_address address = {.length = sizeof address.as};
        int saved = errno;
        int r = getsockname(fd, &address.as.any, &address.length) < 0 ? -errno : 0;

        errno = saved;
        if (r == 0)
                *ret = address;
        return r;
}
