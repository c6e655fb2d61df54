/* The head of an answer; see head.h. */
#include "http/head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void pl_http_head_reset(struct pl_http_head *head)
{
        *head = (struct pl_http_head){.fields = head->fields, .capacity = head->capacity};
}

void pl_http_head_done(struct pl_http_head *head)
{
        free(head->fields);
        *head = (struct pl_http_head){0};
}

static int append(struct pl_http_head *head, const char *text, size_t bytes)
{
        if (head->bytes + bytes + 1 > head->capacity) {
                size_t capacity = (head->bytes + bytes + 1) * 2 < 512 ? 512 : (head->bytes + bytes + 1) * 2;
                char *fields = realloc(head->fields, capacity);

                if (!fields)
                        return -ENOMEM;
                head->fields = fields;
                head->capacity = capacity;
        }
        memcpy(head->fields + head->bytes, text, bytes);
        head->bytes += bytes;
        head->fields[head->bytes++] = '\0';
        return 0;
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

/* "HTTP/1.1 200 OK", "HTTP/2 200 " */
static int status_line(struct pl_http_head *head, const char *line, size_t bytes)
{
        size_t at = 5;
        int major = 0;
        int minor = 0;
        int status = 0;

        pl_http_head_reset(head);
        if (at < bytes && line[at] >= '0' && line[at] <= '9')
                major = line[at++] - '0';
        if (at + 1 < bytes && line[at] == '.' && line[at + 1] >= '0' && line[at + 1] <= '9') {
                minor = line[at + 1] - '0';
                at += 2;
        }
        while (at < bytes && is_blank(line[at]))
                at++;
        for (int digits = 0; digits < 3; digits++, at++) {
                if (at >= bytes || line[at] < '0' || line[at] > '9')
                        return -EPROTO;
                status = status * 10 + line[at] - '0';
        }
        if (major < 1 || status < 100)
                return -EPROTO;
        head->version = major * 10 + minor;
        head->status = status;
        return 0;
}

/* Whether the comma-separated *list* is nothing but *token*. */
static bool is_only(const char *list, const char *token)
{
        return strcasecmp(list, token) == 0;
}

static enum pl_http_coding coding_of(const char *value)
{
        if (is_only(value, "gzip") || is_only(value, "x-gzip"))
                return PL_HTTP_GZIP;
        if (is_only(value, "deflate"))
                return PL_HTTP_DEFLATE;
        if (is_only(value, "br"))
                return PL_HTTP_BROTLI;
        return is_only(value, "identity") || !*value ? PL_HTTP_IDENTITY : PL_HTTP_UNKNOWN_CODING;
}

static void note_length(struct pl_http_head *head, const char *value)
{
        uint64_t length = 0;

        if (!*value)
                head->bad_length = true;
        for (; *value; value++) {
                if (*value < '0' || *value > '9' || length > (UINT64_MAX - 9) / 10) {
                        head->bad_length = true;
                        return;
                }
                length = length * 10 + (uint64_t)(*value - '0');
        }
        if (head->has_length && head->length != length)
                head->bad_length = true;
        head->has_length = true;
        head->length = length;
}

/* What decides where the body ends and how it is coded. */
static void note(struct pl_http_head *head, const char *name, const char *value)
{
        switch (name[0] | 0x20) {
        case 'c':
                if (strcasecmp(name, "Content-Length") == 0)
                        note_length(head, value);
                else if (strcasecmp(name, "Content-Encoding") == 0)
                        head->coding = head->coding == PL_HTTP_IDENTITY ? coding_of(value) : PL_HTTP_UNKNOWN_CODING;
                break;
        case 'l':
                if (strcasecmp(name, "Location") == 0)
                        head->has_location = true;
                break;
        case 't':
                if (strcasecmp(name, "Transfer-Encoding") != 0)
                        break;
                if (is_only(value, "chunked"))
                        head->chunked = true;
                else if (!is_only(value, "identity"))
                        head->bad_coding = true;
                break;
        default: break;
        }
}

static int field(struct pl_http_head *head, const char *line, size_t bytes)
{
        const char *colon = memchr(line, ':', bytes);
        size_t name_at = head->bytes;
        size_t name_bytes;
        size_t from;
        int r;

        if (!colon)
                return 0; /* libcurl has let it pass: no header */
        name_bytes = (size_t)(colon - line);
        from = name_bytes + 1;
        while (from < bytes && is_blank(line[from]))
                from++;
        while (bytes > from && is_blank(line[bytes - 1]))
                bytes--;
        while (name_bytes && is_blank(line[name_bytes - 1]))
                name_bytes--;
        if (head->bytes + bytes > PL_HTTP_HEAD_BYTES)
                return -EFBIG;
        r = append(head, line, name_bytes);
        if (r < 0)
                return r;
        r = append(head, line + from, bytes - from);
        if (r < 0) {
                head->bytes = name_at;
                return r;
        }
        if (!head->ended) /* and not after the body, in its trailer */
                note(head, head->fields + name_at, head->fields + name_at + name_bytes + 1);
        return 0;
}

int pl_http_head_line(struct pl_http_head *head, const char *line, size_t bytes)
{
        while (bytes && (line[bytes - 1] == '\n' || line[bytes - 1] == '\r'))
                bytes--;
        if (bytes >= 5 && memcmp(line, "HTTP/", 5) == 0 && (!head->status || (head->ended && head->status < 200)))
                return status_line(head, line, bytes);
        if (!head->status)
                return -EPROTO;
        if (!bytes) {
                head->ended = true;
                return 0;
        }
        return field(head, line, bytes);
}

bool pl_http_head_at(const struct pl_http_head *head, unsigned index, const char **ret_name, const char **ret_value)
{
        size_t at = 0;

        while (at < head->bytes) {
                const char *name = head->fields + at;
                const char *value = name + strlen(name) + 1;

                if (index-- == 0) {
                        *ret_name = name;
                        *ret_value = value;
                        return true;
                }
                at = (size_t)(value - head->fields) + strlen(value) + 1;
        }
        return false;
}

const char *pl_http_head_find(const struct pl_http_head *head, const char *name, unsigned index)
{
        size_t at = 0;

        while (at < head->bytes) {
                const char *found = head->fields + at;
                const char *value = found + strlen(found) + 1;

                if (strcasecmp(found, name) == 0 && index-- == 0)
                        return value;
                at = (size_t)(value - head->fields) + strlen(value) + 1;
        }
        return NULL;
}
