/*
 * What became of the URLs: lines of JSON or of text, counts, and the summary.
 */
#ifndef FETCH_REPORT_H
#define FETCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <plait/condition.h>
#include <plait/mutex.h>

#include "fetch/histogram.h"
#include "fetch/limits.h"
#include "term/json.h"
#include "term/progress.h"

/* The end of one URL. */
struct result {
        const char *url;
        uint64_t line; /* of the list; 0: of the command line */
        int status;    /* 0: no answer */
        uint64_t bytes;
        const char *file; /* NULL: none was saved */
        unsigned attempts;
        int64_t total_ns;
        const char *error; /* NULL: all went well */
        bool skipped;      /* it was there already */
};

struct report {
        struct plait_mutex lock; /* guards what follows */
        struct plait_condition drained;
        bool json, quiet, summary_to_stderr;
        const char *folder; /* put before the names of files; NULL: nothing */
        struct json out;    /* of what goes to standard output, not written yet */
        bool writing;       /* somebody writes */
        int write_error;
        struct progress progress;
        struct histogram durations; /* of those that went well */
        uint64_t ok, failed, skipped;
        uint64_t saved_bytes;        /* of those that went well */
        uint64_t statuses[600];      /* of all answers; [0]: none came */
        const struct limits *limits; /* that were found; NULL: they were fixed */
        int64_t begin_ns;
        /* changed without the lock */
        uint64_t total;    /* entries in the list; 0: not known */
        uint64_t bytes;    /* received for bodies */
        uint64_t requests; /* attempts that were made */
};

void report_init(struct report *report, bool json, bool quiet);
void report_done(struct report *report);

/* Tells of a result. Returns 0, or the error of writing to standard output: nobody reads on. */
int report_result(struct report *report, const struct result *result);

/* Writes out what there is and shows the progress; to be called every PROGRESS_REDRAW_NS. */
int report_tick(struct report *report);

/* A message on standard error, in the way of no bar. */
__attribute__((format(printf, 2, 3))) void report_message(struct report *report, const char *format, ...);

/* The summary. Returns 0 or the error of writing. Not in a cancelled scope. */
int report_summary(struct report *report);

#endif
