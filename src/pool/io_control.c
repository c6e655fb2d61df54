/*
 * The limit of requests, by latency, goodput and refusals.
 *
 * Latency: Gradient2 of Netflix's concurrency-limits (Gradient2Limit.java there, Apache 2.0; the formula, not its
 * code). New limit = limit * gradient + allowance, smoothed, where the gradient is the usual time to the first byte by
 * the present one, between 0.5 and 1; the usual one is an average over a long time. What differs here: a window is a
 * generation of calls, not a second; a present time is only taken for longer than usual when it is so beyond its
 * standard error; the limit doubles at the beginning; and whether a smaller one would do is tried (check.c), for the
 * average follows a queue that grows slowly.
 *
 * Refusals: a cut by a tenth (AIMD), or in the doubling beginning to what was taken before, once for each burst: calls
 * that began before the last cut do not cut again. How many were under way when a refused call began says how many the
 * server takes at most, the *ceiling*; beyond it goes another try only after a while, which doubles each time.
 */
#include "pool/control.h"

#include <math.h>

#define ALLOWANCE_LEAST 2    /* calls that may queue however few there are; else the root of the limit */
#define SMOOTHING 0.2        /* how much of the new limit is taken */
#define GRADIENT_LEAST 0.5   /* a window in which all goes wrong does not more than this */
#define LONG_WINDOWS 600     /* that the usual time is the average of; those of the beginning count alike */
#define RECOVERY 0.95        /* of the usual time, for each window in which it is twice the present one */
#define TOLERANCE_START 1.25 /* times usual that end the doubling */
#define TOLERANCE 1.1        /* times usual from which on a time is longer */
#define ERRORS 2.0           /* standard errors that a time is better than it looks */
#define AGAIN 1.25           /* the growth in place of doubling when more is tried later on */
#define GAIN_LEAST 0.2       /* of what is added has to show in what gets done */
#define GAIN_PAYS 0.4  /* if so much of it shows, first bytes may come later; once, for a server may just warm up */
#define GAIN_FULL 0.8  /* and if so much does, it goes on by doubling */
#define STRIKES 2      /* so often in turn, for once may be chance; then all that is taken back */
#define SLOW_WINDOWS 2 /* the same of first bytes that come later */
#define CALM_LEAST 5   /* windows without a sign of a queue, after which it is tried again to grow quickly, */
#define CALM_MOST 128  /* and at most, when that has failed again and again */
#define CUT 0.9        /* AIMD */
#define PATIENCE_LEAST_NS INT64_C(1000000000)
#define PATIENCE_MOST_NS INT64_C(60000000000)
#define PATIENCE_PER_HOLD 20 /* times as long as the server wants to be left alone */
#define CHECK_EVERY 24       /* windows between checks at first, */
#define CHECK_EVERY_MOST 192 /* and at most */

static double smaller(double a, double b)
{
        return a < b ? a : b;
}

/* What of a greater limit is allowed with regard to refusals. */
static double under_ceiling(struct pl_pool_control *control, double limit, int64_t now_ns)
{
        if (limit < control->ceiling + 1.0 || control->ceiling >= control->most)
                return limit;
        if (pl_pool_control_limit(control) >= control->ceiling && now_ns >= control->probe_ns) {
                /* All of them were taken for a generation, and it is time to try more. */
                control->ceiling = (unsigned)smaller(control->most, control->ceiling + (double)control->raise);
                control->raise *= 2;
        }
        return smaller(limit, control->ceiling);
}

static void learn_usual(struct pl_pool_control *control, double first_byte_ns)
{
        bool beginning = control->starting || control->windows == 0;
        double weight = beginning ? 1.0 / (double)(control->windows + 1) : 2.0 / (LONG_WINDOWS + 1);

        control->windows++;
        control->usual_ns += (first_byte_ns - control->usual_ns) * weight;
        if (control->usual_ns > 2 * first_byte_ns)
                control->usual_ns *= RECOVERY;
}

/* What is usual is known anew. */
static void set_usual(struct pl_pool_control *control, double first_byte_ns)
{
        control->usual_ns = first_byte_ns;
        control->windows = 1;
}

/* The usual time by the present one, as far as that is certain; 1: no longer than usual. */
static double gradient_of(const struct pl_pool_control *control, const struct pl_pool_result *result, double tolerance)
{
        double certain_ns = result->first_byte_ns - ERRORS * result->error_ns;

        if (control->kind != PLAIT_TUNER_IO || control->windows == 0 || certain_ns <= tolerance * control->usual_ns)
                return 1;
        double gradient = tolerance * control->usual_ns / certain_ns;
        return gradient > GRADIENT_LEAST ? gradient : GRADIENT_LEAST;
}

static void stop_doubling(struct pl_pool_control *control)
{
        control->starting = false;
        control->no_gain = 0;
        control->slow = 0;
        control->calm = 0;
        control->paid = false;
        control->former = (struct pl_pool_goodput){0};
        control->check_in = control->check_every;
}

/* Growing by quarters finds out quickly whether more is worth it, and comes back if not. */
static void start_again(struct pl_pool_control *control)
{
        control->starting = control->ceiling >= control->most;
        control->growth = AGAIN;
        control->former = (struct pl_pool_goodput){0};
        control->calm = 0;
}

/* How much more got done than in the window before, which had so much less under way; without one: all of it. */
static double gain_of(const struct pl_pool_control *control, const struct pl_pool_result *result)
{
        return control->former.calls > 0 ? pl_pool_gain(&control->former, &result->goodput) : control->growth;
}

/* Whether that share of what was added shows in what gets done. */
static bool shows(const struct pl_pool_control *control, double gain, double share)
{
        return gain > 1 + share * (control->growth - 1);
}

static bool start_on(struct pl_pool_control *control, const struct pl_pool_result *result, int64_t now_ns)
{
        double gradient = gradient_of(control, result, TOLERANCE_START);
        double gain = gain_of(control, result);
        unsigned limit = pl_pool_control_limit(control);
        bool first = !(control->former.calls > 0);

        if (result->most_in_flight < limit / 2)
                return false;
        if (gradient < 1 && !first && !control->paid && control->growth > AGAIN && shows(control, gain, GAIN_PAYS)) {
                set_usual(control, result->first_byte_ns); /* it takes longer, and is worth it */
                control->paid = true;
        } else if (gradient < 1) {
                if (++control->slow < SLOW_WINDOWS)
                        return false;
                stop_doubling(control);
                return pl_pool_control_set(control, limit * gradient, PLAIT_TUNER_SLOWER, now_ns);
        }
        control->slow = 0;
        control->no_gain = shows(control, gain, GAIN_LEAST) ? 0 : control->no_gain + 1;
        if (control->no_gain == STRIKES) {
                stop_doubling(control);
                return pl_pool_control_set(control, limit / control->growth / control->growth, PLAIT_TUNER_NO_GAIN,
                                           now_ns);
        }
        if (!first && control->no_gain == 0)
                control->calm_wanted = CALM_LEAST;
        if (!first && shows(control, gain, GAIN_FULL))
                control->growth = 2;
        learn_usual(control, result->first_byte_ns);
        double more = control->growth * limit;
        if (more >= control->most)
                stop_doubling(control);
        control->former = result->goodput;
        return pl_pool_control_set(control, more, control->growth > AGAIN ? PLAIT_TUNER_DOUBLED : PLAIT_TUNER_GREW,
                                   now_ns);
}

static bool adapt(struct pl_pool_control *control, const struct pl_pool_result *result, int64_t now_ns)
{
        double gradient = gradient_of(control, result, TOLERANCE);
        double allowance = sqrt(control->limit);

        learn_usual(control, result->first_byte_ns);
        if (result->most_in_flight < pl_pool_control_limit(control) / 2)
                return false;
        control->calm = gradient < 1 ? 0 : control->calm + 1;
        if (control->calm >= control->calm_wanted) {
                start_again(control);
                if (control->calm_wanted < CALM_MOST)
                        control->calm_wanted *= 2;
        }
        if (allowance < ALLOWANCE_LEAST)
                allowance = ALLOWANCE_LEAST;
        double wanted = control->limit * gradient + allowance;
        double limit = control->limit * (1 - SMOOTHING) + wanted * SMOOTHING;
        if (limit > control->limit)
                limit = under_ceiling(control, limit, now_ns);
        return pl_pool_control_set(control, limit, limit > control->limit ? PLAIT_TUNER_GREW : PLAIT_TUNER_SLOWER,
                                   now_ns);
}

static bool go_on_checking(struct pl_pool_control *control, const struct pl_pool_result *result, int64_t now_ns)
{
        bool changed = false;

        switch (pl_pool_check_step(control, result, now_ns, &changed)) {
        case PL_POOL_UNDECIDED: break;
        case PL_POOL_USELESS: control->check_in = control->check_every; break;
        case PL_POOL_FEWER_DO:
                set_usual(control, control->check_first_byte_ns);
                control->check_every = CHECK_EVERY;
                control->check_in = CHECK_EVERY;
                break;
        case PL_POOL_FEWER_LOSE:
                set_usual(control, control->check_first_byte_ns);
                start_again(control); /* where fewer do less, more may do more */
                if (control->check_every < CHECK_EVERY_MOST)
                        control->check_every *= 2;
                control->check_in = control->check_every;
                break;
        }
        return changed;
}

bool pl_pool_io_decide(struct pl_pool_control *control, const struct pl_pool_result *result, int64_t now_ns)
{
        if (control->check != PL_POOL_CHECK_NONE)
                return go_on_checking(control, result, now_ns);
        if (control->starting)
                return start_on(control, result, now_ns);
        if (control->check_in > 0)
                control->check_in--;
        if (control->check_in == 0) {
                pl_pool_check_begin(control, now_ns);
                return false;
        }
        return adapt(control, result, now_ns);
}

/* --- refusals --- */

static unsigned larger(unsigned a, unsigned b)
{
        return a > b ? a : b;
}

/* One of a burst, for which the limit has been cut already: it may show that the server takes fewer still. */
static bool refused_again(struct pl_pool_control *control, unsigned taken, int64_t now_ns)
{
        taken = larger(taken, control->floor);
        if (taken < control->ceiling)
                control->ceiling = taken;
        if (pl_pool_control_limit(control) <= control->ceiling)
                return false;
        return pl_pool_control_set(control, control->ceiling, control->reason, now_ns);
}

static void be_patient(struct pl_pool_control *control, bool again, int64_t now_ns)
{
        int64_t hold_ns = control->hold_until_ns > now_ns ? control->hold_until_ns - now_ns : 0;
        int64_t least_ns = PATIENCE_PER_HOLD * hold_ns;

        if (least_ns < PATIENCE_LEAST_NS)
                least_ns = PATIENCE_LEAST_NS;
        control->patience_ns = again ? 2 * control->patience_ns : least_ns;
        if (control->patience_ns > PATIENCE_MOST_NS)
                control->patience_ns = PATIENCE_MOST_NS;
        if (control->patience_ns < least_ns)
                control->patience_ns = least_ns;
        control->probe_ns = now_ns + hold_ns + control->patience_ns;
        control->raise = 1;
}

bool pl_pool_io_refused(struct pl_pool_control *control, const struct plait_tuner_call *call,
                        const struct plait_tuner_sample *sample, int64_t now_ns)
{
        unsigned limit = pl_pool_control_limit(control);
        unsigned taken = call->pl_in_flight - 1; /* when it came, there were so many others */
        bool knew = control->ceiling < control->most;

        if (sample->retry_after_ns > 0 && now_ns + sample->retry_after_ns > control->hold_until_ns)
                control->hold_until_ns = now_ns + sample->retry_after_ns;
        if (call->pl_cuts != control->cuts)
                return refused_again(control, taken, now_ns);
        control->cuts++;
        control->check = PL_POOL_CHECK_NONE;
        double cut = smaller(limit, call->pl_in_flight) * CUT;
        control->floor = larger(control->least, control->starting ? limit / 2 : (unsigned)cut);
        control->ceiling = larger(taken, control->floor);
        if (control->starting)
                cut = smaller(control->ceiling, cut);
        stop_doubling(control);
        be_patient(control, knew, now_ns);
        return pl_pool_control_set(control, cut,
                                   sample->outcome == PLAIT_TUNER_REFUSED ? PLAIT_TUNER_REFUSALS : PLAIT_TUNER_TIMEOUTS,
                                   now_ns);
}
