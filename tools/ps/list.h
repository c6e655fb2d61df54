/*
 * The list of a program's tasks.
 */
#ifndef PS_LIST_H
#define PS_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "inspect/program.h"
#include "inspect/words.h"
#include "ps/line.h"

enum list_order {
        ORDER_NONE, /* as they stand in memory */
        ORDER_ID,
        ORDER_NAME,
        ORDER_STATE,
        ORDER_SINCE,
};

enum list_stacks {
        STACKS_NONE,
        STACKS_LINE,
        STACKS_WHOLE,
};

struct list_options {
        const char *target;
        unsigned states;  /* a bit for each; 0: all */
        const char *name; /* a pattern; NULL: all */
        uint64_t limit;   /* 0: none */
        enum list_order order;
        enum list_stacks stacks;
        bool json;
};

/* Prints it; returns the exit code. */
int list_tasks(const struct list_options *options);

/* --- json.c: a task's line, from after its number on --- */
void list_json(struct words *words, const struct inspect_task *task, bool with_stack, struct line *line);

#endif
