/* Reading what the chunks of a recording say: processes, lanes, names, and where events are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace/recording.h"

enum {
        FIRST_ROOM = 16,
        PROCESSES_MOST = 1 << 20,
        TRACKS_MOST = 1 << 24,
        CAUSES_MOST = 4096,
        UNIT_SHIFT_MOST = 20,
};

/* --- what is kept --- */

bool pl_trace_grow(void *array, uint32_t n, uint32_t *room, size_t bytes)
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
            !pl_trace_grow(&recording->tracks, recording->n_tracks, &recording->tracks_room, sizeof *recording->tracks))
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
static struct pl_trace_process *process_of(const struct plait_recording *recording, uint64_t serial)
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

static bool is_time(int64_t ns)
{
        return ns >= 0 && ns <= PL_TRACE_TIME_MOST;
}

static void read_clock(struct pl_trace_process *process, struct input *in)
{
        struct pl_trace_instant instant = {.ticks = number(in)};

        instant.ns = signed_number(in);
        if (!in->bad && is_time(instant.ns) && (int64_t)(instant.ticks - process->latest.ticks) > 0 &&
            instant.ns > process->latest.ns)
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
            !pl_trace_grow(&recording->processes, recording->n_processes, &recording->processes_room,
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
        if (in->bad || !process->rate || process->rate > UINT64_C(1) << 40 || process->unit_shift > UNIT_SHIFT_MOST ||
            !is_time(process->begin.ns) || !is_time(process->begin_real_ns))
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
        if (!pl_trace_grow(&process->strings, process->n_strings, &process->strings_room, sizeof *process->strings)) {
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
        if (!track || !pl_trace_grow(&track->pieces, (uint32_t)track->n_pieces, &room, sizeof *track->pieces)) {
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

bool pl_trace_begins_chunk(const struct plait_recording *recording, const uint8_t *data, size_t n)
{
        static const char magic[] = PL_TRACE_MAGIC;
        struct input in = {.at = data, .bytes = n};
        const uint8_t *type = bytes_of(&in, 1);

        if (!type || *type < PL_TRACE_CHUNK_PROCESS || *type > PL_TRACE_CHUNK_END)
                return false;
        if (*type != PL_TRACE_CHUNK_PROCESS)
                return process_of(recording, number(&in)) && !in.bad;
        const uint8_t *found = bytes_of(&in, sizeof magic - 1);
        return found && memcmp(found, magic, sizeof magic - 1) == 0;
}

bool pl_trace_read_chunk(struct plait_recording *recording, const uint8_t *data, size_t n, uint64_t at, size_t bytes)
{
        struct input in = {.at = data, .bytes = n};
        const uint8_t *type = bytes_of(&in, 1);

        if (!type)
                return false;
        if (*type == PL_TRACE_CHUNK_PROCESS)
                return read_process(recording, &in);
        if (*type == PL_TRACE_CHUNK_NOTHING || *type == PL_TRACE_CHUNK_LOST) {
                recording->torn = recording->torn || *type == PL_TRACE_CHUNK_LOST;
                return true;
        }
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
