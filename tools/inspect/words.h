/*
 * What a picture shows, in words. What is the same for many tasks is composed once. Names of the program's own making
 * are made harmless to a terminal.
 */
#ifndef INSPECT_WORDS_H
#define INSPECT_WORDS_H

#include "inspect/program.h"
#include "inspect/unwind.h"

struct words_cache {
        char **texts;
        size_t room;
};

struct words {
        struct inspect_program *program;
        struct inspect_picture *picture; /* whose stacks are meant; change it with words_turn_to() */
        struct unwinder *unwinder;       /* NULL: addresses have no names */
        struct words_cache names, json_names, stacks, frames, json_stacks;
        struct intern functions; /* addresses of functions and objects -> function_texts */
        struct words_cache function_texts;
        struct intern openings; /* addresses where scopes were opened -> opening_texts */
        struct words_cache opening_texts;
};

void words_init(struct words *words, struct inspect_program *program, struct unwinder *unwinder);
void words_done(struct words *words);

/* From now on the stacks of another picture of the same program are meant. */
void words_turn_to(struct words *words, struct inspect_picture *picture);

/* The task's name, or the function that it was started with as "function()"; of a thread "thread TID". */
const char *words_name(struct words *words, const struct inspect_task *task);

/* Its name as a string of JSON; "null": it has none. */
const char *words_json_name(struct words *words, const struct inspect_task *task);

/* The function that it was started with, or its address. */
const char *words_function(struct words *words, uint64_t address);

/* The variable that stands at *address*, as "name" or "name+0x10"; "" if it is none of the program's. */
const char *words_variable(struct words *words, uint64_t address);

/* What it waits for: "mutex stock of #3", "read fd 5", "event 0x7f50"; "" when it does not wait. */
const char *words_wait(struct words *words, const struct inspect_task *task, char *buffer, size_t size);

/* Its stack in a line, the innermost call first, without what belongs to the runtime: "work < start". "" if unknown. */
const char *words_stack(struct words *words, const struct inspect_task *task);

/* Its stack in lines, a frame each, indented. "" if unknown. */
const char *words_frames(struct words *words, const struct inspect_task *task);

/* Its stack as an array of JSON, whole; "null" if unknown. */
const char *words_json_stack(struct words *words, const struct inspect_task *task);

/* A frame of a stack: "function+0x1f (file.c:12)". */
const char *words_frame(struct words *words, uint64_t address, bool is_return, char *buffer, size_t size);

/* Where a scope was opened: "function" or its address. */
const char *words_scope(struct words *words, const struct inspect_scope *scope, char *buffer, size_t size);

#endif
