/*
 * The parts of the demonstration.
 */
#include "demo/part.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int spawn(struct part *part, char **argv, int in, int out)
{
        posix_spawn_file_actions_t actions;

        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        int r = posix_spawn(&part->pid, "/proc/self/exe", &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

int part_start(struct part *part, const char *name, unsigned port)
{
        char part_arg[32];
        char port_arg[32];
        char program[] = "plait";
        char command[] = "demo";
        char *argv[] = {program, command, part_arg, port_arg, NULL};
        int in[2];
        int out[2];

        snprintf(part_arg, sizeof part_arg, "--part=%s", name);
        snprintf(port_arg, sizeof port_arg, "--port=%u", port);
        if (pipe2(in, O_CLOEXEC) < 0)
                return -errno;
        if (pipe2(out, O_CLOEXEC) < 0) {
                int r = -errno;
                close(in[0]);
                close(in[1]);
                return r;
        }
        int r = spawn(part, argv, in[0], out[1]);
        close(in[0]);
        close(out[1]);
        part->in = in[1];
        part->out = out[0];
        if (r < 0) {
                close(part->in);
                close(part->out);
        }
        return r;
}

int part_read(struct part *part, char *line, size_t size)
{
        size_t have = 0;

        while (have + 1 < size && !memchr(line, '\n', have)) {
                ssize_t n = read(part->out, line + have, size - 1 - have);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return -EPIPE;
                have += (size_t)n;
        }
        line[have] = 0;
        return 0;
}

int part_end(struct part *part)
{
        int status = 0;

        close(part->in);
        close(part->out);
        while (waitpid(part->pid, &status, 0) < 0)
                if (errno != EINTR)
                        return 1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
