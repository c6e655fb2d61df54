/*
 * Rows of the list: lines of a table, or of JSON. There may be a million, so several threads compose blocks of them,
 * which are written in their order.
 *
 * Locking: words_lock guards what rows->words holds and returns. Only who meets a row unlike the one before needs it.
 */
#include "ps/rows.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait/executor.h>

#include "term/terminal.h"
#include "term/text.h"

enum {
        NAME_COLUMNS = 20,
        STATE_COLUMNS = 10,
        WAIT_COLUMNS = 30,
        SINCE_COLUMNS = 8,
        SCOPE_COLUMNS = 18,
        BLOCK_ROWS = 4096,
};

/* What is written of a block. */
struct text {
        char *bytes;
        size_t used, room;
};

struct block {
        const struct rows *rows;
        struct text text;
        const struct inspect_task *before; /* the task of the row before; NULL: none */
        struct line rest;                  /* and what of its row came after the number */
        const char *frames;                /* and the lines below it */
        struct line line;
        bool no_memory;
};

static pthread_mutex_t words_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- text --- */

static void append(struct block *block, const char *bytes, size_t count)
{
        struct text *text = &block->text;

        if (text->used + count > text->room) {
                size_t room = (text->used + count) * 2;
                char *grown = realloc(text->bytes, room);

                if (!grown) {
                        block->no_memory = true;
                        return;
                }
                text->bytes = grown;
                text->room = room;
        }
        memcpy(text->bytes + text->used, bytes, count);
        text->used += count;
}

/* Blanks at its end are left out. */
static void end_line(struct line *line)
{
        while (line->used > 0 && line->text[line->used - 1] == ' ')
                line->used--;
        if (line->used == LINE_MOST)
                line->used--;
        line->text[line->used++] = '\n';
}

/* --- the table --- */

static size_t digits_of(uint64_t number)
{
        size_t count = 1;

        while (number /= 10)
                count++;
        return count;
}

void rows_measure(struct rows *rows)
{
        uint64_t most = 0;

        for (size_t i = 0; i < rows->n; i++)
                if (rows->tasks[i]->id > most)
                        most = rows->tasks[i]->id;
        rows->id_columns = digits_of(most) > 4 ? digits_of(most) : 4;
        size_t before = rows->id_columns + NAME_COLUMNS + STATE_COLUMNS + WAIT_COLUMNS + SINCE_COLUMNS + SCOPE_COLUMNS +
                        12;
        rows->stack_columns = SIZE_MAX;
        if (isatty(STDOUT_FILENO)) {
                size_t columns = terminal_columns(STDOUT_FILENO);

                rows->stack_columns = columns > before + 20 ? columns - before : 20;
        }
}

void rows_print_head(const struct rows *rows)
{
        struct line line = {0};
        bool color = terminal_has_color(STDOUT_FILENO);

        line_cell_right(&line, "ID", rows->id_columns);
        line_cell(&line, "NAME", NAME_COLUMNS);
        line_cell(&line, "STATE", STATE_COLUMNS);
        line_cell(&line, "WAITS FOR", WAIT_COLUMNS);
        line_cell_right(&line, "SINCE", SINCE_COLUMNS);
        line_cell(&line, "SCOPE", SCOPE_COLUMNS);
        if (rows->options->stacks == STACKS_LINE)
                line_put(&line, "STACK");
        end_line(&line);
        if (color)
                fputs("\033[1m", stdout);
        fwrite(line.text, 1, line.used, stdout);
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

static void put_scope(struct words *words, struct line *line, const struct inspect_task *task)
{
        char where[128] = "";
        const struct inspect_scope *scope = inspect_find_scope(words->picture, task->scope);

        if (scope && scope->open && scope->opened_at)
                words_scope(words, scope, where, sizeof where);
        else if (task->scope)
                snprintf(where, sizeof where, "0x%llx", (unsigned long long)task->scope);
        line_cell(line, where, SCOPE_COLUMNS);
}

static void put_row(const struct rows *rows, const struct inspect_task *task, struct line *line)
{
        struct words *words = rows->words;
        char wait[128], cut[1200];

        line_cell(line, words_name(words, task), NAME_COLUMNS);
        put_state(line, task);
        line_cell(line, words_wait(words, task, wait, sizeof wait), WAIT_COLUMNS);
        put_age(line, task);
        put_scope(words, line, task);
        if (rows->options->stacks == STACKS_LINE) {
                const char *stack = words_stack(words, task);

                line_put(line, rows->stack_columns == SIZE_MAX
                                       ? stack
                                       : text_safe(stack, rows->stack_columns, cut, sizeof cut));
        }
}

/* --- a block --- */

/* Of a million tasks most look like the one before, but for the number. */
static bool looks_alike(const struct inspect_task *a, const struct inspect_task *b)
{
        return a->name == b->name && a->stack == b->stack && a->age_ms == b->age_ms && a->aged == b->aged &&
               a->scope == b->scope && a->object == b->object && a->cause == b->cause && a->state == b->state &&
               a->worker == b->worker && a->fn == b->fn && a->holder == b->holder && a->holder_tid == b->holder_tid &&
               a->fd == b->fd && a->left_ms == b->left_ms && a->tid == b->tid;
}

/* What comes after the number. */
static void compose_rest(struct block *block, const struct inspect_task *task)
{
        const struct rows *rows = block->rows;

        if (block->before && looks_alike(block->before, task))
                return;
        block->rest.used = 0;
        block->before = task;
        pthread_mutex_lock(&words_lock);
        if (rows->options->json)
                list_json(rows->words, task, rows->options->stacks != STACKS_NONE, &block->rest);
        else
                put_row(rows, task, &block->rest);
        if (rows->options->stacks == STACKS_WHOLE && !rows->options->json)
                block->frames = words_frames(rows->words, task);
        pthread_mutex_unlock(&words_lock);
}

static void compose_row(struct block *block, const struct inspect_task *task)
{
        struct line *line = &block->line;

        compose_rest(block, task);
        if (task->id)
                line_number_right(line, task->id, block->rows->id_columns);
        else
                line_cell_right(line, "-", block->rows->id_columns);
        line_append(line, &block->rest);
        end_line(line);
        append(block, line->text, line->used);
        line->used = 0;
        append(block, block->frames, strlen(block->frames));
}

static void compose_json(struct block *block, const struct inspect_task *task)
{
        struct line *line = &block->line;

        compose_rest(block, task);
        line_put(line, "{\"schema\": 1, \"id\": ");
        if (task->id)
                line_number(line, task->id);
        else
                line_put(line, "null");
        line_append(line, &block->rest);
        append(block, line->text, line->used);
        line->used = 0;
}

/* --- blocks, one after the other and several at a time --- */

struct range {
        struct rows *rows;
        size_t from, to;
};

static int compose(void *arg, void *result)
{
        const struct range *range = arg;
        const struct rows *rows = range->rows;
        struct block block = {.rows = rows, .frames = ""};

        for (size_t i = range->from; i < range->to && !block.no_memory; i++)
                if (rows->options->json)
                        compose_json(&block, rows->tasks[i]);
                else
                        compose_row(&block, rows->tasks[i]);
        *(struct text *)result = block.text;
        return block.no_memory ? -ENOMEM : 0;
}

static int next_range(void *context, void *item)
{
        struct rows *rows = context;
        struct range range = {.rows = rows, .from = rows->begun};

        if (range.from == rows->n)
                return 0;
        range.to = rows->n - range.from < BLOCK_ROWS ? rows->n : range.from + BLOCK_ROWS;
        rows->begun = range.to;
        *(struct range *)item = range;
        return 1;
}

static int write_range(void *context, void *item, const struct plait_job_end *end)
{
        struct rows *rows = context;
        const struct range *range = item;
        const struct text *text = end->data;

        if (end->result == 0 && text->used > 0)
                fwrite(text->bytes, 1, text->used, stdout);
        if (end->result == 0)
                rows->written = range->to;
        free(text->bytes);
        return end->result;
}

/* By as many threads as there are processors. */
static int print_by_threads(struct rows *rows)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .name = "rows"};
        const struct plait_executor_map_opts one = {.size = sizeof one, .chunk = 1};
        const struct plait_executor_flow flow = {.next = next_range,
                                                 .fn = compose,
                                                 .done = write_range,
                                                 .context = rows,
                                                 .arg_bytes = sizeof(struct range),
                                                 .result_bytes = sizeof(struct text)};
        struct plait_executor *executor;
        int r = plait_executor_threads(&opts, &executor);

        if (r < 0)
                return r;
        r = plait_executor_stream(executor, &flow, &one);
        plait_executor_free(executor);
        return r;
}

int rows_print(struct rows *rows)
{
        struct range range;
        int r = rows->n > BLOCK_ROWS ? print_by_threads(rows) : -EAGAIN;

        if (r != -EAGAIN) /* there can be threads, and it is worth it */
                return r;
        r = 0;
        for (rows->begun = rows->written; r == 0 && next_range(rows, &range) > 0;) {
                struct text text = {0};
                const struct plait_job_end end = {.result = compose(&range, &text), .data = &text};

                r = write_range(rows, &range, &end);
        }
        return r;
}
