/*
 * What becomes of a recording: a Perfetto trace, a page.
 */
#ifndef TRACE_OUTPUT_H
#define TRACE_OUTPUT_H

#include <stddef.h>

enum output_kind {
        OUTPUT_RECORDING,
        OUTPUT_PERFETTO, /* .pftrace: also a recording, if it is made by the program itself */
        OUTPUT_PAGE,     /* .html */
};

enum output_kind output_kind_of(const char *path);

/* Makes a file of the recording, under its name when it is whole. 0; -1, and *message* says what went wrong. */
int output_make(enum output_kind kind, const char *from, const char *to, char *message, size_t size);

/*
 * A recording in a file that Perfetto is to open: a program that ended regularly has seen to that; for one that did
 * not, this does. 0; -1, and *message* says what went wrong.
 */
int output_complete(const char *recording, char *message, size_t size);

/* What a recording holds, in a line on standard error. 0; -1, and *message* says what is wrong. */
int output_report(const char *recording, char *message, size_t size);

/* Opens a page, if there is a desktop that could. */
void output_show(const char *page);

#endif
