/*
 * The parts of the demonstration, each a process of its own: this program again, with other arguments.
 */
#ifndef DEMO_PART_H
#define DEMO_PART_H

#include <stddef.h>
#include <sys/types.h>

/* A part that runs. */
struct part {
        pid_t pid;
        int in, out; /* its standard input and output; -1: closed */
};

/* Starts `plait demo --part=NAME --port=PORT`. Returns 0 or a negative errno. */
int part_start(struct part *part, const char *name, unsigned port);

/* Reads its first line, or all there is, as text. Returns 0, or -EPIPE when it ends without a line. */
int part_read(struct part *part, char *line, size_t size);

/* Closes its standard input, which ends the site, and waits for its end. Returns its exit code, or 1. */
int part_end(struct part *part);

#endif
