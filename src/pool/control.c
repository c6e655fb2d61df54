/*
 * What I/O and CPU have in common: counting, windows, and the change of the limit.
 */
#include "pool/control.h"

#include <math.h>

#define WINDOW_LEAST_NS 1000000       /* shorter ones tell more of the clock than of the work, */
#define CPU_WINDOW_LEAST_NS 100000000 /* or of when the processor time was read (meter.h) */
#define WINDOW_MOST_NS 10000000000    /* then what there is has to do, */
#define WINDOW_CALLS_LEAST 16         /* if it is at least that */
#define BULKY 65536                   /* bytes per call from which on bytes count */

unsigned pl_pool_control_limit(const struct pl_pool_control *control)
{
        return (unsigned)control->limit;
}

unsigned pl_pool_control_room(const struct pl_pool_control *control, int64_t now_ns)
{
        unsigned limit = pl_pool_control_limit(control);

        return now_ns < control->hold_until_ns || control->in_flight >= limit ? 0 : limit - control->in_flight;
}

void pl_pool_control_init(struct pl_pool_control *control, enum plait_tuner_kind kind, unsigned least, unsigned first,
                          unsigned most, unsigned processors)
{
        *control = (struct pl_pool_control){
                .kind = kind,
                .least = least,
                .most = most,
                .processors = processors,
                .limit = first,
                .was = first,
                .starting = kind != PLAIT_TUNER_CPU,
                .growth = 2,
                .calm_wanted = 5,
                .ceiling = most,
                .raise = 1,
                .check_every = 24,
                .check_in = 24,
                .kept_for = 24,
        };
}

/* --- windows --- */

/* Adds up what has been under way until now. */
static void add_area(struct pl_pool_control *control, int64_t now_ns)
{
        struct pl_pool_window *window = &control->window;

        if (now_ns > window->area_ns) {
                window->area += (double)control->in_flight * (double)(now_ns - window->area_ns);
                window->area_ns = now_ns;
        }
}

/* Time in which nothing was under way does not count: nobody had anything to do, or the server was to be left alone. */
static void leave_out_pause(struct pl_pool_control *control, int64_t now_ns)
{
        struct pl_pool_window *window = &control->window;

        if (now_ns > window->area_ns) {
                window->begin_ns += now_ns - window->area_ns;
                window->area_ns = now_ns;
        }
}

void pl_pool_control_reopen(struct pl_pool_control *control, int64_t now_ns)
{
        control->window = (struct pl_pool_window){
                .begin_ns = now_ns, .area_ns = now_ns, .most_in_flight = control->in_flight};
}

static uint64_t pieces_of(const struct plait_tuner_sample *sample)
{
        return sample->pieces ? sample->pieces : 1;
}

static void count(struct pl_pool_control *control, const struct plait_tuner_call *call,
                  const struct plait_tuner_sample *sample)
{
        struct pl_pool_window *window = &control->window;
        uint64_t pieces = pieces_of(sample);

        window->done += pieces;
        window->bytes += sample->bytes;
        if (call->pl_epoch != control->epoch)
                return;
        double difference = (double)sample->first_byte_ns - window->mean;

        window->calls += pieces;
        window->mean += difference * (double)pieces / (double)window->calls;
        window->deviation += difference * (double)pieces * ((double)sample->first_byte_ns - window->mean);
        window->cpu_ns += (double)sample->cpu_ns;
        window->blocked_ns += (double)sample->blocked_ns;
}

static bool is_over(const struct pl_pool_control *control, int64_t now_ns)
{
        const struct pl_pool_window *window = &control->window;
        int64_t least_ns = control->kind == PLAIT_TUNER_CPU ? CPU_WINDOW_LEAST_NS : WINDOW_LEAST_NS;
        int64_t open_ns = now_ns - window->begin_ns;

        if (window->calls < WINDOW_CALLS_LEAST || open_ns < least_ns)
                return false;
        return open_ns > WINDOW_MOST_NS || window->calls >= pl_pool_check_calls(control);
}

/* What is noted for later advice. */
static void note_level(struct pl_pool_control *control, const struct pl_pool_result *result, double seconds)
{
        if (result->in_flight < 0.5)
                return;
        double level = 2 * log2(result->in_flight) + 2;
        struct pl_pool_level *at = &control->levels[level < PL_POOL_LEVELS ? (int)level : PL_POOL_LEVELS - 1];

        at->seconds += seconds;
        at->area += result->in_flight * seconds;
        at->done += result->goodput.calls * seconds;
}

double pl_pool_gain(const struct pl_pool_goodput *before, const struct pl_pool_goodput *now)
{
        if (before->bytes > BULKY * before->calls && now->bytes > BULKY * now->calls)
                return now->bytes / before->bytes;
        return now->calls / before->calls;
}

static struct pl_pool_result sum_up(struct pl_pool_control *control, int64_t now_ns)
{
        const struct pl_pool_window *window = &control->window;
        double ns = (double)(now_ns - window->begin_ns);
        double calls = (double)window->calls;
        struct pl_pool_result result = {
                .goodput = {.calls = (double)window->done / ns * 1e9, .bytes = (double)window->bytes / ns * 1e9},
                .in_flight = window->area / ns,
                .first_byte_ns = window->mean,
                .error_ns = sqrt(window->deviation / calls / (calls - 1)),
                .cpu_ns = window->cpu_ns / calls,
                .blocked = window->blocked_ns > 0 ? window->blocked_ns / (window->blocked_ns + window->cpu_ns) : 0,
                .most_in_flight = window->most_in_flight,
        };

        control->per_s = result.goodput.calls;
        control->first_byte_ns = result.first_byte_ns;
        note_level(control, &result, ns / 1e9);
        return result;
}

/* --- calls --- */

void pl_pool_control_begin(struct pl_pool_control *control, struct plait_tuner_call *call, int64_t now_ns)
{
        if (control->in_flight == 0)
                leave_out_pause(control, now_ns);
        add_area(control, now_ns);
        control->in_flight++;
        if (control->in_flight > control->window.most_in_flight)
                control->window.most_in_flight = control->in_flight;
        *call = (struct plait_tuner_call){
                .begin_ns = now_ns,
                .pl_epoch = control->epoch,
                .pl_cuts = control->cuts,
                .pl_in_flight = control->in_flight,
        };
}

static bool decide(struct pl_pool_control *control, int64_t now_ns)
{
        struct pl_pool_result result = sum_up(control, now_ns);

        pl_pool_control_reopen(control, now_ns);
        return control->kind == PLAIT_TUNER_CPU ? pl_pool_cpu_decide(control, &result, now_ns)
                                                : pl_pool_io_decide(control, &result, now_ns);
}

bool pl_pool_control_end(struct pl_pool_control *control, const struct plait_tuner_call *call,
                         const struct plait_tuner_sample *sample, int64_t now_ns)
{
        bool turned_away = sample->outcome == PLAIT_TUNER_REFUSED || sample->outcome == PLAIT_TUNER_TIMED_OUT;

        add_area(control, now_ns);
        control->in_flight--;
        control->ok += sample->outcome == PLAIT_TUNER_OK ? pieces_of(sample) : 0;
        control->refused += turned_away;
        if (turned_away && control->kind == PLAIT_TUNER_IO)
                return pl_pool_io_refused(control, call, sample, now_ns);
        if (sample->outcome != PLAIT_TUNER_OK)
                return false;
        count(control, call, sample);
        return is_over(control, now_ns) && decide(control, now_ns);
}

/* --- the limit --- */

bool pl_pool_control_set(struct pl_pool_control *control, double limit, enum plait_tuner_reason reason, int64_t now_ns)
{
        unsigned before = pl_pool_control_limit(control);

        control->limit = limit < control->least ? control->least : limit > control->most ? control->most : limit;
        if (pl_pool_control_limit(control) == before)
                return false;
        control->was = before;
        control->reason = reason;
        control->changed_ns = now_ns;
        control->epoch++;
        pl_pool_control_reopen(control, now_ns);
        return true;
}

bool pl_pool_control_set_processors(struct pl_pool_control *control, unsigned processors, unsigned most, int64_t now_ns)
{
        double limit = control->limit * processors / control->processors;

        if (processors == control->processors)
                return false;
        control->processors = processors;
        control->most = most;
        control->ceiling = most; /* what was found out with the former number does not count */
        control->check = PL_POOL_CHECK_NONE;
        control->check_in = control->check_every;
        return pl_pool_control_set(control, limit, PLAIT_TUNER_PROCESSORS, now_ns);
}

size_t pl_pool_control_runs(const struct pl_pool_control *control, struct plait_advise_run *ret, size_t most)
{
        size_t n = 0;

        for (int i = 0; i < PL_POOL_LEVELS && n < most; i++) {
                const struct pl_pool_level *level = &control->levels[i];

                if (level->seconds > 0 && level->done > 0)
                        ret[n++] = (struct plait_advise_run){.workers = level->area / level->seconds,
                                                             .per_s = level->done / level->seconds};
        }
        return n;
}
