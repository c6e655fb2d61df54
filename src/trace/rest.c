/* Reading what a process that was killed, or still records, has in its rings. The image is as little trusted as a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/recording.h"

enum { EVENTS_MOST = 1 << 26 };

static bool read_exactly(int fd, void *buf, size_t bytes, uint64_t at)
{
        size_t done = 0;

        while (done < bytes) {
                ssize_t n = pread(fd, (char *)buf + done, bytes - done, (off_t)(at + done));

                if (n == 0 || (n < 0 && errno != EINTR))
                        return false;
                if (n > 0)
                        done += (size_t)n;
        }
        return true;
}

/* The image of *process*, whose head is put into *ret*; -1: there is none any more. */
static int open_image(const struct plait_recording *recording, const struct pl_trace_process *process,
                      struct pl_trace_image *ret)
{
        char path[PL_TRACE_IMAGE_PATH_BYTES];
        struct stat st, own;

        if (!recording->path || strlen(recording->path) >= PL_TRACE_PATH_BYTES)
                return -1;
        pl_trace_image_path(path, process->place, recording->path, process->shown.pid, process->id);
        int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -1;
        if (fstat(fd, &st) < 0 || fstat(recording->fd, &own) < 0 || !S_ISREG(st.st_mode) ||
            (st.st_uid != own.st_uid && st.st_uid != geteuid()) || !read_exactly(fd, ret, sizeof *ret, 0) ||
            memcmp(ret->stamp.magic, PL_TRACE_IMAGE_MAGIC, sizeof PL_TRACE_IMAGE_MAGIC) != 0 ||
            ret->stamp.version != PL_TRACE_IMAGE_VERSION ||
            memcmp(ret->stamp.id, process->id, PL_TRACE_ID_BYTES) != 0) {
                close(fd);
                return -1;
        }
        return fd;
}

/* Events from number *from* to before *to*, of a ring of *size* that begins at *at* in the image. */
static bool copy_events(int fd, uint64_t at, uint64_t size, uint64_t from, uint64_t to, struct pl_trace_event *ret)
{
        while (from != to) {
                uint64_t place = from % size;
                uint64_t n = to - from < size - place ? to - from : size - place;

                if (!read_exactly(fd, ret, (size_t)n * sizeof *ret, at + place * sizeof *ret))
                        return false;
                ret += n;
                from += n;
        }
        return true;
}

/* Where its memory may have been written again while it was read, it has been taken to the file before. */
static int read_slot(struct plait_recording *recording, uint32_t process, int fd, uint64_t offset, uint64_t size)
{
        struct pl_trace_slot slot, after;
        uint64_t events_at = offset + PL_TRACE_PAGE;

        if (!size || size > EVENTS_MOST || offset > INT64_MAX / 2 || !read_exactly(fd, &slot, sizeof slot, offset))
                return 0;
        uint64_t tail = atomic_load(&slot.tail), head = atomic_load(&slot.head);
        if (head - tail > size || slot.kind > (unsigned)PLAIT_RECORDING_LANE_SERVICE)
                return 0;
        struct pl_trace_track *track = pl_trace_track(recording, process, slot.lane);
        if (!track)
                return -ENOMEM;
        if (!track->n_pieces) { /* the file may know nothing of it yet */
                track->shown.kind = slot.kind;
                track->shown.number = slot.number;
                track->shown.tid = slot.tid;
                track->shown.name = pl_trace_keep(recording, slot.name, sizeof slot.name);
                if (!track->shown.name) {
                        track->shown.name = "";
                        return -ENOMEM;
                }
        }
        if (head == tail || track->rest.events)
                return 0;
        struct pl_trace_event *events = malloc((size_t)(head - tail) * sizeof *events);
        if (!events)
                return -ENOMEM;
        if (!copy_events(fd, events_at, size, tail, head, events) || !read_exactly(fd, &after, sizeof after, offset) ||
            after.lane != slot.lane) {
                free(events);
                return 0;
        }
        uint64_t taken = atomic_load(&after.tail) - tail;
        if (taken > head - tail)
                taken = head - tail;
        memmove(events, events + taken, (size_t)(head - tail - taken) * sizeof *events);
        track->rest = (struct pl_trace_rest){.events = events, .first = tail + taken, .n = head - tail - taken};
        track->shown.events += track->rest.n;
        recording->processes[process].shown.events += track->rest.n;
        return 0;
}

static void read_latest(struct pl_trace_process *process, const struct pl_trace_image *head)
{
        struct pl_trace_instant latest = {.ticks = atomic_load(&head->latest_ticks),
                                          .ns = atomic_load(&head->latest_ns)};

        if (latest.ticks && (int64_t)(latest.ticks - process->latest.ticks) > 0 && latest.ns > process->latest.ns)
                process->latest = latest;
        process->shown.dropped = atomic_load(&head->dropped);
}

/* The latest moment that an event tells is the last one of it. */
static void note_last(struct pl_trace_process *process, const struct pl_trace_rest *rest)
{
        for (uint64_t i = rest->n; i-- > 0;) {
                uint64_t ticks = pl_trace_ticks_of(&rest->events[i], process->latest.ticks);

                if (pl_trace_kind_of(&rest->events[i]) == PL_TRACE_TEXT)
                        continue;
                if ((int64_t)(ticks - process->last_ticks) > 0)
                        process->last_ticks = ticks;
                return;
        }
}

int pl_trace_read_rings(struct plait_recording *recording, uint32_t index)
{
        struct pl_trace_process *process = &recording->processes[index];
        struct pl_trace_image *head = malloc(sizeof *head);
        int r = 0;

        if (!head)
                return -ENOMEM;
        int fd = open_image(recording, process, head);
        if (fd < 0) {
                free(head);
                return 0;
        }
        process->live = pl_trace_image_is_live(fd);
        read_latest(process, head);
        process->names = malloc(PL_TRACE_NAMES_BYTES);
        if (!process->names)
                r = -ENOMEM;
        else if (!read_exactly(fd, process->names, PL_TRACE_NAMES_BYTES, PL_TRACE_IMAGE_BYTES))
                memset(process->names, 0, PL_TRACE_NAMES_BYTES);
        if (r == 0)
                process->names[PL_TRACE_NAMES_BYTES - 1] = '\0';
        uint32_t n = atomic_load(&head->n_slots);
        for (uint32_t i = 0; r == 0 && i < n && i < PL_TRACE_LANES; i++)
                if (atomic_load(&head->slots[i].offset))
                        r = read_slot(recording, index, fd, atomic_load(&head->slots[i].offset), head->slots[i].events);
        process = &recording->processes[index];
        for (uint32_t i = 0; i < recording->n_tracks; i++)
                if (recording->tracks[i].shown.process == index)
                        note_last(process, &recording->tracks[i].rest);
        close(fd);
        free(head);
        return r;
}
