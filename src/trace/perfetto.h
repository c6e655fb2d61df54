/*
 * A recording as Perfetto's TrackEvents: a track for each process, worker, thread and task, arrows from who wakes to
 * who is woken.
 */
#ifndef PL_TRACE_PERFETTO_H
#define PL_TRACE_PERFETTO_H

/*
 * Append the TrackEvents of the recording at *path* to *fd*, which is opened with O_APPEND. Memory grows with the tasks
 * that live at a time, and the named ones. Not for a task: it takes as long as the recording is long. 0, or a negative
 * errno.
 */
int pl_trace_perfetto_append(int fd, const char *path);

#endif
