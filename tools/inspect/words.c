/*
 * Words for what a picture shows.
 */
#include "inspect/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "term/json.h"
#include "term/text.h"

static char no_memory[] = "?";

/* --- texts that are composed once --- */

/* Where the text of *index* is kept; NULL: no memory. */
static char **place_of(struct words_cache *cache, uint32_t index)
{
        if (index >= cache->room) {
                size_t room = index < 64 ? 128 : (size_t)index * 2;
                char **grown = realloc(cache->texts, room * sizeof *grown);

                if (!grown)
                        return NULL;
                memset(grown + cache->room, 0, (room - cache->room) * sizeof *grown);
                cache->texts = grown;
                cache->room = room;
        }
        return &cache->texts[index];
}

static void forget(struct words_cache *cache)
{
        for (size_t i = 0; i < cache->room; i++)
                free(cache->texts[i]);
        free(cache->texts);
        *cache = (struct words_cache){0};
}

static const char *keep(char **place, const char *text)
{
        *place = strdup(text);
        return *place ? *place : no_memory;
}

void words_init(struct words *words, struct inspect_program *program, struct unwinder *unwinder)
{
        *words = (struct words){.program = program, .unwinder = unwinder};
}

void words_turn_to(struct words *words, struct inspect_picture *picture)
{
        forget(&words->stacks);
        forget(&words->frames);
        forget(&words->json_stacks);
        words->picture = picture;
}

void words_done(struct words *words)
{
        forget(&words->names);
        forget(&words->json_names);
        forget(&words->stacks);
        forget(&words->frames);
        forget(&words->json_stacks);
        forget(&words->function_texts);
        forget(&words->opening_texts);
        intern_done(&words->functions);
        intern_done(&words->openings);
}

/* --- places in the program --- */

/* "name", "name+0x10", or "" */
static const char *symbol(struct words *words, uint64_t address)
{
        char text[160] = "";
        char safe[128];
        uint64_t offset = 0;

        if (!words->unwinder || !address)
                return "";
        uint32_t index = intern(&words->functions, &address, sizeof address, NULL);
        char **place = index == INTERN_NONE ? NULL : place_of(&words->function_texts, index);
        if (!place)
                return no_memory;
        if (*place)
                return *place;
        const char *name = unwinder_symbol(words->unwinder, address, &offset);
        if (name) {
                text_safe(name, 100, safe, sizeof safe);
                snprintf(text, sizeof text, offset ? "%s+0x%" PRIx64 : "%s", safe, offset);
        }
        return keep(place, text);
}

const char *words_variable(struct words *words, uint64_t address)
{
        return symbol(words, address);
}

const char *words_function(struct words *words, uint64_t address)
{
        static char number[24];
        const char *name = symbol(words, address);

        if (*name)
                return name;
        snprintf(number, sizeof number, "0x%" PRIx64, address);
        return number;
}

const char *words_frame(struct words *words, uint64_t address, bool is_return, char *buffer, size_t size)
{
        struct place place = {0};
        char safe[128];

        if (words->unwinder)
                unwinder_place(words->unwinder, address, is_return, &place);
        if (!place.function)
                snprintf(buffer, size, "0x%" PRIx64, address);
        else if (place.file)
                snprintf(buffer, size, "%s+0x%" PRIx64 " (%s:%d)", text_safe(place.function, 100, safe, sizeof safe),
                         place.offset, place.file, place.line);
        else
                snprintf(buffer, size, "%s+0x%" PRIx64, text_safe(place.function, 100, safe, sizeof safe),
                         place.offset);
        return buffer;
}

/* "function:line", "function+0x10", or "" */
static void compose_place(struct words *words, uint64_t address, char *text, size_t size)
{
        struct place place = {0};
        char safe[96];

        unwinder_place(words->unwinder, address, true, &place);
        if (!place.function)
                text[0] = '\0';
        else if (place.file)
                snprintf(text, size, "%s:%d", text_safe(place.function, 60, safe, sizeof safe), place.line);
        else
                snprintf(text, size, "%s+0x%" PRIx64, text_safe(place.function, 60, safe, sizeof safe), place.offset);
}

/* Where a scope was opened; "" if that is not known. */
static const char *opening(struct words *words, uint64_t address)
{
        char text[160];

        if (!words->unwinder || !address)
                return "";
        uint32_t index = intern(&words->openings, &address, sizeof address, NULL);
        char **place = index == INTERN_NONE ? NULL : place_of(&words->opening_texts, index);
        if (!place)
                return no_memory;
        if (*place)
                return *place;
        compose_place(words, address, text, sizeof text);
        return keep(place, text);
}

const char *words_scope(struct words *words, const struct inspect_scope *scope, char *buffer, size_t size)
{
        const char *text = opening(words, scope->opened_at);

        if (*text)
                snprintf(buffer, size, "%s", text);
        else
                snprintf(buffer, size, "0x%" PRIx64, scope->address);
        return buffer;
}

/* --- tasks --- */

const char *words_name(struct words *words, const struct inspect_task *task)
{
        static char text[160];
        char safe[160];

        if (task->tid) {
                snprintf(text, sizeof text, "thread %u", task->tid);
                return text;
        }
        if (task->name == INTERN_NONE) {
                snprintf(text, sizeof text, "%s()", words_function(words, task->fn));
                return text;
        }
        char **place = place_of(&words->names, task->name);
        if (!place)
                return no_memory;
        if (*place)
                return *place;
        return keep(place, text_safe(inspect_name(words->program, task), 64, safe, sizeof safe));
}

const char *words_json_name(struct words *words, const struct inspect_task *task)
{
        struct json json = {0};

        char **place = task->name == INTERN_NONE ? NULL : place_of(&words->json_names, task->name);
        if (!place)
                return "null";
        if (*place)
                return *place;
        json_string(&json, NULL, inspect_name(words->program, task));
        json_raw(&json, "", 1);
        if (json.failed) {
                json_done(&json);
                return "null";
        }
        return *place = json.text;
}

static size_t put(char *buffer, size_t size, size_t used, const char *text)
{
        size_t length = strlen(text);

        if (used + length >= size)
                length = size - used - 1;
        memcpy(buffer + used, text, length);
        buffer[used + length] = '\0';
        return used + length;
}

static size_t put_number(char *buffer, size_t size, size_t used, uint64_t number, unsigned base)
{
        char digits[24];
        size_t at = sizeof digits - 1;

        digits[at] = '\0';
        do
                digits[--at] = "0123456789abcdef"[number % base];
        while ((number /= base) > 0);
        return put(buffer, size, used, digits + at);
}

const char *words_wait(struct words *words, const struct inspect_task *task, char *buffer, size_t size)
{
        buffer[0] = '\0';
        if (task->state != INSPECT_WAITING)
                return buffer;
        size_t used = put(buffer, size, 0, inspect_cause(words->program, task->cause));
        if (task->fd >= 0) {
                used = put(buffer, size, used, " fd ");
                put_number(buffer, size, used, (uint64_t)task->fd, 10);
        } else if (task->holder && strcmp(inspect_cause(words->program, task->cause), "task") == 0) {
                used = put(buffer, size, used, " #");
                put_number(buffer, size, used, task->holder, 10);
        } else if (task->object) {
                const char *variable = symbol(words, task->object);

                used = put(buffer, size, used, *variable ? " " : " 0x");
                if (*variable)
                        used = put(buffer, size, used, variable);
                else
                        used = put_number(buffer, size, used, task->object, 16);
                if (task->holder) {
                        used = put(buffer, size, used, " of #");
                        put_number(buffer, size, used, task->holder, 10);
                } else if (task->holder_tid) {
                        used = put(buffer, size, used, " of thread ");
                        put_number(buffer, size, used, task->holder_tid, 10);
                }
        }
        return buffer;
}

/* --- stacks --- */

static bool begins(const char *text, const char *with)
{
        return strncmp(text, with, strlen(with)) == 0;
}

static bool is_runtime(const struct place *place)
{
        const char *slash = place->object ? strrchr(place->object, '/') : NULL;

        return (place->function && (begins(place->function, "pl_") || begins(place->function, "plait_") ||
                                    strcmp(place->function, "syscall") == 0)) ||
               (slash && begins(slash, "/libplait.so"));
}

/*
 * The frames that are the program's own business: from the public function that it called on (what that calls is the
 * runtime's), to the function that the task was started with (what called that is the runtime's, too).
 */
static void trim(struct words *words, const uint64_t *frames, size_t count, size_t *ret_from, size_t *ret_to)
{
        bool inside = true; /* still among the runtime's frames */
        bool public = false;

        *ret_from = 0;
        *ret_to = count;
        for (size_t i = 0; i < count; i++) {
                struct place place;

                unwinder_place(words->unwinder, frames[i], i > 0, &place);
                inside = inside && is_runtime(&place);
                if (inside && place.function && begins(place.function, "plait_")) {
                        *ret_from = i;
                        public = true;
                } else if (inside && !public) {
                        *ret_from = i + 1;
                }
                if (place.function && strcmp(place.function, "pl_context_trampoline") == 0)
                        *ret_to = i > 1 ? i - 1 : i;
        }
        if (*ret_from >= *ret_to)
                *ret_from = 0;
}

static void compose_line(struct words *words, const uint64_t *frames, size_t count, char *text, size_t size)
{
        size_t used = 0;
        size_t from, to;

        trim(words, frames, count, &from, &to);
        text[0] = '\0';
        for (size_t i = from; i < to; i++) {
                struct place place = {0};
                char safe[96];

                unwinder_place(words->unwinder, frames[i], i > 0, &place);
                if (used > 0)
                        used = put(text, size, used, " < ");
                if (place.function) {
                        used = put(text, size, used, text_safe(place.function, 60, safe, sizeof safe));
                } else {
                        used = put(text, size, used, "0x");
                        used = put_number(text, size, used, frames[i], 16);
                }
        }
}

const char *words_stack(struct words *words, const struct inspect_task *task)
{
        char text[1024];
        uint32_t bytes;

        if (task->stack == INTERN_NONE || !words->unwinder)
                return "";
        char **place = place_of(&words->stacks, task->stack);
        if (!place)
                return no_memory;
        if (*place)
                return *place;
        const uint64_t *frames = intern_get(&words->picture->stacks, task->stack, &bytes);
        compose_line(words, frames, bytes / sizeof *frames, text, sizeof text);
        return keep(place, text);
}

const char *words_frames(struct words *words, const struct inspect_task *task)
{
        char text[STACK_MOST * (8 + 256)] = "";
        size_t used = 0;
        uint32_t bytes;

        if (task->stack == INTERN_NONE || !words->unwinder)
                return "";
        char **place = place_of(&words->frames, task->stack);
        if (!place)
                return no_memory;
        if (*place)
                return *place;
        const uint64_t *frames = intern_get(&words->picture->stacks, task->stack, &bytes);
        for (size_t i = 0; i < bytes / sizeof *frames; i++) {
                char frame[256];

                used = put(text, sizeof text, used, "        ");
                used = put(text, sizeof text, used, words_frame(words, frames[i], i > 0, frame, sizeof frame));
                used = put(text, sizeof text, used, "\n");
        }
        return keep(place, text);
}

const char *words_json_stack(struct words *words, const struct inspect_task *task)
{
        struct json json = {0};
        uint32_t bytes;

        if (task->stack == INTERN_NONE || !words->unwinder)
                return "null";
        char **place = place_of(&words->json_stacks, task->stack);
        if (!place)
                return "null";
        if (*place)
                return *place;
        const uint64_t *frames = intern_get(&words->picture->stacks, task->stack, &bytes);
        json_open(&json, NULL, '[');
        for (size_t i = 0; i < bytes / sizeof *frames; i++) {
                char frame[256];

                json_string(&json, NULL, words_frame(words, frames[i], i > 0, frame, sizeof frame));
        }
        json_close(&json, ']');
        json_raw(&json, "", 1); /* the end of the string */
        if (json.failed) {
                json_done(&json);
                return "null";
        }
        *place = json.text;
        return *place;
}
