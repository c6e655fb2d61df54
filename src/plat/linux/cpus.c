/*
 * How many CPUs this process may use.
 *
 * The quota of a cgroup is found the way the kernel describes it: /proc/self/mountinfo says where a hierarchy is
 * mounted and which cgroup is the root of that mount, /proc/self/cgroup says which one this process is in. From there
 * every directory up to the mount point may have a limit, and the smallest holds. In a container the mount's root is
 * often the container's own cgroup; a process that seems to be outside of the mount is looked up at the mount point.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plat/sys.h"

struct hierarchy {
        bool v2;
        char mount[PATH_MAX]; /* with the injected root in front */
        char root[PATH_MAX];  /* the cgroup at the mount point */
        char path[PATH_MAX];  /* the cgroup of this process */

        /* Room to work in, for who asks may have a small stack. */
        char dir[PATH_MAX];
        char file[PATH_MAX];
        char text[8192];
};

/* The start of a small file, NUL-terminated. False when it cannot be read. */
static bool read_start(const char *path, char *buf, size_t size)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return false;
        n = read(fd, buf, size - 1);
        close(fd);
        if (n < 0)
                return false;
        buf[n] = '\0';
        return true;
}

static bool join(char *ret, size_t size, const char *a, const char *b, const char *c)
{
        int n = snprintf(ret, size, "%s%s%s", a, b, c);

        return n >= 0 && (size_t)n < size;
}

/* Whether *list*, separated by commas and ended by a blank or the end of the line, has *item*. */
static bool list_has(const char *list, const char *item)
{
        size_t bytes = strlen(item);

        for (;;) {
                size_t n = strcspn(list, ", \n:");

                if (n == bytes && memcmp(list, item, n) == 0)
                        return true;
                if (list[n] != ',')
                        return false;
                list += n + 1;
        }
}

/* Undo the \ooo that the kernel puts for blanks and backslashes in mountinfo. */
static void unescape(char *text)
{
        char *to = text;

        for (const char *from = text; *from; to++) {
                if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
                        *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
                        from += 4;
                } else {
                        *to = *from++;
                }
        }
        *to = '\0';
}

/* A line of mountinfo: "ID PARENT MAJ:MIN ROOT MOUNT OPTIONS [TAGS...] - TYPE SOURCE SUPER_OPTIONS". */
static bool parse_mount(char *line, const char *prefix, struct hierarchy *ret)
{
        char *separator = strstr(line, " - ");
        char *super = separator ? strchr(separator + 3, ' ') : NULL;
        char *field = line;
        char *root;

        if (super)
                super = strchr(super + 1, ' ');
        if (!super)
                return false;
        ret->v2 = strncmp(separator + 3, "cgroup2 ", 8) == 0;
        if (!ret->v2 && !(strncmp(separator + 3, "cgroup ", 7) == 0 && list_has(super + 1, "cpu")))
                return false;
        for (int i = 0; i < 3 && field; i++) {
                field = strchr(field, ' ');
                field = field ? field + 1 : NULL;
        }
        root = field;
        field = field ? strchr(field, ' ') : NULL;
        if (!field)
                return false;
        *field++ = '\0';
        field[strcspn(field, " ")] = '\0';
        unescape(root);
        unescape(field);
        return join(ret->root, sizeof(ret->root), root, "", "") &&
               join(ret->mount, sizeof(ret->mount), prefix, field, "");
}

/* The cgroup of this process in the hierarchy: lines "ID:CONTROLLERS:PATH", "0::PATH" for v2. */
static bool find_path(const char *prefix, struct hierarchy *h)
{
        if (!join(h->file, sizeof(h->file), prefix, "/proc/self/cgroup", "") ||
            !read_start(h->file, h->text, sizeof(h->text)))
                return false;
        for (char *line = h->text; *line;) {
                size_t n = strcspn(line, "\n");
                char *controllers = strchr(line, ':');
                char *path = controllers && controllers < line + n ? strchr(controllers + 1, ':') : NULL;
                char *next = line + n + (line[n] == '\n');

                line[n] = '\0';
                if (path && path < line + n &&
                    (h->v2 ? strncmp(line, "0::", 3) == 0 : list_has(controllers + 1, "cpu")))
                        return join(h->path, sizeof(h->path), path + 1, "", "");
                line = next;
        }
        return false;
}

/* The limit of the cgroup *dir* in whole CPUs, 0: none. */
static int limit_of(struct hierarchy *h)
{
        char text[64];
        long long quota, period;

        if (!join(h->file, sizeof(h->file), h->dir, h->v2 ? "/cpu.max" : "/cpu.cfs_quota_us", "") ||
            !read_start(h->file, text, sizeof(text)))
                return 0;
        quota = strtoll(text, NULL, 10); /* "max" reads as 0, no quota in v1 is -1 */
        if (quota <= 0)
                return 0;
        if (h->v2) {
                const char *blank = strchr(text, ' ');

                period = blank ? strtoll(blank, NULL, 10) : 0;
        } else {
                if (!join(h->file, sizeof(h->file), h->dir, "/cpu.cfs_period_us", "") ||
                    !read_start(h->file, text, sizeof(text)))
                        return 0;
                period = strtoll(text, NULL, 10);
        }
        if (period <= 0 || quota / period >= INT_MAX)
                return 0;
        return (int)(quota / period + (quota % period != 0));
}

/* The smallest limit from the process's cgroup up to the mount point. */
static int smallest_limit(struct hierarchy *h)
{
        size_t root_bytes = strcmp(h->root, "/") == 0 ? 0 : strlen(h->root);
        const char *below = h->path;
        int least = 0;

        if (strncmp(below, h->root, root_bytes) == 0 && (below[root_bytes] == '/' || below[root_bytes] == '\0'))
                below += root_bytes;
        else
                below = "";
        if (!join(h->dir, sizeof(h->dir), h->mount, below, ""))
                return 0;
        for (;;) {
                int limit = limit_of(h);
                char *slash = strrchr(h->dir, '/');

                if (limit > 0 && (least == 0 || limit < least))
                        least = limit;
                if (!slash || (size_t)(slash - h->dir) < strlen(h->mount))
                        return least;
                *slash = '\0';
        }
}

static int quota(const char *prefix, struct hierarchy *h)
{
        char *line = NULL;
        size_t size = 0;
        int least = 0;
        FILE *mounts;

        if (!join(h->file, sizeof(h->file), prefix, "/proc/self/mountinfo", ""))
                return 0;
        mounts = fopen(h->file, "re");
        if (!mounts)
                return 0;
        while (getline(&line, &size, mounts) >= 0) {
                int limit;

                line[strcspn(line, "\n")] = '\0';
                if (!parse_mount(line, prefix, h) || !find_path(prefix, h))
                        continue;
                limit = smallest_limit(h);
                if (limit > 0 && (least == 0 || limit < least))
                        least = limit;
        }
        free(line);
        fclose(mounts);
        return least;
}

int pl_plat_cpu_quota(const char *root)
{
        int saved = errno;
        struct hierarchy *h = malloc(sizeof(*h));
        int r = h ? quota(root, h) : 0;

        free(h);
        errno = saved;
        return r;
}

/* The CPUs in the affinity mask; the kernel refuses a mask smaller than its own, which may have more than 1,024. */
static int affine_cpus(void)
{
        for (int n = CPU_SETSIZE; n <= 1 << 20; n *= 2) {
                cpu_set_t *set = CPU_ALLOC((size_t)n);
                size_t bytes = CPU_ALLOC_SIZE((size_t)n);
                int count = -1;

                if (!set)
                        return 1;
                if (sched_getaffinity(0, bytes, set) == 0)
                        count = CPU_COUNT_S(bytes, set);
                else if (errno != EINVAL)
                        count = 1;
                CPU_FREE(set);
                if (count >= 0)
                        return count;
        }
        return 1;
}

int pl_plat_cpu_affinity(void)
{
        int saved = errno;
        int n = affine_cpus();

        errno = saved;
        return n > 0 ? n : 1;
}

int pl_plat_cpu_count(void)
{
        int n = pl_plat_cpu_affinity();
        int limit = pl_plat_cpu_quota("");

        return limit > 0 && limit < n ? limit : n;
}
