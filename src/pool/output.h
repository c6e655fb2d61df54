/*
 * What workers print, passed on line by line: a line of one worker is never torn by another's. All of it runs in the
 * keeper's thread, which must not be held up by whoever reads this program's output: what cannot be written waits, and
 * the worker's pipe is not read meanwhile.
 */
#ifndef PL_POOL_OUTPUT_H
#define PL_POOL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"
#include "pool/keeper.h"

enum { PL_OUTPUT_BYTES = 1 << 14 };

struct pl_output {
        struct pl_keeper_source source;
        struct pl_list stalled; /* in the list of those that wait until they can be written */
        int from;               /* the pipe; -1: closed */
        int to;                 /* STDOUT_FILENO, STDERR_FILENO */
        bool watched, ended;
        size_t n;    /* bytes in *text*, */
        size_t full; /* of which whole lines that have not been written yet */
        char *text;
};

/* A pipe for it: *ret_writer* is the worker's end. 0 or -errno. */
PL_WARN_UNUSED int pl_output_open(struct pl_output *output, int to, int *ret_writer);

/* Begin to pass on. 0 or -errno. */
PL_WARN_UNUSED int pl_output_start(struct pl_output *output);

/* There is a new keeper: nothing waits. */
void pl_output_reset(void);

/* Write what had to wait, and read those workers' pipes again. Returns when to call it again. */
int64_t pl_output_retry(int64_t now_ns);

/* The worker is dead: read what is left, and end a line that it has left unfinished. False: call it again later. */
bool pl_output_finish(struct pl_output *output);

void pl_output_close(struct pl_output *output);

#endif
