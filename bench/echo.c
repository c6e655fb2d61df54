/*
 * echo: a server that echoes what it reads, a task per connection. Prints {"port": P}, ends when standard input does.
 *
 * One worker by default, as the servers it is compared with have one thread; PLAIT_WORKERS=2 gives it two.
 */
#include "server.h"

#include <stdlib.h>

enum { BUFFER_BYTES = 4096 };

static int serve(void *fd)
{
        char buffer[BUFFER_BYTES];

        return server_echo((int)(intptr_t)fd, buffer, sizeof buffer);
}

static int app(void *arg)
{
        (void)arg;
        return server_run(serve, NULL);
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
