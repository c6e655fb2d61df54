/* Threads of the library's own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "plat/order.h"
#include "plat/sanitizer.h"
#include "plat/sys.h"

/* Where new threads may run, if their starter is bound more narrowly. Changed only while nobody starts any. */
static struct {
        bool wanted;
        cpu_set_t cpus;
} spread;

void pl_plat_thread_spread(const cpu_set_t *cpus)
{
        spread.wanted = cpus != NULL;
        if (cpus)
                spread.cpus = *cpus;
}

/* What a thread brings upon itself must not be blocked: the kernel would kill the process without asking a handler. */
static const int synchronous[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

static size_t usable_stack_bytes(size_t wanted)
{
        long page = sysconf(_SC_PAGESIZE);
        long least = sysconf(_SC_THREAD_STACK_MIN);
        size_t round = page > 0 ? (size_t)page : 4096;

        if (least > 0 && wanted < (size_t)least)
                wanted = (size_t)least;
        return (wanted + round - 1) / round * round;
}

static int create(pthread_t *ret, void *(*fn)(void *), void *arg, size_t stack_bytes)
{
        pthread_attr_t attr;
        int r = pthread_attr_init(&attr);

        if (r != 0)
                return -r;
        if (stack_bytes > 0)
                r = pthread_attr_setstacksize(&attr, usable_stack_bytes(stack_bytes));
        if (r == 0 && spread.wanted)
                r = pthread_attr_setaffinity_np(&attr, sizeof spread.cpus, &spread.cpus);
        if (r == 0)
                r = pthread_create(ret, &attr, fn, arg);
        pthread_attr_destroy(&attr);
        return -r;
}

uint32_t pl_plat_thread_id(void)
{
        return (uint32_t)gettid();
}

/* Threads of the library's own that have not ended. */
static _Atomic uint32_t n_own;

struct start {
        void *(*fn)(void *);
        void *arg;
        char name[16];
};

static void *begin(void *pointer)
{
        struct start start = *(struct start *)pointer;

        free(pointer);
        /* Not by its starter: glibc opens a file for that, which a process that is started meanwhile would inherit. */
        prctl(PR_SET_NAME, start.name); /* only for people: no matter if it fails */
        void *result = start.fn(start.arg);
        atomic_fetch_sub_explicit(&n_own, 1, memory_order_relaxed);
        return result;
}

int pl_plat_thread_start(struct pl_thread *ret, void *(*fn)(void *), void *arg, size_t stack_bytes, const char *name)
{
        sigset_t all, old;
        pthread_t id;
        int r;
        struct start *start = malloc(sizeof *start);

        if (!start)
                return -ENOMEM;
        *start = (struct start){.fn = fn, .arg = arg};
        snprintf(start->name, sizeof start->name, "%s", name);
        atomic_fetch_add_explicit(&n_own, 1, memory_order_relaxed);
        sigfillset(&all);
        for (size_t i = 0; i < PL_ARRAY_SIZE(synchronous); i++)
                sigdelset(&all, synchronous[i]);
        pthread_sigmask(SIG_SETMASK, &all, &old); /* the thread inherits it */
        r = create(&id, begin, start, stack_bytes);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (r < 0) {
                atomic_fetch_sub_explicit(&n_own, 1, memory_order_relaxed);
                free(start);
                return r;
        }
        ret->id = id;
        return 0;
}

/* How many threads this process has; 0: unknown. */
static uint32_t count_threads(void)
{
        const int saved = errno;
        DIR *tasks = opendir("/proc/self/task");
        uint32_t n = 0;

        if (tasks) {
                const struct dirent *entry;

                while ((entry = readdir(tasks)))
                        n += entry->d_name[0] != '.';
                closedir(tasks);
        }
        errno = saved;
        return n;
}

bool pl_plat_has_foreign_threads(void)
{
        uint32_t n = count_threads();

        return !n || n > 1 + atomic_load_explicit(&n_own, memory_order_relaxed);
}

bool pl_plat_is_single(void)
{
        uint32_t n = count_threads();

        return n && n <= 1 + PL_WITH_TSAN;
}

void *pl_plat_thread_join(struct pl_thread *thread)
{
        void *result = NULL;
        int r = pthread_join(thread->id, &result);

        if (r != 0)
                pl_panic("joining a thread failed: %s; it was joined already or joins itself", strerror(r));
        return result;
}

int64_t pl_plat_thread_cpu_ns(uint32_t tid)
{
        enum { PER_THREAD = 4, SCHEDULED = 2 }; /* how the kernel numbers such clocks: include/linux/posix-timers.h */
        clockid_t clock = (clockid_t)(~tid << 3 | PER_THREAD | SCHEDULED);
        struct timespec time;

        return clock_gettime(clock, &time) == 0 ? (int64_t)time.tv_sec * 1000000000 + time.tv_nsec : 0;
}

bool pl_plat_thread_is_runnable(uint32_t tid)
{
        char path[48], text[128];
        int saved = errno;
        ssize_t n = -1;

        snprintf(path, sizeof path, "/proc/self/task/%" PRIu32 "/stat", tid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
                n = read(fd, text, sizeof text - 1);
                close(fd);
        }
        errno = saved;
        text[n < 0 ? 0 : n] = '\0';
        const char *state = strrchr(text, ')'); /* of its name, in which anything may be */
        return state && state[1] == ' ' && state[2] == 'R';
}

void pl_plat_nap_us(unsigned us)
{
        const struct timespec nap = {.tv_nsec = (long)us * 1000};
        const int saved = errno;

        (void)nanosleep(&nap, NULL);
        errno = saved;
}
