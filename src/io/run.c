/* plait_run(): the scheduler with a poller chosen for it. */
#include "plait/run.h"

#include <stdlib.h>
#include <string.h>

#include "io/backend.h"
#include "plat/panic.h"
#include "sched/runtime.h"

/* docs/internals/poller.md has the figures behind the default. */
static const struct pl_poller_ops *choose(void)
{
        const char *wanted = getenv("PLAIT_POLLER");

        if (!wanted || !*wanted || strcmp(wanted, "epoll") == 0)
                return &pl_io_epoll;
        if (strcmp(wanted, "io_uring") != 0) {
                pl_warn("PLAIT_POLLER=%s: there is no such poller; set it to epoll or io_uring. Going on with epoll",
                        wanted);
                return &pl_io_epoll;
        }

        int r = pl_io_uring_probe();

        if (r < 0) {
                pl_warn("PLAIT_POLLER=io_uring: this system does not let plait use it (%s); going on with epoll",
                        strerrordesc_np(-r));
                return &pl_io_epoll;
        }
        return &pl_io_uring;
}

int plait_run(int (*fn)(void *arg), void *arg, const struct plait_run_opts *opts)
{
        return pl_sched_run(fn, arg, opts, choose());
}
