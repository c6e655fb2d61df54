/* Reports of several lines, put together in one buffer and written at once. */
#ifndef PL_SYNC_REPORT_H
#define PL_SYNC_REPORT_H

#include <stdarg.h>
#include <stddef.h>

#include "base/attributes.h"

enum { PL_REPORT_BYTES = 32768 };

/* Whoever uses one guards it; it is too large for a stack. */
struct pl_report {
        size_t n;
        char text[PL_REPORT_BYTES];
};

/* Add to it, cut at the end. */
PL_PRINTF(2, 3) void pl_report_add(struct pl_report *report, const char *format, ...);

/* Add a line for each frame, but not for those of this library that come first or last. */
void pl_report_stack(struct pl_report *report, void *const *frames, unsigned n, const char *indent);

/* Write it on stderr. */
void pl_report_write(struct pl_report *report);

#endif
