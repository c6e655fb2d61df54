/*
 * The limit of workers that compute. As many as processors keep those busy; more help only as far as workers block, and
 * then as many that on average as many as processors do not. The share of time for which jobs block is the caller's to
 * measure, without the waits for a processor: those get longer the more workers there are.
 *
 * What jobs wait for may get no more done by being asked by more of them (a server, a disk, a lock). So while there are
 * more workers than processors, a fifth fewer are tried now and then, and kept if they do as much. The same is done
 * when a job takes over a fifth more processor time than it did at its best (workers get into each other's way: caches,
 * memory, locks). What a machine does besides shows in the same way, so a number below that of the processors is not
 * kept for long at first.
 */
#include "pool/control.h"

#define BLOCKS 0.05       /* jobs that block for less than this share do not block */
#define BLOCKED_MOST 0.95 /* so that the number of workers stays finite */
#define SPARE 4           /* workers more for each processor, if jobs did nothing but block */
#define INFLATION 1.2     /* processor time of a job, times the least */
#define SMOOTHING 0.5     /* how much of the wanted number is taken in a window */
#define KEPT_FOR 24       /* windows for which no more are tried than those that did as much, at first: on a busy */
#define KEPT_FOR_MOST 384 /* machine that may have been chance. The same number again, and it is twice as long */
#define EVERY_MOST 192    /* windows between checks, at most */

/*
 * How many workers keep the processors busy. On average as many as processors are not blocked then; as now more are and
 * now fewer, that leaves processors idle, and some more are needed, the more the jobs block.
 */
static double wanted(const struct pl_pool_control *control, const struct pl_pool_result *result)
{
        double blocked = result->blocked < BLOCKED_MOST ? result->blocked : BLOCKED_MOST;
        double workers = blocked < BLOCKS ? control->processors
                                          : control->processors * (1 / (1 - blocked) + SPARE * blocked);

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
        case PL_POOL_UNDECIDED: break;
        case PL_POOL_USELESS: control->check_in = control->check_every; break;
        case PL_POOL_FEWER_DO:
                control->ceiling = pl_pool_control_limit(control);
                control->check_in = control->kept_for;
                if (control->kept_for < KEPT_FOR_MOST)
                        control->kept_for *= 2;
                control->least_cpu_ns = control->check_cpu_ns;
                break;
        case PL_POOL_FEWER_LOSE:
                control->least_cpu_ns = control->check_cpu_ns;
                control->kept_for = KEPT_FOR;
                if (control->check_every < EVERY_MOST)
                        control->check_every *= 2;
                control->check_in = control->check_every;
                break;
        }
        return changed;
}

/* Whether it is time to see if fewer do, though jobs take no more processor time than usual. */
static bool is_due(struct pl_pool_control *control)
{
        if (--control->check_in > 0)
                return false;
        control->check_in = control->check_every;
        if (control->ceiling < control->most) {
                control->ceiling = control->most; /* it may have been due to jobs that are done */
                return false;
        }
        return pl_pool_control_limit(control) > control->processors;
}

bool pl_pool_cpu_decide(struct pl_pool_control *control, const struct pl_pool_result *result, int64_t now_ns)
{
        if (control->check != PL_POOL_CHECK_NONE)
                return go_on_checking(control, result, now_ns);
        if (!(control->least_cpu_ns > 0) || result->cpu_ns < control->least_cpu_ns)
                control->least_cpu_ns = result->cpu_ns;
        bool due = is_due(control);
        if (!due && follow_blocking(control, result, now_ns))
                return true;
        bool inflated = control->least_cpu_ns > 0 && result->cpu_ns > INFLATION * control->least_cpu_ns &&
                        pl_pool_control_limit(control) > control->least;
        if (due || inflated)
                pl_pool_check_begin(control, now_ns);
        return false;
}
