/*
 * The list of a program's tasks: which of them, and in which order.
 */
#include "ps/list.h"
#include "ps/rows.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "term/text.h"

enum {
        OUTPUT_BUFFER = 1 << 20,
        ROW_BYTES = sizeof(void *),
};

struct list {
        const struct list_options *options;
        struct inspect_program program;
        struct inspect_picture picture;
        struct unwinder *unwinder;
        struct words words;
        struct rows rows;
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
        struct rows *rows = &list->rows;

        rows->tasks = reallocarray(NULL, picture->n_tasks + 1, ROW_BYTES);
        if (!rows->tasks)
                return -1;
        for (size_t i = 0; i < picture->n_tasks; i++)
                if (wanted(list, &picture->tasks[i]))
                        rows->tasks[rows->n++] = &picture->tasks[i];
        if (list->options->order != ORDER_NONE)
                qsort_r(rows->tasks, rows->n, ROW_BYTES, compare, list);
        if (limit && rows->n > limit)
                rows->n = (size_t)limit;
        return 0;
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
        if (list->rows.n < picture->n_tasks)
                printf("; %s shown", text_count(list->rows.n, count, sizeof count));
        putchar('\n');
}

/* --- the whole --- */

static int print(struct list *list)
{
        struct rows *rows = &list->rows;

        if (list->options->json)
                return rows_print(rows);
        rows_measure(rows);
        rows_print_head(rows);
        int r = rows_print(rows);
        if (r == 0)
                print_summary(list);
        return r;
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
        list->rows = (struct rows){.options = list->options, .words = &list->words};
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
                if (print(list) < 0) {
                        fputs("plait ps: out of memory\n", stderr);
                        code = EXIT_FAILED;
                }
        } else {
                fprintf(stderr, "plait ps: %s\n", error.text);
        }
        if (list) {
                free(list->rows.tasks);
                words_done(&list->words);
                inspect_picture_done(&list->picture);
                unwinder_free(list->unwinder);
                inspect_program_close(&list->program);
        }
        free(list);
        return code;
}
