/*
 * What the terminal at a descriptor can do.
 */
#ifndef TERM_TERMINAL_H
#define TERM_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Whether *fd* is a terminal that can redraw a line (and TERM is not "dumb"). */
bool terminal_is_live(int fd);

/* Its width in columns; 80 when it does not say. */
size_t terminal_columns(int fd);

/* Whether output to *fd* may be coloured: a terminal, and NO_COLOR not set (or empty). */
bool terminal_has_color(int fd);

#endif
