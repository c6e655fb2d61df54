/*
 * Text that people see: how wide it is on a terminal, and how to show text of unknown origin.
 */
#ifndef TERM_TEXT_H
#define TERM_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the code point at *text*, of which *bytes* are there; returns its length, or 0 if it is no valid UTF-8. */
size_t text_decode(const char *text, size_t bytes, uint32_t *ret_point);

/* Whether a code point has no business in names and messages: controls, marks that turn the direction, and the like. */
int text_is_control(uint32_t point);

/* Columns that *text* takes; what is no valid UTF-8 counts as one each. */
size_t text_columns(const char *text);

/*
 * Copies *text* so that it does no harm to a terminal: controls and invalid bytes become \xNN, and what exceeds
 * *columns* is cut and ends in "...". *buffer* has room for *size* bytes. Returns *buffer*.
 */
const char *text_safe(const char *text, size_t columns, char *buffer, size_t size);

/* "1.5 MB" (powers of 1000), "950 B". */
const char *text_bytes(double bytes, char *buffer, size_t size);

/* "1h02m", "3m05s", "12 s", "1.25 s", "35 ms", "120 us". */
const char *text_seconds(double seconds, char *buffer, size_t size);

/* "12,345". */
const char *text_count(uint64_t count, char *buffer, size_t size);

#endif
