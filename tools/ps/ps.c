/*
 * `plait ps`: the tasks of a running program, or of its core file.
 */
#include <argp.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait/base.h>

#include "command.h"
#include "inspect/target.h"
#include "ps/list.h"

enum key {
        KEY_JSON = 256,
        KEY_NAME,
        KEY_NO_STACKS,
        KEY_SORT,
        KEY_STACKS,
        KEY_STATE,
};

static const struct argp_option known[] = {
        {"state", KEY_STATE, "STATE[,STATE]", 0, "Only tasks that are new, ready, running or waiting", 1},
        {"name", KEY_NAME, "PATTERN", 0, "Only tasks whose name matches a pattern such as 'fetch*'", 1},
        {"limit", 'n', "N", 0, "At most N tasks", 1},
        {"sort", KEY_SORT, "KEY", 0, "By id, name, state or since (the longest wait first)", 1},
        {"stacks", KEY_STACKS, NULL, 0, "Whole stacks, a frame a line, in place of one line", 2},
        {"no-stacks", KEY_NO_STACKS, NULL, 0, "No stacks, which is faster", 2},
        {"json", KEY_JSON, NULL, 0, "Lines of JSON, a task each", 2},
        {0},
};

static const char doc[] =
        "List the tasks of a program that uses plait: what each does, what it waits for, since when, and where. The "
        "program is neither stopped nor made to run anything. TARGET is the number of a process, or a core file."
        "\v"
        "Examples:\n"
        "  plait ps 4711\n"
        "  plait ps --state=waiting --sort=since -n 20 4711\n"
        "  plait ps --stacks --name='download*' core.4711\n"
        "  plait ps --json 4711 | jq -r 'select(.waits_on.cause == \"mutex\") | .name'\n"
        "\n"
        "Exit status: 0 all well, 1 it cannot be read, 2 wrong usage. plait-ps(1) tells all.";

static unsigned parse_states(char *text, struct argp_state *state)
{
        unsigned states = 0;
        char *rest = NULL;

        for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
                int found = -1;

                for (int i = 0; i < INSPECT_STATES; i++)
                        if (strcmp(word, inspect_state_name((enum inspect_state)i)) == 0)
                                found = i;
                if (found < 0)
                        argp_error(state, "there is no state '%s': there are new, ready, running and waiting", word);
                states |= 1U << found;
        }
        if (!states)
                argp_error(state, "--state names no state");
        return states;
}

static enum list_order parse_order(const char *text, struct argp_state *state)
{
        static const char *const names[] = {
                [ORDER_ID] = "id", [ORDER_NAME] = "name", [ORDER_STATE] = "state", [ORDER_SINCE] = "since"};

        for (int i = ORDER_ID; i <= ORDER_SINCE; i++)
                if (strcmp(text, names[i]) == 0)
                        return (enum list_order)i;
        argp_error(state, "--sort is id, name, state or since, not '%s'", text);
        return ORDER_NONE;
}

static uint64_t parse_limit(const char *text, struct argp_state *state)
{
        char *end;

        errno = 0;
        unsigned long long limit = strtoull(text, &end, 10);
        if (errno || *end || end == text || *text == '-' || limit == 0)
                argp_error(state, "--limit is a number from 1 on, not '%s'", text);
        return limit;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct list_options *options = state->input;

        switch (key) {
        case KEY_STATE: options->states = parse_states(arg, state); break;
        case KEY_NAME: options->name = arg; break;
        case 'n': options->limit = parse_limit(arg, state); break;
        case KEY_SORT: options->order = parse_order(arg, state); break;
        case KEY_STACKS: options->stacks = STACKS_WHOLE; break;
        case KEY_NO_STACKS: options->stacks = STACKS_NONE; break;
        case KEY_JSON: options->json = true; break;
        default: return target_parse(key, arg, state, &options->target);
        }
        return 0;
}

int ps_main(int argc, char **argv)
{
        static const struct argp argp = {.options = known, .parser = parse, .args_doc = "TARGET", .doc = doc};
        struct list_options options = {.stacks = STACKS_LINE};

        argp_err_exit_status = EXIT_USAGE;
        argp_program_version = "plait " PLAIT_VERSION;
        argp_parse(&argp, argc, argv, 0, NULL, &options);
        return list_tasks(&options);
}
