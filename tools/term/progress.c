/*
 * Progress on standard error. Whoever uses one progress from several tasks serialises the calls.
 */
#include "term/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <plait/time.h>

#include "term/terminal.h"
#include "term/text.h"

#define LINE_EVERY_NS 5000000000LL /* where lines cannot be redrawn */
#define BAR_MIN 10
#define BAR_MAX 40

void progress_init(struct progress *progress, bool quiet)
{
        *progress = (struct progress){
                .live = terminal_is_live(STDERR_FILENO),
                .color = terminal_has_color(STDERR_FILENO),
                .quiet = quiet,
                .begin_ns = plait_now_ns(),
        };
        progress->last_line_ns = progress->rate_ns = progress->begin_ns;
}

/* Averages over some two seconds, so that the figures can be read. */
static void measure(struct progress *progress, const struct progress_state *state, int64_t now)
{
        double span = (double)(now - progress->rate_ns) / 1e9;

        if (span < 0.05)
                return;
        double items = (double)(state->done - progress->rate_done) / span;
        double bytes = (double)(state->bytes - progress->rate_bytes) / span;
        double weight = progress->rate_ns == progress->begin_ns ? 1 : span / (span + 2);
        progress->items_per_s += (items - progress->items_per_s) * weight;
        progress->bytes_per_s += (bytes - progress->bytes_per_s) * weight;
        progress->rate_ns = now;
        progress->rate_done = state->done;
        progress->rate_bytes = state->bytes;
}

static size_t draw_bar(double fraction, size_t width, char *buffer, size_t size)
{
        size_t full = (size_t)(fraction * (double)width);

        if (width + 3 > size)
                return 0;
        buffer[0] = '[';
        memset(buffer + 1, '#', full);
        memset(buffer + 1 + full, '.', width - full);
        buffer[width + 1] = ']';
        buffer[width + 2] = ' ';
        return width + 3;
}

size_t progress_line(const struct progress *progress, const struct progress_state *state, double elapsed_s,
                     size_t columns, char *buffer, size_t size)
{
        char done[32];
        char total[32];
        char bytes[32];
        char rate[32];
        char left[32];
        char text[256];
        double fraction = state->total ? (double)state->done / (double)state->total : 0;

        if (fraction > 1)
                fraction = 1;
        text_count(state->done, done, sizeof done);
        text_bytes((double)state->bytes, bytes, sizeof bytes);
        text_bytes(progress->bytes_per_s, rate, sizeof rate);
        int used = snprintf(text, sizeof text, "%s", done);
        if (state->total)
                used += snprintf(text + used, sizeof text - (size_t)used, "/%s %3.0f%%",
                                 text_count(state->total, total, sizeof total), fraction * 100);
        used += snprintf(text + used, sizeof text - (size_t)used, "  %.0f/s  %s  %s/s  %llu failed",
                         progress->items_per_s, bytes, rate, (unsigned long long)state->failed);
        /* From the whole run, not the last moments: an estimate that jumps about is none. */
        if (state->total && state->done && state->done < state->total)
                used += snprintf(text + used, sizeof text - (size_t)used, "  ETA %s",
                                 text_seconds(elapsed_s * (1 - fraction) / fraction, left, sizeof left));

        size_t bar = 0;
        if (state->total && columns > (size_t)used + BAR_MIN + 4) {
                bar = columns - (size_t)used - 4;
                bar = draw_bar(fraction, bar > BAR_MAX ? BAR_MAX : bar, buffer, size);
        }
        size_t room = columns == 0 ? sizeof text : columns > bar + 1 ? columns - bar - 1 : 0;
        snprintf(buffer + bar, size - bar, "%.*s", (int)room, text);
        return strlen(buffer);
}

void progress_show(struct progress *progress, const struct progress_state *state)
{
        char line[512];
        int64_t now = plait_now_ns();

        if (progress->quiet)
                return;
        measure(progress, state, now);
        double elapsed = (double)(now - progress->begin_ns) / 1e9;
        if (progress->live) {
                progress_line(progress, state, elapsed, terminal_columns(STDERR_FILENO), line, sizeof line);
                fprintf(stderr, "\r%s%s%s\033[K", progress->color && state->failed ? "\033[33m" : "", line,
                        progress->color && state->failed ? "\033[0m" : "");
                fflush(stderr);
                progress->drawn = true;
        } else if (now - progress->last_line_ns >= LINE_EVERY_NS) {
                progress->last_line_ns = now;
                progress_line(progress, state, elapsed, 0, line, sizeof line);
                fprintf(stderr, "%s\n", line);
        }
}

void progress_clear(struct progress *progress)
{
        if (progress->drawn) {
                fputs("\r\033[K", stderr);
                fflush(stderr);
                progress->drawn = false;
        }
}
