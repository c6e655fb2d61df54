/*
 * What became of the URLs.
 *
 * Lines for standard output gather in a buffer. One task at a time takes the buffer and writes it, without holding the
 * lock; when the reader is so slow that the next buffer gets full, the others wait for it.
 */
#include "fetch/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <plait/fd.h>
#include <plait/time.h>

#include "fetch/lock.h"
#include "term/table.h"
#include "term/terminal.h"
#include "term/text.h"

#define OUT_WRITE 16384  /* bytes that are worth a write */
#define OUT_FULL 1048576 /* bytes at which to wait for the reader */

void report_init(struct report *report, bool json, bool quiet)
{
        *report = (struct report){.json = json, .quiet = quiet, .begin_ns = plait_now_ns()};
        progress_init(&report->progress, quiet);
}

void report_done(struct report *report)
{
        json_done(&report->out);
}

/* Writes the buffer to standard output; the lock is held, and let go meanwhile. */
static int write_out(struct report *report)
{
        struct json taken = report->out;
        size_t written = 0;
        ssize_t n = 0;

        if (report->writing || taken.bytes == 0 || report->write_error)
                return report->write_error;
        report->out = (struct json){0};
        report->writing = true;
        plait_mutex_unlock(&report->lock);
        while (written < taken.bytes && n >= 0) {
                n = plait_write(STDOUT_FILENO, taken.text + written, taken.bytes - written, PLAIT_NEVER);
                written += n > 0 ? (size_t)n : 0;
        }
        lock_always(&report->lock);
        report->writing = false;
        plait_condition_broadcast(&report->drained);
        if (n < 0 && n != -ECANCELED && n != -ETIMEDOUT)
                report->write_error = (int)n;
        if (written < taken.bytes && !report->write_error) {
                /* Cancelled: the rest comes first when there is another write. */
                struct json rest = {.text = taken.text, .bytes = taken.bytes - written, .room = taken.room};
                memmove(rest.text, rest.text + written, rest.bytes);
                json_raw(&rest, report->out.text, report->out.bytes);
                rest.failed |= report->out.failed;
                json_done(&report->out);
                report->out = rest;
        } else {
                json_done(&taken);
        }
        return report->write_error;
}

static void write_json(struct report *report, const struct result *result)
{
        char path[4096 + 256];

        if (result->file && report->folder)
                snprintf(path, sizeof path, "%s%s%s", report->folder,
                         report->folder[strlen(report->folder) - 1] == '/' ? "" : "/", result->file);
        else if (result->file)
                snprintf(path, sizeof path, "%s", result->file);
        json_open(&report->out, NULL, '{');
        json_string(&report->out, "type", "result");
        json_string(&report->out, "url", result->url);
        json_integer(&report->out, "status", (uint64_t)result->status);
        json_integer(&report->out, "bytes", result->bytes);
        json_string(&report->out, "file", result->file ? path : NULL);
        json_integer(&report->out, "attempts", result->attempts);
        json_number(&report->out, "total_s", (double)result->total_ns / 1e9);
        json_string(&report->out, "error", result->error);
        json_close(&report->out, '}');
        json_newline(&report->out);
}

static void write_failure(struct report *report, const struct result *result)
{
        char url[512];
        char line[32] = "";
        char tries[48] = "";

        progress_clear(&report->progress);
        if (result->line)
                snprintf(line, sizeof line, "line %llu: ", (unsigned long long)result->line);
        if (result->attempts > 1)
                snprintf(tries, sizeof tries, " (%u attempts)", result->attempts);
        fprintf(stderr, "plait fetch: %s%s: %s%s\n", line, text_safe(result->url, 400, url, sizeof url), result->error,
                tries);
}

int report_result(struct report *report, const struct result *result)
{
        int r = 0;

        lock_always(&report->lock);
        while (r == 0 && report->writing && report->out.bytes > OUT_FULL)
                r = plait_condition_wait(&report->drained, &report->lock, PLAIT_NEVER);
        if (result->skipped)
                report->skipped++;
        else if (result->error)
                report->failed++;
        else {
                report->ok++;
                report->saved_bytes += result->bytes;
        }
        if (!result->skipped && result->attempts > 0)
                report->statuses[result->status > 0 && result->status < 600 ? result->status : 0]++;
        if (!result->skipped && !result->error)
                histogram_add(&report->durations, result->total_ns);
        if (report->json)
                write_json(report, result);
        else if (result->error)
                write_failure(report, result);
        r = report->out.bytes >= OUT_WRITE ? write_out(report) : report->write_error;
        if (report->out.failed)
                r = -ENOMEM;
        plait_mutex_unlock(&report->lock);
        return r;
}

int report_tick(struct report *report)
{
        lock_always(&report->lock);
        struct progress_state state = {
                .done = report->ok + report->failed + report->skipped,
                .failed = report->failed,
                .total = __atomic_load_n(&report->total, __ATOMIC_RELAXED),
                .bytes = __atomic_load_n(&report->bytes, __ATOMIC_RELAXED),
        };
        progress_show(&report->progress, &state);
        int r = write_out(report);
        plait_mutex_unlock(&report->lock);
        return r;
}

void report_message(struct report *report, const char *format, ...)
{
        va_list args;

        lock_always(&report->lock);
        progress_clear(&report->progress);
        va_start(args, format);
        fputs("plait fetch: ", stderr);
        // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 does not see va_start() here
        vfprintf(stderr, format, args);
        fputs("\n", stderr);
        va_end(args);
        plait_mutex_unlock(&report->lock);
}

static void summary_json(struct report *report, double wall_s, double rate)
{
        json_open(&report->out, NULL, '{');
        json_string(&report->out, "type", "summary");
        json_integer(&report->out, "ok", report->ok);
        json_integer(&report->out, "failed", report->failed);
        json_integer(&report->out, "skipped", report->skipped);
        json_integer(&report->out, "bytes", report->saved_bytes);
        json_number(&report->out, "wall_s", wall_s);
        json_number(&report->out, "requests_per_s", rate);
        json_number(&report->out, "p50_s", histogram_percentile(&report->durations, 50));
        json_number(&report->out, "p90_s", histogram_percentile(&report->durations, 90));
        json_number(&report->out, "p99_s", histogram_percentile(&report->durations, 99));
        if (report->limits)
                limits_json(report->limits, &report->out);
        json_close(&report->out, '}');
        json_newline(&report->out);
}

static void print_statuses(const struct report *report, FILE *to)
{
        const char *separator = "";
        char count[32];

        fputs("answers   ", to);
        for (int status = 1; status < 600; status++)
                if (report->statuses[status]) {
                        fprintf(to, "%s%d: %s", separator, status,
                                text_count(report->statuses[status], count, sizeof count));
                        separator = ", ";
                }
        if (report->statuses[0])
                fprintf(to, "%snone: %s", separator, text_count(report->statuses[0], count, sizeof count));
        fputs("\n", to);
}

static void summary_text(const struct report *report, double wall_s, double rate)
{
        FILE *to = report->summary_to_stderr ? stderr : stdout;
        char a[32];
        char b[32];
        char c[32];
        char d[32];

        fprintf(to, "fetched   %s ok, %s failed, %s skipped\n", text_count(report->ok, a, sizeof a),
                text_count(report->failed, b, sizeof b), text_count(report->skipped, c, sizeof c));
        if (report->requests > 0)
                print_statuses(report, to);
        fprintf(to, "received  %s in %s (%s/s), %.1f requests/s\n",
                text_bytes((double)report->saved_bytes, a, sizeof a), text_seconds(wall_s, b, sizeof b),
                text_bytes((double)report->saved_bytes / wall_s, c, sizeof c), rate);
        if (report->durations.count > 0)
                fprintf(to, "time      p50 %s, p90 %s, p99 %s\n",
                        text_seconds(histogram_percentile(&report->durations, 50), a, sizeof a),
                        text_seconds(histogram_percentile(&report->durations, 90), b, sizeof b),
                        text_seconds(histogram_percentile(&report->durations, 99), d, sizeof d));
        if (report->limits)
                limits_text(report->limits, to);
}

int report_summary(struct report *report)
{
        lock_always(&report->lock);
        progress_clear(&report->progress);
        double wall_s = (double)(plait_now_ns() - report->begin_ns) / 1e9;
        double rate = wall_s > 0 ? (double)report->requests / wall_s : 0;
        int r = 0;
        if (report->json)
                summary_json(report, wall_s, rate);
        else if (!report->quiet)
                summary_text(report, wall_s, rate);
        if (report->out.failed)
                report->write_error = -ENOMEM;
        r = write_out(report);
        plait_mutex_unlock(&report->lock);
        if (r == 0 && fflush(stdout) != 0)
                r = -errno;
        return r;
}
