/* Sockets: TCP, UDP, Unix, and what can go wrong with them. */
#include "api/alone.h"
#include "harness/task.h"
#include "harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_on(const char *where, char text[PLAIT_ADDRESS_TEXT])
{
        struct plait_address address;
        int fd = CHECK_OK(plait_listen(where, NULL));

        CHECK_OK(plait_local_address(fd, &address));
        plait_address_text(&address, text, PLAIT_ADDRESS_TEXT);
        return fd;
}

/* On an address of this process alone, so that no other program takes the port when it is free again. */
static int listen_apart(char text[PLAIT_ADDRESS_TEXT])
{
        const unsigned pid = (unsigned)getpid();
        char where[32];

        (void)snprintf(where, sizeof where, "127.%u.%u.%u:0", (pid >> 16 & 127) + 1, pid >> 8 & 255, pid & 255);
        return listen_on(where, text);
}

struct link {
        int listener, here, there;
        char address[PLAIT_ADDRESS_TEXT];
};

static int accept_one(void *arg)
{
        struct link *link = arg;

        link->there = plait_accept(link->listener, NULL, PLAIT_NEVER);
        return link->there < 0 ? link->there : 0;
}

/* A connection: one end is *here*, the other *there*. */
static void connect_both(struct link *link, const char *where)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        link->listener = listen_on(where, link->address);
        CHECK_OK(plait_scope_go(&scope, accept_one, link));
        link->here = CHECK_OK(plait_dial(link->address, plait_in_s(60)));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static void close_all(const struct link *link)
{
        CHECK_OK(plait_close(link->here));
        CHECK_OK(plait_close(link->there));
        CHECK_OK(plait_close(link->listener));
}

static void carry_and_end(const char *where)
{
        struct link link;
        char text[16];

        connect_both(&link, where);
        for (int i = 0; i < 10; i++) {
                CHECK_INT(plait_write_full(link.here, "ping", 4, PLAIT_NEVER), ==, 4);
                CHECK_INT(plait_read(link.there, text, sizeof text, PLAIT_NEVER), ==, 4);
                CHECK_INT(plait_send(link.there, "pong!", 5, 0, PLAIT_NEVER), ==, 5);
                CHECK_INT(plait_recv(link.here, text, sizeof text, 0, PLAIT_NEVER), ==, 5);
        }
        CHECK_OK(plait_shutdown(link.here, SHUT_WR));
        CHECK_INT(plait_read(link.there, text, sizeof text, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_read(link.there, text, sizeof text, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_write(link.there, "late", 4, PLAIT_NEVER), ==, 4);
        CHECK_INT(plait_read(link.here, text, sizeof text, PLAIT_NEVER), ==, 4);
        CHECK_OK(plait_shutdown(link.there, SHUT_WR));
        CHECK_INT(plait_read(link.here, text, sizeof text, PLAIT_NEVER), ==, 0);
        close_all(&link);
}

TEST(tcp_carries_bytes_and_half_closes, .run = in_task)
{
        carry_and_end("127.0.0.1:0");
}

TEST(tcp_over_ipv6_does_too, .run = in_task)
{
        int probe = plait_listen("[::1]:0", NULL);

        if (probe < 0)
                SKIP("no IPv6 loopback here");
        CHECK_OK(plait_close(probe));
        carry_and_end("[::1]:0");
}

TEST(unix_sockets_do_too, .run = in_task)
{
        char name[64];

        (void)snprintf(name, sizeof name, "unix:@plait-test-%d", (int)getpid());
        carry_and_end(name);
        (void)snprintf(name, sizeof name, "unix:/tmp/plait-test-%d", (int)getpid());
        carry_and_end(name);
        CHECK_SYS(unlink(name + 5));
}

TEST(data_and_end_in_one_report_are_both_seen, .run = in_task)
{
        for (int i = 0; i < 50; i++) {
                struct link link;
                char text[100];

                connect_both(&link, "127.0.0.1:0");
                CHECK_INT(plait_read(link.there, text, 1, 0), ==, -ETIMEDOUT); /* armed from now on */
                CHECK_INT(plait_read(link.there, text, 1, plait_in_ns(1000)), ==, -ETIMEDOUT);
                CHECK_INT(plait_write_full(link.here, "last words", 10, PLAIT_NEVER), ==, 10);
                CHECK_OK(plait_shutdown(link.here, SHUT_WR));
                CHECK_INT(plait_read(link.there, text, sizeof text, PLAIT_NEVER), ==, 10);
                CHECK_INT(plait_read(link.there, text, sizeof text, PLAIT_NEVER), ==, 0);
                close_all(&link);
        }
}

TEST(reset_is_an_error, .run = in_task)
{
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        struct link link;
        char byte;

        connect_both(&link, "127.0.0.1:0");
        CHECK_INT(plait_read(link.here, &byte, 1, plait_in_ms(1)), ==, -ETIMEDOUT);
        CHECK_SYS(setsockopt(link.there, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
        CHECK_OK(plait_close(link.there));
        CHECK_INT(plait_read(link.here, &byte, 1, PLAIT_NEVER), ==, -ECONNRESET);
        CHECK_INT(plait_write(link.here, &byte, 1, PLAIT_NEVER), ==, -EPIPE);
        CHECK_OK(plait_close(link.here));
        CHECK_OK(plait_close(link.listener));
}

TEST(close_reaches_the_peer, .run = in_task)
{
        for (int i = 0; i < 20; i++) {
                struct link link;
                char byte;

                connect_both(&link, "127.0.0.1:0");
                CHECK_INT(plait_read(link.there, &byte, 1, plait_in_ns(1000)), ==, -ETIMEDOUT);
                CHECK_INT(plait_read(link.here, &byte, 1, plait_in_ns(1000)), ==, -ETIMEDOUT);
                CHECK_OK(plait_close(link.there));
                CHECK_INT(plait_read(link.here, &byte, 1, plait_in_s(60)), ==, 0);
                CHECK_OK(plait_close(link.here));
                CHECK_OK(plait_close(link.listener));
        }
}

TEST(closed_port_can_be_listened_to_at_once, .run = in_task)
{
        char text[PLAIT_ADDRESS_TEXT];
        int fd = listen_apart(text);

        for (int i = 0; i < 20; i++) {
                CHECK_INT(plait_accept(fd, NULL, plait_in_ns(1000)), ==, -ETIMEDOUT);
                CHECK_OK(plait_close(fd));
                fd = CHECK_OK(plait_listen(text, NULL));
        }
        CHECK_OK(plait_close(fd));
}

TEST(refused_connection_is_an_error, .run = in_task)
{
        char text[PLAIT_ADDRESS_TEXT];
        int fd = listen_apart(text);

        CHECK_OK(plait_close(fd));
        CHECK_INT(plait_dial(text, plait_in_s(60)), ==, -ECONNREFUSED);
        CHECK_INT(plait_dial("unix:/no/such/socket", plait_in_s(60)), ==, -ENOENT);
}

TEST(dial_tries_every_address_of_a_name, .run = in_task)
{
        struct plait_address address;
        char text[64];
        int listener = CHECK_OK(plait_listen("127.0.0.1:0", NULL)); /* and nobody at ::1, which may come first */

        CHECK_OK(plait_local_address(listener, &address));
        (void)snprintf(text, sizeof text, "localhost:%u", (unsigned)ntohs(address.as.in.sin_port));

        int here = CHECK_OK(plait_dial(text, plait_in_s(60)));
        int there = CHECK_OK(plait_accept(listener, NULL, plait_in_s(60)));

        CHECK_OK(plait_close(here));
        CHECK_OK(plait_close(there));
        CHECK_OK(plait_close(listener));

        /* A port that nobody else gets, and nobody listens at. */
        const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int silent = CHECK_SYS(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

        CHECK_SYS(bind(silent, (const struct sockaddr *)&any, sizeof any));
        CHECK_OK(plait_local_address(silent, &address));
        (void)snprintf(text, sizeof text, "localhost:%u", (unsigned)ntohs(address.as.in.sin_port));
        CHECK_INT(plait_dial(text, plait_in_s(60)), ==, -ECONNREFUSED);
        close(silent);
}

TEST(full_unix_queue_ends_by_deadline, .run = in_task)
{
        struct plait_listen_opts opts = {.size = sizeof opts, .backlog = 1};
        int connections[8], n = 0, r;
        char name[64];

        (void)snprintf(name, sizeof name, "unix:@plait-full-%d", (int)getpid());

        int listener = CHECK_OK(plait_listen(name, &opts));

        while (n < 8 && (r = plait_dial(name, plait_in_ms(20))) >= 0)
                connections[n++] = r;
        CHECK_INT(n, <, 8);
        CHECK_INT(r, ==, -ETIMEDOUT);
        while (n > 0)
                CHECK_OK(plait_close(connections[--n]));
        CHECK_OK(plait_close(listener));
}

TEST(addresses_that_make_no_sense_are_refused, .run = in_task)
{
        static const char *const wrong[] = {"",       "host",  "host:",     "::1:80",     "[::1]80",
                                            "[::1",   "unix:", "127.0.0.1", "tcp:x",      "a:b:c",
                                            "[::1]:", ":",     "udp:x:",    "127.0.0.1:", NULL};

        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                CHECK_INT(plait_dial(wrong[i], plait_in_s(1)), ==, -EINVAL);
                CHECK_INT(plait_listen(wrong[i], NULL), ==, -EINVAL);
        }
        CHECK_INT(plait_listen("127.0.0.1:0", &(struct plait_listen_opts){.size = 1}), ==, -EINVAL);
        CHECK_INT(plait_listen("127.0.0.1:0",
                               &(struct plait_listen_opts){.size = sizeof(struct plait_listen_opts), .backlog = -1}),
                  ==, -EINVAL);
}

TEST(listening_everywhere_takes_both_families, .run = in_task)
{
        struct plait_address address;
        char text[64];
        int fd = CHECK_OK(plait_listen("*:0", NULL));

        CHECK_OK(plait_local_address(fd, &address));
        (void)snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(address.as.in.sin_port));

        int peer = CHECK_OK(plait_dial(text, plait_in_s(60)));
        int there = CHECK_OK(plait_accept(fd, &address, plait_in_s(60)));

        CHECK_UINT(address.length, >, 0);
        CHECK_OK(plait_close(peer));
        CHECK_OK(plait_close(there));
        CHECK_OK(plait_close(fd));
}

TEST(tcp_sends_without_delay_and_closes_on_exec, .run = in_task)
{
        struct link link;

        connect_both(&link, "127.0.0.1:0");
        for (int i = 0; i < 2; i++) {
                int fd = i ? link.here : link.there, value = 0;
                socklen_t length = sizeof value;

                CHECK_SYS(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length));
                CHECK(value);
                CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
                CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
        }
        close_all(&link);
}

TEST(udp_tells_who_sent, .run = in_task)
{
        char here_text[PLAIT_ADDRESS_TEXT], udp[PLAIT_ADDRESS_TEXT + 4], text[16];
        struct plait_address from, here_address;
        int here = CHECK_OK(plait_listen("udp:127.0.0.1:0", NULL));

        CHECK_OK(plait_local_address(here, &here_address));
        (void)snprintf(udp, sizeof udp, "udp:%s", plait_address_text(&here_address, here_text, sizeof here_text));

        int there = CHECK_OK(plait_dial(udp, plait_in_s(60)));

        CHECK_INT(plait_recvfrom(here, text, sizeof text, 0, &from, plait_in_ms(5)), ==, -ETIMEDOUT);
        for (int i = 0; i < 5; i++)
                CHECK_INT(plait_send(there, "datagram", 8, 0, PLAIT_NEVER), ==, 8);
        for (int i = 0; i < 5; i++)
                CHECK_INT(plait_recvfrom(here, text, sizeof text, 0, &from, PLAIT_NEVER), ==, 8);
        CHECK_INT(plait_sendto(here, "back", 4, 0, &from, PLAIT_NEVER), ==, 4);
        CHECK_INT(plait_recv(there, text, sizeof text, 0, PLAIT_NEVER), ==, 4);
        CHECK_OK(plait_close(here));
        /* the error that comes back passes; the socket goes on */
        CHECK_INT(plait_send(there, "?", 1, 0, PLAIT_NEVER), ==, 1);
        CHECK_INT(plait_recv(there, text, sizeof text, 0, plait_in_s(60)), ==, -ECONNREFUSED);
        CHECK_INT(plait_recv(there, text, sizeof text, 0, plait_in_ms(5)), ==, -ETIMEDOUT);
        CHECK_OK(plait_close(there));
}

TEST(peeking_leaves_the_data, .run = in_task)
{
        struct link link;
        char text[16];

        connect_both(&link, "127.0.0.1:0");
        CHECK_INT(plait_write_full(link.here, "abcd", 4, PLAIT_NEVER), ==, 4);
        CHECK_INT(plait_recv(link.there, text, sizeof text, MSG_PEEK, PLAIT_NEVER), ==, 4);
        CHECK_INT(plait_recv(link.there, text, 2, 0, PLAIT_NEVER), ==, 2);
        CHECK_INT(plait_recv(link.there, text, sizeof text, 0, PLAIT_NEVER), ==, 2);
        CHECK_INT(plait_recv(link.there, text, 1, MSG_WAITALL, PLAIT_NEVER), ==, -EINVAL);
        close_all(&link);
}

TEST(urgent_data_do_not_hide_what_follows, .run = in_task)
{
        struct link link;
        char text[16];
        ssize_t n, total = 0;

        connect_both(&link, "127.0.0.1:0");
        CHECK_INT(plait_read(link.there, text, 1, plait_in_ns(1000)), ==, -ETIMEDOUT);
        CHECK_INT(plait_send(link.here, "abc", 3, 0, PLAIT_NEVER), ==, 3);
        CHECK_INT(plait_send(link.here, "!", 1, MSG_OOB, PLAIT_NEVER), ==, 1);
        CHECK_INT(plait_send(link.here, "def", 3, 0, PLAIT_NEVER), ==, 3);
        CHECK_OK(plait_shutdown(link.here, SHUT_WR));
        while ((n = plait_read(link.there, text, sizeof text, plait_in_s(60))) > 0)
                total += n;
        CHECK_INT(n, ==, 0);
        CHECK_INT(total, ==, 6);
        close_all(&link);
}

TEST(accept_ends_by_deadline_cancellation_and_close, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct link first, second;

        first.listener = listen_on("127.0.0.1:0", first.address);
        CHECK_INT(plait_accept(first.listener, NULL, plait_in_ms(5)), ==, -ETIMEDOUT);
        CHECK_OK(plait_scope_go(&scope, accept_one, &first));
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(first.there, ==, -ECANCELED);
        scope = (struct plait_scope)PLAIT_SCOPE_INIT;
        second = first;
        CHECK_OK(plait_scope_go(&scope, accept_one, &second));
        let_others_run();
        CHECK_OK(plait_close(first.listener));
        CHECK_INT(plait_scope_join(&scope), ==, -EBADF);
}

TEST(several_acceptors_share_a_listener, .run = in_task)
{
        enum { ACCEPTORS = 10 };
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct link links[ACCEPTORS];
        int listener = listen_on("127.0.0.1:0", links[0].address);

        for (int i = 0; i < ACCEPTORS; i++) {
                links[i].listener = listener;
                CHECK_OK(plait_scope_go(&scope, accept_one, &links[i]));
        }
        for (int i = 0; i < ACCEPTORS; i++)
                links[i].here = CHECK_OK(plait_dial(links[0].address, plait_in_s(60)));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        for (int i = 0; i < ACCEPTORS; i++) {
                CHECK_OK(plait_close(links[i].here));
                CHECK_OK(plait_close(links[i].there));
        }
        CHECK_OK(plait_close(listener));
}

TEST(out_of_descriptors_leaves_the_connection_waiting, .run = in_task)
{
        struct rlimit limit, less;
        char text[PLAIT_ADDRESS_TEXT];
        int listener = listen_on("127.0.0.1:0", text);
        int here = CHECK_OK(plait_dial(text, plait_in_s(60)));

        CHECK_SYS(getrlimit(RLIMIT_NOFILE, &limit));
        less = limit;
        less.rlim_cur = 3;
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &less));
        CHECK_INT(plait_accept(listener, NULL, plait_in_s(60)), ==, -EMFILE);
        CHECK_INT(plait_accept(listener, NULL, plait_in_s(60)), ==, -EMFILE);
        CHECK_INT(plait_dial(text, plait_in_s(60)), ==, -EMFILE);
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));

        int there = CHECK_OK(plait_accept(listener, NULL, plait_in_s(60)));

        CHECK_OK(plait_close(here));
        CHECK_OK(plait_close(there));
        CHECK_OK(plait_close(listener));
}

TEST(foreign_sockets_work_and_stay_blocking, .run = in_task)
{
        int pair[2];
        char text[8];

        CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        CHECK_INT(plait_read(pair[0], text, 1, plait_in_ms(2)), ==, -ETIMEDOUT);
        CHECK_INT(plait_write_full(pair[1], "abc", 3, PLAIT_NEVER), ==, 3);
        CHECK_INT(plait_read(pair[0], text, sizeof text, PLAIT_NEVER), ==, 3);
        CHECK_INT(plait_recv(pair[0], text, sizeof text, 0, 0), ==, -ETIMEDOUT);
        CHECK_INT(fcntl(pair[0], F_GETFL) & O_NONBLOCK, ==, 0);
        close(pair[0]);
        CHECK_INT(plait_write(pair[1], "x", 1, PLAIT_NEVER), ==, -EPIPE);
        close(pair[1]);
}

TEST(connect_works_for_foreign_sockets, .run = in_task)
{
        char text[PLAIT_ADDRESS_TEXT];
        struct plait_address address;
        int listener = listen_on("127.0.0.1:0", text);
        int fd = CHECK_SYS(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

        CHECK_OK(plait_local_address(listener, &address));
        CHECK_OK(plait_connect(fd, &address.as.any, address.length, plait_in_s(60)));
        close(fd);

        int there = CHECK_OK(plait_accept(listener, NULL, plait_in_s(60)));

        CHECK_INT(plait_read(there, text, 1, plait_in_s(60)), ==, 0);
        CHECK_OK(plait_close(there));
        CHECK_OK(plait_close(listener));
}

static int echo(void *arg)
{
        int fd = (int)(intptr_t)arg;
        char buffer[512];
        ssize_t n;

        while ((n = plait_read(fd, buffer, sizeof buffer, PLAIT_NEVER)) > 0)
                CHECK_INT(plait_write_full(fd, buffer, (size_t)n, PLAIT_NEVER), ==, n);
        CHECK_INT(n, ==, 0);
        CHECK_OK(plait_close(fd));
        return 0;
}

struct server {
        int listener, clients;
        char address[PLAIT_ADDRESS_TEXT];
};

static int serve(void *arg)
{
        const struct server *server = arg;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < server->clients; i++) {
                int fd = CHECK_OK(plait_accept(server->listener, NULL, PLAIT_NEVER));

                CHECK_OK(plait_scope_go(&scope, echo, (void *)(intptr_t)fd));
        }
        return plait_scope_join(&scope);
}

static int client(void *arg)
{
        const struct server *server = arg;
        int fd = CHECK_OK(plait_dial(server->address, PLAIT_NEVER));
        char out[700], in[700];

        for (int i = 0; i < 20; i++) {
                memset(out, 'a' + i, sizeof out);
                CHECK_INT(plait_write_full(fd, out, sizeof out, PLAIT_NEVER), ==, sizeof out);
                CHECK_INT(plait_read_full(fd, in, sizeof in, PLAIT_NEVER), ==, sizeof in);
                CHECK_MEM(in, out, sizeof in);
        }
        CHECK_OK(plait_close(fd));
        return 0;
}

TEST(many_clients_are_served, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        static struct server server = {.clients = 200};

        server.listener = listen_on("127.0.0.1:0", server.address);
        CHECK_OK(plait_scope_go(&scope, serve, &server));
        for (int i = 0; i < server.clients; i++)
                CHECK_OK(plait_scope_go(&scope, client, &server));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_OK(plait_close(server.listener));
}
