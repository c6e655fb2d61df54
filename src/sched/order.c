/* plait_thread_apply(). */
#include "plat/order.h"

#include <errno.h>

#include "sched/worker.h"

int plait_thread_apply(const struct plait_thread_opts *opts)
{
        struct pl_order order;

        if (!opts || pl_sched_self_get())
                return -EINVAL;

        int r = pl_plat_order_make(opts, &order);

        return r < 0 ? r : pl_plat_order_apply(&order);
}
