/*
 * Running a program that records itself: it is told by its environment. Ctrl-C is the program's: it decides what that
 * means, and what it has recorded is reported when it has ended.
 */
#include "trace/launch.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const int watched[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD};

/* This process ignores SIGPIPE, which the program must not inherit. */
static int spawn(char **argv, const sigset_t *mask, pid_t *ret_pid)
{
        posix_spawnattr_t attributes;
        sigset_t defaults;

        if (posix_spawnattr_init(&attributes) != 0)
                return -ENOMEM;
        sigemptyset(&defaults);
        sigaddset(&defaults, SIGPIPE);
        posix_spawnattr_setsigdefault(&attributes, &defaults);
        posix_spawnattr_setsigmask(&attributes, mask);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        int error = posix_spawnp(ret_pid, argv[0], NULL, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
        return -error;
}

static int code_of(int status)
{
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* What a terminal sends goes to the program, too; what is sent to this process alone is handed on. */
static int wait_for(pid_t pid, const sigset_t *set)
{
        for (;;) {
                siginfo_t info;
                int number = sigwaitinfo(set, &info);
                int status;

                if (number > 0 && number != SIGCHLD && info.si_code != SI_KERNEL)
                        kill(pid, number);
                if (waitpid(pid, &status, WNOHANG) == pid)
                        return code_of(status);
        }
}

static bool prepare(const struct launch *launch)
{
        char ring[32];

        snprintf(ring, sizeof ring, "%" PRIu64, launch->ring_kib);
        return setenv("PLAIT_TRACE", launch->recording, 1) == 0 &&
               (!launch->ring_kib || setenv("PLAIT_TRACE_RING", ring, 1) == 0);
}

bool launch(struct launch *launch)
{
        sigset_t set, before;
        pid_t pid;

        if (!prepare(launch)) {
                fputs("plait trace: out of memory\n", stderr);
                return false;
        }
        sigemptyset(&set);
        for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
                sigaddset(&set, watched[i]);
        sigprocmask(SIG_BLOCK, &set, &before);
        int r = spawn(launch->argv, &before, &pid);
        if (r == 0)
                launch->code = wait_for(pid, &set);
        sigprocmask(SIG_SETMASK, &before, NULL);
        unsetenv("PLAIT_TRACE");
        unsetenv("PLAIT_TRACE_RING");
        if (r == 0)
                return true;
        launch->code = r == -ENOENT ? 127 : 126;
        fprintf(stderr, "plait trace: cannot run %s: %s\n", launch->argv[0], strerrordesc_np(-r));
        if (r == -EACCES && access(launch->argv[0], R_OK) == 0)
                fprintf(stderr, "plait trace: if it is a recording: plait trace --summary %s\n", launch->argv[0]);
        return false;
}
