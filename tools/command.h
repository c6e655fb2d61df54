/*
 * What a command is, and how it ends.
 */
#ifndef COMMAND_H
#define COMMAND_H

/* The exit codes of every command. */
enum exit_code {
        EXIT_OK = 0,     /* all that was asked for was done */
        EXIT_FAILED = 1, /* something failed; standard error says what */
        EXIT_USAGE = 2,  /* the command line is wrong */
};

struct command {
        const char *name;
        const char *purpose;
        int (*main)(int argc, char **argv); /* argv[0] is "plait NAME"; returns the exit code */
};

int fetch_main(int argc, char **argv);
int net_main(int argc, char **argv);
int demo_main(int argc, char **argv);
int ps_main(int argc, char **argv);
int top_main(int argc, char **argv);
int trace_main(int argc, char **argv);
int tree_main(int argc, char **argv);

#endif
