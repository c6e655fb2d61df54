/*
 * Worker processes that tell what they have used.
 */
#include "demo/workers.h"

#include <errno.h>

#include <plait/array.h>

#include "demo/usage.h"

/* A row for each worker, after the first, whose first element counts them. */
enum { CPU_US, RSS_BYTES, COLUMNS };

static struct plait_array reports;

static void report(void *arg)
{
        struct plait_array all = PLAIT_ARRAY_INIT;

        if (plait_array_open(arg, &all) < 0)
                return;
        uint64_t row = __atomic_add_fetch(&plait_array_at(&all, uint64_t, 0, 0), 1, __ATOMIC_RELAXED);
        if (row < all.shape[0]) {
                plait_array_at(&all, uint64_t, row, CPU_US) = (uint64_t)(usage_cpu_s() * 1e6);
                plait_array_at(&all, uint64_t, row, RSS_BYTES) = usage_peak_rss_bytes();
        }
        plait_array_done(&all);
}

int workers_open(unsigned workers, int (*initializer)(void *unused), struct plait_executor **ret_executor)
{
        struct plait_array_handle handle;
        struct plait_executor_opts opts = {.size = sizeof opts,
                                           .name = "demo",
                                           .workers = workers,
                                           .initializer = initializer,
                                           .finaliser = report,
                                           .arg = &handle,
                                           .arg_bytes = sizeof handle};
        int r = plait_array_init(&reports, PLAIT_ARRAY_U64, 2, (const size_t[]){WORKERS_MAX + 1, COLUMNS}, NULL);

        if (r == 0)
                r = plait_array_share(&reports, &handle);
        return r < 0 ? r : plait_executor_processes(&opts, ret_executor);
}

int workers_close(struct plait_executor *executor)
{
        int r = plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER);

        plait_executor_free(executor);
        return r;
}

void workers_add(struct measure *measure)
{
        for (size_t row = 1; reports.dims && row < reports.shape[0]; row++) {
                measure->cpu_s += (double)plait_array_at(&reports, uint64_t, row, CPU_US) / 1e6;
                measure->peak_rss_bytes += plait_array_at(&reports, uint64_t, row, RSS_BYTES);
        }
        plait_array_done(&reports);
}
