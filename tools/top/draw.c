/*
 * What `plait top` shows: three lines about the whole, then tasks.
 */
#include "top/draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "term/text.h"

enum { HEAD_LINES = 6, BATCH_ROWS = 20, MOST_ROWS = 1000, LINE = 512, MOST_CAUSES = 64, TUNER_LINES = 8 };

const char *top_order_name(enum top_order order)
{
        static const char *const names[TOP_ORDERS] = {"run", "wait", "id", "name"};

        return names[order];
}

/* One line, cut at the right margin; on a screen what stood there before is wiped. */
static void put_line(const struct top_view *view, const char *text)
{
        char cut[LINE];

        if (view->live)
                printf("%s\033[K\n", text_safe(text, view->columns, cut, sizeof cut));
        else
                puts(text);
}

/* --- the whole --- */

static void put_program(const struct top_view *view)
{
        const struct inspect_picture *picture = view->picture;
        char text[LINE], count[32];
        size_t tasks = picture->n_tasks - picture->n_threads;

        int used = snprintf(text, sizeof text, "plait top: %s (%d)   %s tasks:", view->words->program->memory.command,
                            view->words->program->memory.pid, text_count(tasks, count, sizeof count));
        for (int i = INSPECT_STATES - 1; i >= 0; i--)
                used += snprintf(text + used, sizeof text - (size_t)used, " %s %s%s",
                                 text_count(picture->counts[i], count, sizeof count),
                                 inspect_state_name((enum inspect_state)i), i ? "," : "");
        if (picture->n_threads)
                snprintf(text + used, sizeof text - (size_t)used, "; %zu waiting threads", picture->n_threads);
        put_line(view, text);
}

static void put_workers(const struct top_view *view)
{
        const struct rates *rates = view->rates;
        const struct inspect_picture *workers = &rates->workers;
        char text[LINE], delay[32] = "not known", count[32];
        double busy = rates->samples ? (double)rates->busy / (double)rates->samples : 0;
        double seconds = rates_delay(rates);
        size_t spare = 0;

        for (size_t i = 0; i < workers->n_workers; i++)
                spare += workers->workers[i].spare;
        if (seconds >= 0)
                text_seconds(seconds, delay, sizeof delay);
        snprintf(text, sizeof text,
                 "%.2f of %zu workers busy%s; %s switches/s; %.1f tasks in the queues, which takes them about %s; held "
                 "up "
                 "%llu times",
                 busy, workers->n_workers - spare, spare ? " (and spare ones)" : "",
                 text_count((uint64_t)rates_switches(rates), count, sizeof count), rates_queue(rates), delay,
                 (unsigned long long)rates->stuck);
        put_line(view, text);
}

static void put_causes(const struct top_view *view)
{
        size_t counts[MOST_CAUSES] = {0};
        const struct inspect_picture *picture = view->picture;
        char text[LINE] = "waiting for:";
        size_t used = strlen(text);
        char count[32];

        for (size_t i = 0; i < picture->n_tasks; i++)
                if (picture->tasks[i].state == INSPECT_WAITING && picture->tasks[i].cause < MOST_CAUSES)
                        counts[picture->tasks[i].cause]++;
        for (;;) {
                size_t most = 0;

                for (size_t i = 1; i < MOST_CAUSES; i++)
                        if (counts[i] > counts[most])
                                most = i;
                if (!counts[most] || used + 64 > sizeof text)
                        break;
                used += (size_t)snprintf(text + used, sizeof text - used, " %s %s",
                                         inspect_cause(view->words->program, (uint32_t)most),
                                         text_count(counts[most], count, sizeof count));
                counts[most] = 0;
        }
        put_line(view, used > strlen("waiting for:") ? text : "waiting for: nothing");
}

/* --- limits that are found by measurement --- */

static void put_tuner(const struct top_view *view, const struct inspect_tuner *tuner)
{
        char text[LINE], name[48], age[32], count[32];
        double since_s = (double)(view->picture->now_ns - tuner->changed_ns) / 1e9;

        int used = snprintf(text, sizeof text, "limit of %s: %u, %u under way, %s/s; ",
                            *tuner->name ? text_safe(tuner->name, 40, name, sizeof name) : "one without a name",
                            tuner->limit, tuner->in_flight,
                            text_count((uint64_t)(tuner->per_s + 0.5), count, sizeof count));
        if (tuner->changed_ns && since_s >= 0)
                used += snprintf(text + used, sizeof text - (size_t)used,
                                 "%s from %u %s ago: ", tuner->limit < tuner->was ? "down" : "up", tuner->was,
                                 text_seconds(since_s, age, sizeof age));
        used += snprintf(text + used, sizeof text - (size_t)used, "%s", tuner->reason);
        if (tuner->refused)
                snprintf(text + used, sizeof text - (size_t)used, "; %s refused in all",
                         text_count(tuner->refused, count, sizeof count));
        put_line(view, text);
}

/* How many lines they get. */
static size_t tuner_lines(const struct top_view *view)
{
        size_t most = view->live && view->rows < 24 ? TUNER_LINES / 2 : TUNER_LINES;

        return view->tuners->count < most ? view->tuners->count : most;
}

static void put_tuners(const struct top_view *view)
{
        size_t lines = tuner_lines(view);

        for (size_t i = 0; i < lines; i++)
                put_tuner(view, &view->tuners->of[i]);
}

/* --- tasks --- */

static const struct top_view *sorted_for;

static uint64_t age_of(const struct inspect_task *task)
{
        return task->state == INSPECT_WAITING && task->aged ? task->age_ms + UINT64_C(1) : 0;
}

static int compare(const struct inspect_task *a, const struct inspect_task *b)
{
        const struct rates *rates = sorted_for->rates;
        char name[160];
        int order = 0;

        if (sorted_for->order == TOP_RUN) {
                double left = rates_of_task(rates, a->address);
                double right = rates_of_task(rates, b->address);

                order = left > right ? -1 : left < right;
        } else if (sorted_for->order == TOP_NAME) {
                snprintf(name, sizeof name, "%s", words_name(sorted_for->words, a));
                order = strcmp(name, words_name(sorted_for->words, b));
        } else if (sorted_for->order == TOP_ID) {
                order = a->id < b->id ? -1 : a->id > b->id;
        }
        if (order)
                return order;
        return age_of(a) > age_of(b) ? -1 : age_of(a) < age_of(b);
}

static int compare_rows(const void *a, const void *b)
{
        return compare(*(const struct inspect_task *const *)a, *(const struct inspect_task *const *)b);
}

static void sift_down(const struct inspect_task **heap, size_t n, size_t at)
{
        for (;;) {
                size_t child = 2 * at + 1;

                if (child >= n)
                        return;
                if (child + 1 < n && compare(heap[child + 1], heap[child]) > 0)
                        child++;
                if (compare(heap[child], heap[at]) <= 0)
                        return;
                const struct inspect_task *moved = heap[at];
                heap[at] = heap[child];
                heap[child] = moved;
                at = child;
        }
}

/* The first *n* tasks in order, without sorting the rest of a million: a heap whose top is the last of the chosen. */
static size_t choose(const struct top_view *view, const struct inspect_task **ret, size_t n)
{
        const struct inspect_picture *picture = view->picture;
        size_t used = 0;

        sorted_for = view;
        for (size_t i = 0; i < picture->n_tasks && n > 0; i++) {
                const struct inspect_task *task = &picture->tasks[i];

                if (used < n) {
                        ret[used++] = task;
                        for (size_t k = used / 2; used == n && k-- > 0;)
                                sift_down(ret, n, k);
                } else if (compare(task, ret[0]) < 0) {
                        ret[0] = task;
                        sift_down(ret, n, 0);
                }
        }
        qsort(ret, used, sizeof(void *), compare_rows);
        return used;
}

static void put_task(const struct top_view *view, const struct inspect_task *task)
{
        char text[LINE], wait[128], age[32] = "", name[32], run[16], id[24] = "-";
        char shown[160];

        snprintf(run, sizeof run, "%.1f", 100 * rates_of_task(view->rates, task->address));
        if (task->id)
                snprintf(id, sizeof id, "%llu", (unsigned long long)task->id);
        if (age_of(task))
                text_seconds(task->age_ms / 1e3, age, sizeof age);
        snprintf(shown, sizeof shown, "%s", words_name(view->words, task));
        text_safe(shown, 24, name, sizeof name);
        words_wait(view->words, task, wait, sizeof wait);
        size_t width = text_columns(name);
        snprintf(text, sizeof text, "%6s %10s  %s%*s  %-8s %8s  %s", run, id, name, width < 24 ? (int)(24 - width) : 0,
                 "", inspect_state_name((enum inspect_state)task->state), age, wait);
        put_line(view, text);
}

void top_draw(const struct top_view *view)
{
        static const struct inspect_task *chosen[MOST_ROWS];
        char head[LINE];
        size_t rows = BATCH_ROWS;

        if (view->live) {
                size_t head_lines = HEAD_LINES + tuner_lines(view);

                rows = view->rows > head_lines ? view->rows - head_lines : 0;
                fputs("\033[H", stdout);
        }
        put_program(view);
        put_workers(view);
        put_causes(view);
        put_tuners(view);
        snprintf(head, sizeof head, "%6s %10s  %-24s  %-8s %8s  %s", "RUN%", "ID", "NAME", "STATE", "SINCE",
                 "WAITS FOR");
        put_line(view, "");
        if (view->color)
                fputs("\033[7m", stdout);
        put_line(view, head);
        if (view->color)
                fputs("\033[0m", stdout);
        size_t n = choose(view, chosen, rows < MOST_ROWS ? rows : MOST_ROWS);
        for (size_t i = 0; i < n; i++)
                put_task(view, chosen[i]);
        if (view->live) {
                char keys[LINE], cut[LINE];

                snprintf(keys, sizeof keys, "q quit   s sort (by %s)   p %s", top_order_name(view->order),
                         view->paused ? "go on   [paused]" : "pause");
                printf("\033[J%s", text_safe(keys, view->columns, cut, sizeof cut));
        } else {
                putchar('\n');
        }
        fflush(stdout);
}
