/*
 * A recording of which parts were cut off is read by plait all the same; but to Perfetto, which finds one packet behind
 * the other, the rest of the file would make no sense.
 */
#ifndef PL_TRACE_MEND_H
#define PL_TRACE_MEND_H

#include "base/attributes.h"

struct plait_recording;

/*
 * If *fd*, open for writing, is the recording's own file: make packets that Perfetto passes over of what is not whole
 * there, and of what Perfetto has been told by plait_recording_perfetto() before. 0 or a negative errno.
 */
PL_WARN_UNUSED int pl_trace_mend(const struct plait_recording *recording, int fd);

#endif
