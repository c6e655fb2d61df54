/*
 * Running a program that records itself.
 */
#ifndef TRACE_LAUNCH_H
#define TRACE_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

struct launch {
        char **argv;
        const char *recording; /* absolute */
        uint64_t ring_kib;     /* 0: as is usual */
        int code;              /* how it ended: its exit status, or 128 + the signal; 126, 127: it could not be run */
};

/* Runs it to its end. Signals that are meant for both reach it. False: it could not be run, and that was said. */
bool launch(struct launch *launch);

#endif
