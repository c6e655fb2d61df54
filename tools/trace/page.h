/*
 * The HTML page of a recording: one file, opened from disk by any browser of 2023 or later, no network. What it holds,
 * and how it keeps 100 million events within its budget, is told in docs/internals/trace-page.md.
 */
#ifndef TRACE_PAGE_H
#define TRACE_PAGE_H

#include <stddef.h>
#include <stdint.h>

/* The most that the data of a page take, in base64, unless page_options.budget_bytes says otherwise. */
#define PAGE_BUDGET_BYTES (9500 * 1000)

struct page_options {
        const char *title;     /* NULL: the program's name */
        uint64_t budget_bytes; /* 0: PAGE_BUDGET_BYTES */
};

/* What has become of it. */
struct page_result {
        uint64_t bytes;        /* of the whole file */
        uint64_t events;       /* read from the recording */
        uint64_t tasks;        /* of the recording */
        uint64_t tasks_folded; /* of these: without a lane of their own */
        int64_t merged_ns; /* what is shorter than this may be drawn together with its neighbours; 0: all is exact */
};

/*
 * Writes the page of the recording at *path* to *out_path*, by way of a file beside it that takes its name at the end.
 * *options* may be NULL; *ret_result* too. Returns 0 or a negative errno; *message* then says what went wrong, with the
 * name of the file that it is about.
 */
int trace_page_write(const char *path, const char *out_path, const struct page_options *options,
                     struct page_result *ret_result, char *message, size_t size);

#endif
