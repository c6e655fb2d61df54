/* The sockets that a multi handle waits for; see sockets.h. */
#include "http/sockets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 128 };

int pl_http_sockets_init(struct pl_http_sockets *sockets)
{
        int set = epoll_create1(EPOLL_CLOEXEC);

        if (set < 0)
                return -errno;
        *sockets = (struct pl_http_sockets){.set = set};
        return 0;
}

void pl_http_sockets_done(struct pl_http_sockets *sockets)
{
        if (sockets->set >= 0)
                close(sockets->set);
        free(sockets->table);
}

static struct pl_http_socket *entry_of(struct pl_http_sockets *sockets, curl_socket_t fd)
{
        size_t at = (size_t)fd;

        if (at >= sockets->capacity) {
                size_t capacity = at * 2 < 64 ? 64 : at * 2;
                struct pl_http_socket *table = realloc(sockets->table, capacity * sizeof *table);

                if (!table)
                        return NULL;
                memset(table + sockets->capacity, 0, (capacity - sockets->capacity) * sizeof *table);
                sockets->table = table;
                sockets->capacity = capacity;
        }
        return &sockets->table[at];
}

static int set_events(struct pl_http_sockets *sockets, curl_socket_t fd, struct pl_http_socket *entry, uint8_t events)
{
        struct epoll_event event = {.data.fd = fd};
        int how = !events ? EPOLL_CTL_DEL : entry->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

        if (events & CURL_POLL_IN)
                event.events |= EPOLLIN;
        if (events & CURL_POLL_OUT)
                event.events |= EPOLLOUT;
        if (epoll_ctl(sockets->set, how, fd, &event) < 0 && how != EPOLL_CTL_DEL)
                return -errno;
        entry->registered = events;
        return 0;
}

int pl_http_sockets_want(struct pl_http_sockets *sockets, curl_socket_t fd, int what)
{
        struct pl_http_socket *entry = entry_of(sockets, fd);
        uint8_t wanted = what == CURL_POLL_REMOVE ? 0 : (uint8_t)what;

        if (!entry)
                return -ENOMEM;
        entry->wanted = wanted;
        if (wanted == entry->registered || (!wanted && entry->ours))
                return 0;
        return set_events(sockets, fd, entry, wanted);
}

size_t pl_http_sockets_ready(struct pl_http_sockets *sockets, struct pl_http_ready *ready, size_t n)
{
        struct epoll_event events[AT_ONCE];
        size_t found = 0;
        int count = epoll_wait(sockets->set, events, n < AT_ONCE ? (int)n : AT_ONCE, 0);

        for (int i = 0; i < count; i++) {
                curl_socket_t fd = events[i].data.fd;
                struct pl_http_socket *entry = &sockets->table[fd];
                int what = 0;

                if (!entry->wanted) { /* an idle connection that the server has closed, or data nobody asked for */
                        set_events(sockets, fd, entry, 0);
                        continue;
                }
                if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                        what |= CURL_CSELECT_IN;
                if (events[i].events & EPOLLOUT)
                        what |= CURL_CSELECT_OUT;
                if (events[i].events & EPOLLERR)
                        what |= CURL_CSELECT_ERR;
                ready[found++] = (struct pl_http_ready){.fd = fd, .what = what};
        }
        return found;
}

curl_socket_t pl_http_socket_open(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
        struct pl_http_sockets *sockets = data;
        int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
        struct pl_http_socket *entry;

        (void)purpose;
        if (fd < 0 || !sockets)
                return fd < 0 ? CURL_SOCKET_BAD : fd;
        entry = entry_of(sockets, fd);
        if (entry)
                *entry = (struct pl_http_socket){.ours = true};
        return fd;
}

int pl_http_socket_close(void *data, curl_socket_t fd)
{
        struct pl_http_sockets *sockets = data;

        if (sockets && (size_t)fd < sockets->capacity)
                sockets->table[fd] = (struct pl_http_socket){0}; /* the kernel takes it out of the set itself */
        return close(fd);
}
