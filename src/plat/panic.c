/* Last words. Formatted on the stack and written by one write(2), so that lines of several threads do not mix. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plat/panic.h"

static PL_PRINTF(1, 0) void say(const char *format, va_list args)
{
        static const char prefix[] = "plait: ";
        char line[1024];
        size_t room = sizeof(line) - sizeof(prefix);
        int n;

        memcpy(line, prefix, sizeof(prefix) - 1);
        n = vsnprintf(line + sizeof(prefix) - 1, room, format, args);
        if (n < 0)
                n = 0;
        if ((size_t)n >= room)
                n = (int)room - 1;
        line[sizeof(prefix) - 1 + (size_t)n] = '\n';
        if (write(STDERR_FILENO, line, sizeof(prefix) + (size_t)n) < 0)
                return; /* there is nowhere else to say it */
}

void pl_panic(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        say(format, args);
        va_end(args);
        abort();
}

void pl_warn(const char *format, ...)
{
        int saved = errno;
        va_list args;

        va_start(args, format);
        say(format, args);
        va_end(args);
        errno = saved;
}
