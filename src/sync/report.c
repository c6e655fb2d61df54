/* Reports of several lines. */
#include "sync/report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "plat/unwind.h"

void pl_report_add(struct pl_report *report, const char *format, ...)
{
        size_t room = sizeof report->text - report->n;
        va_list args;

        va_start(args, format);
        int n = vsnprintf(report->text + report->n, room, format, args);
        va_end(args);
        if (n > 0)
                report->n += (size_t)n < room ? (size_t)n : room - 1;
}

static bool is_own(const void *address)
{
        return pl_plat_same_object(address, (const void *)(uintptr_t)pl_report_stack);
}

void pl_report_stack(struct pl_report *report, void *const *frames, unsigned n, const char *indent)
{
        unsigned first = 0, end = n;
        char line[256];

        while (first < n && is_own(frames[first]))
                first++;
        while (end > first && is_own(frames[end - 1]))
                end--;
        if (first == end) { /* the program has this library inside it */
                first = 0;
                end = n;
        }
        for (unsigned i = first; i < end; i++) {
                pl_plat_describe_code(frames[i], line, sizeof line);
                pl_report_add(report, "%s%s\n", indent, line);
        }
}

void pl_report_write(struct pl_report *report)
{
        const int saved = errno;

        for (size_t done = 0; done < report->n;) {
                ssize_t r = write(STDERR_FILENO, report->text + done, report->n - done);

                if (r <= 0 && errno != EINTR)
                        break; /* there is nowhere else to say it */
                if (r > 0)
                        done += (size_t)r;
        }
        report->n = 0;
        errno = saved;
}
