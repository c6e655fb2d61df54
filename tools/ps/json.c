/*
 * A task as a line of JSON. Numbers and fixed words are put together by hand; what the program named goes through
 * term/json.h, which makes it valid.
 */
#include <stdio.h>

#include "ps/list.h"
#include "term/json.h"

/* Identifiers, as they nearly always are, need nothing done to them. */
static bool is_plain(const char *text)
{
        while (*text >= ' ' && *text <= '~' && *text != '"' && *text != '\\')
                text++;
        return !*text;
}

static void put_string(struct line *line, const char *text)
{
        struct json json = {0};

        if (is_plain(text)) {
                line_put(line, "\"");
                line_put(line, text);
                line_put(line, "\"");
                return;
        }

        json_string(&json, NULL, text);
        json_raw(&json, "", 1);
        line_put(line, json.failed ? "null" : json.text);
        json_done(&json);
}

static void put_address(struct line *line, uint64_t address)
{
        if (!address) {
                line_put(line, "null");
                return;
        }
        line_put(line, "\"");
        line_hex(line, address);
        line_put(line, "\"");
}

static void put_wait(struct words *words, const struct inspect_task *task, struct line *line)
{
        if (task->state != INSPECT_WAITING) {
                line_put(line, "null, \"holder\": null, \"since_s\": null");
                return;
        }
        line_put(line, "{\"cause\": \"");
        line_put(line, inspect_cause(words->program, task->cause));
        line_put(line, "\", \"object\": ");
        put_address(line, task->object);
        const char *variable = words_variable(words, task->object);
        if (*variable) {
                line_put(line, ", \"variable\": ");
                put_string(line, variable);
        }
        if (task->fd >= 0) {
                line_put(line, ", \"fd\": ");
                line_number(line, (uint64_t)task->fd);
        }
        if (task->left_ms >= 0) {
                line_put(line, ", \"timeout_s\": ");
                line_thousandths(line, (uint64_t)task->left_ms);
        }
        line_put(line, "}, \"holder\": ");
        if (task->holder)
                line_number(line, task->holder);
        else
                line_put(line, "null");
        if (task->holder_tid) {
                line_put(line, ", \"holder_tid\": ");
                line_number(line, task->holder_tid);
        }
        line_put(line, ", \"since_s\": ");
        if (task->aged)
                line_thousandths(line, task->age_ms);
        else
                line_put(line, "null");
}

static void put_scope(struct words *words, const struct inspect_task *task, struct line *line)
{
        const struct inspect_scope *scope;
        char where[128];

        if (!task->scope) {
                line_put(line, "null");
                return;
        }
        scope = inspect_find_scope(words->picture, task->scope);
        line_put(line, "{\"address\": ");
        put_address(line, task->scope);
        if (scope && scope->open && scope->opened_at) {
                line_put(line, ", \"opened_at\": ");
                put_string(line, words_scope(words, scope, where, sizeof where));
                line_put(line, scope->cancelled ? ", \"cancelled\": true" : ", \"cancelled\": false");
        }
        line_put(line, "}");
}

void list_json(struct words *words, const struct inspect_task *task, bool with_stack, struct line *line)
{
        if (task->tid) {
                line_put(line, ", \"tid\": ");
                line_number(line, task->tid);
        }
        line_put(line, ", \"name\": ");
        line_put(line, words_json_name(words, task));
        if (task->fn) {
                line_put(line, ", \"function\": ");
                put_string(line, words_function(words, task->fn));
        }
        line_put(line, ", \"state\": \"");
        line_put(line, inspect_state_name((enum inspect_state)task->state));
        line_put(line, "\"");
        if (task->worker >= 0) {
                line_put(line, ", \"worker\": ");
                line_number(line, (uint64_t)task->worker);
        }
        line_put(line, ", \"waits_on\": ");
        put_wait(words, task, line);
        line_put(line, ", \"scope\": ");
        put_scope(words, task, line);
        line_put(line, ", \"stack\": ");
        line_put(line, with_stack ? words_json_stack(words, task) : "null");
        line_put(line, "}\n");
}
