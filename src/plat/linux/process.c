/* Which process is which: a number alone may be another process's by now, a number and a start time may not. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "plat/sys.h"

#define PID_BITS UINT64_C(0x3fffff) /* PID_MAX_LIMIT is 2^22 */

enum { STAT_STARTTIME = 22 };

/* This process's name; 0: not asked for yet, or by the parent only. */
static _Atomic uint64_t self;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The start time of process *pid* in ticks since the machine's, its low 32 bits; false: it cannot be read. */
static bool start_time(uint64_t pid, uint32_t *ret)
{
        char path[48];
        char text[1024];

        snprintf(path, sizeof path, "/proc/%u/stat", (unsigned)pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        ssize_t n = read(fd, text, sizeof text - 1);
        close(fd);
        if (n <= 0)
                return false;
        text[n] = '\0';
        const char *field = strrchr(text, ')'); /* the end of the second; a program's name may have anything in it */

        for (int i = 2; field && i < STAT_STARTTIME; i++)
                field = strchr(field + 1, ' ');
        if (!field)
                return false;
        *ret = (uint32_t)strtoull(field + 1, NULL, 10);
        return true;
}

static void forget(void)
{
        atomic_store_explicit(&self, 0, memory_order_relaxed);
}

static void watch_forks(void)
{
        (void)pthread_atfork(NULL, NULL, forget);
}

uint64_t pl_plat_process_self(void)
{
        uint64_t name = atomic_load_explicit(&self, memory_order_relaxed);

        if (PL_LIKELY(name))
                return name;
        int saved = errno;
        uint32_t start = 0;

        pthread_once(&once, watch_forks);
        name = (uint64_t)getpid();
        if (start_time(name, &start))
                name |= (uint64_t)start << 32;
        atomic_store_explicit(&self, name, memory_order_relaxed);
        errno = saved;
        return name;
}

static bool has_ended(int pidfd)
{
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};

        return poll(&ended, 1, 0) > 0 && ended.revents & POLLIN;
}

bool pl_plat_process_is_alive(uint64_t process)
{
        uint64_t pid = process & PID_BITS;
        uint32_t start = 0;
        int saved = errno;
        int pidfd = pidfd_open((pid_t)pid, 0);
        bool alive = true;

        if (pidfd < 0) {
                alive = errno != ESRCH && errno != EINVAL; /* EINVAL: a thread's number by now */
        } else {
                /* Whoever has the number keeps it while he is looked at, unless he ends. */
                if (process >> 32 && start_time(pid, &start) && start != (uint32_t)(process >> 32))
                        alive = false;
                else
                        alive = !has_ended(pidfd);
                close(pidfd);
        }
        errno = saved;
        return alive;
}
