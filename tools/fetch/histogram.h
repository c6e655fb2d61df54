/*
 * Durations, counted in buckets: any number of them in 30 KB, percentiles within one per cent.
 */
#ifndef FETCH_HISTOGRAM_H
#define FETCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7 /* 128 buckets for each doubling */
#define HISTOGRAM_DOUBLINGS 30

/* Of microseconds; the longest are some 38 hours, and longer ones count as that. */
struct histogram {
        uint64_t count;
        uint64_t buckets[(HISTOGRAM_DOUBLINGS + 1) << HISTOGRAM_SUB_BITS];
};

void histogram_add(struct histogram *histogram, int64_t ns);

/* The duration, in seconds, that *percent* of all are not longer than; 0 when there are none. */
double histogram_percentile(const struct histogram *histogram, double percent);

#endif
