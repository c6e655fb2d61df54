/* Tables of the page's data block (page_table.h). */
#include "trace/page_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define VARINT_BYTES_MAX 10
#define DEFLATE_LEVEL 6
#define CHUNK_BYTES (48 * 1024) /* of three: base64 of one chunk needs no padding */

void page_table_init(struct page_table *table, const char *name, const struct page_column *columns, size_t n_columns)
{
        *table = (struct page_table){.name = name, .n_columns = n_columns};
        table->columns = calloc(n_columns, sizeof *table->columns);
        if (!table->columns) {
                table->failed = true;
                table->n_columns = 0;
                return;
        }
        memcpy(table->columns, columns, n_columns * sizeof *columns);
}

void page_table_free(struct page_table *table)
{
        for (size_t i = 0; i < table->n_columns; i++)
                free(table->columns[i].data);
        free(table->columns);
        *table = (struct page_table){0};
}

static bool reserve(struct page_column *column)
{
        if (column->capacity - column->bytes >= VARINT_BYTES_MAX)
                return true;

        size_t capacity = column->capacity ? column->capacity * 2 : 256;
        unsigned char *data = realloc(column->data, capacity);
        if (!data)
                return false;
        column->data = data;
        column->capacity = capacity;
        return true;
}

static void put_varint(struct page_column *column, uint64_t value)
{
        for (; value >= 0x80; value >>= 7)
                column->data[column->bytes++] = (unsigned char)(value | 0x80);
        column->data[column->bytes++] = (unsigned char)value;
}

static void put(struct page_column *column, int64_t value)
{
        if (column->encoding == PAGE_BYTES) {
                column->data[column->bytes++] = (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value);
        } else if (column->encoding == PAGE_VARINT) {
                put_varint(column, value < 0 ? 0 : (uint64_t)value);
        } else {
                uint64_t difference = (uint64_t)value - (uint64_t)column->before;
                uint64_t sign = (int64_t)difference < 0 ? UINT64_MAX : 0;
                put_varint(column, (difference << 1) ^ sign);
                column->before = value;
        }
}

void page_table_add(struct page_table *table, const int64_t *values)
{
        if (table->failed)
                return;
        for (size_t i = 0; i < table->n_columns; i++) {
                if (!reserve(&table->columns[i])) {
                        table->failed = true;
                        return;
                }
        }
        for (size_t i = 0; i < table->n_columns; i++)
                put(&table->columns[i], values[i]);
        table->rows++;
}

/* What is deflated and written so far. */
struct sink {
        z_stream stream;
        FILE *file;
        unsigned char out[CHUNK_BYTES];
};

static int write_base64(struct sink *sink)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char text[CHUNK_BYTES / 3 * 4];
        size_t bytes = sizeof sink->out - sink->stream.avail_out;
        size_t n = 0;

        text[0] = '\0';
        for (size_t i = 0; i < bytes; i += 3) {
                size_t left = bytes - i;
                unsigned three = (unsigned)sink->out[i] << 16;
                if (left > 1)
                        three |= (unsigned)sink->out[i + 1] << 8;
                if (left > 2)
                        three |= sink->out[i + 2];
                text[n++] = digits[three >> 18];
                text[n++] = digits[three >> 12 & 63];
                text[n++] = left > 1 ? digits[three >> 6 & 63] : '=';
                text[n++] = left > 2 ? digits[three & 63] : '=';
        }
        sink->stream.next_out = sink->out;
        sink->stream.avail_out = sizeof sink->out;
        errno = EIO;
        return fwrite(text, 1, n, sink->file) == n ? 0 : -errno;
}

/* Deflates *size* bytes; writes what came of it whenever the buffer is full, and all of it at the end. */
static int sink_put(struct sink *sink, const void *data, size_t size, bool end)
{
        int error = 0;
        int status = Z_OK;

        sink->stream.next_in = (Bytef *)(uintptr_t)data;
        while (!error && (size > 0 || sink->stream.avail_in > 0 || (end && status != Z_STREAM_END))) {
                if (sink->stream.avail_in == 0 && size > 0) {
                        sink->stream.avail_in = size > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)size;
                        size -= sink->stream.avail_in;
                }
                status = deflate(&sink->stream, end && size == 0 ? Z_FINISH : Z_NO_FLUSH);
                if (sink->stream.avail_out == 0 || status == Z_STREAM_END)
                        error = write_base64(sink);
        }
        return error;
}

static int sink_open(struct sink **ret, const char *name, FILE *file)
{
        struct sink *sink = calloc(1, sizeof *sink);

        if (!sink)
                return -ENOMEM;
        if (deflateInit(&sink->stream, DEFLATE_LEVEL) != Z_OK) {
                free(sink);
                return -ENOMEM;
        }
        sink->file = file;
        sink->stream.next_out = sink->out;
        sink->stream.avail_out = sizeof sink->out;
        fprintf(file, "<script type=\"text/plain\" data-table=\"%s\">", name);
        *ret = sink;
        return 0;
}

static int sink_close(struct sink *sink, int error)
{
        if (!error)
                error = sink_put(sink, NULL, 0, true);
        errno = EIO;
        if (!error && fputs("</script>\n", sink->file) < 0)
                error = -errno;
        deflateEnd(&sink->stream);
        free(sink);
        return error;
}

static void put_u32(unsigned char *to, size_t value)
{
        for (int i = 0; i < 4; i++)
                to[i] = (unsigned char)(value >> (8 * i));
}

int page_table_write(const struct page_table *table, FILE *file)
{
        struct sink *sink;
        unsigned char head[8];
        int error;

        if (table->failed)
                return -ENOMEM;
        error = sink_open(&sink, table->name, file);
        if (error)
                return error;

        put_u32(head, table->rows);
        put_u32(head + 4, table->n_columns);
        error = sink_put(sink, head, sizeof head, false);
        for (size_t i = 0; i < table->n_columns && !error; i++) {
                const struct page_column *column = &table->columns[i];
                unsigned char descriptor[1 + 32 + 6];
                size_t length = strnlen(column->name, 32);

                descriptor[0] = (unsigned char)length;
                memcpy(descriptor + 1, column->name, length);
                descriptor[1 + length] = (unsigned char)column->encoding;
                descriptor[2 + length] = column->width;
                put_u32(descriptor + 3 + length, column->bytes);
                error = sink_put(sink, descriptor, length + 7, false);
        }
        for (size_t i = 0; i < table->n_columns && !error; i++)
                error = sink_put(sink, table->columns[i].data, table->columns[i].bytes, false);
        return sink_close(sink, error);
}

int page_data_write(const char *name, const void *data, size_t size, FILE *file)
{
        struct sink *sink;
        int error = sink_open(&sink, name, file);

        if (error)
                return error;
        return sink_close(sink, sink_put(sink, data, size, false));
}
