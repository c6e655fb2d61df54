/* Time. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plat/sys.h"

int64_t pl_plat_now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail: the clock exists and &t is valid */
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t pl_plat_real_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A reading of both clocks at once: the one of several whose two looks at the counter are closest together. */
static void read_both(uint64_t *ret_ticks, int64_t *ret_ns)
{
        uint64_t best = 0;

        for (int i = 0; i < 5; i++) {
                uint64_t before = pl_plat_ticks();
                int64_t ns = pl_plat_now_ns();
                uint64_t after = pl_plat_ticks();

                if (i == 0 || after - before < best) {
                        best = after - before;
                        *ret_ticks = before + (after - before) / 2;
                        *ret_ns = ns;
                }
        }
}

static uint64_t calibrate(void)
{
        uint64_t ticks, ticks_end;
        int64_t ns, ns_end;

        read_both(&ticks, &ns);
        do
                read_both(&ticks_end, &ns_end);
        while (ns_end - ns < 1000000);
        return (uint64_t)((double)(ticks_end - ticks) * 1e6 / (double)(ns_end - ns) + 0.5);
}

static bool is_ticks(void)
{
        static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        char name[32] = "";
        int saved = errno;
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd >= 0) {
                if (read(fd, name, sizeof name - 1) < 0)
                        name[0] = '\0';
                close(fd);
        }
        errno = saved;
        return pl_cpu_ticks_are_steady() && strcmp(name, PL_CPU_CLOCKSOURCE "\n") == 0;
}

bool pl_plat_clock_is_ticks(void)
{
        static _Atomic int known; /* 1: no, 2: yes */
        int answer = atomic_load_explicit(&known, memory_order_relaxed);

        if (answer == 0) {
                answer = is_ticks() ? 2 : 1;
                atomic_store_explicit(&known, answer, memory_order_relaxed);
        }
        return answer == 2;
}

uint64_t pl_plat_ticks_per_ms(void)
{
        static _Atomic uint64_t known; /* two threads may both calibrate it; either result will do */
        uint64_t rate = atomic_load_explicit(&known, memory_order_relaxed);

        if (rate == 0) {
                rate = calibrate();
                if (rate == 0)
                        rate = 1;
                atomic_store_explicit(&known, rate, memory_order_relaxed);
        }
        return rate;
}
