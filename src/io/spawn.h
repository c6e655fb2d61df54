/* Making a process: pipes, posix_spawn, pidfd. May block, and runs in a thread that may (io/offload.h). */
#ifndef PL_IO_SPAWN_H
#define PL_IO_SPAWN_H

#include <sys/types.h>

#include "io/offload.h"
#include "plait/child.h"

struct pl_io_spawn {
        struct pl_io_job job;
        /* What is wanted; borrowed until the job has run. */
        const char *const *argv;
        const struct plait_child_opts *opts;
        /* What came of it. */
        int result; /* 0 or -errno; the rest is valid if it is 0 */
        pid_t pid;
        int pidfd;
        int pipes[3];      /* this process's ends, owned (io/fd_table.h); -1: none */
        const char *cause; /* of an error; as plait_child_opts.ret_cause */
};

void pl_io_spawn_prepare(struct pl_io_spawn *spawn, const char *const *argv, const struct plait_child_opts *opts);

#endif
