/* Opening a recording: what is in its file. The order of events is cursor.c's business. */
#include "trace/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        FIRST_ROOM = 16,
        PROCESSES_MOST = 1 << 20,
        TRACKS_MOST = 1 << 24,
        CAUSES_MOST = 4096,
        UNIT_SHIFT_MOST = 20,
        BASELINE_NS = 50 * 1000 * 1000, /* two readings that far apart tell the clock's rate well enough */
};

/* --- what is kept --- */

/* Room for one more in an array of *n*. */
static bool grow(void *array, uint32_t n, uint32_t *room, size_t bytes)
{
        void **at = array;

        if (n < *room)
                return true;
        uint32_t more = *room ? *room * 2 : FIRST_ROOM;
        void *moved = realloc(*at, more * bytes);
        if (!moved)
                return false;
        memset((char *)moved + *room * bytes, 0, (more - *room) * bytes);
        *at = moved;
        *room = more;
        return true;
}

static uint32_t hash_of(const char *text, size_t bytes)
{
        uint32_t hash = 2166136261U; /* FNV-1a */

        for (size_t i = 0; i < bytes; i++)
                hash = (hash ^ (uint8_t)text[i]) * 16777619U;
        return hash;
}

static bool grow_texts(struct plait_recording *recording)
{
        uint32_t room = recording->texts_room ? recording->texts_room * 2 : 4 * FIRST_ROOM;
        char **table = calloc(room, sizeof *table);

        if (!table)
                return false;
        for (uint32_t i = 0; i < recording->texts_room; i++) {
                char *text = recording->texts[i];

                if (!text)
                        continue;
                uint32_t at = hash_of(text, strlen(text)) % room;
                while (table[at])
                        at = (at + 1) % room;
                table[at] = text;
        }
        free(recording->texts);
        recording->texts = table;
        recording->texts_room = room;
        return true;
}

const char *pl_trace_keep(struct plait_recording *recording, const char *text, size_t bytes)
{
        bytes = strnlen(text, bytes);
        if (2 * recording->n_texts >= recording->texts_room && !grow_texts(recording))
                return NULL;
        uint32_t at = hash_of(text, bytes) % recording->texts_room;
        for (; recording->texts[at]; at = (at + 1) % recording->texts_room)
                if (strlen(recording->texts[at]) == bytes && memcmp(recording->texts[at], text, bytes) == 0)
                        return recording->texts[at];
        char *copy = malloc(bytes + 1);
        if (copy) {
                memcpy(copy, text, bytes);
                copy[bytes] = '\0';
                recording->texts[at] = copy;
                recording->n_texts++;
        }
        return copy;
}

struct pl_trace_track *pl_trace_track(struct plait_recording *recording, uint32_t process, uint32_t number)
{
        for (uint32_t i = recording->n_tracks; i-- > 0;)
                if (recording->tracks[i].shown.process == process && recording->tracks[i].number == number)
                        return &recording->tracks[i];
        if (recording->n_tracks == TRACKS_MOST ||
            !grow(&recording->tracks, recording->n_tracks, &recording->tracks_room, sizeof *recording->tracks))
                return NULL;
        struct pl_trace_track *track = &recording->tracks[recording->n_tracks++];
        track->shown.process = process;
        track->shown.name = "";
        track->number = number;
        return track;
}

/* --- numbers and texts of a chunk --- */

struct input {
        const uint8_t *at;
        size_t bytes;
        bool bad; /* it has less than was expected */
};

static uint64_t number(struct input *in)
{
        uint64_t value = 0;
        size_t n = in->bad ? 0 : pl_trace_get_varint(in->at, in->bytes, &value);

        in->bad = in->bad || n == 0;
        in->at += n;
        in->bytes -= n;
        return n ? value : 0;
}

static int64_t signed_number(struct input *in)
{
        return (int64_t)pl_trace_unzigzag(number(in));
}

static const uint8_t *bytes_of(struct input *in, size_t n)
{
        const uint8_t *at = in->at;

        if (in->bad || n > in->bytes) {
                in->bad = true;
                return NULL;
        }
        in->at += n;
        in->bytes -= n;
        return at;
}

/* NULL: there is none, or no memory: *error says so. */
static const char *text(struct plait_recording *recording, struct input *in)
{
        uint64_t n = number(in);
        const uint8_t *at = n <= SIZE_MAX ? bytes_of(in, (size_t)n) : NULL;
        const char *kept = at ? pl_trace_keep(recording, (const char *)at, (size_t)n) : NULL;

        if (at && !kept)
                recording->error = -ENOMEM;
        return kept ? kept : "";
}

/* --- chunks --- */

/* The process that is meant; NULL: none that is known. */
static struct pl_trace_process *process_of(struct plait_recording *recording, uint64_t serial)
{
        for (uint32_t i = recording->n_processes; i-- > 0;)
                if (recording->processes[i].serial == serial)
                        return &recording->processes[i];
        return NULL;
}

static uint32_t index_of(const struct plait_recording *recording, const struct pl_trace_process *process)
{
        return (uint32_t)(process - recording->processes);
}

/* Which waits say who is waited for. */
static bool says_whom(const char *cause)
{
        static const char *const such[] = {"mutex", "read lock", "write lock", "task"};

        for (size_t i = 0; i < PL_ARRAY_SIZE(such); i++)
                if (strcmp(cause, such[i]) == 0)
                        return true;
        return false;
}

static bool read_causes(struct plait_recording *recording, struct pl_trace_process *process, struct input *in)
{
        uint64_t n = number(in);

        if (in->bad || n > CAUSES_MOST)
                return false;
        process->causes = calloc((size_t)n + 1, sizeof *process->causes);
        process->cause_has_other = calloc((size_t)n + 1, 1);
        if (!process->causes || !process->cause_has_other) {
                recording->error = -ENOMEM;
                return false;
        }
        process->n_causes = (uint32_t)n;
        for (uint32_t i = 0; i < n; i++) {
                process->causes[i] = text(recording, in);
                process->cause_has_other[i] = says_whom(process->causes[i]);
        }
        return !in->bad;
}

static void read_clock(struct pl_trace_process *process, struct input *in)
{
        struct pl_trace_instant instant = {.ticks = number(in)};

        instant.ns = signed_number(in);
        if (!in->bad && (int64_t)(instant.ticks - process->latest.ticks) > 0 && instant.ns > process->latest.ns)
                process->latest = instant;
}

static bool read_process(struct plait_recording *recording, struct input *in)
{
        static const char magic[] = PL_TRACE_MAGIC;
        const uint8_t *found = bytes_of(in, sizeof magic - 1);

        if (!found || memcmp(found, magic, sizeof magic - 1) != 0)
                return false;
        if (number(in) > PL_TRACE_VERSION) {
                recording->error = -EPROTONOSUPPORT;
                return false;
        }
        if (recording->n_processes == PROCESSES_MOST ||
            !grow(&recording->processes, recording->n_processes, &recording->processes_room,
                  sizeof *recording->processes)) {
                recording->error = -ENOMEM;
                return false;
        }
        struct pl_trace_process *process = &recording->processes[recording->n_processes];
        *process = (struct pl_trace_process){.serial = (uint32_t)number(in)};
        const uint8_t *id = bytes_of(in, PL_TRACE_ID_BYTES);
        if (id)
                memcpy(process->id, id, PL_TRACE_ID_BYTES);
        process->shown.pid = (uint32_t)number(in);
        process->shown.parent_pid = (uint32_t)number(in);
        process->flags = (unsigned)number(in);
        process->place = number(in) == PL_TRACE_IN_SHM ? PL_TRACE_IN_SHM : PL_TRACE_BESIDE;
        process->begin.ticks = number(in);
        process->begin.ns = signed_number(in);
        process->begin_real_ns = signed_number(in);
        process->latest = process->begin;
        process->rate = number(in);
        process->unit_shift = (unsigned)number(in);
        process->shown.name = text(recording, in);
        process->shown.command = text(recording, in);
        process->shown.role = text(recording, in);
        process->shown.build = text(recording, in);
        if (in->bad || !process->rate || process->rate > UINT64_C(1) << 40 || process->unit_shift > UNIT_SHIFT_MOST)
                return false;
        recording->n_processes++; /* so that it is freed, whatever comes */
        return read_causes(recording, process, in);
}

static bool read_lane(struct plait_recording *recording, struct pl_trace_process *process, struct input *in)
{
        uint64_t lane = number(in);
        uint64_t kind = number(in);
        uint64_t worker = number(in);
        uint64_t tid = number(in);
        const char *name = text(recording, in);

        if (in->bad || lane > UINT32_MAX || kind > PLAIT_RECORDING_LANE_SERVICE || worker > UINT32_MAX ||
            tid > UINT32_MAX)
                return false;
        struct pl_trace_track *track = pl_trace_track(recording, index_of(recording, process), (uint32_t)lane);
        if (!track) {
                recording->error = -ENOMEM;
                return false;
        }
        track->shown.kind = (uint32_t)kind;
        track->shown.number = (uint32_t)worker;
        track->shown.tid = (uint32_t)tid;
        track->shown.name = name;
        return true;
}

static bool read_string(struct plait_recording *recording, struct pl_trace_process *process, struct input *in)
{
        uint64_t n = number(in);
        const char *kept = text(recording, in);

        if (in->bad || n != (uint64_t)process->n_strings + 1)
                return false;
        if (!grow(&process->strings, process->n_strings, &process->strings_room, sizeof *process->strings)) {
                recording->error = -ENOMEM;
                return false;
        }
        process->strings[process->n_strings++] = kept;
        return true;
}

static uint32_t place_of(uint64_t address, uint32_t room)
{
        return (uint32_t)(address * 0x9e3779b97f4a7c15 >> 32) % room;
}

const char *pl_trace_function_name(const struct pl_trace_process *process, uint64_t address)
{
        if (!process->functions_room)
                return NULL;
        for (uint32_t at = place_of(address, process->functions_room); process->functions[at].name;
             at = (at + 1) % process->functions_room)
                if (process->functions[at].address == address)
                        return process->functions[at].name;
        return NULL;
}

static void put_function(struct pl_trace_function *table, uint32_t room, struct pl_trace_function function)
{
        uint32_t at = place_of(function.address, room);

        while (table[at].name)
                at = (at + 1) % room;
        table[at] = function;
}

static bool read_function(struct plait_recording *recording, struct pl_trace_process *process, struct input *in)
{
        uint64_t address = number(in);
        uint64_t string = number(in);

        if (in->bad || !string || string > process->n_strings)
                return false;
        if (pl_trace_function_name(process, address))
                return true;
        if (2 * process->n_functions >= process->functions_room) {
                uint32_t room = process->functions_room ? process->functions_room * 2 : 4 * FIRST_ROOM;
                struct pl_trace_function *table = calloc(room, sizeof *table);

                if (!table) {
                        recording->error = -ENOMEM;
                        return false;
                }
                for (uint32_t i = 0; i < process->functions_room; i++)
                        if (process->functions[i].name)
                                put_function(table, room, process->functions[i]);
                free(process->functions);
                process->functions = table;
                process->functions_room = room;
        }
        process->n_functions++;
        put_function(process->functions, process->functions_room,
                     (struct pl_trace_function){.address = address, .name = process->strings[string - 1]});
        return true;
}

/* *at*: where the chunk's part that is in *in* begins in the file; *bytes*: how much of the chunk that is. */
static bool read_events(struct plait_recording *recording, struct pl_trace_process *process, struct input *in,
                        uint64_t at, size_t bytes)
{
        size_t before = in->bytes;
        uint64_t lane = number(in);
        struct pl_trace_piece piece = {.first = number(in)};

        piece.count = number(in);
        piece.ticks = number(in) << process->unit_shift;
        if (in->bad || lane > UINT32_MAX)
                return false;
        size_t head = before - in->bytes;
        piece.at = at + head;
        piece.bytes = (uint32_t)(bytes - head);
        struct pl_trace_track *track = pl_trace_track(recording, index_of(recording, process), (uint32_t)lane);
        uint32_t room = track ? (uint32_t)track->pieces_room : 0;
        if (!track || !grow(&track->pieces, (uint32_t)track->n_pieces, &room, sizeof *track->pieces)) {
                recording->error = -ENOMEM;
                return false;
        }
        track->pieces_room = room;
        track->pieces[track->n_pieces++] = piece;
        track->shown.events += piece.count;
        process->shown.events += piece.count;
        return true;
}

static void read_end(struct pl_trace_process *process, struct input *in)
{
        read_clock(process, in);
        uint64_t events = number(in);
        uint64_t dropped = number(in);

        if (in->bad)
                return;
        process->shown.ended = true;
        process->shown.events = events;
        process->shown.dropped = dropped;
}

/* A chunk of *bytes*, of which the first *n* are at *data*, and which begins at *at*. False: it is damaged. */
static bool read_chunk(struct plait_recording *recording, const uint8_t *data, size_t n, uint64_t at, size_t bytes)
{
        struct input in = {.at = data, .bytes = n};
        const uint8_t *type = bytes_of(&in, 1);

        if (!type)
                return false;
        if (*type == PL_TRACE_CHUNK_PROCESS)
                return read_process(recording, &in);
        struct pl_trace_process *process = process_of(recording, number(&in));
        if (in.bad || !process)
                return !in.bad && *type > PL_TRACE_CHUNK_END; /* of a later version */
        size_t used = (size_t)(in.at - data);
        switch (*type) {
        case PL_TRACE_CHUNK_LANE: return read_lane(recording, process, &in);
        case PL_TRACE_CHUNK_STRING: return read_string(recording, process, &in);
        case PL_TRACE_CHUNK_FUNCTION: return read_function(recording, process, &in);
        case PL_TRACE_CHUNK_EVENTS: return read_events(recording, process, &in, at + used, bytes - used);
        case PL_TRACE_CHUNK_CLOCK: read_clock(process, &in); return !in.bad;
        case PL_TRACE_CHUNK_END: read_end(process, &in); return !in.bad;
        default: return true;
        }
}

/* --- packets --- */

/* How much of the file is there at *at*, up to *bytes*; the rest is not touched. */
static ssize_t read_at(const struct plait_recording *recording, uint64_t at, void *buf, size_t bytes)
{
        const int saved = errno;
        size_t done = 0;
        int r = 0;

        while (done < bytes && r == 0) {
                ssize_t n = pread(recording->fd, (char *)buf + done, bytes - done, (off_t)(at + done));

                if (n == 0)
                        break;
                if (n > 0)
                        done += (size_t)n;
                else if (errno != EINTR)
                        r = -errno;
        }
        errno = saved;
        return r < 0 ? r : (ssize_t)done;
}

enum { LOOK_BYTES = 64 * 1024 };

/* A chunk that begins *skip* bytes into *data*, which is at recording->at. Only events may be larger than *data*. */
static bool read_packet(struct plait_recording *recording, const uint8_t *data, size_t n, size_t skip, uint64_t bytes)
{
        if (!bytes || bytes > PL_TRACE_CHUNK_MOST)
                return false;
        size_t there = n - skip < bytes ? n - skip : (size_t)bytes;
        if (there < bytes && data[skip] != PL_TRACE_CHUNK_EVENTS)
                return false;
        recording->file_bytes += skip + bytes;
        return read_chunk(recording, data + skip, there, recording->at + skip, (size_t)bytes);
}

/* The packet at recording->at. 1; 0: it is not whole, or there is none; or a negative errno. */
static int scan_packet(struct plait_recording *recording, uint8_t *data)
{
        ssize_t n = read_at(recording, recording->at, data, LOOK_BYTES);
        uint64_t packet, field = 0, bytes = 0;

        if (n <= 0)
                return (int)n;
        size_t room = (size_t)n, at = 1, k;
        if (data[0] != PL_TRACE_PACKET_KEY || !(k = pl_trace_get_varint(data + at, room - at, &packet)))
                return 0;
        at += k;
        uint64_t begin = at;
        if (packet > recording->bytes || recording->at + begin + packet > recording->bytes)
                return 0;
        k = pl_trace_get_varint(data + at, room - at, &field);
        if (k && field == PL_TRACE_FIELD_KEY) {
                at += k;
                k = pl_trace_get_varint(data + at, room - at, &bytes);
                if (!k || at + k + bytes != begin + packet || !read_packet(recording, data, room, at + k, bytes))
                        return recording->error;
        }
        recording->at += begin + packet;
        return 1;
}

/* All that has been written so far. */
static int scan(struct plait_recording *recording)
{
        uint8_t *data = malloc(LOOK_BYTES);
        struct stat st;
        int r = 1;

        if (!data)
                return -ENOMEM;
        if (fstat(recording->fd, &st) < 0)
                r = -errno;
        else
                recording->bytes = (uint64_t)st.st_size;
        while (r > 0 && recording->at < recording->bytes)
                r = scan_packet(recording, data);
        recording->torn = recording->torn || (r == 0 && recording->at < recording->bytes);
        free(data);
        return r < 0 ? r : 0;
}

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

        return ns > 0 ? ns < 9e18 ? (int64_t)ns : INT64_MAX : 0;
}

static void set_times(struct plait_recording *recording)
{
        set_clock(recording);
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
        int r = scan(recording);

        if (r == 0 && !recording->n_processes)
                r = -EBADMSG;
        /* First what is in the rings, then what has been taken from there to the file meanwhile. */
        for (uint32_t i = 0; r == 0 && i < recording->n_processes; i++)
                if (!recording->processes[i].shown.ended)
                        r = pl_trace_read_rings(recording, i);
        if (r == 0 && !recording->torn)
                r = scan(recording);
        if (r == 0)
                set_times(recording);
        return r;
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
