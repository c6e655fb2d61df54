/*
 * The head of an answer: its status line and headers, fed line by line as libcurl hands them over. Interim answers
 * (1xx) and heads of proxies are forgotten when the next status line comes.
 */
#ifndef PL_HTTP_HEAD_H
#define PL_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

/* More than this is no head but an attack or a mistake. */
#define PL_HTTP_HEAD_BYTES ((size_t)256 << 10)

enum pl_http_coding { PL_HTTP_IDENTITY, PL_HTTP_GZIP, PL_HTTP_DEFLATE, PL_HTTP_BROTLI, PL_HTTP_UNKNOWN_CODING };

struct pl_http_head {
        char *fields; /* name NUL value NUL, again and again */
        size_t bytes;
        size_t capacity;
        int status;
        int version; /* 10, 11, 20 */
        bool ended;  /* its blank line has come: without it the rest may be missing */
        bool chunked;
        bool has_length;
        bool has_location;
        bool bad_length; /* not a number, or two that differ */
        bool bad_coding; /* a transfer coding that was not asked for */
        uint64_t length;
        enum pl_http_coding coding;
};

/* Forget everything, keep the memory. */
void pl_http_head_reset(struct pl_http_head *head);
void pl_http_head_done(struct pl_http_head *head);

/* One line with its line end. 0, -ENOMEM, -EFBIG (too much of it) or -EPROTO (no status line at the start). */
PL_WARN_UNUSED int pl_http_head_line(struct pl_http_head *head, const char *line, size_t bytes);

/* The value of the *index*-th header called *name*, or NULL. */
const char *pl_http_head_find(const struct pl_http_head *head, const char *name, unsigned index);

/* The *index*-th header, or false. */
bool pl_http_head_at(const struct pl_http_head *head, unsigned index, const char **ret_name, const char **ret_value);

#endif
