/* Scenarios with an allocation that fails, each in a process of its own, until there are no more to fail. */
#ifndef FAULT_ATTEMPT_H
#define FAULT_ATTEMPT_H

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/test.h"
#include "starve.h"

enum { TRIES_MOST = 3000, HANG_S = 60, UNTOUCHED = 77, WRONG = 1 };

/* In a process of its own: run *scenario*, in which allocation *number* fails, and end with 0, WRONG or UNTOUCHED. */
typedef void attempt_fn(int (*scenario)(void *), long number, bool for_good);

static inline int descriptors(void)
{
        DIR *folder = opendir("/proc/self/fd");
        int n = 0;

        while (folder && readdir(folder))
                n++;
        if (folder)
                closedir(folder);
        return n;
}

static inline bool allowed(int r)
{
        return r == 0 || r == -ENOMEM || r == -EAGAIN; /* the latter of what needs a thread */
}

/* A task that has been started has nobody to return an error to when there is no stack for it: plait/task.h says so. */
static inline bool is_told(const char *text)
{
        return strstr(text, "no memory for the stack of task") != NULL;
}

static inline int status_of(attempt_fn *attempt, int (*scenario)(void *), long number, bool for_good)
{
        char text[4096] = "";
        size_t have = 0;
        int status, ends[2];

        CHECK_SYS(pipe2(ends, O_CLOEXEC));
        pid_t pid = fork();
        if (pid == 0) {
                dup2(ends[1], STDERR_FILENO);
                attempt(scenario, number, for_good);
                _exit(WRONG); /* it does not return */
        }
        CHECK_SYS(pid);
        close(ends[1]);
        for (ssize_t n; have < sizeof text - 1 && (n = read(ends[0], text + have, sizeof text - 1 - have)) > 0;)
                have += (size_t)n;
        close(ends[0]);
        CHECK_INT(waitpid(pid, &status, 0), ==, pid);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && is_told(text))
                return 0;
        if (WIFSIGNALED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != UNTOUCHED))
                FAIL("allocation %ld%s fails: signal %d, exit code %d: %s", number, for_good ? " and all after it" : "",
                     WIFSIGNALED(status) ? WTERMSIG(status) : 0, WEXITSTATUS(status), text);
        return WEXITSTATUS(status);
}

/* Until a run is not touched any more. */
static inline void starve_each(attempt_fn *attempt, int (*scenario)(void *), bool for_good)
{
        long number = 1;
        int status = 0;

        for (; number < TRIES_MOST && status != UNTOUCHED; number++)
                status = status_of(attempt, scenario, number, for_good);
        CHECK_INT(number, <, TRIES_MOST);
        CHECK_INT(number, >, 2); /* it is really plait's allocations that fail */
}

#endif
