/* For tests of what several processes share: memory, children, and knowing how far they have come. */
#ifndef API_SHARED_H
#define API_SHARED_H

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/test.h"

/* Zeroed memory that children by fork have, too. */
static inline void *shared_memory(size_t bytes)
{
        void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        CHECK(data != MAP_FAILED);
        return data;
}

/* Run *fn* in a child. */
static inline pid_t child_runs(void (*fn)(void *arg), void *arg)
{
        fflush(NULL);
        pid_t pid = CHECK_SYS(fork());

        if (pid == 0) {
                fn(arg);
                fflush(NULL);
                _exit(0);
        }
        return pid;
}

static inline void child_ends(pid_t pid, int signal)
{
        int status;

        CHECK_INT(waitpid(pid, &status, 0), ==, pid);
        CHECK_INT(WIFSIGNALED(status) ? WTERMSIG(status) : 0, ==, signal);
        CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : 0, ==, 0);
}

static inline void child_is_killed(pid_t pid)
{
        CHECK_SYS(kill(pid, SIGKILL));
        child_ends(pid, SIGKILL);
}

/* A number in shared memory that another process counts up: wait until it is *least*. The case's time-out ends it. */
static inline void wait_until(const int *number, int least)
{
        while (__atomic_load_n(number, __ATOMIC_ACQUIRE) < least)
                sched_yield();
}

static inline void count_up(int *number)
{
        __atomic_add_fetch(number, 1, __ATOMIC_RELEASE);
}

#endif
