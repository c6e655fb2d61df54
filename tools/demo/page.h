/*
 * The pages of the demonstration's site: what page N says is known beforehand, so that every one can be checked.
 */
#ifndef DEMO_PAGE_H
#define DEMO_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#define PAGES 160
#define PAGE_BYTES 4096
#define LATENCY_MS 50

/* Writes page *number* to *text*. */
void page_write(unsigned number, char text[PAGE_BYTES]);

/* Whether *text* is page *number*. */
bool page_is(unsigned number, const char *text, size_t bytes);

#endif
