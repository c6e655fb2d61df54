/*
 * A line of output, put together without printf(): there may be a million of them.
 */
#ifndef PS_LINE_H
#define PS_LINE_H

#include <stddef.h>
#include <stdint.h>

enum { LINE_MOST = 16384 };

struct line {
        size_t used;
        char text[LINE_MOST];
};

/* What does not fit is left out. */
void line_put(struct line *line, const char *text);
void line_number(struct line *line, uint64_t number);
void line_hex(struct line *line, uint64_t number);
void line_thousandths(struct line *line, uint64_t number); /* 1500: "1.500" */

/* As wide as *columns* on a terminal, to the left or right, cut if it is wider; then two blanks. */
void line_cell(struct line *line, const char *text, size_t columns);
void line_cell_right(struct line *line, const char *text, size_t columns);
void line_number_right(struct line *line, uint64_t number, size_t columns);

void line_append(struct line *line, const struct line *more);

#endif
