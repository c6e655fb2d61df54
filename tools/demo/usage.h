/*
 * What a process has used so far.
 */
#ifndef DEMO_USAGE_H
#define DEMO_USAGE_H

#include <stdint.h>

/* Its processor time. */
double usage_cpu_s(void);

/* The most memory that it had resident. Of this program's own: ru_maxrss would include what it was before. */
uint64_t usage_peak_rss_bytes(void);

#endif
