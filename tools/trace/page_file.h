/*
 * The file that a page is written to: a stream that knows afterwards why it could not be written, whichever of many
 * calls it was that failed.
 */
#ifndef TRACE_PAGE_FILE_H
#define TRACE_PAGE_FILE_H

#include <stdint.h>
#include <stdio.h>

struct page_file {
        FILE *stream;
        int fd;
        int error; /* the first, negative; 0: none */
        uint64_t bytes;
};

/* Opens *path*, of which nothing is kept. 0, or a negative errno. */
int page_file_open(struct page_file *file, const char *path);

/* Writes what is left and closes it. 0, or the negative errno of the first write that failed. */
int page_file_close(struct page_file *file);

#endif
