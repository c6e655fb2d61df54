/*
 * The limit of workers that compute. As many as processors keep those busy; more help only as far as workers block, and
 * then as many that on average as many as processors do not. The share of time for which jobs block is the caller's to
 * measure, without the waits for a processor: those get longer the more workers there are.
 *
 * When a job takes over a fifth more processor time than it did at its best (workers get into each other's way: caches,
 * memory, locks), a fifth fewer are tried, and kept if they do as much.
 */
#include "pool/control.h"

#define BLOCKS 0.05         /* jobs that block for less than this share do not block */
#define BLOCKED_MOST 0.95   /* so that the number of workers stays finite */
#define INFLATION 1.2       /* processor time of a job, times the least */
#define CEILING_WINDOWS 256 /* for so long no more are tried than those that did as much */
#define SMOOTHING 0.5       /* how much of the wanted number is taken in a window */

/* How many workers keep the processors busy. */
static double wanted(const struct pl_pool_control *control, const struct pl_pool_result *result)
{
        double blocked = result->blocked < BLOCKED_MOST ? result->blocked : BLOCKED_MOST;
        double workers = blocked < BLOCKS ? control->processors : control->processors / (1 - blocked);

        return workers < control->ceiling ? workers : control->ceiling;
}

static bool follow_blocking(struct pl_pool_control *control, const struct pl_pool_result *result, int64_t now_ns)
{
        double goal = wanted(control, result);
        double limit = control->limit + (goal - control->limit) * SMOOTHING;

        if (limit - goal < 0.5 && goal - limit < 0.5)
                limit = goal;
        if (limit > control->limit && result->most_in_flight < pl_pool_control_limit(control))
                return false; /* nobody waits for a worker */
        return pl_pool_control_set(control, limit, limit > control->limit ? PLAIT_TUNER_BLOCKED : PLAIT_TUNER_UNBLOCKED,
                                   now_ns);
}

static bool go_on_checking(struct pl_pool_control *control, const struct pl_pool_result *result, int64_t now_ns)
{
        bool changed = false;

        switch (pl_pool_check_step(control, result, now_ns, &changed)) {
        case PL_POOL_UNDECIDED:
        case PL_POOL_USELESS: break;
        case PL_POOL_FEWER_DO:
                control->ceiling = pl_pool_control_limit(control);
                control->check_in = CEILING_WINDOWS;
                control->least_cpu_ns = control->check_cpu_ns;
                break;
        case PL_POOL_FEWER_LOSE: control->least_cpu_ns = control->check_cpu_ns; break;
        }
        return changed;
}

bool pl_pool_cpu_decide(struct pl_pool_control *control, const struct pl_pool_result *result, int64_t now_ns)
{
        if (control->check != PL_POOL_CHECK_NONE)
                return go_on_checking(control, result, now_ns);
        if (!(control->least_cpu_ns > 0) || result->cpu_ns < control->least_cpu_ns)
                control->least_cpu_ns = result->cpu_ns;
        if (control->ceiling < control->most && --control->check_in == 0)
                control->ceiling = control->most; /* it may have been due to jobs that are done */
        if (follow_blocking(control, result, now_ns))
                return true;
        if (control->least_cpu_ns > 0 && result->cpu_ns > INFLATION * control->least_cpu_ns &&
            pl_pool_control_limit(control) > control->least)
                pl_pool_check_begin(control, now_ns);
        return false;
}
