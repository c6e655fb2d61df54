/*
 * The check for leaked file descriptors: what /proc/self/fd holds before and after a case.
 */
#include "harness/internal.h"

#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FDS_MAX = 1 << 16 };

static uint8_t open_at_start[FDS_MAX];

/* Sets open[fd] for every descriptor but the one that reads the list. */
static void list_fds(uint8_t open[FDS_MAX])
{
        memset(open, 0, FDS_MAX);
        DIR *dir = opendir("/proc/self/fd");
        if (!dir) {
                perror("test harness: /proc/self/fd");
                _exit(EXIT_FAILURE);
        }
        for (struct dirent *entry; (entry = readdir(dir));) {
                char *end;
                const long fd = strtol(entry->d_name, &end, 10);
                if (*end == '\0' && fd != dirfd(dir) && fd < FDS_MAX)
                        open[fd] = 1;
        }
        closedir(dir);
}

void test_fds_note(void)
{
        list_fds(open_at_start);
}

static size_t describe(char *text, size_t size, int fd, bool opened)
{
        char path[32];
        char target[PATH_MAX];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        const ssize_t n = opened ? readlink(path, target, sizeof(target) - 1) : -1;
        target[n > 0 ? n : 0] = '\0';

        const char *what = opened ? "left open: fd" : "closed, though not its own: fd";
        const int len = snprintf(text, size, "%s %d %s\n", what, fd, target);
        return len > 0 && (size_t)len < size ? (size_t)len : 0;
}

bool test_fds_changed(char *text, size_t size)
{
        static uint8_t open_now[FDS_MAX];
        list_fds(open_now);

        size_t used = 0;
        bool changed = false;
        for (int fd = 0; fd < FDS_MAX; fd++) {
                if (open_now[fd] == open_at_start[fd])
                        continue;
                changed = true;
                used += describe(text + used, size - used, fd, open_now[fd]);
        }
        return changed;
}
