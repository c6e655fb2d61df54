/*
 * Files in the output folder, reached through its descriptor only.
 */
#include "fetch/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/name.h"

#define TEMP_END ".part"
#define CLASHES_MAX 1000 /* in a row: left by runs of the same process number, elsewhere or killed */

int folder_open(struct folder *folder, const char *path)
{
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
                return -errno;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *folder = (struct folder){.path = path, .fd = fd, .pid = getpid()};
        return 0;
}

void folder_close(struct folder *folder)
{
        if (folder->fd >= 0)
                close(folder->fd);
        folder->fd = -1;
}

static void next_temp(struct folder *folder, char temp[TEMP_SIZE])
{
        uint64_t number = __atomic_fetch_add(&folder->temps, 1, __ATOMIC_RELAXED);

        snprintf(temp, TEMP_SIZE, NAME_HIDDEN "-%ld-%llu" TEMP_END, (long)folder->pid, (unsigned long long)number);
}

int folder_create(struct folder *folder, char temp[TEMP_SIZE])
{
        for (int i = 0; i < CLASHES_MAX; i++) {
                next_temp(folder, temp);
                int fd = openat(folder->fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
                if (fd >= 0)
                        return fd;
                if (errno != EEXIST && errno != EINTR)
                        return -errno;
        }
        return -EEXIST;
}

int folder_create_unnamed(struct folder *folder)
{
        if (folder->named)
                return -EOPNOTSUPP;
        int fd = openat(folder->fd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
        if (fd >= 0)
                return fd;
        folder->named = true;
        return -errno;
}

/* By its descriptor alone, which old kernels allow to the privileged only; else by way of /proc. */
static int link_file(const struct folder *folder, int fd, const char *name)
{
        char path[32];

        if (linkat(fd, "", folder->fd, name, AT_EMPTY_PATH) == 0)
                return 0;
        if (errno != ENOENT)
                return -errno;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        return linkat(AT_FDCWD, path, folder->fd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* A link does not replace; a rename does. */
static int link_and_rename(struct folder *folder, int fd, const char *name)
{
        char temp[TEMP_SIZE];
        int r = -EEXIST;

        for (int i = 0; i < CLASHES_MAX && r == -EEXIST; i++) {
                next_temp(folder, temp);
                r = link_file(folder, fd, temp);
        }
        if (r == 0 && (r = folder_commit(folder, temp, name)) < 0)
                folder_discard(folder, temp);
        return r;
}

int folder_link(struct folder *folder, int fd, const char *name)
{
        int r = link_file(folder, fd, name);

        if (r == -EEXIST)
                return link_and_rename(folder, fd, name);
        if (r == -ENOENT || r == -EXDEV || r == -EPERM ||
            r == -EOPNOTSUPP) { /* no /proc, or a file system that cannot */
                folder->named = true;
                return -EOPNOTSUPP;
        }
        return r;
}

int folder_commit(struct folder *folder, const char *temp, const char *name)
{
        return renameat(folder->fd, temp, folder->fd, name) < 0 ? -errno : 0;
}

void folder_discard(struct folder *folder, const char *temp)
{
        unlinkat(folder->fd, temp, 0);
}

bool folder_has(struct folder *folder, const char *name, uint64_t bytes)
{
        struct stat st;

        return fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_size >= 0 &&
               (uint64_t)st.st_size == bytes;
}

static bool is_temp(const char *name)
{
        size_t length = strlen(name);

        return strncmp(name, NAME_HIDDEN "-", strlen(NAME_HIDDEN "-")) == 0 && length > strlen(TEMP_END) &&
               strcmp(name + length - strlen(TEMP_END), TEMP_END) == 0;
}

void folder_sweep(struct folder *folder)
{
        int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;

        if (!entries) {
                if (fd >= 0)
                        close(fd);
                return;
        }
        for (const struct dirent *entry = readdir(entries); entry; entry = readdir(entries))
                if (is_temp(entry->d_name))
                        unlinkat(folder->fd, entry->d_name, 0);
        closedir(entries);
}
