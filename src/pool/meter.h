/*
 * What a worker has used, and what it tells a tuner of its jobs: each worker of a pool whose size is found by
 * measurement has a meter.
 *
 * Processor time, and the time that a job was blocked in, are those of the worker's thread, read from the kernel every
 * 10 ms at most, for reading takes some 5 us: what was used since the last time is put down to the job that ends.
 */
#ifndef PL_POOL_METER_H
#define PL_POOL_METER_H

#include <stdint.h>

#include "plait/tuner.h"

/* What a thread uses in jobs. */
struct pl_pool_usage {
        uint32_t tid;
        int64_t read_ns;          /* when the times were last read; 0: they cannot be */
        int64_t cpu_ns, delay_ns; /* what they were: on a processor, and waiting for one */
        int64_t busy_ns;          /* in jobs, since then */
};

void pl_pool_usage_init(struct pl_pool_usage *usage, uint32_t tid);

/*
 * A job of *took_ns* has ended now. Adds what has come to be known of processor time and of being blocked, of this job
 * and those before it, to *cpu_ns* and *blocked_ns*.
 */
void pl_pool_usage_add(struct pl_pool_usage *usage, int64_t took_ns, int64_t now_ns, int64_t *cpu_ns,
                       int64_t *blocked_ns);

/* Of a worker in this process. */
struct pl_pool_meter {
        struct plait_tuner *tuner; /* NULL: it does nothing */
        struct pl_pool_usage usage;
        struct plait_tuner_call call; /* the job */
};

/* For the thread *tid*. A *tuner* of NULL costs a branch for each job. */
void pl_pool_meter_init(struct pl_pool_meter *meter, struct plait_tuner *tuner, uint32_t tid);

/*
 * A job begins; and has ended, well or not, with so many *items* made. The latter may change the tuner's limit, and so
 * call its on_change.
 */
void pl_pool_meter_begin(struct pl_pool_meter *meter);
void pl_pool_meter_end(struct pl_pool_meter *meter, uint64_t items);

#endif
