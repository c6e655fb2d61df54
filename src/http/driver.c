/*
 * Which driver, and its start and end.
 *
 * The set of drivers is kept per run: made by the first task that makes a transfer, freed on the way out of the run,
 * after the last task has ended. *lock* guards the pointer to it.
 */
#include "http/driver.h"

#include <errno.h>
#include <stdlib.h>

#include "plait/run.h"
#include "plait/task.h"
#include "sched/runtime.h"

enum { DRIVER_STACK_BYTES = 1 << 20 }; /* libcurl, TLS and users' callbacks: as a thread would have it, nearly */

struct drivers {
        unsigned n;
        struct pl_http_names *names;
        struct pl_http_driver driver[];
};

static struct pl_lock drivers_lock;
static struct drivers *drivers;
static uint64_t drivers_run;

static void stop(void *arg)
{
        struct drivers *set = arg;

        pl_lock_acquire(&drivers_lock);
        if (drivers == set)
                drivers = NULL;
        pl_lock_release(&drivers_lock);
        pl_http_names_free(set->names);
        free(set);
}

static int start(struct drivers **ret)
{
        const struct plait_task_opts opts = {.size = sizeof opts, .name = "http", .stack_bytes = DRIVER_STACK_BYTES};
        unsigned n = plait_workers();
        struct drivers *set = calloc(1, sizeof *set + n * sizeof set->driver[0]);
        int r;

        if (!set)
                return -ENOMEM;
        r = pl_http_names_new(&set->names);
        if (r >= 0)
                r = pl_sched_at_stop(stop, set);
        if (r < 0) {
                pl_http_names_free(set->names);
                free(set);
                return r;
        }
        for (unsigned i = 0; i < n; i++) {
                set->driver[i].index = i;
                set->driver[i].names = set->names;
                pl_list_init(&set->driver[i].orders);
                pl_list_init(&set->driver[i].round);
                r = pl_sched_start_service(pl_http_driver_loop, &set->driver[i], &opts, i);
                if (r < 0)
                        break;
                set->n++;
        }
        if (!set->n)
                return r; /* the set goes with the run */
        *ret = set;
        return 0;
}

int pl_http_driver_for(struct pl_http_driver **ret, uint32_t origin)
{
        uint64_t run = pl_sched_run_id();
        int r = 0;

        pl_lock_acquire(&drivers_lock);
        if (!drivers || drivers_run != run) {
                r = start(&drivers);
                drivers_run = run;
        }
        if (r >= 0)
                *ret = &drivers->driver[origin % drivers->n];
        pl_lock_release(&drivers_lock);
        return r;
}

void pl_http_driver_order(struct pl_http_driver *driver, struct pl_http_transfer *transfer, unsigned order)
{
        struct pl_wait *sleeper;

        pl_lock_acquire(&driver->lock);
        transfer->orders |= order;
        if (!pl_list_linked(&transfer->order_link))
                pl_list_push_back(&driver->orders, &transfer->order_link);
        sleeper = pl_sched_wake_take(&driver->sleeper);
        pl_lock_release(&driver->lock);
        if (sleeper)
                pl_sched_wake_ready(sleeper);
}
