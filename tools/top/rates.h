/*
 * What a program's workers did in a while: looked at some two hundred times a second, from outside. From that come the
 * share of the time that each task was on a worker, and how long tasks that can run wait for their turn.
 */
#ifndef TOP_RATES_H
#define TOP_RATES_H

#include "inspect/program.h"

#define RATES_SAMPLE_NS 5000000LL

struct rates {
        uint64_t samples;
        int64_t began_ns, ended_ns;
        struct intern tasks; /* addresses of tasks that were seen running -> counts */
        uint64_t *counts;
        size_t room;
        uint64_t queued;                /* the sum over all samples of tasks that could run */
        uint64_t busy;                  /* the sum over all samples of workers with a task */
        uint64_t switches;              /* tasks that workers went on with */
        uint64_t stuck;                 /* workers found held up */
        struct inspect_picture workers; /* the last sample; no tasks in it */
        uint32_t *ticks;                /* of each worker, then */
        size_t n_ticks;
};

/* Begin anew. */
void rates_begin(struct rates *rates, int64_t now_ns);

/* Take a sample. 0, or -1 with *error* filled in. */
int rates_sample(struct rates *rates, struct inspect_program *program, int64_t now_ns, struct inspect_error *error);

/* The share of the samples in which the task at *address* ran, from 0 to 1. */
double rates_of_task(const struct rates *rates, uint64_t address);

/* How many tasks could run and had to wait for it, on average. */
double rates_queue(const struct rates *rates);

/* Switches in a second. */
double rates_switches(const struct rates *rates);

/*
 * How long a task that can run waits until it does, in seconds, on average: by Little's law the length of the queue
 * divided by how many leave it in a second. Negative: nothing left it, so it cannot be told.
 */
double rates_delay(const struct rates *rates);

void rates_done(struct rates *rates);

#endif
