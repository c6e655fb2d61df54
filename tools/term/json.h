/*
 * JSON, written into a growing buffer: valid whatever the strings hold.
 */
#ifndef TERM_JSON_H
#define TERM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
        char *text; /* not terminated; free() it */
        size_t bytes, room;
        bool failed; /* out of memory: *text* is not whole */
        bool comma;  /* the next member needs one before it */
};

void json_open(struct json *json, const char *key, char bracket); /* '{' or '['; key NULL: none */
void json_close(struct json *json, char bracket);
void json_string(struct json *json, const char *key, const char *value); /* NULL is null; invalid UTF-8 is U+FFFD */
void json_integer(struct json *json, const char *key, uint64_t value);
void json_number(struct json *json, const char *key, double value); /* to a millionth; not finite is null */
void json_newline(struct json *json);
void json_raw(struct json *json, const char *text, size_t bytes); /* JSON as it is */
void json_done(struct json *json);

#endif
