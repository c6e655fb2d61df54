/*
 * Durations, counted in buckets whose width is a 128th of their value: below 128 us one each, then 128 a doubling.
 */
#include "fetch/histogram.h"

#include <stddef.h>

#define SUB (1ULL << HISTOGRAM_SUB_BITS)
#define BUCKETS (sizeof((struct histogram *)0)->buckets / sizeof(uint64_t))

static size_t bucket_of(uint64_t us)
{
        if (us < SUB)
                return (size_t)us;
        unsigned shift = (unsigned)(63 - __builtin_clzll(us)) - HISTOGRAM_SUB_BITS;
        size_t bucket = ((size_t)(shift + 1) << HISTOGRAM_SUB_BITS) + (size_t)((us >> shift) - SUB);
        return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The middle of a bucket. */
static double value_of(size_t bucket)
{
        size_t group = bucket >> HISTOGRAM_SUB_BITS;

        if (group == 0)
                return (double)bucket;
        uint64_t width = 1ULL << (group - 1);
        return (double)((SUB + (bucket & (SUB - 1))) * width) + (double)(width - 1) / 2;
}

void histogram_add(struct histogram *histogram, int64_t ns)
{
        histogram->buckets[bucket_of(ns > 0 ? (uint64_t)ns / 1000 : 0)]++;
        histogram->count++;
}

double histogram_percentile(const struct histogram *histogram, double percent)
{
        if (histogram->count == 0)
                return 0;
        uint64_t rank = (uint64_t)(percent / 100 * (double)histogram->count + 0.999999);
        uint64_t seen = 0;
        for (size_t i = 0; i < BUCKETS; i++) {
                seen += histogram->buckets[i];
                if (seen >= rank && seen > 0)
                        return value_of(i) / 1e6;
        }
        return value_of(BUCKETS - 1) / 1e6;
}
