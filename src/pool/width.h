/*
 * The number of workers of an executor that finds it by measurement (PLAIT_AUTO): what those of threads and of
 * processes have in common. How it is found: control.h.
 */
#ifndef PL_POOL_WIDTH_H
#define PL_POOL_WIDTH_H

#include <stdint.h>

#include "base/attributes.h"
#include "plat/order.h"
#include "pool/executor.h"

/*
 * Make executor->tuner; *on_change* is called with *arg* when the number is another one, pl_width_of() it. *order* says
 * where workers run. Returns 0 and the number to begin with, or -ENOMEM.
 */
PL_WARN_UNUSED int pl_width_begin(struct plait_executor *executor, const struct pl_order *order,
                                  void (*on_change)(void *arg, const struct plait_tuner_view *view), void *arg,
                                  unsigned *ret_workers);

/* How many jobs may come to run at the same time. */
unsigned pl_width_most(struct plait_executor *executor);

static inline unsigned pl_width_of(const struct plait_tuner_view *view)
{
        return view->limit < PL_WORKERS_MOST ? view->limit : PL_WORKERS_MOST;
}

/*
 * How many processors workers may keep busy, if it is time to look again and the number has changed; else 0. Then the
 * tuner is to be told. An executor without a tuner costs a branch. Affinity is taken as it was at first, for a job may
 * change that of its thread.
 */
unsigned pl_width_look(struct plait_executor *executor);

#endif
