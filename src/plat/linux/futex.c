/* Sleeping on a word of memory: futex(2), private or shared, absolute deadlines; and waking who sleeps in poll(). */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "plat/sys.h"

static int wait_on(_Atomic uint32_t *word, int kind, uint32_t expected, int64_t deadline_ns)
{
        struct timespec t = {0};
        int saved = errno;
        int r = 0;

        if (deadline_ns > 0) {
                t.tv_sec = deadline_ns / 1000000000;
                t.tv_nsec = deadline_ns % 1000000000;
        }
        if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET | kind, expected, deadline_ns == PL_PLAT_NEVER ? NULL : &t, NULL,
                    FUTEX_BITSET_MATCH_ANY) < 0)
                r = -errno;
        errno = saved;
        return r;
}

static void wake(_Atomic uint32_t *word, int kind, int n)
{
        int saved = errno;

        syscall(SYS_futex, word, FUTEX_WAKE | kind, n, NULL, NULL, 0);
        errno = saved; /* the word may be unmapped by now: its waiter was gone already */
}

int pl_plat_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
        return wait_on(word, FUTEX_PRIVATE_FLAG, expected, deadline_ns);
}

void pl_plat_futex_wake(_Atomic uint32_t *word, int n)
{
        wake(word, FUTEX_PRIVATE_FLAG, n);
}

int pl_plat_shared_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
        return wait_on(word, 0, expected, deadline_ns);
}

void pl_plat_shared_wake(_Atomic uint32_t *word, int n)
{
        wake(word, 0, n);
}

void pl_plat_eventfd_write(int fd)
{
        int saved = errno;

        if (eventfd_write(fd, 1) < 0)
                pl_panic("cannot wake a thread: eventfd_write: %m; something closed a descriptor of plait's");
        errno = saved;
}

int pl_plat_eventfd_open(void)
{
        int saved = errno;
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int r = fd < 0 ? -errno : fd;

        errno = saved;
        return r;
}

bool pl_plat_eventfd_wait(int fd, int alarm_fd, int64_t deadline_ns)
{
        struct pollfd news[] = {{.fd = fd, .events = POLLIN}, {.fd = alarm_fd, .events = POLLIN}};
        int64_t ns = deadline_ns == PL_PLAT_NEVER ? 0 : deadline_ns - pl_plat_now_ns();
        struct timespec time = {.tv_sec = ns > 0 ? ns / 1000000000 : 0, .tv_nsec = ns > 0 ? ns % 1000000000 : 0};
        int saved = errno;
        uint64_t count;
        int n = ppoll(news, 2, deadline_ns == PL_PLAT_NEVER ? NULL : &time, NULL);

        for (int i = 0; i < 2; i++)
                if (n > 0 && news[i].revents)
                        (void)!read(news[i].fd, &count, sizeof count);
        errno = saved;
        return n > 0 && news[0].revents;
}

int pl_plat_alarm_open(void)
{
        int saved = errno;
        int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        int r = fd < 0 ? -errno : fd;

        errno = saved;
        return r;
}

void pl_plat_alarm_set(int fd, int64_t after_ns)
{
        const struct itimerspec once = {
                .it_value = {.tv_sec = after_ns / 1000000000, .tv_nsec = after_ns % 1000000000}};
        int saved = errno;

        if (timerfd_settime(fd, 0, &once, NULL) < 0)
                pl_panic("cannot set an alarm: timerfd_settime: %m; something closed a descriptor of plait's");
        errno = saved;
}
