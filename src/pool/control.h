/*
 * The control loop behind a tuner (plait/tuner.h): numbers in, a limit out. It has no clock, no lock and no memory of
 * its own, so that a simulation can drive it; docs/internals/tuning.md tells how it decides.
 *
 * Calls are measured in windows. An *epoch* begins with each change of the limit, and only calls that began in the
 * present epoch tell of times: those that were under way before tell of the former limit. A window ends when a
 * generation has gone by: as many calls of the epoch have ended as the limit allows at once.
 */
#ifndef PL_POOL_CONTROL_H
#define PL_POOL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "plait/tuner.h"

enum { PL_POOL_LEVELS = 48 }; /* half doublings of what is under way */

/* What was measured since *begin_ns*. */
struct pl_pool_window {
        int64_t begin_ns;
        int64_t area_ns;  /* when in_flight was last added up */
        double area;      /* in_flight times ns */
        uint64_t done;    /* ended well, whenever they began */
        uint64_t bytes;   /* of those */
        uint64_t calls;   /* ended well, and began in the present epoch: the mean and the deviation are of these */
        double mean;      /* of the time to the first byte, ns */
        double deviation; /* the sum of squared differences from the mean */
        double cpu_ns, blocked_ns; /* sums */
        unsigned most_in_flight;
};

/* What got done in a second. */
struct pl_pool_goodput {
        double calls; /* that went well */
        double bytes; /* of those */
};

/* A window that has ended. */
struct pl_pool_result {
        struct pl_pool_goodput goodput;
        double in_flight;     /* mean */
        double first_byte_ns; /* mean */
        double error_ns;      /* standard error of that */
        double cpu_ns;        /* per call */
        double blocked;       /* share of the time, less waits for a processor, 0 to 1 */
        unsigned most_in_flight;
};

/* Whether fewer would do as much: what is measured before, then with fewer. */
enum pl_pool_check {
        PL_POOL_CHECK_NONE,
        PL_POOL_CHECK_BEFORE, /* a long window with the limit as it is */
        PL_POOL_CHECK_SETTLE, /* a generation with fewer */
        PL_POOL_CHECK_FEWER,  /* a long window with fewer */
};

struct pl_pool_level {
        double seconds, area, done;
};

struct pl_pool_control {
        enum plait_tuner_kind kind;
        unsigned least, most, processors;
        double limit;
        unsigned in_flight;
        uint32_t epoch;
        struct pl_pool_window window;

        /* what it was changed for */
        enum plait_tuner_reason reason;
        unsigned was;
        int64_t changed_ns;

        /* latency and goodput */
        bool starting;                 /* the limit grows in proportion: */
        double growth;                 /* by that factor */
        double usual_ns;               /* the usual time to the first byte: an average over a long time; 0: not known */
        uint64_t windows;              /* that it was learnt from */
        struct pl_pool_goodput former; /* of the last window while starting; of none: 0 */
        unsigned no_gain;              /* how many windows in turn brought no more than the one before, */
        unsigned slow;                 /* and in how many first bytes came later; */
        bool paid;                     /* that they do was once worth it */
        unsigned calm, calm_wanted;    /* windows without a sign of a queue; after so many, more is tried again */

        /* refusals */
        uint32_t cuts;         /* how often the limit was cut: calls from before the last one do not cut again */
        unsigned floor;        /* the last cut does not go below that */
        unsigned ceiling;      /* the most that was taken without refusal; most: no refusal is known */
        unsigned raise;        /* how much further to go next time */
        int64_t patience_ns;   /* how long to stay below the ceiling after a refusal, */
        int64_t probe_ns;      /* and until when that is */
        int64_t hold_until_ns; /* Retry-After */

        /* whether fewer would do */
        enum pl_pool_check check;
        unsigned check_in;                        /* windows until the next check, */
        unsigned check_every;                     /* and how many there are between two */
        struct pl_pool_goodput check_goodput;     /* before it */
        unsigned check_limit;                     /* the least limit that did as much, */
        bool check_kept;                          /* and whether that is a lower one than before, */
        double check_first_byte_ns, check_cpu_ns; /* and what it was like with it */

        double least_cpu_ns; /* CPU: the least that a job took on average in a window; */
        unsigned kept_for;   /* windows for which no more are tried than those that did as much */

        /* to be looked at */
        double per_s, first_byte_ns;
        uint64_t ok, refused;
        struct pl_pool_level levels[PL_POOL_LEVELS];
};

void pl_pool_control_init(struct pl_pool_control *control, enum plait_tuner_kind kind, unsigned least, unsigned first,
                          unsigned most, unsigned processors);

/* A call begins, and ends. The latter says whether the limit has changed. */
void pl_pool_control_begin(struct pl_pool_control *control, struct plait_tuner_call *call, int64_t now_ns);
bool pl_pool_control_end(struct pl_pool_control *control, const struct plait_tuner_call *call,
                         const struct plait_tuner_sample *sample, int64_t now_ns);

/* The limit as a whole number, and how many may begin. */
unsigned pl_pool_control_limit(const struct pl_pool_control *control);
unsigned pl_pool_control_room(const struct pl_pool_control *control, int64_t now_ns);

/* CPU: there are other processors than before. Whether the limit has changed. */
bool pl_pool_control_set_processors(struct pl_pool_control *control, unsigned processors, unsigned most,
                                    int64_t now_ns);

/* What was measured at different numbers, by rising number; returns how many. */
size_t pl_pool_control_runs(const struct pl_pool_control *control, struct plait_advise_run *ret, size_t most);

/* --- between the files of the loop --- */

/* Sets the limit, within its bounds, and begins a new epoch. False: it is the same number as before. */
bool pl_pool_control_set(struct pl_pool_control *control, double limit, enum plait_tuner_reason reason, int64_t now_ns);

/* Begins another window. */
void pl_pool_control_reopen(struct pl_pool_control *control, int64_t now_ns);

/* A window has ended: *result* is it. Whether the limit has changed. */
bool pl_pool_io_decide(struct pl_pool_control *control, const struct pl_pool_result *result, int64_t now_ns);
bool pl_pool_cpu_decide(struct pl_pool_control *control, const struct pl_pool_result *result, int64_t now_ns);

/* A call was refused or timed out. Whether the limit has changed. */
bool pl_pool_io_refused(struct pl_pool_control *control, const struct plait_tuner_call *call,
                        const struct plait_tuner_sample *sample, int64_t now_ns);

/* How much more got done, 1: the same. By bytes where they are so many that they, and not the calls, take the time. */
double pl_pool_gain(const struct pl_pool_goodput *before, const struct pl_pool_goodput *now);

/* --- check.c --- */

/* How many calls the present window has to have in it. */
uint64_t pl_pool_check_calls(const struct pl_pool_control *control);

void pl_pool_check_begin(struct pl_pool_control *control, int64_t now_ns);

enum pl_pool_verdict {
        PL_POOL_UNDECIDED,
        PL_POOL_USELESS,    /* it could not be told: not so many were under way */
        PL_POOL_FEWER_DO,   /* the limit is the least that did as much */
        PL_POOL_FEWER_LOSE, /* the limit is as before */
};

/* A window of a check has ended. *ret_changed*: whether the limit has changed by that. */
enum pl_pool_verdict pl_pool_check_step(struct pl_pool_control *control, const struct pl_pool_result *result,
                                        int64_t now_ns, bool *ret_changed);

#endif
