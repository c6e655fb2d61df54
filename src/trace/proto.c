/*
 * Protobuf messages.
 */
#include "trace/proto.h"

#include <stdlib.h>
#include <string.h>

enum { WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES };

static uint8_t *make_room(struct pl_trace_proto *proto, size_t n)
{
        if (proto->used + n > proto->room) {
                size_t room = 2 * (proto->used + n) + 64;
                uint8_t *bigger = realloc(proto->bytes, room);

                if (!bigger) {
                        proto->failed = true;
                        return NULL;
                }
                proto->bytes = bigger;
                proto->room = room;
        }
        return proto->bytes + proto->used;
}

static void put_varint(struct pl_trace_proto *proto, uint64_t value)
{
        uint8_t *at = make_room(proto, 10);

        if (!at)
                return;
        for (; value >= 0x80; value >>= 7, proto->used++)
                *at++ = (uint8_t)(value | 0x80);
        *at = (uint8_t)value;
        proto->used++;
}

static void put_key(struct pl_trace_proto *proto, uint32_t field, unsigned wire)
{
        put_varint(proto, (uint64_t)field << 3 | wire);
}

static void put_bytes(struct pl_trace_proto *proto, const void *bytes, size_t n)
{
        uint8_t *at = n ? make_room(proto, n) : NULL;

        if (!at)
                return;
        memcpy(at, bytes, n);
        proto->used += n;
}

void pl_trace_proto_number(struct pl_trace_proto *proto, uint32_t field, uint64_t value)
{
        put_key(proto, field, WIRE_VARINT);
        put_varint(proto, value);
}

void pl_trace_proto_fixed64(struct pl_trace_proto *proto, uint32_t field, uint64_t value)
{
        uint8_t bytes[sizeof value];

        for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (uint8_t)(value >> 8 * i);
        put_key(proto, field, WIRE_FIXED64);
        put_bytes(proto, bytes, sizeof bytes);
}

void pl_trace_proto_double(struct pl_trace_proto *proto, uint32_t field, double value)
{
        uint64_t bits;

        memcpy(&bits, &value, sizeof bits);
        pl_trace_proto_fixed64(proto, field, bits);
}

void pl_trace_proto_bytes(struct pl_trace_proto *proto, uint32_t field, const void *bytes, size_t n)
{
        put_key(proto, field, WIRE_BYTES);
        put_varint(proto, n);
        put_bytes(proto, bytes, n);
}

/* How many bytes the character at *text* has; 0: it is no UTF-8. */
static size_t character_bytes(const uint8_t *text)
{
        size_t n = text[0] < 0x80   ? 1
                   : text[0] < 0xC2 ? 0
                   : text[0] < 0xE0 ? 2
                   : text[0] < 0xF0 ? 3
                   : text[0] < 0xF5 ? 4
                                    : 0;

        for (size_t i = 1; i < n; i++)
                if ((text[i] & 0xC0) != 0x80)
                        return 0;
        if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] > 0x9F) ||
            (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] > 0x8F))
                return 0;
        return n;
}

void pl_trace_proto_text(struct pl_trace_proto *proto, uint32_t field, const char *text)
{
        size_t n = strlen(text);

        pl_trace_proto_bytes(proto, field, text, n);
        if (proto->failed)
                return;
        for (uint8_t *at = proto->bytes + proto->used - n, *end = at + n; at < end;) {
                uint8_t rest[5] = {0}; /* the text ends with a zero, and the buffer does not */

                memcpy(rest, at, (size_t)(end - at) < 4 ? (size_t)(end - at) : 4);
                size_t step = character_bytes(rest);
                if (step == 0)
                        *at = '?';
                at += step ? step : 1;
        }
}

void pl_trace_proto_message(struct pl_trace_proto *proto, uint32_t field, struct pl_trace_proto *inner)
{
        pl_trace_proto_bytes(proto, field, inner->bytes, inner->used);
        proto->failed |= inner->failed;
        inner->used = 0;
}

void pl_trace_proto_done(struct pl_trace_proto *proto)
{
        free(proto->bytes);
        *proto = (struct pl_trace_proto){0};
}
