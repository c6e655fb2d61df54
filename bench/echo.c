/*
 * echo: a server that echoes what it reads, a task per connection. Prints {"port": P}, ends when standard input does.
 *
 * One worker by default, as the servers it is compared with have one thread; PLAIT_WORKERS=2 gives it two.
 */
#include <plait/plait.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUFFER_BYTES = 4096 };

static int serve(void *arg)
{
        char buffer[BUFFER_BYTES];
        int fd = (int)(intptr_t)arg;
        ssize_t n;

        while ((n = plait_read(fd, buffer, sizeof buffer, PLAIT_NEVER)) > 0)
                if (plait_write_full(fd, buffer, (size_t)n, PLAIT_NEVER) != n)
                        break;
        plait_close(fd);
        return 0;
}

static int accept_all(void *arg)
{
        struct plait_scope connections = PLAIT_SCOPE_INIT;
        int listener = (int)(intptr_t)arg;
        int fd;

        while ((fd = plait_accept(listener, NULL, PLAIT_NEVER)) >= 0)
                if (plait_scope_go(&connections, serve, (void *)(intptr_t)fd) < 0)
                        plait_close(fd);
        plait_scope_cancel(&connections);
        (void)plait_scope_join(&connections);
        return 0;
}

static int announce(int listener)
{
        struct plait_address address;
        int r = plait_local_address(listener, &address);

        if (r < 0)
                return r;
        printf("{\"port\": %d}\n", ntohs(address.as.in.sin_port));
        fflush(stdout);
        return 0;
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        char input[64];

        (void)arg;
        int listener = plait_listen("127.0.0.1:0", NULL);
        if (listener < 0)
                return listener;
        int r = announce(listener);
        if (r < 0)
                return r;
        plait_scope_go(&scope, accept_all, (void *)(intptr_t)listener);
        while (plait_read(STDIN_FILENO, input, sizeof input, PLAIT_NEVER) > 0)
                ;
        plait_scope_cancel(&scope);
        (void)plait_scope_join(&scope);
        return plait_close(listener);
}

int main(void)
{
        struct plait_run_opts opts = {.size = sizeof opts};

        if (!getenv("PLAIT_WORKERS"))
                opts.workers = 1;
        int r = plait_run(app, NULL, &opts);
        if (r < 0)
                fprintf(stderr, "echo: error %d\n", -r);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
