/*
 * Rows of the list of tasks, on standard output.
 */
#ifndef PS_ROWS_H
#define PS_ROWS_H

#include "ps/list.h"

struct rows {
        const struct list_options *options;
        struct words *words;
        const struct inspect_task **tasks;
        size_t n;
        size_t id_columns, stack_columns; /* of the table: see rows_measure() */
        size_t begun, written;            /* rows */
};

/* Find out how wide the columns are, which all that the table consists of needs. */
void rows_measure(struct rows *rows);

void rows_print_head(const struct rows *rows);

/* Print all rows. 0 or -ENOMEM. */
int rows_print(struct rows *rows);

#endif
