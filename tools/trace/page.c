/*
 * The HTML page of a recording (page.h): plan, fill, write; and again with less, when it came out larger than its
 * budget.
 */
#include "trace/page.h"
#include "trace/page_file.h"
#include "trace/page_fill.h"
#include "trace/page_template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ATTEMPTS_MAX 5
#define TITLE_MARK "@TITLE@"

/* Of a page of PAGE_BUDGET_BYTES: about 6 bytes of it for a cell, 12 for a task. */
static const struct page_limits full_limits = {
        .tasks = 20000,
        .task_cells = 600000,
        .lane_cells = 400000,
        .spans = 150000,
        .requests = 20000,
        .instants = 40000,
        .flows = 20000,
        .samples = 6000,
};

static uint32_t scaled(uint32_t limit, double factor)
{
        double value = (double)limit * factor;

        return value < 100 ? 100 : value > 4e9 ? UINT32_MAX : (uint32_t)value;
}

static struct page_limits limits_for(double factor)
{
        return (struct page_limits){
                .tasks = scaled(full_limits.tasks, factor),
                .task_cells = scaled(full_limits.task_cells, factor),
                .lane_cells = scaled(full_limits.lane_cells, factor),
                .spans = scaled(full_limits.spans, factor),
                .requests = scaled(full_limits.requests, factor),
                .instants = scaled(full_limits.instants, factor),
                .flows = scaled(full_limits.flows, factor),
                .samples = full_limits.samples,
        };
}

static void explain(char *message, size_t size, const char *path, int error)
{
        snprintf(message, size, "%s: %s", path, error == -ENOMEM ? "out of memory" : strerror(-error));
}

/* --- what stands at the head of the page --- */

struct paper {
        FILE *file;
        struct page_plan *plan;
        struct page_fill *fill;
        const struct page_options *options;
        const char *program, *command; /* of the first process */
        int64_t began_real_ns;
};

static void put_names(FILE *file, const struct page_names *names)
{
        fputs("\"names\":[", file);
        for (size_t i = 0; i < names->count; i++) {
                if (i > 0)
                        fputc(',', file);
                page_json_text(file, names->texts[i]);
        }
        fputc(']', file);
}

static void put_counters(const struct paper *paper, FILE *file)
{
        const struct page_plan *plan = paper->plan;

        fputs(",\"counters\":[", file);
        for (uint32_t c = 0; c < plan->n_counters; c++) {
                const struct page_counter *counter = &plan->counters[c];
                const char *name = plan->names.texts[counter->name];
                bool bytes = strcmp(name, "rss") == 0 || strstr(name, "bytes") != NULL;
                char text[340];
                snprintf(text, sizeof text, plan->n_processes > 1 ? "%.300s (process %u)" : "%.300s", name,
                         counter->process + 1);
                fputs(c ? ",{\"name\":" : "{\"name\":", file);
                page_json_text(file, text);
                fprintf(file, ",\"unit\":\"%s\",\"samples\":%zu,\"scale\":%d}",
                        bytes                      ? "bytes"
                        : strcmp(name, "cpu") == 0 ? "CPUs"
                                                   : "",
                        paper->fill->series[c].n, counter->whole ? 1 : PAGE_COUNTER_SCALE);
        }
        fputc(']', file);
}

/* The greatest threshold of all stretches of time. */
static int64_t most_merged(const uint8_t *thresholds)
{
        int most = 0;

        for (uint32_t b = 0; b < PAGE_BUCKETS; b++)
                most = thresholds[b] > most ? thresholds[b] : most;
        return most ? INT64_C(1) << most : 0;
}

/* Where all is exact: the page marks it. */
static int write_detail(const struct page_plan *plan, FILE *file)
{
        static const struct page_column columns[] = {{.name = "tasks", .encoding = PAGE_BYTES, .width = 1},
                                                     {.name = "lanes", .encoding = PAGE_BYTES, .width = 1}};
        struct page_table table;

        page_table_init(&table, "detail", columns, sizeof columns / sizeof *columns);
        for (uint32_t b = 0; b < PAGE_BUCKETS; b++)
                page_table_add(&table, (const int64_t[]){plan->task_threshold[b], plan->lane_threshold[b]});
        int error = page_table_write(&table, file);
        page_table_free(&table);
        return error;
}

/* What a reader of the page should know before trusting it. */
static void put_notes(const struct page_plan *plan, const struct page_fill *fill, FILE *file)
{
        const char *comma = "";

        fputs(",\"notes\":[", file);
        if (plan->torn) {
                fprintf(file, "%s\"A part of the recording is damaged and was left out.\"", comma);
                comma = ",";
        }
        if (plan->live) {
                fprintf(file, "%s\"The program was still running when this page was made.\"", comma);
                comma = ",";
        }
        if (fill->n_requests >= plan->limits.requests)
                fprintf(file, "%s\"Of the HTTP requests, the slowest are shown.\"", comma);
        fputc(']', file);
}

static void put_started(const struct paper *paper, FILE *file)
{
        time_t seconds = (time_t)(paper->began_real_ns / 1000000000);
        struct tm date;
        char text[40];

        if (paper->began_real_ns > 0 && localtime_r(&seconds, &date) &&
            strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &date) > 0)
                fprintf(file, ",\"started\":\"%s\"", text);
}

/* The texts and what is said once of the recording: JSON, written last since all tables add names. */
static int write_meta(const struct paper *paper)
{
        const struct page_plan *plan = paper->plan;
        char *text = NULL;
        size_t size = 0;
        FILE *json = open_memstream(&text, &size);

        if (!json)
                return -ENOMEM;
        fprintf(json, "{\"schema\":1,\"duration_ns\":%lld,\"events\":%llu,\"dropped\":%llu,\"processes\":%u,",
                (long long)plan->duration_ns, (unsigned long long)plan->events, (unsigned long long)plan->dropped,
                plan->n_processes);
        fputs("\"program\":", json);
        page_json_text(json, paper->program);
        fputs(",\"command\":", json);
        page_json_text(json, paper->command);
        put_started(paper, json);
        fputs(",\"states\":[", json);
        for (uint32_t s = 0; s < plan->n_states; s++) {
                if (s > 0)
                        fputc(',', json);
                page_json_text(json, plan->names.texts[plan->states[s]]);
        }
        fprintf(json, "],\"bins\":{\"count\":%u,\"unit_ns\":%lld}", paper->fill->n_bins,
                (long long)page_bins_unit(paper->fill));
        put_counters(paper, json);
        put_notes(plan, paper->fill, json);
        fprintf(json, ",\"merged\":{\"tasks_ns\":%lld,\"lanes_ns\":%lld,\"spans_ns\":%lld}",
                (long long)most_merged(plan->task_threshold), (long long)most_merged(plan->lane_threshold),
                (long long)most_merged(plan->span_threshold));
        fputc(',', json);
        put_names(json, &plan->names);
        fputc('}', json);
        int error = ferror(json) ? -ENOMEM : 0;
        if (fclose(json) != 0 && !error)
                error = -ENOMEM;
        if (!error)
                error = page_data_write("meta", text, size, paper->file);
        free(text);
        return error;
}

/* --- the lanes of the recording, and its first process --- */

static void name_lane(const struct plait_recording *recording, const struct plait_recording_lane *lane, char *text,
                      size_t size)
{
        const struct plait_recording_process *process = plait_recording_get_process(recording, lane->process);
        size_t used;

        model_lane_name(lane, text, size);
        used = strnlen(text, size);
        if (process && lane->process > 0 && used < size)
                snprintf(text + used, size - used, " (%s %u)", process->role[0] ? process->role : process->name,
                         process->pid);
}

enum { ROW_WORKER, ROW_THREAD, ROW_PROCESS };

static int write_workers(const struct paper *paper, const struct plait_recording *recording)
{
        static const struct page_column columns[] = {{.name = "kind", .encoding = PAGE_BYTES, .width = 1},
                                                     {.name = "name", .encoding = PAGE_VARINT, .width = 4},
                                                     {.name = "cells", .encoding = PAGE_VARINT, .width = 4}};
        struct page_table table;
        char text[160];

        page_table_init(&table, "workers", columns, sizeof columns / sizeof *columns);
        for (uint32_t i = 0; i < paper->plan->n_lanes; i++) {
                uint32_t row = paper->fill->row_of_lane[i];
                const struct plait_recording_lane *lane = plait_recording_get_lane(recording, i);
                if (row == PAGE_NONE || !lane)
                        continue;
                const struct plait_recording_process *process = plait_recording_get_process(recording, lane->process);
                int kind = lane->kind == PLAIT_RECORDING_LANE_WORKER ? ROW_WORKER : ROW_THREAD;
                if (process && process->role[0])
                        kind = ROW_PROCESS;
                name_lane(recording, lane, text, sizeof text);
                page_table_add(&table, (const int64_t[]){kind, page_name(&paper->plan->names, text),
                                                         paper->fill->lane_cells.lanes[row].n_cells});
        }
        int error = page_table_write(&table, paper->file);
        page_table_free(&table);
        return error;
}

/* --- the file --- */

static int write_head(const struct paper *paper)
{
        const char *head = (const char *)page_template_head;
        const char *mark = memmem(head, page_template_head_bytes, TITLE_MARK, strlen(TITLE_MARK));
        const char *title = paper->options->title ? paper->options->title : paper->program;
        size_t before = mark ? (size_t)(mark - head) : page_template_head_bytes;

        fwrite(head, 1, before, paper->file);
        if (!mark)
                return 0;
        for (const char *p = title; *p; p++) {
                switch (*p) {
                case '<': fputs("&lt;", paper->file); break;
                case '&': fputs("&amp;", paper->file); break;
                default: fputc(*p, paper->file); break;
                }
        }
        fputs(": plait trace", paper->file);
        fwrite(mark + strlen(TITLE_MARK), 1, page_template_head_bytes - before - strlen(TITLE_MARK), paper->file);
        return 0;
}

static int write_all(struct paper *paper, const struct plait_recording *recording)
{
        int error = write_head(paper);

        if (!error)
                error = write_workers(paper, recording);
        if (!error)
                error = write_detail(paper->plan, paper->file);
        if (!error)
                error = page_fill_write(paper->fill, paper->file);
        if (!error)
                error = write_meta(paper);
        fwrite(page_template_tail, 1, page_template_tail_bytes, paper->file);
        return error;
}

/* Writes the page once, with the limits of the plan. */
static int write_once(struct page_plan *plan, const char *path, const char *out_path,
                      const struct page_options *options, uint64_t *ret_bytes, char *message, size_t size)
{
        struct page_fill fill;
        struct page_file file;
        struct model model;
        int error = page_fill(&fill, plan, path, message, size);

        if (!error)
                error = model_open(&model, path, message, size);
        if (error) {
                page_fill_free(&fill);
                return error;
        }
        const struct plait_recording_process *first = plait_recording_get_process(model.recording, 0);
        struct paper paper = {
                .plan = plan,
                .fill = &fill,
                .options = options,
                .program = first && first->name ? first->name : "program",
                .command = first && first->command ? first->command : "",
                .began_real_ns = model.info.began_real_ns,
        };
        error = page_file_open(&file, out_path);
        if (!error) {
                paper.file = file.stream;
                error = write_all(&paper, model.recording);
                int why = page_file_close(&file);
                error = why ? why : error; /* what could not be written is known there only */
                *ret_bytes = file.bytes;
        }
        if (error)
                explain(message, size, out_path, error);
        model_close(&model);
        page_fill_free(&fill);
        return error;
}

/* Plans and writes, with less each time until the page keeps to its budget. */
static int write_within(const char *path, const char *part, const struct page_options *options,
                        struct page_result *result, char *message, size_t size)
{
        uint64_t budget = options->budget_bytes ? options->budget_bytes : PAGE_BUDGET_BYTES;
        uint64_t frame = page_template_head_bytes + page_template_tail_bytes;
        double factor = (double)budget / PAGE_BUDGET_BYTES;
        int error = 0;

        for (int attempt = 0; attempt < ATTEMPTS_MAX && !error; attempt++) {
                struct page_plan plan;
                struct page_limits limits = limits_for(factor);
                error = page_plan_make(&plan, path, &limits, message, size);
                if (!error)
                        error = write_once(&plan, path, part, options, &result->bytes, message, size);
                result->events = plan.events;
                result->tasks = plan.n_tasks;
                result->tasks_folded = plan.n_tasks - plan.n_tasks_kept;
                result->merged_ns = most_merged(plan.task_threshold);
                if (most_merged(plan.lane_threshold) > result->merged_ns)
                        result->merged_ns = most_merged(plan.lane_threshold);
                page_plan_free(&plan);
                if (!error && result->bytes <= budget + frame)
                        return 0;
                if (!error)
                        factor *= 0.92 * (double)budget / (double)(result->bytes - frame);
        }
        return error;
}

int trace_page_write(const char *path, const char *out_path, const struct page_options *options,
                     struct page_result *ret_result, char *message, size_t size)
{
        static const struct page_options none;
        struct page_result result = {0};
        char *part = NULL;
        int error;

        message[0] = '\0';
        if (asprintf(&part, "%s.part", out_path) < 0)
                return -ENOMEM;
        error = write_within(path, part, options ? options : &none, &result, message, size);
        if (!error && rename(part, out_path) != 0) {
                error = -errno;
                explain(message, size, out_path, error);
        }
        if (error) {
                unlink(part);
                if (!message[0])
                        explain(message, size, path, error);
        } else if (ret_result) {
                *ret_result = result;
        }
        free(part);
        return error;
}
