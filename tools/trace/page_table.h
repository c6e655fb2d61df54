/*
 * Tables of the page's data block: columns of numbers, encoded as they come (varints, differences), and written as one
 * zlib stream in base64 into a script element. web/block.js reads them; docs/internals/trace-page.md has the form.
 */
#ifndef TRACE_PAGE_TABLE_H
#define TRACE_PAGE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum page_encoding {
        PAGE_BYTES,  /* one byte each */
        PAGE_VARINT, /* unsigned, seven bits a byte, low ones first */
        PAGE_DELTA,  /* the difference to the row before, as a zigzag varint */
};

struct page_column {
        const char *name;
        enum page_encoding encoding;
        uint8_t width; /* of the page's elements: 1, 4 or 8 (a double, exact to 2^53) */

        unsigned char *data;
        size_t bytes, capacity;
        int64_t before;
};

/* A failure to allocate is kept in *failed*, and said once: by page_table_write(). */
struct page_table {
        const char *name;
        struct page_column *columns;
        size_t n_columns;
        uint32_t rows;
        bool failed;
};

/* Columns are in the order in which page_table_add() gives their values. Names must outlive the table. */
void page_table_init(struct page_table *table, const char *name, const struct page_column *columns, size_t n_columns);
void page_table_free(struct page_table *table);

/* Appends a row. Values of PAGE_BYTES are cut to 0..255, negative ones of PAGE_VARINT to 0. */
void page_table_add(struct page_table *table, const int64_t *values);

/* Appends the element to *file*. Returns 0, -ENOMEM or -EIO. */
int page_table_write(const struct page_table *table, FILE *file);

/* The same for bytes of any kind. */
int page_data_write(const char *name, const void *data, size_t size, FILE *file);

#endif
