/*
 * Would fewer do? The usual time to the first byte is an average over all that was measured, so where a queue grows
 * slowly it grows along, and does not tell. So a fifth less is tried now and then, and what gets done in that time is
 * compared with what got done before.
 *
 * Both windows are five generations long, so that waves of calls that begin and end together are counted whole.
 */
#include "pool/control.h"

#define FEWER 0.8    /* what is tried */
#define AS_MUCH 0.95 /* of what was done before is as much */
#define CHECK_CALLS \
        128 /* at least so many are counted: goodput is then known within some 9 % even if times vary a lot */
#define GENERATIONS 5
#define IN_USE 0.8 /* of the limit has to be under way on average, or a lower one changes nothing */

uint64_t pl_pool_check_calls(const struct pl_pool_control *control)
{
        unsigned limit = pl_pool_control_limit(control);
        uint64_t generations = GENERATIONS;

        if (control->check == PL_POOL_CHECK_NONE || control->check == PL_POOL_CHECK_SETTLE)
                return limit;
        while (generations * limit < CHECK_CALLS)
                generations++;
        return generations * limit;
}

void pl_pool_check_begin(struct pl_pool_control *control, int64_t now_ns)
{
        control->check = PL_POOL_CHECK_BEFORE;
        pl_pool_control_reopen(control, now_ns);
}

static unsigned fewer_than(unsigned limit)
{
        unsigned fewer = (unsigned)(limit * FEWER);

        return fewer < limit ? fewer : limit - 1;
}

/* So many did as much as more did: the limit to come back to, and what it was like with it. */
static void note_kept(struct pl_pool_control *control, const struct pl_pool_result *result)
{
        control->check_kept = true;
        control->check_limit = pl_pool_control_limit(control);
        control->check_first_byte_ns = result->first_byte_ns;
        control->check_cpu_ns = result->cpu_ns;
}

enum pl_pool_verdict pl_pool_check_step(struct pl_pool_control *control, const struct pl_pool_result *result,
                                        int64_t now_ns, bool *ret_changed)
{
        unsigned limit = pl_pool_control_limit(control);

        *ret_changed = false;
        switch (control->check) {
        case PL_POOL_CHECK_BEFORE:
                control->check = PL_POOL_CHECK_NONE;
                if (result->in_flight < IN_USE * limit || fewer_than(limit) < control->least)
                        return PL_POOL_USELESS;
                control->check = PL_POOL_CHECK_SETTLE;
                control->check_goodput = result->goodput;
                note_kept(control, result);
                control->check_kept = false;
                *ret_changed = pl_pool_control_set(control, fewer_than(limit), PLAIT_TUNER_TRYING, now_ns);
                return PL_POOL_UNDECIDED;
        case PL_POOL_CHECK_SETTLE: control->check = PL_POOL_CHECK_FEWER; return PL_POOL_UNDECIDED;
        default: break;
        }
        if (pl_pool_gain(&control->check_goodput, &result->goodput) >= AS_MUCH) {
                note_kept(control, result);
                if (fewer_than(limit) >= control->least) {
                        /* A fifth less again, compared with the same goodput, so that little losses do not add up. */
                        control->check = PL_POOL_CHECK_SETTLE;
                        *ret_changed = pl_pool_control_set(control, fewer_than(limit), PLAIT_TUNER_TRYING, now_ns);
                        return PL_POOL_UNDECIDED;
                }
                control->check = PL_POOL_CHECK_NONE;
                control->reason = PLAIT_TUNER_FEWER_DO;
                return PL_POOL_FEWER_DO;
        }
        bool some_did = control->check_kept;
        control->check = PL_POOL_CHECK_NONE;
        *ret_changed = pl_pool_control_set(control, control->check_limit,
                                           some_did ? PLAIT_TUNER_FEWER_DO : PLAIT_TUNER_FEWER_LOSE, now_ns);
        return some_did ? PL_POOL_FEWER_DO : PL_POOL_FEWER_LOSE;
}
