/* Opening a recording, and its times. The order of events is cursor.c's business. */
#include "trace/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BASELINE_NS = 50 * 1000 * 1000 }; /* two readings that far apart tell the clock's rate well enough */

/* --- times --- */

/* One clock for all: the longest time between two readings of one process tells its rate. */
static void set_clock(struct plait_recording *recording)
{
        const struct pl_trace_process *first = &recording->processes[0];
        int64_t longest_ns = BASELINE_NS;

        recording->base = first->begin;
        recording->ns_per_tick = 1e9 / (double)first->rate;
        for (uint32_t i = 0; i < recording->n_processes; i++) {
                const struct pl_trace_process *process = &recording->processes[i];
                int64_t passed_ns = process->latest.ns - process->begin.ns;
                uint64_t passed = process->latest.ticks - process->begin.ticks;

                if ((int64_t)(process->begin.ticks - recording->base.ticks) < 0)
                        recording->base = process->begin;
                if (passed_ns > longest_ns && passed) {
                        longest_ns = passed_ns;
                        recording->ns_per_tick = (double)passed_ns / (double)passed;
                }
        }
}

static int64_t time_of(const struct plait_recording *recording, uint64_t ticks)
{
        int64_t passed = (int64_t)(ticks - recording->base.ticks);
        double ns = (double)passed * recording->ns_per_tick;

        return ns > 0 ? ns < (double)PL_TRACE_TIME_MOST ? (int64_t)ns : PL_TRACE_TIME_MOST : 0;
}

/* When the last event happened that the file has of a lane, or (no memory) not much earlier; 0: it has none. */
static uint64_t last_ticks_of(const struct plait_recording *recording, const struct pl_trace_track *track)
{
        unsigned unit_shift = recording->processes[track->shown.process].unit_shift;
        struct pl_trace_coder coder;
        struct pl_trace_event event;
        uint64_t units;
        uint32_t string;

        if (!track->n_pieces)
                return 0;
        const struct pl_trace_piece *piece = &track->pieces[track->n_pieces - 1];
        uint8_t *data = malloc(piece->bytes + 1);
        ssize_t n = data ? pl_trace_read_at(recording, piece->at, data, piece->bytes) : 0;
        pl_trace_coder_begin(&coder, piece->ticks);
        coder.time = piece->ticks >> unit_shift;
        for (size_t at = 0, k; n > 0 && at < (size_t)n; at += k) {
                k = pl_trace_decode(&coder, data + at, (size_t)n - at, &event, &units, &string);
                if (!k)
                        break;
        }
        free(data);
        return coder.time << unit_shift;
}

/* A process whose end is missing (it was killed, the disk was full) is known up to the last of its events. */
static void set_last_ticks(struct plait_recording *recording)
{
        for (uint32_t i = 0; i < recording->n_tracks; i++) {
                const struct pl_trace_track *track = &recording->tracks[i];
                struct pl_trace_process *process = &recording->processes[track->shown.process];
                uint64_t ticks = process->shown.ended ? 0 : last_ticks_of(recording, track);

                if (ticks && (!process->last_ticks || (int64_t)(ticks - process->last_ticks) > 0))
                        process->last_ticks = ticks;
        }
}

static void set_times(struct plait_recording *recording)
{
        set_clock(recording);
        set_last_ticks(recording);
        for (uint32_t i = 0; i < recording->n_processes; i++) {
                struct pl_trace_process *process = &recording->processes[i];

                process->shown.began_ns = time_of(recording, process->begin.ticks);
                process->shown.ended_ns = time_of(recording, process->latest.ticks);
                if (process->last_ticks && time_of(recording, process->last_ticks) > process->shown.ended_ns)
                        process->shown.ended_ns = time_of(recording, process->last_ticks);
                if (process->shown.ended_ns > recording->duration_ns)
                        recording->duration_ns = process->shown.ended_ns;
        }
}

/* --- the interface --- */

static int read_all(struct plait_recording *recording)
{
        int r = pl_trace_scan(recording);

        if (r == 0 && !recording->n_processes)
                r = -EBADMSG;
        /* First what is in the rings, then what has been taken from there to the file meanwhile. */
        for (uint32_t i = 0; r == 0 && i < recording->n_processes; i++)
                if (!recording->processes[i].shown.ended)
                        r = pl_trace_read_rings(recording, i);
        if (r == 0)
                r = pl_trace_scan(recording);
        if (r < 0)
                return r;
        recording->torn = recording->torn || recording->at < recording->bytes;
        set_times(recording);
        return 0;
}

static int open_recording(struct plait_recording **ret, const char *path)
{
        struct plait_recording *recording = calloc(1, sizeof *recording);
        struct stat st;

        if (!recording)
                return -ENOMEM;
        recording->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        int r = recording->fd < 0 || fstat(recording->fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EBADMSG;
        if (r == 0) {
                recording->path = realpath(path, NULL); /* NULL: it has no name any more, and nothing beside it */
                r = read_all(recording);
        }
        if (r < 0) {
                plait_recording_close(recording);
                return r;
        }
        *ret = recording;
        return 0;
}

int plait_recording_open(struct plait_recording **ret, const char *path)
{
        const int saved = errno;
        int r = open_recording(ret, path);

        errno = saved;
        return r;
}

void plait_recording_close(struct plait_recording *recording)
{
        if (!recording)
                return;
        for (uint32_t i = 0; i < recording->n_processes; i++) {
                struct pl_trace_process *process = &recording->processes[i];

                free(process->causes);
                free(process->cause_has_other);
                free(process->strings);
                free(process->functions);
                free(process->names);
        }
        for (uint32_t i = 0; i < recording->n_tracks; i++) {
                free(recording->tracks[i].pieces);
                free(recording->tracks[i].rest.events);
                free(recording->tracks[i].data);
        }
        for (uint32_t i = 0; i < recording->texts_room; i++)
                free(recording->texts[i]);
        free(recording->texts);
        free(recording->gaps);
        free(recording->processes);
        free(recording->tracks);
        free(recording->heap);
        free(recording->path);
        if (recording->fd >= 0)
                close(recording->fd);
        free(recording);
}

int plait_recording_get_info(const struct plait_recording *recording, struct plait_recording_info *ret)
{
        if (ret->size != sizeof *ret)
                return -EINVAL;
        *ret = (struct plait_recording_info){
                .size = sizeof *ret,
                .duration_ns = recording->duration_ns,
                .began_real_ns = recording->processes[0].begin_real_ns -
                                 (recording->processes[0].begin.ns - recording->base.ns),
                .began_ns = recording->base.ns,
                .n_processes = recording->n_processes,
                .n_lanes = recording->n_tracks,
                .torn = recording->torn,
                .file_bytes = recording->file_bytes,
        };
        for (uint32_t i = 0; i < recording->n_processes; i++) {
                ret->events += recording->processes[i].shown.events;
                ret->dropped += recording->processes[i].shown.dropped;
                ret->live = ret->live || recording->processes[i].live;
        }
        return 0;
}

const struct plait_recording_process *plait_recording_get_process(const struct plait_recording *recording,
                                                                  uint32_t index)
{
        return index < recording->n_processes ? &recording->processes[index].shown : NULL;
}

const struct plait_recording_lane *plait_recording_get_lane(const struct plait_recording *recording, uint32_t index)
{
        return index < recording->n_tracks ? &recording->tracks[index].shown : NULL;
}

const char *plait_recording_cause(const struct plait_recording *recording, uint32_t process, uint32_t cause)
{
        if (process >= recording->n_processes || cause >= recording->processes[process].n_causes)
                return "something unknown";
        return recording->processes[process].causes[cause];
}
