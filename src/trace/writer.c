/* From rings to the file; see writer.h and format.h. */
#include "trace/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plat/unwind.h"

enum {
        CHUNK_BYTES = PL_TRACE_EVENTS_BYTES + 2048,
        OUT_BYTES = 256 * 1024,
        FIRST_ROOM = 256,
        FUNCTION_NAME_BYTES = 256,
};

_Static_assert(OUT_BYTES >= 2 * CHUNK_BYTES, "a chunk fits, and then some");

int pl_trace_writer_init(struct pl_trace_writer *writer, int fd, uint32_t serial, const char *names)
{
        memset(writer, 0, sizeof *writer);
        writer->fd = fd;
        writer->serial = serial;
        writer->names = names;
        writer->out = malloc(OUT_BYTES);
        writer->chunk = malloc(CHUNK_BYTES);
        if (!writer->out || !writer->chunk) {
                pl_trace_writer_done(writer);
                return -ENOMEM;
        }
        return 0;
}

void pl_trace_writer_done(struct pl_trace_writer *writer)
{
        for (uint32_t i = 0; i < writer->strings.n; i++)
                free(writer->strings.texts[i]);
        free(writer->strings.texts);
        free(writer->strings.table);
        free(writer->functions);
        free(writer->out);
        free(writer->chunk);
        memset(writer, 0, sizeof *writer);
}

/* --- packets --- */

void pl_trace_flush(struct pl_trace_writer *writer)
{
        size_t done = 0;

        while (done < writer->used && !writer->error) {
                ssize_t n = write(writer->fd, writer->out + done, writer->used - done);

                if (n < 0 && errno != EINTR)
                        writer->error = -errno;
                else if (n > 0)
                        done += (size_t)n;
        }
        writer->bytes += done;
        if (done == writer->used)
                writer->events += writer->unwritten;
        else
                writer->lost += writer->unwritten;
        writer->used = 0;
        writer->unwritten = 0;
}

static size_t varint_bytes(uint64_t value)
{
        size_t n = 1;

        for (; value >= 0x80; value >>= 7)
                n++;
        return n;
}

/* A packet of *bytes* of a chunk. */
static void put_packet(struct pl_trace_writer *writer, const uint8_t *chunk, size_t bytes)
{
        size_t field = PL_TRACE_FIELD_KEY_BYTES + varint_bytes(bytes) + bytes;
        size_t all = 1 + varint_bytes(field) + field;

        if (writer->used + all > OUT_BYTES)
                pl_trace_flush(writer);
        uint8_t *out = writer->out + writer->used;
        *out++ = PL_TRACE_PACKET_KEY;
        out += pl_trace_put_varint(out, field);
        out += pl_trace_put_varint(out, PL_TRACE_FIELD_KEY);
        out += pl_trace_put_varint(out, bytes);
        memcpy(out, chunk, bytes);
        writer->used += all;
}

void pl_trace_chunk_begin(struct pl_trace_writer *writer, enum pl_trace_chunk type)
{
        writer->chunk[0] = (uint8_t)type;
        writer->chunk_used = 1;
        if (type != PL_TRACE_CHUNK_PROCESS)
                pl_trace_chunk_number(writer, writer->serial);
}

void pl_trace_chunk_number(struct pl_trace_writer *writer, uint64_t value)
{
        if (CHUNK_BYTES - writer->chunk_used >= PL_TRACE_VARINT_MOST)
                writer->chunk_used += pl_trace_put_varint(writer->chunk + writer->chunk_used, value);
}

void pl_trace_chunk_signed(struct pl_trace_writer *writer, int64_t value)
{
        pl_trace_chunk_number(writer, pl_trace_zigzag((uint64_t)value));
}

void pl_trace_chunk_bytes(struct pl_trace_writer *writer, const void *data, size_t bytes)
{
        size_t room = CHUNK_BYTES - writer->chunk_used;

        if (bytes > room)
                bytes = room;
        memcpy(writer->chunk + writer->chunk_used, data, bytes);
        writer->chunk_used += bytes;
}

void pl_trace_chunk_text(struct pl_trace_writer *writer, const char *text)
{
        size_t bytes = strlen(text);

        if (bytes > PL_TRACE_EVENTS_BYTES / 2)
                bytes = PL_TRACE_EVENTS_BYTES / 2;
        pl_trace_chunk_number(writer, bytes);
        pl_trace_chunk_bytes(writer, text, bytes);
}

void pl_trace_chunk_end(struct pl_trace_writer *writer)
{
        put_packet(writer, writer->chunk, writer->chunk_used);
        writer->chunk_used = 0;
}

/* A chunk while another one is in the making. */
static void put_definition(struct pl_trace_writer *writer, enum pl_trace_chunk type, uint64_t number, uint64_t second,
                           const char *text)
{
        uint8_t chunk[1 + 4 * PL_TRACE_VARINT_MOST + FUNCTION_NAME_BYTES + PL_TRACE_TEXT_BYTES];
        size_t n = 0, bytes;

        chunk[n++] = (uint8_t)type;
        n += pl_trace_put_varint(chunk + n, writer->serial);
        n += pl_trace_put_varint(chunk + n, number);
        if (text) {
                bytes = strnlen(text, FUNCTION_NAME_BYTES + PL_TRACE_TEXT_BYTES - 1);
                n += pl_trace_put_varint(chunk + n, bytes);
                memcpy(chunk + n, text, bytes);
                n += bytes;
        } else {
                n += pl_trace_put_varint(chunk + n, second);
        }
        put_packet(writer, chunk, n);
}

/* --- strings --- */

static uint32_t hash_of(const char *text)
{
        uint32_t hash = 2166136261U; /* FNV-1a */

        for (; *text; text++)
                hash = (hash ^ (uint8_t)*text) * 16777619U;
        return hash;
}

static bool grow_strings(struct pl_trace_strings *strings)
{
        uint32_t room = strings->room ? strings->room * 2 : FIRST_ROOM;
        char **texts = realloc(strings->texts, room * sizeof *texts);

        if (!texts)
                return false;
        strings->texts = texts;
        uint32_t *table = calloc(2 * (size_t)room, sizeof *table);
        if (!table)
                return false;
        for (uint32_t i = 0; i < strings->n; i++) {
                uint32_t at = hash_of(texts[i]) % (2 * room);

                while (table[at])
                        at = (at + 1) % (2 * room);
                table[at] = i + 1;
        }
        free(strings->table);
        strings->table = table;
        strings->room = room;
        return true;
}

/* The number of *text*, which is defined in the file; 0: no memory. */
static uint32_t string_of(struct pl_trace_writer *writer, const char *text)
{
        struct pl_trace_strings *strings = &writer->strings;

        if (!*text || (strings->n == strings->room && !grow_strings(strings)))
                return 0;
        uint32_t at = hash_of(text) % (2 * strings->room);
        for (; strings->table[at]; at = (at + 1) % (2 * strings->room))
                if (strcmp(strings->texts[strings->table[at] - 1], text) == 0)
                        return strings->table[at];
        char *copy = strdup(text);
        if (!copy)
                return 0;
        strings->texts[strings->n++] = copy;
        strings->table[at] = strings->n;
        put_definition(writer, PL_TRACE_CHUNK_STRING, strings->n, 0, text);
        return strings->n;
}

/* The string of a name, which is *number* - 1 bytes into the names. */
static uint32_t string_of_name(struct pl_trace_writer *writer, uint64_t number)
{
        if (number == 0 || number > PL_TRACE_NAMES_BYTES)
                return 0;
        uint32_t *known = &writer->name_strings[(number - 1) / 2];

        if (!*known)
                *known = string_of(writer, writer->names + number - 1);
        return *known;
}

/* --- functions --- */

static bool grow_functions(struct pl_trace_writer *writer)
{
        uint32_t room = writer->functions_room ? writer->functions_room * 2 : FIRST_ROOM;
        uint64_t *table = calloc(room, sizeof *table);

        if (!table)
                return false;
        for (uint32_t i = 0; i < writer->functions_room; i++) {
                uint64_t address = writer->functions[i];
                uint32_t at = (uint32_t)(address * 0x9e3779b97f4a7c15 >> 32) % room;

                if (!address)
                        continue;
                while (table[at])
                        at = (at + 1) % room;
                table[at] = address;
        }
        free(writer->functions);
        writer->functions = table;
        writer->functions_room = room;
        return true;
}

/* Whether *address* is a new one, which is none from now on. */
static bool is_new(struct pl_trace_writer *writer, uint64_t address)
{
        if (!address || (2 * writer->n_functions >= writer->functions_room && !grow_functions(writer)))
                return false;
        uint32_t at = (uint32_t)(address * 0x9e3779b97f4a7c15 >> 32) % writer->functions_room;
        for (; writer->functions[at]; at = (at + 1) % writer->functions_room)
                if (writer->functions[at] == address)
                        return false;
        writer->functions[at] = address;
        writer->n_functions++;
        return true;
}

/* See to it that the file says what the function at *address* is called. */
static void define_function(struct pl_trace_writer *writer, uint64_t address)
{
        char name[FUNCTION_NAME_BYTES];

        if (!writer->function_name || !is_new(writer, address))
                return;
        uint32_t string = writer->function_name(address, name, sizeof name) ? string_of(writer, name) : 0;
        if (string)
                put_definition(writer, PL_TRACE_CHUNK_FUNCTION, address, string, NULL);
}

/*
 * What is waited for at *address* is static, none of the library's own, and has a name: an event says so, when it is
 * first waited for.
 */
static void define_object(struct pl_trace_writer *writer, struct pl_trace_coder *coder, uint64_t address,
                          uint64_t ticks)
{
        uint64_t *asked = &writer->asked[(address >> 4 ^ address >> 10) % PL_TRACE_RECENT];
        char name[FUNCTION_NAME_BYTES];

        if (*asked == address || !writer->object_name)
                return;
        *asked = address;
        const void *object = (const void *)(uintptr_t)address;
        if (!pl_plat_is_static(object) || pl_plat_same_object(object, &pl_trace_shapes) || !is_new(writer, address) ||
            !writer->object_name(address, name, sizeof name))
                return;
        const struct pl_trace_event event = {.word = PLAIT_RECORDING_OBJECT, .a = address};
        uint32_t string = string_of(writer, name);
        writer->chunk_used += pl_trace_encode(coder, &event, ticks, string, writer->chunk + writer->chunk_used);
}

/* --- lanes and events --- */

void pl_trace_write_lane(struct pl_trace_writer *writer, const struct pl_trace_slot *slot)
{
        char name[PL_TRACE_THREAD_NAME + 1] = "";

        memcpy(name, slot->name, PL_TRACE_THREAD_NAME);
        pl_trace_chunk_begin(writer, PL_TRACE_CHUNK_LANE);
        pl_trace_chunk_number(writer, slot->lane);
        pl_trace_chunk_number(writer, slot->kind);
        pl_trace_chunk_number(writer, slot->number);
        pl_trace_chunk_number(writer, slot->tid);
        pl_trace_chunk_text(writer, name);
        pl_trace_chunk_end(writer);
}

/* The text that stands in the slots before an event. */
struct text {
        char bytes[PL_TRACE_TEXT_SLOTS * PL_TRACE_TEXT_SLOT + 1];
        size_t used;
};

static void add_text(struct text *text, const struct pl_trace_event *event)
{
        size_t n = pl_trace_small_of(event);

        if (n > PL_TRACE_TEXT_SLOT || text->used + n >= sizeof text->bytes)
                return;
        memcpy(text->bytes + text->used, &event->a, n < 8 ? n : 8);
        if (n > 8)
                memcpy(text->bytes + text->used + 8, &event->b, n - 8);
        text->used += n;
}

/* Its number; and it is used up. */
static uint32_t take_text(struct pl_trace_writer *writer, struct text *text)
{
        if (!text->used)
                return 0;
        text->bytes[text->used] = '\0';
        text->used = 0;
        return string_of(writer, text->bytes);
}

/* Put one event, which is no text, into the chunk. */
static void put_event(struct pl_trace_writer *writer, struct pl_trace_coder *coder, const struct pl_trace_event *event,
                      uint64_t ticks, struct text *text)
{
        unsigned kind = pl_trace_kind_of(event) % PL_TRACE_KINDS;
        const struct pl_trace_shape *shape = &pl_trace_shapes[kind];
        uint32_t string = PL_UNLIKELY(text->used) ? take_text(writer, text) : 0;

        if (PL_UNLIKELY(!shape->known))
                return;
        if (kind == PLAIT_RECORDING_WAITS && event->a)
                define_object(writer, coder, event->a, ticks);
        uint8_t *out = writer->chunk + writer->chunk_used;
        if (shape->a == PL_TRACE_NAME) {
                struct pl_trace_event named = *event;

                named.a = string_of_name(writer, event->a);
                writer->chunk_used += pl_trace_encode(coder, &named, ticks, string, out);
                return;
        }
        if (kind == PLAIT_RECORDING_SPAWNED || kind == PLAIT_RECORDING_EXISTS) {
                define_function(writer, event->b);
                writer->alive++;
        } else if (kind == PLAIT_RECORDING_FINISHED) {
                writer->alive--;
        } else if (kind == PLAIT_RECORDING_DROPPED) {
                writer->dropped += event->a;
        }
        writer->chunk_used += pl_trace_encode(coder, event, ticks, string, out);
}

void pl_trace_write_events(struct pl_trace_writer *writer, uint32_t lane, const struct pl_trace_event *ring,
                           uint64_t events, uint64_t from, uint64_t to, uint64_t *last_ticks)
{
        struct text text = {.used = 0};
        struct pl_trace_coder coder;
        uint64_t ticks = *last_ticks;

        while (from != to) {
                uint64_t first = from, n_events = 0;
                uint64_t begin = ticks;
                uint8_t *body;
                size_t body_at;

                /* The events first, behind room for the head, which says how many they are. */
                writer->chunk_used = body_at = 6 * PL_TRACE_VARINT_MOST;
                pl_trace_coder_begin(&coder, begin);
                for (; from != to && (writer->chunk_used < PL_TRACE_EVENTS_BYTES || text.used); from++) {
                        const struct pl_trace_event *event = &ring[from % events];

                        if (PL_UNLIKELY(pl_trace_kind_of(event) == PL_TRACE_TEXT)) {
                                add_text(&text, event);
                                continue;
                        }
                        if (PL_UNLIKELY(pl_trace_kind_of(event) == PLAIT_RECORDING_NONE))
                                continue;
                        uint64_t at = pl_trace_ticks_of(event, ticks);
                        if ((int64_t)(at - ticks) > 0)
                                ticks = at;
                        put_event(writer, &coder, event, at, &text);
                        n_events++;
                }
                body = writer->chunk + body_at;
                size_t body_bytes = writer->chunk_used - body_at;
                uint8_t head[6 * PL_TRACE_VARINT_MOST];
                size_t n = 0;

                head[n++] = PL_TRACE_CHUNK_EVENTS;
                n += pl_trace_put_varint(head + n, writer->serial);
                n += pl_trace_put_varint(head + n, lane);
                n += pl_trace_put_varint(head + n, first);
                n += pl_trace_put_varint(head + n, from - first);
                n += pl_trace_put_varint(head + n, begin >> PL_TRACE_UNIT_SHIFT);
                memcpy(body - n, head, n);
                put_packet(writer, body - n, body_bytes + n);
                writer->unwritten += n_events;
                writer->chunk_used = 0;
        }
        *last_ticks = ticks;
}
