/*
 * JSON, written into a growing buffer.
 */
#include "term/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "term/text.h"

static void append(struct json *json, const char *text, size_t bytes)
{
        if (json->failed)
                return;
        if (json->bytes + bytes > json->room) {
                size_t room = (json->bytes + bytes) * 2 + 256;
                char *grown = realloc(json->text, room);
                if (!grown) {
                        json->failed = true;
                        return;
                }
                json->text = grown;
                json->room = room;
        }
        memcpy(json->text + json->bytes, text, bytes);
        json->bytes += bytes;
}

static void append_escaped(struct json *json, const char *value)
{
        size_t left = strlen(value);
        char escape[8];

        append(json, "\"", 1);
        while (left > 0) {
                uint32_t point = 0;
                size_t length = text_decode(value, left, &point);

                if (length == 0) {
                        append(json, "\xEF\xBF\xBD", 3);
                        length = 1;
                } else if (point == '"' || point == '\\') {
                        escape[0] = '\\';
                        escape[1] = (char)point;
                        append(json, escape, 2);
                } else if (point < 0x20 || point == 0x7F) {
                        append(json, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", point));
                } else {
                        append(json, value, length);
                }
                value += length;
                left -= length;
        }
        append(json, "\"", 1);
}

static void begin(struct json *json, const char *key)
{
        if (json->comma)
                append(json, ", ", 2);
        json->comma = true;
        if (key) {
                append_escaped(json, key);
                append(json, ": ", 2);
        }
}

void json_open(struct json *json, const char *key, char bracket)
{
        begin(json, key);
        append(json, &bracket, 1);
        json->comma = false;
}

void json_close(struct json *json, char bracket)
{
        append(json, &bracket, 1);
        json->comma = true;
}

void json_string(struct json *json, const char *key, const char *value)
{
        begin(json, key);
        if (value)
                append_escaped(json, value);
        else
                append(json, "null", 4);
}

void json_integer(struct json *json, const char *key, uint64_t value)
{
        char digits[24];

        begin(json, key);
        append(json, digits, (size_t)snprintf(digits, sizeof digits, "%" PRIu64, value));
}

void json_number(struct json *json, const char *key, double value)
{
        char digits[32];

        begin(json, key);
        if (isfinite(value) && fabs(value) < 1e15)
                append(json, digits, (size_t)snprintf(digits, sizeof digits, "%.6f", value));
        else
                append(json, "null", 4);
}

void json_newline(struct json *json)
{
        append(json, "\n", 1);
        json->comma = false;
}

void json_raw(struct json *json, const char *text, size_t bytes)
{
        if (bytes > 0)
                append(json, text, bytes);
}

void json_done(struct json *json)
{
        free(json->text);
        *json = (struct json){0};
}
