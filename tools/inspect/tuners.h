/*
 * A program's limits that are found by measurement, seen from outside.
 */
#ifndef INSPECT_TUNERS_H
#define INSPECT_TUNERS_H

#include "inspect/program.h"

#define TUNERS_MOST 64 /* that are shown; those with most under way */

struct inspect_tuner {
        char name[48];
        char reason[48]; /* why the limit was changed last */
        uint32_t limit, in_flight, was;
        int64_t changed_ns; /* when; 0: never */
        double per_s;       /* what gets done */
        uint64_t refused;
};

struct inspect_tuners {
        struct inspect_tuner of[TUNERS_MOST]; /* the busiest first */
        size_t count;
        size_t all; /* how many there are */
};

/* What there is; a program of an older library has none. */
void inspect_take_tuners(struct inspect_program *program, struct inspect_tuners *ret);

#endif
