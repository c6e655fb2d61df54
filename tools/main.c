/*
 * The command plait: finds the command that was asked for and runs it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <plait/base.h>

#include "command.h"

static const struct command commands[] = {
        {"fetch", "download URLs, all at once", fetch_main},
        {"net", "say what is wrong with the network, in one verdict", net_main},
        {"ps", "list the tasks of a running program, or of its core file", ps_main},
        {"tree", "show its scopes, one in the other, and their tasks", tree_main},
        {"top", "watch its tasks", top_main},
        {"trace", "record what the tasks of a program do, and who held up whom", trace_main},
        {"demo", "show what tasks are good for, on a small site of its own", demo_main},
};

#define COMMANDS (sizeof commands / sizeof *commands)

static const struct command *find(const char *name)
{
        for (size_t i = 0; i < COMMANDS; i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

static void show_help(FILE *to)
{
        fputs("Usage: plait COMMAND [OPTION...]\n"
              "Concurrent jobs, done fast and reported clearly.\n"
              "\n"
              "Commands:\n",
              to);
        for (size_t i = 0; i < COMMANDS; i++)
                fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].purpose);
        fputs("\n"
              "Options:\n"
              "  --help     show this\n"
              "  --version  show the version\n"
              "\n"
              "`plait COMMAND --help`, or `plait help COMMAND`, explains a command; plait-COMMAND(1) tells all.\n"
              "\n"
              "Examples:\n"
              "  plait fetch -o pages https://example.org/ https://example.net/\n"
              "  plait fetch -i urls.txt -o pages --resume\n"
              "  plait net https://example.org/\n"
              "  plait demo\n",
              to);
}

static int run(const struct command *command, int argc, char **argv)
{
        char name[32];

        snprintf(name, sizeof name, "plait %s", command->name);
        argv[0] = name;
        return command->main(argc, argv);
}

enum { NAME_MOST = 16, CLOSE_ENOUGH = 2 };

/* How many letters have to be changed, added or taken away to make *b* of *a*; NAME_MOST if *b* is longer than that. */
static unsigned distance(const char *a, const char *b)
{
        unsigned row[NAME_MOST + 1];
        size_t n = strlen(b);

        if (n > NAME_MOST)
                return NAME_MOST;
        for (size_t i = 0; i <= n; i++)
                row[i] = (unsigned)i;
        for (unsigned done = 1; *a; a++, done++) {
                unsigned before = row[0];

                row[0] = done;
                for (size_t i = 1; i <= n; i++) {
                        unsigned changed = before + (*a != b[i - 1]);
                        unsigned least = row[i] < row[i - 1] ? row[i] + 1 : row[i - 1] + 1;

                        before = row[i];
                        row[i] = changed < least ? changed : least;
                }
        }
        return row[n];
}

static int unknown(const char *name)
{
        unsigned least = CLOSE_ENOUGH + 1;
        const char *nearest = NULL;

        for (size_t i = 0; i < COMMANDS; i++) {
                unsigned away = distance(name, commands[i].name);

                /* Of a short name, something has to be right. */
                if (away < least && away < strlen(commands[i].name)) {
                        least = away;
                        nearest = commands[i].name;
                }
        }
        fprintf(stderr, "plait: there is no command '%s'", name);
        if (nearest)
                fprintf(stderr, "; did you mean '%s'?", nearest);
        fputs("\nplait: `plait --help` lists the commands\n", stderr);
        return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
        char option[] = "--help";
        char *args[] = {argv[0], option, NULL};

        if (argc < 2) {
                show_help(stdout);
                return EXIT_OK;
        }
        const struct command *command = find(argv[1]);
        return command ? run(command, 2, args) : unknown(argv[1]);
}

static int choose(int argc, char **argv)
{
        if (argc < 2) {
                fputs("plait: no command was given\n", stderr);
                show_help(stderr);
                return EXIT_USAGE;
        }
        if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "-?") == 0) {
                show_help(stdout);
                return EXIT_OK;
        }
        if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
                printf("plait %s\n", plait_version());
                return EXIT_OK;
        }
        if (strcmp(argv[1], "help") == 0)
                return help(argc - 1, argv + 1);
        if (argv[1][0] == '-') {
                fprintf(stderr, "plait: there is no option '%s' before the command\n", argv[1]);
                return EXIT_USAGE;
        }
        const struct command *command = find(argv[1]);
        return command ? run(command, argc - 1, argv + 1) : unknown(argv[1]);
}

int main(int argc, char **argv)
{
        signal(SIGPIPE, SIG_IGN); /* writing to a closed pipe is an error like any other, and reported as one */
        int code = choose(argc, argv);
        errno = 0; /* of an earlier failure it is no longer known why */
        if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_OK) {
                fprintf(stderr, "plait: not all could be written to standard output%s%s\n", errno ? ": " : "",
                        errno ? strerrordesc_np(errno) : "");
                code = EXIT_FAILED;
        }
        return code;
}
