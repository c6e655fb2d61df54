/* For the benchmark programs that are servers: a task per connection, on a port that the kernel gives. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <plait/plait.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* Gives back what comes, with a buffer of the caller's, until the other side closes; and closes. 0, as a task ends. */
static inline int server_echo(int fd, char *buffer, size_t bytes)
{
        ssize_t n;

        while ((n = plait_read(fd, buffer, bytes, PLAIT_NEVER)) > 0)
                if (plait_write_full(fd, buffer, (size_t)n, PLAIT_NEVER) != n)
                        break;
        plait_close(fd);
        return 0;
}

struct server {
        int listener;
        int (*serve)(void *fd); /* a task, which closes it */
};

static inline int server_accept_all(void *arg)
{
        struct plait_scope connections = PLAIT_SCOPE_INIT;
        const struct server *server = arg;
        int fd;

        while ((fd = plait_accept(server->listener, NULL, PLAIT_NEVER)) >= 0)
                if (plait_scope_go(&connections, server->serve, (void *)(intptr_t)fd) < 0)
                        plait_close(fd);
        plait_scope_cancel(&connections);
        (void)plait_scope_join(&connections);
        return 0;
}

/*
 * Prints {"port": P} and serves until standard input ends. *beside* (may be NULL) is a task that runs meanwhile. In a
 * task; 0 or -errno.
 */
static inline int server_run(int (*serve)(void *fd), int (*beside)(void *nothing))
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct server server = {.listener = plait_listen("127.0.0.1:0", NULL), .serve = serve};
        struct plait_address address;
        char input[64];

        int r = server.listener < 0 ? server.listener : plait_local_address(server.listener, &address);
        if (r < 0)
                return r;
        printf("{\"port\": %d}\n", ntohs(address.as.in.sin_port));
        fflush(stdout);
        plait_scope_go(&scope, server_accept_all, &server);
        if (beside)
                plait_scope_go(&scope, beside, NULL);
        while (plait_read(STDIN_FILENO, input, sizeof input, PLAIT_NEVER) > 0)
                ;
        plait_scope_cancel(&scope);
        r = plait_scope_join(&scope);
        plait_close(server.listener);
        return r == -ECANCELED ? 0 : r;
}

#endif
