/* What a thread has used of processors, and waited for them, as the scheduler counts it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "plat/sys.h"

int pl_plat_thread_times(uint32_t tid, int64_t *ret_cpu_ns, int64_t *ret_delay_ns)
{
        int saved = errno;
        char text[80];
        char path[40];
        ssize_t n = -1;

        snprintf(path, sizeof path, "/proc/%u/schedstat", tid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
                n = read(fd, text, sizeof text - 1);
                close(fd);
        }
        int r = fd < 0 || n < 0 ? -errno : -ENODATA;
        if (n > 0) {
                char *end = NULL;

                text[n] = '\0';
                long long cpu_ns = strtoll(text, &end, 10);
                char *second = end;
                long long delay_ns = strtoll(second, &end, 10);
                if (second != text && end != second) {
                        *ret_cpu_ns = cpu_ns;
                        *ret_delay_ns = delay_ns;
                        r = 0;
                }
        }
        errno = saved;
        return r;
}
