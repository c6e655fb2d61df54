/*
 * A table: rows of cells, columns as wide as their widest cell, numbers to the right.
 */
#ifndef TERM_TABLE_H
#define TERM_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#define TABLE_COLUMNS 8
#define TABLE_ROWS 16
#define TABLE_CELL 48

struct table {
        size_t columns, rows;
        bool right[TABLE_COLUMNS];                         /* aligned to the right: numbers */
        char cells[TABLE_ROWS][TABLE_COLUMNS][TABLE_CELL]; /* row 0 is the head */
};

/* Starts the next row; its cells are empty. Returns its index. */
size_t table_row(struct table *table);

/* Sets a cell of the last row. */
__attribute__((format(printf, 3, 4))) void table_cell(struct table *table, size_t column, const char *format, ...);

/* Prints it, its head in bold when *color*. */
void table_print(const struct table *table, FILE *to, bool color);

#endif
