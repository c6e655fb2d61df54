/*
 * Progress on standard error: a bar that is redrawn when that is a terminal, a plain line now and then when it is not.
 */
#ifndef TERM_PROGRESS_H
#define TERM_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_REDRAW_NS 100000000LL /* how often to call progress_show() */

/* How far it is. */
struct progress_state {
        uint64_t done, failed, total; /* total 0: not known */
        uint64_t bytes;
};

struct progress {
        bool live, color, drawn, quiet;
        int64_t begin_ns, last_line_ns;
        int64_t rate_ns; /* when the rates were last averaged */
        uint64_t rate_done, rate_bytes;
        double items_per_s, bytes_per_s; /* moving averages */
};

void progress_init(struct progress *progress, bool quiet);

/* Shows *state*; call it every PROGRESS_REDRAW_NS. */
void progress_show(struct progress *progress, const struct progress_state *state);

/* Takes the bar away, so that something else can be printed. It comes back with the next progress_show(). */
void progress_clear(struct progress *progress);

/* Composes the line for a terminal of so many columns (0: any length, without a bar). Returns its length. */
size_t progress_line(const struct progress *progress, const struct progress_state *state, double elapsed_s,
                     size_t columns, char *buffer, size_t size);

#endif
