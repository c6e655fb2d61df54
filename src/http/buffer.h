/* Bytes that grow. There is always room for a NUL after them. */
#ifndef PL_HTTP_BUFFER_H
#define PL_HTTP_BUFFER_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

struct pl_http_buffer {
        char *data;
        size_t bytes;
        size_t capacity;
};

/* Make room for *bytes* more. 0 or -ENOMEM. */
PL_WARN_UNUSED static inline int pl_http_buffer_reserve(struct pl_http_buffer *buffer, size_t bytes)
{
        size_t needed = buffer->bytes + bytes + 1;
        size_t capacity = buffer->capacity * 2;
        char *data;

        if (buffer->data && needed <= buffer->capacity)
                return 0;
        if (capacity < needed)
                capacity = needed;
        data = realloc(buffer->data, capacity);
        if (!data)
                return -ENOMEM;
        buffer->data = data;
        buffer->capacity = capacity;
        return 0;
}

PL_WARN_UNUSED static inline int pl_http_buffer_append(struct pl_http_buffer *buffer, const void *data, size_t bytes)
{
        int r = pl_http_buffer_reserve(buffer, bytes);

        if (r < 0)
                return r;
        memcpy(buffer->data + buffer->bytes, data, bytes);
        buffer->bytes += bytes;
        return 0;
}

static inline void pl_http_buffer_done(struct pl_http_buffer *buffer)
{
        free(buffer->data);
        *buffer = (struct pl_http_buffer){0};
}

#endif
