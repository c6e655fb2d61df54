/* The shared memory that rings are in; see image.h and ring.h. */
#include "trace/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/file_lock.h"

#define SHM "/dev/shm"
#define SHM_NAME "plait-trace-"

enum { HEAD_BYTES = (int)PL_TRACE_IMAGE_BYTES + (int)PL_TRACE_NAMES_BYTES };

void pl_trace_image_path(char buf[PL_TRACE_IMAGE_PATH_BYTES], enum pl_trace_place place, const char *path, uint32_t pid,
                         const uint8_t id[PL_TRACE_ID_BYTES])
{
        char text[2 * PL_TRACE_ID_BYTES + 1];

        for (int i = 0; i < PL_TRACE_ID_BYTES; i++)
                snprintf(text + (size_t)2 * (size_t)i, 3, "%02x", id[i]);
        if (place == PL_TRACE_IN_SHM)
                snprintf(buf, PL_TRACE_IMAGE_PATH_BYTES, SHM "/" SHM_NAME "%s", text);
        else
                snprintf(buf, PL_TRACE_IMAGE_PATH_BYTES, "%s.%u.rings", path, pid);
}

/* Without memory behind it, a write would end the program (SIGBUS). */
static int extend(int fd, uint64_t from, uint64_t bytes)
{
        int r;

        do
                r = fallocate(fd, 0, (off_t)from, (off_t)bytes) < 0 ? errno : 0;
        while (r == EINTR);
        return -r;
}

bool pl_trace_image_is_live(int fd)
{
        return pl_trace_file_is_locked(fd);
}

static int make_at(struct pl_trace_mapping *mapping)
{
        int fd = open(mapping->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0)
                return -errno;
        int r = pl_trace_lock_file(fd, F_WRLCK);
        if (r == 0)
                r = extend(fd, 0, HEAD_BYTES);
        void *at = r == 0 ? mmap(NULL, HEAD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

        if (at == MAP_FAILED) {
                r = r < 0 ? r : -errno;
                unlink(mapping->path);
                close(fd);
                return r;
        }
        madvise(at, HEAD_BYTES, MADV_DONTFORK);
        mapping->fd = fd;
        mapping->image = at;
        mapping->names = (char *)at + PL_TRACE_IMAGE_BYTES;
        mapping->bytes = HEAD_BYTES;
        return 0;
}

int pl_trace_image_make(struct pl_trace_mapping *ret, const char *path, const uint8_t id[PL_TRACE_ID_BYTES])
{
        static const enum pl_trace_place places[] = {PL_TRACE_IN_SHM, PL_TRACE_BESIDE};
        uint32_t pid = (uint32_t)getpid();
        int r = -ENOSPC;

        for (size_t i = 0; i < PL_ARRAY_SIZE(places) && r < 0; i++) {
                ret->place = places[i];
                pl_trace_image_path(ret->path, places[i], path, pid, id);
                if (places[i] == PL_TRACE_BESIDE)
                        unlink(ret->path); /* of a process that had this number before */
                r = make_at(ret);
        }
        if (r < 0)
                return r;
        struct pl_trace_stamp *stamp = &ret->image->stamp;
        memcpy(stamp->magic, PL_TRACE_IMAGE_MAGIC, sizeof PL_TRACE_IMAGE_MAGIC);
        stamp->version = PL_TRACE_IMAGE_VERSION;
        stamp->pid = pid;
        memcpy(stamp->id, id, PL_TRACE_ID_BYTES);
        snprintf(stamp->path, sizeof stamp->path, "%s", path);
        return 0;
}

void pl_trace_image_remove(struct pl_trace_mapping *mapping)
{
        if (mapping->fd < 0)
                return;
        unlink(mapping->path);
        munmap(mapping->image, HEAD_BYTES);
        close(mapping->fd);
        mapping->fd = -1;
        mapping->image = NULL;
        mapping->names = NULL;
}

void pl_trace_image_forget(struct pl_trace_mapping *mapping)
{
        if (mapping->fd >= 0)
                close(mapping->fd);
        *mapping = (struct pl_trace_mapping){.fd = -1};
}

int pl_trace_image_slot(struct pl_trace_mapping *mapping, unsigned index, uint64_t events, void *at, void **ret)
{
        size_t bytes = pl_trace_slot_bytes(events);
        int r = extend(mapping->fd, mapping->bytes, bytes);

        if (r < 0)
                return r;
        void *slot = mmap(at, bytes, PROT_READ | PROT_WRITE, at ? MAP_SHARED | MAP_FIXED : MAP_SHARED, mapping->fd,
                          (off_t)mapping->bytes);
        if (slot == MAP_FAILED)
                return -errno;
        madvise(slot, bytes, MADV_DONTFORK);
        mapping->image->slots[index].events = events;
        atomic_store_explicit(&mapping->image->slots[index].offset, mapping->bytes, memory_order_release);
        if (index >= atomic_load(&mapping->image->n_slots))
                atomic_store(&mapping->image->n_slots, index + 1);
        mapping->bytes += bytes;
        *ret = slot;
        return 0;
}

void pl_trace_image_unshare(void *slot, uint64_t events)
{
        size_t bytes = pl_trace_slot_bytes(events);
        struct pl_trace_slot head;

        memcpy(&head, slot, sizeof head);
        (void)mmap(slot, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        memcpy(slot, &head, sizeof head);
}

/* --- what others have left --- */

static bool is_left(int fd, const char *path)
{
        struct pl_trace_stamp stamp;
        struct stat st;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
            pread(fd, &stamp, sizeof stamp, 0) != (ssize_t)sizeof stamp ||
            memcmp(stamp.magic, PL_TRACE_IMAGE_MAGIC, sizeof PL_TRACE_IMAGE_MAGIC) != 0 || pl_trace_image_is_live(fd))
                return false;
        stamp.path[sizeof stamp.path - 1] = '\0';
        return strcmp(stamp.path, path) == 0 || (access(stamp.path, F_OK) < 0 && errno == ENOENT);
}

void pl_trace_image_sweep(const char *path)
{
        DIR *dir = opendir(SHM);

        if (!dir)
                return;
        for (const struct dirent *entry; (entry = readdir(dir));) {
                if (strncmp(entry->d_name, SHM_NAME, sizeof SHM_NAME - 1) != 0)
                        continue;
                int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
                if (fd < 0)
                        continue;
                if (is_left(fd, path))
                        unlinkat(dirfd(dir), entry->d_name, 0);
                close(fd);
        }
        closedir(dir);
}
