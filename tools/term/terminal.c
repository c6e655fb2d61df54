/*
 * What the terminal at a descriptor can do.
 */
#include "term/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool terminal_is_live(int fd)
{
        const char *kind = getenv("TERM");

        return isatty(fd) && (!kind || strcmp(kind, "dumb") != 0);
}

size_t terminal_columns(int fd)
{
        struct winsize size;

        if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
                return size.ws_col;
        return 80;
}

bool terminal_has_color(int fd)
{
        const char *no = getenv("NO_COLOR");

        return terminal_is_live(fd) && (!no || !*no);
}
