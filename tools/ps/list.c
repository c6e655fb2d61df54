/*
 * The list of a program's tasks: which of them, in which order, and as a table.
 */
#include "ps/list.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "term/terminal.h"
#include "term/text.h"

enum {
        NAME_COLUMNS = 20,
        STATE_COLUMNS = 10,
        WAIT_COLUMNS = 30,
        SINCE_COLUMNS = 8,
        SCOPE_COLUMNS = 18,
        OUTPUT_BUFFER = 1 << 20,
        ROW_BYTES = sizeof(void *),
};

struct list {
        const struct list_options *options;
        struct inspect_program program;
        struct inspect_picture picture;
        struct unwinder *unwinder;
        struct words words;
        const struct inspect_task **rows;
        size_t n_rows, n_matching;
        size_t id_columns;
        size_t stack_columns;
        struct line line;
        const struct inspect_task *before; /* the task of the row before; NULL: none */
        struct line rest;                  /* and what of its row came after the number */
};

/* --- which, and in which order --- */

static bool wanted(struct list *list, const struct inspect_task *task)
{
        const struct list_options *options = list->options;

        if (options->states && !(options->states >> task->state & 1))
                return false;
        return !options->name || fnmatch(options->name, words_name(&list->words, task), 0) == 0;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
        return a < b ? -1 : a > b;
}

static uint64_t age_of(const struct inspect_task *task)
{
        return task->aged ? task->age_ms + UINT64_C(1) : 0;
}

static int compare(const void *left, const void *right, void *arg)
{
        const struct inspect_task *a = *(const struct inspect_task *const *)left;
        const struct inspect_task *b = *(const struct inspect_task *const *)right;
        struct list *list = arg;
        char name[160];
        int order = 0;

        if (list->options->order == ORDER_SINCE) {
                order = compare_numbers(age_of(b), age_of(a));
        } else if (list->options->order == ORDER_STATE) {
                order = compare_numbers(b->state, a->state);
        } else if (list->options->order == ORDER_NAME) {
                snprintf(name, sizeof name, "%s", words_name(&list->words, a));
                order = strcmp(name, words_name(&list->words, b));
        }
        return order ? order : compare_numbers(a->id, b->id);
}

static int choose(struct list *list)
{
        const struct inspect_picture *picture = &list->picture;
        const uint64_t limit = list->options->limit;

        list->rows = reallocarray(NULL, picture->n_tasks + 1, ROW_BYTES);
        if (!list->rows)
                return -1;
        for (size_t i = 0; i < picture->n_tasks; i++)
                if (wanted(list, &picture->tasks[i]))
                        list->rows[list->n_rows++] = &picture->tasks[i];
        if (list->options->order != ORDER_NONE)
                qsort_r(list->rows, list->n_rows, ROW_BYTES, compare, list);
        list->n_matching = list->n_rows;
        if (limit && list->n_rows > limit)
                list->n_rows = (size_t)limit;
        return 0;
}

/* --- the table --- */

static size_t digits_of(uint64_t number)
{
        size_t count = 1;

        while (number /= 10)
                count++;
        return count;
}

static void measure_columns(struct list *list)
{
        uint64_t most = 0;

        for (size_t i = 0; i < list->n_rows; i++)
                if (list->rows[i]->id > most)
                        most = list->rows[i]->id;
        list->id_columns = digits_of(most) > 4 ? digits_of(most) : 4;
        size_t before = list->id_columns + NAME_COLUMNS + STATE_COLUMNS + WAIT_COLUMNS + SINCE_COLUMNS + SCOPE_COLUMNS +
                        12;
        list->stack_columns = SIZE_MAX;
        if (isatty(STDOUT_FILENO)) {
                size_t columns = terminal_columns(STDOUT_FILENO);

                list->stack_columns = columns > before + 20 ? columns - before : 20;
        }
}

static void write_line(struct line *line)
{
        while (line->used > 0 && line->text[line->used - 1] == ' ')
                line->used--;
        if (line->used == LINE_MOST)
                line->used--;
        line->text[line->used++] = '\n';
        fwrite(line->text, 1, line->used, stdout);
        line->used = 0;
}

static void print_head(struct list *list)
{
        struct line *line = &list->line;
        bool color = terminal_has_color(STDOUT_FILENO);

        if (color)
                fputs("\033[1m", stdout);
        line_cell_right(line, "ID", list->id_columns);
        line_cell(line, "NAME", NAME_COLUMNS);
        line_cell(line, "STATE", STATE_COLUMNS);
        line_cell(line, "WAITS FOR", WAIT_COLUMNS);
        line_cell_right(line, "SINCE", SINCE_COLUMNS);
        line_cell(line, "SCOPE", SCOPE_COLUMNS);
        if (list->options->stacks == STACKS_LINE)
                line_put(line, "STACK");
        write_line(line);
        if (color)
                fputs("\033[0m", stdout);
}

static void put_state(struct line *line, const struct inspect_task *task)
{
        char state[32];

        if (task->state == INSPECT_RUNNING) {
                snprintf(state, sizeof state, "running %d", task->worker);
                line_cell(line, state, STATE_COLUMNS);
        } else {
                line_cell(line, inspect_state_name((enum inspect_state)task->state), STATE_COLUMNS);
        }
}

static void put_age(struct line *line, const struct inspect_task *task)
{
        if (task->state != INSPECT_WAITING || !task->aged) {
                line_cell_right(line, "", SINCE_COLUMNS);
                return;
        }
        char text[32];
        line_cell_right(line, text_seconds(task->age_ms / 1e3, text, sizeof text), SINCE_COLUMNS);
}

static void put_scope(struct list *list, struct line *line, const struct inspect_task *task)
{
        char where[128] = "";
        const struct inspect_scope *scope = inspect_find_scope(&list->picture, task->scope);

        if (scope && scope->open && scope->opened_at)
                words_scope(&list->words, scope, where, sizeof where);
        else if (task->scope)
                snprintf(where, sizeof where, "0x%llx", (unsigned long long)task->scope);
        line_cell(line, where, SCOPE_COLUMNS);
}

static void print_frames(struct list *list, const struct inspect_task *task)
{
        uint32_t bytes;

        if (task->stack == INTERN_NONE || !list->unwinder)
                return;
        const uint64_t *frames = intern_get(&list->picture.stacks, task->stack, &bytes);
        for (size_t i = 0; i < bytes / sizeof *frames; i++) {
                char frame[256];

                printf("        %s\n", words_frame(&list->words, frames[i], i > 0, frame, sizeof frame));
        }
}

/* Of a million tasks most look like the one before, but for the number. */
static bool looks_alike(const struct inspect_task *a, const struct inspect_task *b)
{
        return a->name == b->name && a->stack == b->stack && a->age_ms == b->age_ms && a->aged == b->aged &&
               a->scope == b->scope && a->object == b->object && a->cause == b->cause && a->state == b->state &&
               a->worker == b->worker && a->fn == b->fn && a->holder == b->holder && a->holder_tid == b->holder_tid &&
               a->fd == b->fd && a->left_ms == b->left_ms && a->tid == b->tid;
}

static void put_rest(struct list *list, struct line *line, const struct inspect_task *task)
{
        char wait[128], cut[1200];

        line_cell(line, words_name(&list->words, task), NAME_COLUMNS);
        put_state(line, task);
        line_cell(line, words_wait(&list->words, task, wait, sizeof wait), WAIT_COLUMNS);
        put_age(line, task);
        put_scope(list, line, task);
        if (list->options->stacks == STACKS_LINE) {
                const char *stack = words_stack(&list->words, task);

                line_put(line, list->stack_columns == SIZE_MAX
                                       ? stack
                                       : text_safe(stack, list->stack_columns, cut, sizeof cut));
        }
}

static void print_row(struct list *list, const struct inspect_task *task)
{
        struct line *line = &list->line;

        if (!list->before || !looks_alike(list->before, task)) {
                list->rest.used = 0;
                put_rest(list, &list->rest, task);
                list->before = task;
        }
        if (task->id)
                line_number_right(line, task->id, list->id_columns);
        else
                line_cell_right(line, "-", list->id_columns);
        line_append(line, &list->rest);
        write_line(line);
        if (list->options->stacks == STACKS_WHOLE)
                print_frames(list, task);
}

static void print_json(struct list *list, const struct inspect_task *task)
{
        struct line *line = &list->line;

        if (!list->before || !looks_alike(list->before, task)) {
                list->rest.used = 0;
                list_json(&list->words, task, list->options->stacks != STACKS_NONE, &list->rest);
                list->before = task;
        }
        line_put(line, "{\"schema\": 1, \"id\": ");
        if (task->id)
                line_number(line, task->id);
        else
                line_put(line, "null");
        line_append(line, &list->rest);
        fwrite(line->text, 1, line->used, stdout);
        line->used = 0;
}

static void print_summary(const struct list *list)
{
        const struct inspect_picture *picture = &list->picture;
        const char *before = ": ";
        char count[32];

        size_t tasks = picture->n_tasks - picture->n_threads;
        printf("%s task%s", text_count(tasks, count, sizeof count), tasks == 1 ? "" : "s");
        for (int i = INSPECT_STATES - 1; i >= 0; i--) {
                if (!picture->counts[i])
                        continue;
                printf("%s%s %s", before, text_count(picture->counts[i], count, sizeof count),
                       inspect_state_name((enum inspect_state)i));
                before = ", ";
        }
        if (picture->n_threads)
                printf("; %zu waiting thread%s", picture->n_threads, picture->n_threads == 1 ? "" : "s");
        printf("; %zu worker%s", picture->n_workers, picture->n_workers == 1 ? "" : "s");
        if (list->n_rows < picture->n_tasks)
                printf("; %s shown", text_count(list->n_rows, count, sizeof count));
        putchar('\n');
}

/* --- the whole --- */

static void print(struct list *list)
{
        if (list->options->json) {
                for (size_t i = 0; i < list->n_rows; i++)
                        print_json(list, list->rows[i]);
                return;
        }
        measure_columns(list);
        print_head(list);
        for (size_t i = 0; i < list->n_rows; i++)
                print_row(list, list->rows[i]);
        print_summary(list);
}

static int take(struct list *list, struct inspect_error *error)
{
        unsigned what = PICTURE_SCOPES | PICTURE_THREADS;

        int r = inspect_program_open(&list->program, list->options->target, error);
        if (r < 0)
                return r;
        list->unwinder = unwinder_new(&list->program.memory);
        if (list->options->stacks != STACKS_NONE && list->unwinder)
                what |= PICTURE_STACKS;
        words_init(&list->words, &list->program, list->unwinder);
        r = inspect_take(&list->program, what, list->unwinder, &list->picture, error);
        if (r < 0)
                return r;
        words_turn_to(&list->words, &list->picture);
        if (!list->picture.run)
                return inspect_fail(error, "%s uses plait, but runs no tasks at the moment",
                                    list->program.memory.command);
        return choose(list) < 0 ? inspect_fail(error, "out of memory") : 0;
}

int list_tasks(const struct list_options *options)
{
        struct list *list = calloc(1, sizeof *list);
        struct inspect_error error = {.text = "out of memory"};

        if (list)
                list->options = options;
        int code = list && take(list, &error) == 0 ? EXIT_OK : EXIT_FAILED;
        if (code == EXIT_OK) {
                char gaps[512];

                if (*inspect_gaps(&list->program, &list->picture, gaps, sizeof gaps))
                        fprintf(stderr, "plait ps: %s\n", gaps);
                setvbuf(stdout, NULL, _IOFBF, OUTPUT_BUFFER);
                print(list);
        } else {
                fprintf(stderr, "plait ps: %s\n", error.text);
        }
        if (list) {
                free(list->rows);
                words_done(&list->words);
                inspect_picture_done(&list->picture);
                unwinder_free(list->unwinder);
                inspect_program_close(&list->program);
        }
        free(list);
        return code;
}
