/*
 * The program that a command looks at: its only argument.
 */
#ifndef INSPECT_TARGET_H
#define INSPECT_TARGET_H

#include <argp.h>

/* What a parser does with keys of argp that it does not know: the number of a process, or a core file, goes to
 * *target*. */
error_t target_parse(int key, char *arg, struct argp_state *state, const char **target);

#endif
