/*
 * The summary as text.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ps/line.h"
#include "term/terminal.h"
#include "term/text.h"
#include "trace/summary.h"

enum { TEXT = 512, WAIT_COLUMNS = 38, NAME_COLUMNS = 24, REQUEST_COLUMNS = 60 };

struct page {
        const struct summary *summary;
        FILE *to;
        bool color;
        struct line line;
};

static void end_line(struct page *page)
{
        struct line *line = &page->line;

        while (line->used > 0 && line->text[line->used - 1] == ' ')
                line->used--;
        fwrite(line->text, 1, line->used, page->to);
        fputc('\n', page->to);
        line->used = 0;
}

static void put_title(struct page *page, const char *title)
{
        fprintf(page->to, page->color ? "\n\033[1m%s\033[0m\n" : "\n%s\n", title);
}

/* --- cells --- */

static void put_time(struct page *page, int64_t ns)
{
        char text[32];

        line_cell_right(&page->line, text_seconds((double)ns / 1e9, text, sizeof text), 8);
}

static void put_count(struct page *page, uint64_t count, size_t columns)
{
        char text[32];

        line_cell_right(&page->line, text_count(count, text, sizeof text), columns);
}

/* What comes from the program must do a terminal no harm. */
static void put_text(struct page *page, const char *text, size_t columns)
{
        char safe[TEXT];

        line_cell(&page->line, text_safe(text, columns, safe, sizeof safe), columns);
}

static void put_flow(struct page *page, uint64_t flow, const char *name, size_t columns)
{
        char text[64];

        put_text(page, flow ? model_flow_name(flow, name, text, sizeof text) : "-", columns);
}

/* --- the head --- */

static const char *counted(uint64_t count, const char *one, const char *many, char *text, size_t size)
{
        char number[32];

        snprintf(text, size, "%s %s", text_count(count, number, sizeof number), count == 1 ? one : many);
        return text;
}

static void print_drops(struct page *page)
{
        const struct plait_recording_info *info = &page->summary->model.info;
        char number[64];

        fprintf(page->to,
                "%s missing, since rings were full or the disk was: times are too short, and some states wrong for a\n"
                "while. PLAIT_TRACE_RING, or --ring, makes the rings larger.\n",
                counted(info->dropped, "event is", "events are", number, sizeof number));
        for (uint32_t i = 0; i < info->n_processes && info->n_processes > 1; i++) {
                const struct plait_recording_process *process = plait_recording_get_process(
                        page->summary->model.recording, i);

                if (process && process->dropped)
                        fprintf(page->to, "  of process %" PRIu32 ": %s\n", process->pid,
                                text_count(process->dropped, number, sizeof number));
        }
}

static void print_head(struct page *page, const char *path)
{
        const struct model *model = &page->summary->model;
        const struct plait_recording_info *info = &model->info;
        char text[TEXT], time[32], events[64], tasks[64];

        fprintf(page->to, "%s: %s, %s, %s\n", text_safe(path, TEXT / 4, text, sizeof text),
                text_seconds((double)info->duration_ns / 1e9, time, sizeof time),
                counted(model->n_events, "event", "events", events, sizeof events),
                counted(model->n_flows, "task or thread", "tasks and threads", tasks, sizeof tasks));
        for (uint32_t i = 0; i < info->n_processes; i++) {
                const struct plait_recording_process *process = plait_recording_get_process(model->recording, i);

                if (!process)
                        continue;
                fprintf(page->to, "  %" PRIu32 " %s%s%s%s\n", process->pid,
                        text_safe(process->command && *process->command ? process->command : process->name, 100, text,
                                  sizeof text),
                        *process->role ? ", " : "", process->role,
                        process->ended ? ""
                        : info->live   ? ", still under way"
                        : info->torn   ? ", whose end is missing: it was killed, has crashed, or the disk was full"
                                       : ", which did not end regularly: it was killed, or has crashed");
        }
        if (info->torn)
                fputs("A part of the file could not be read, since it is cut off or damaged, and is left out.\n",
                      page->to);
        if (info->dropped)
                print_drops(page);
}

/* --- tables --- */

static void print_state(struct page *page, const char *name, int64_t ns, int64_t all_ns, uint64_t waits)
{
        char text[32];

        put_time(page, ns);
        snprintf(text, sizeof text, "%.1f %%", all_ns > 0 ? 100.0 * (double)ns / (double)all_ns : 0.0);
        line_cell_right(&page->line, text, 8);
        put_text(page, name, NAME_COLUMNS);
        if (waits) {
                put_count(page, waits, 12);
                line_put(&page->line, waits == 1 ? "wait" : "waits");
        }
        end_line(page);
}

static void print_states(struct page *page)
{
        const struct model *model = &page->summary->model;
        int64_t all_ns = 0;
        char name[64];

        for (int i = 0; i < MODEL_STATES; i++)
                all_ns += model->state_ns[i];
        put_title(page, "Where time went, of all tasks together");
        print_state(page, "running", model->state_ns[MODEL_RUNNING], all_ns, 0);
        print_state(page, "runnable", model->state_ns[MODEL_RUNNABLE], all_ns, 0);
        for (size_t i = 0; i < model->n_causes; i++) {
                snprintf(name, sizeof name, "waiting: %s", model->causes[i].name);
                print_state(page, name, model->causes[i].total_ns, all_ns, model->causes[i].count);
        }
}

static void print_waits(struct page *page)
{
        const struct summary *summary = page->summary;
        char text[TEXT], time[32];

        if (!summary->n_alike)
                return;
        put_title(page, "Longest waits");
        fprintf(page->to, "%8s  %8s  %-*s  %-*s  %s\n", "FOR", "FROM", NAME_COLUMNS, "TASK", WAIT_COLUMNS, "WAITED FOR",
                "HELD UP BY");
        for (size_t i = 0; i < summary->n_alike; i++) {
                const struct summary_alike *alike = summary->top_alike[i];
                const struct summary_wait *wait = &alike->longest;

                put_time(page, wait->duration_ns);
                put_time(page, wait->start_ns);
                put_flow(page, wait->flow, wait->flow_name, NAME_COLUMNS);
                put_text(page, summary_wait_text(summary, wait, text, sizeof text), WAIT_COLUMNS);
                put_flow(page, wait->holder, wait->holder_name, NAME_COLUMNS);
                if (alike->count > 1) {
                        snprintf(text, sizeof text, "and %" PRIu64 " like it, %s in all", alike->count - 1,
                                 text_seconds((double)alike->total_ns / 1e9, time, sizeof time));
                        line_put(&page->line, text);
                }
                end_line(page);
        }
        if (summary->not_alike)
                fprintf(page->to, "%" PRIu64 " further waits are of too many kinds to be told apart.\n",
                        summary->not_alike);
}

static void print_locks(struct page *page)
{
        const struct summary *summary = page->summary;
        char text[TEXT];

        if (!summary->n_locks)
                return;
        put_title(page, "Most contended locks");
        fprintf(page->to, "%12s  %8s  %8s  %-*s  %s\n", "WAITS", "IN ALL", "LONGEST", WAIT_COLUMNS, "LOCK",
                "HELD BY THEN");
        for (size_t i = 0; i < summary->n_locks; i++) {
                const struct summary_lock *lock = summary->top_locks[i];

                put_count(page, lock->count, 12);
                put_time(page, lock->total_ns);
                put_time(page, lock->longest.duration_ns);
                put_text(page, summary_wait_text(summary, &lock->longest, text, sizeof text), WAIT_COLUMNS);
                put_flow(page, lock->longest.holder, lock->longest.holder_name, NAME_COLUMNS);
                end_line(page);
        }
}

static const char *status_text(const struct model_request *request, char *text, size_t size)
{
        if (request->open)
                return "open";
        if (request->status < 0)
                return model_error_text(request->status, text, size);
        snprintf(text, size, "%" PRId64, request->status);
        return text;
}

static void print_requests(struct page *page)
{
        const struct summary *summary = page->summary;
        char text[TEXT], first[32];

        if (!summary->n_requests)
                return;
        snprintf(text, sizeof text, "Slowest requests, of %s", text_count(summary->all_requests, first, sizeof first));
        put_title(page, text);
        fprintf(page->to, "%8s  %8s  %10s  %-14s  %-*s  %s\n", "TOOK", "FROM", "FIRST BYTE", "STATUS", REQUEST_COLUMNS,
                "REQUEST", "TASK");
        for (size_t i = 0; i < summary->n_requests; i++) {
                const struct model_request *request = &summary->requests[i];
                int64_t byte_ns = request->phase_ns[PLAIT_RECORDING_FIRST_BYTE];

                put_time(page, request->end_ns - request->start_ns);
                put_time(page, request->start_ns);
                line_cell_right(&page->line,
                                byte_ns < 0 ? "-" : text_seconds((double)byte_ns / 1e9, first, sizeof first), 10);
                put_text(page, status_text(request, text, sizeof text), 14);
                put_text(page, request->text ? request->text : "?", REQUEST_COLUMNS);
                put_flow(page, request->flow, request->flow_name, NAME_COLUMNS);
                end_line(page);
        }
}

static void print_names(struct page *page)
{
        const struct summary *summary = page->summary;

        if (!summary->n_names)
                return;
        put_title(page, "Tasks by CPU");
        fprintf(page->to, "%12s  %8s  %8s  %8s  %s\n", "TASKS", "RUNNING", "RUNNABLE", "WAITING", "NAME");
        for (size_t i = 0; i < summary->n_names; i++) {
                const struct summary_name *name = summary->top_names[i];

                put_count(page, name->count, 12);
                put_time(page, name->busy_ns[MODEL_RUNNING]);
                put_time(page, name->busy_ns[MODEL_RUNNABLE]);
                put_time(page, name->busy_ns[MODEL_WAITING]);
                put_flow(page, name->flow, name->name, 60);
                end_line(page);
        }
}

void summary_text(const struct summary *summary, const char *path, FILE *to)
{
        struct page page = {.summary = summary, .to = to, .color = terminal_has_color(fileno(to))};

        print_head(&page, path);
        print_states(&page);
        print_waits(&page);
        print_locks(&page);
        print_requests(&page);
        print_names(&page);
}
