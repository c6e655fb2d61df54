/*
 * Recording together: processes that work for this one, and know of its recording only from it, follow it there.
 *
 * A follower appends to the same file, as any process that joins a recording. It does so until the file with the rings
 * of whom it follows is gone, which is when that one's recording has ended: its recorder looks each time it wakes.
 */
#ifndef PL_TRACE_LEAD_H
#define PL_TRACE_LEAD_H

#include "trace/image.h"

/* A recording under way; travels between processes. */
struct pl_trace_lead {
        uint32_t number; /* of this process' recordings; not 0 */
        char path[PL_TRACE_PATH_BYTES];
        char image[PL_TRACE_IMAGE_PATH_BYTES]; /* of who leads */
};

/* The one under way, unless that is number *known*. False: it is, or there is none. */
PL_WARN_UNUSED bool pl_trace_lead(uint32_t known, struct pl_trace_lead *ret);

/* By another process: record there, too, instead of where another lead said. */
void pl_trace_follow(const struct pl_trace_lead *lead);

#endif
