/* The number of workers that is found by measurement; see width.h. */
#include "pool/width.h"

#include "plat/sys.h"

enum { MOST_PER_PROCESSOR = 8 };

#define LOOK_NS INT64_C(1000000000) /* a look reads some files of the kernel's and takes 0.1 ms */

static unsigned within_quota(unsigned processors)
{
        int quota = pl_plat_cpu_quota("");

        return quota > 0 && (unsigned)quota < processors ? (unsigned)quota : processors;
}

int pl_width_begin(struct plait_executor *executor, const struct pl_order *order,
                   void (*on_change)(void *arg, const struct plait_tuner_view *view), void *arg, unsigned *ret_workers)
{
        unsigned affine = (unsigned)pl_plat_cpu_affinity();

        if (order->n_cpus && order->n_cpus < affine)
                affine = order->n_cpus;
        unsigned processors = within_quota(affine);
        struct plait_tuner_opts opts = {
                .size = sizeof opts,
                .kind = PLAIT_TUNER_CPU,
                .name = executor->name,
                .processors = processors,
                .first = processors < PL_WORKERS_MOST ? processors : PL_WORKERS_MOST,
                .on_change = on_change,
                .arg = arg,
        };
        int r = plait_tuner_new(&executor->tuner, &opts);

        if (r < 0)
                return r;
        executor->affine = affine;
        executor->processors = processors;
        atomic_store_explicit(&executor->look_ns, pl_plat_now_ns() + LOOK_NS, memory_order_relaxed);
        *ret_workers = opts.first;
        return 0;
}

unsigned pl_width_most(struct plait_executor *executor)
{
        unsigned most = MOST_PER_PROCESSOR * executor->affine;

        if (!executor->tuner)
                return executor->kind->width(executor);
        return most < PL_WORKERS_MOST ? most : PL_WORKERS_MOST;
}

unsigned pl_width_look(struct plait_executor *executor)
{
        if (!executor->tuner)
                return 0;
        int64_t now_ns = pl_plat_now_ns();
        int64_t due_ns = atomic_load_explicit(&executor->look_ns, memory_order_relaxed);
        if (PL_LIKELY(now_ns < due_ns) ||
            !atomic_compare_exchange_strong(&executor->look_ns, &due_ns, now_ns + LOOK_NS))
                return 0;
        unsigned processors = within_quota(executor->affine);
        return atomic_exchange(&executor->processors, processors) == processors ? 0 : processors;
}
