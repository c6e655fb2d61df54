/*
 * Anonymous shared memory. The table has all memory that this process has mapped, so that each is mapped once. Memory
 * leaves it with its last reference, or, in a process that keeps some, when it is swept from the list of those.
 *
 * Locking: one lock guards the table, the list and the counts. System calls are made without it.
 */
#include "pool/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plait/errno.h"
#include "plat/lock.h"
#include "plat/sys.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW, HUGE_PAGE_BYTES = 2 << 20 };

#define SWEEP_NS INT64_C(100000000)

static struct pl_lock table_lock;
static struct pl_list table = {&table, &table};
static struct pl_list kept = {&kept, &kept};
static unsigned kept_count, kept_most;
static int64_t swept_ns; /* when they were last looked through */

/* Called with the lock held. */
static struct pl_pool_memory *find(uint64_t device, uint64_t inode) PL_REQUIRES(table_lock)
{
        for (struct pl_list *link = table.next; link != &table; link = link->next) {
                struct pl_pool_memory *memory = PL_CONTAINER_OF(link, struct pl_pool_memory, link);

                if (memory->inode == inode && memory->device == device)
                        return memory;
        }
        return NULL;
}

/* Called with the lock held. It may have been kept without a reference. */
static void take(struct pl_pool_memory *memory) PL_REQUIRES(table_lock)
{
        if (memory->refs++ == 0) {
                pl_list_remove(&memory->kept);
                kept_count--;
        }
}

static struct pl_pool_memory *find_ref(uint64_t device, uint64_t inode)
{
        pl_lock_acquire(&table_lock);
        struct pl_pool_memory *memory = find(device, inode);

        if (memory)
                take(memory);
        pl_lock_release(&table_lock);
        return memory;
}

static void discard(struct pl_pool_memory *memory)
{
        munmap(memory->data, memory->bytes);
        close(memory->fd);
        free(memory);
}

/* Map *fd*, which is the memory's from then on; on failure it is the caller's. */
static int map(int fd, const struct stat *stat, struct pl_pool_memory **ret)
{
        struct pl_pool_memory *memory = malloc(sizeof *memory);
        size_t bytes = (size_t)stat->st_size;

        if (!memory)
                return -ENOMEM;
        void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED) {
                int r = errno == EPERM || errno == EACCES ? -EACCES : -ENOMEM;

                free(memory);
                return r;
        }
        if (bytes >= HUGE_PAGE_BYTES)
                (void)madvise(data, bytes, MADV_HUGEPAGE); /* where the administrator lets shared memory have them */
        *memory = (struct pl_pool_memory){.refs = 1,
                                          .fd = fd,
                                          .bytes = bytes,
                                          .data = data,
                                          .device = (uint64_t)stat->st_dev,
                                          .inode = (uint64_t)stat->st_ino};
        pl_list_init(&memory->kept);
        *ret = memory;
        return 0;
}

/* Into the table, unless somebody has been faster with the same memory: then that. */
static struct pl_pool_memory *enter(struct pl_pool_memory *memory)
{
        pl_lock_acquire(&table_lock);
        struct pl_pool_memory *known = find(memory->device, memory->inode);

        if (known)
                take(known);
        else
                pl_list_push_back(&table, &memory->link);
        pl_lock_release(&table_lock);
        if (!known)
                return memory;
        discard(memory);
        return known;
}

static int create(const char *name)
{
        int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

        if (fd < 0 && errno == EINVAL) /* an older kernel */
                fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        return fd < 0 ? -errno : fd;
}

/* Give the new memory *fd* its size, for good. */
/* How many bytes of memory and swap can be had; UINT64_MAX: nobody knows. */
static uint64_t available(void)
{
        FILE *file = fopen("/proc/meminfo", "re");
        char line[128];
        uint64_t kib = 0;
        bool known = false;

        while (file && fgets(line, sizeof line, file)) {
                bool memory = strncmp(line, "MemAvailable:", 13) == 0;

                if (memory || strncmp(line, "SwapFree:", 9) == 0)
                        kib += strtoull(strchr(line, ':') + 1, NULL, 10);
                known |= memory;
        }
        if (file)
                fclose(file);
        return known && kib < UINT64_MAX / 1024 ? kib * 1024 : UINT64_MAX;
}

static int fix_size(int fd, size_t bytes, unsigned flags)
{
        /* fallocate() takes all there is before it fails, and other processes are killed for it. */
        if (flags & PL_POOL_MEMORY_RESERVE && bytes > available())
                return -ENOMEM;
        if (ftruncate(fd, (off_t)bytes) < 0)
                return errno == EFBIG || errno == EINVAL ? -ENOMEM : -errno;
        if (flags & PL_POOL_MEMORY_RESERVE)
                while (fallocate(fd, 0, 0, (off_t)bytes) < 0)
                        if (errno != EINTR)
                                return errno == ENOSPC ? -ENOMEM : -errno;
        return fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0 ? -errno : 0;
}

static int make(int fd, size_t bytes, unsigned flags, struct pl_pool_memory **ret)
{
        struct stat stat = {0};
        int r = fix_size(fd, bytes, flags);

        if (r == 0 && fstat(fd, &stat) < 0)
                r = -errno;
        return r < 0 ? r : map(fd, &stat, ret);
}

int pl_pool_memory_new(size_t bytes, unsigned flags, const char *name, struct pl_pool_memory **ret)
{
        struct pl_pool_memory *memory = NULL;
        int saved = errno;
        int fd = create(name);
        int r = fd < 0 ? fd : make(fd, bytes, flags, &memory);

        if (r == 0)
                *ret = enter(memory);
        else if (fd >= 0)
                close(fd);
        errno = saved;
        return r;
}

void pl_pool_memory_ref(struct pl_pool_memory *memory)
{
        pl_lock_acquire(&table_lock);
        memory->refs++;
        pl_lock_release(&table_lock);
}

/* --- those that are kept --- */

static void discard_all(struct pl_list *discarded)
{
        struct pl_list *link;

        while ((link = pl_list_pop_front(discarded)))
                discard(PL_CONTAINER_OF(link, struct pl_pool_memory, kept));
}

/* Called with the lock held: out of the table and of the kept, to *discarded*. */
static void drop(struct pl_pool_memory *memory, struct pl_list *discarded) PL_REQUIRES(table_lock)
{
        pl_list_remove(&memory->kept);
        pl_list_remove(&memory->link);
        pl_list_push_back(discarded, &memory->kept);
        kept_count--;
}

/* Called with the lock held: so that at most *most* remain. */
static void drop_oldest(unsigned most, struct pl_list *discarded) PL_REQUIRES(table_lock)
{
        while (kept_count > most)
                drop(PL_CONTAINER_OF(kept.prev, struct pl_pool_memory, kept), discarded);
}

static bool is_still_owned(const struct pl_pool_memory *memory)
{
        char path[64];
        struct stat stat_of;

        snprintf(path, sizeof path, "/proc/%d/fd/%d", memory->owner_pid, memory->owner_fd);
        return stat(path, &stat_of) == 0 && (uint64_t)stat_of.st_ino == memory->inode &&
               (uint64_t)stat_of.st_dev == memory->device;
}

/* Called with the lock held. A look is a system call, but of a process that has one thread, mostly. */
static void drop_abandoned(struct pl_list *discarded) PL_REQUIRES(table_lock)
{
        struct pl_list *next;

        swept_ns = pl_plat_now_ns();
        for (struct pl_list *link = kept.next; link != &kept; link = next) {
                struct pl_pool_memory *memory = PL_CONTAINER_OF(link, struct pl_pool_memory, kept);

                next = link->next;
                if (!is_still_owned(memory))
                        drop(memory, discarded);
        }
}

void pl_pool_memory_keep(unsigned n)
{
        struct pl_list discarded;
        int saved = errno;

        pl_list_init(&discarded);
        pl_lock_acquire(&table_lock);
        kept_most = n;
        drop_oldest(n, &discarded);
        pl_lock_release(&table_lock);
        discard_all(&discarded);
        errno = saved;
}

void pl_pool_memory_sweep(bool all)
{
        struct pl_list discarded;
        int saved = errno;

        pl_list_init(&discarded);
        pl_lock_acquire(&table_lock);
        if (all)
                drop_oldest(0, &discarded);
        else
                drop_abandoned(&discarded);
        pl_lock_release(&table_lock);
        discard_all(&discarded);
        errno = saved;
}

void pl_pool_memory_unref(struct pl_pool_memory *memory)
{
        struct pl_list discarded;
        int saved = errno;

        pl_list_init(&discarded);
        pl_lock_acquire(&table_lock);
        if (--memory->refs == 0) {
                pl_list_push_front(&kept, &memory->kept);
                kept_count++;
                if (!memory->owner_pid)
                        drop(memory, &discarded);
                else if (kept_count > 1 && pl_plat_now_ns() - swept_ns > SWEEP_NS)
                        drop_abandoned(&discarded);
                drop_oldest(kept_most, &discarded);
        }
        pl_lock_release(&table_lock);
        discard_all(&discarded);
        errno = saved;
}

/* --- other processes' --- */

void pl_pool_memory_id(const struct pl_pool_memory *memory, struct pl_pool_memory_id *ret)
{
        *ret = (struct pl_pool_memory_id){.pid = getpid(),
                                          .fd = memory->fd,
                                          .device = memory->device,
                                          .inode = memory->inode,
                                          .bytes = memory->bytes};
}

/* Whether *fd* is memory as pl_pool_memory_new() makes it: nobody can change its size. */
static int inspect(int fd, struct stat *ret)
{
        int seals = fcntl(fd, F_GET_SEALS);

        if (seals < 0 || (seals & SEALS) != SEALS)
                return -EINVAL;
        if (fstat(fd, ret) < 0)
                return -errno;
        return ret->st_size > 0 ? 0 : -EINVAL;
}

static int adopt(int fd, const struct stat *stat, int32_t owner_pid, int32_t owner_fd, struct pl_pool_memory **ret)
{
        struct pl_pool_memory *memory = NULL;
        int r = map(fd, stat, &memory);

        if (r < 0)
                return r;
        memory->owner_pid = owner_pid;
        memory->owner_fd = owner_fd;
        *ret = enter(memory);
        return 0;
}

/* Open another process's descriptor. That it is what *id* means is seen before anything is done with it. */
static int open_remote(const struct pl_pool_memory_id *id, struct stat *ret_stat)
{
        char path[64];

        snprintf(path, sizeof path, "/proc/%d/fd/%d", id->pid, id->fd);
        /* O_PATH first: the number may be another file's by now, and opening some has effects (devices, FIFOs). */
        int peek = open(path, O_PATH | O_CLOEXEC);
        if (peek < 0)
                return errno == ENOTDIR ? -ENOENT : -errno;
        int r = fstat(peek, ret_stat) < 0 ? -errno : 0;

        close(peek);
        if (r < 0)
                return r;
        if ((uint64_t)ret_stat->st_ino != id->inode || (uint64_t)ret_stat->st_dev != id->device)
                return -ENOENT;
        int fd = open(path, O_RDWR | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int open_id(const struct pl_pool_memory_id *id, struct pl_pool_memory **ret)
{
        struct stat stat = {0};
        int fd = open_remote(id, &stat);

        if (fd < 0)
                return fd;
        int r = inspect(fd, &stat);
        if (r == 0 && ((uint64_t)stat.st_ino != id->inode || (uint64_t)stat.st_dev != id->device))
                r = -ENOENT; /* it changed meanwhile */
        if (r == 0)
                r = adopt(fd, &stat, id->pid, id->fd, ret);
        if (r < 0)
                close(fd);
        return r;
}

int pl_pool_memory_open(const struct pl_pool_memory_id *id, struct pl_pool_memory **ret)
{
        struct pl_pool_memory *memory = NULL;
        int saved = errno;
        int r;

        if (id->pid <= 0 || id->fd < 0 || id->bytes == 0)
                return -EINVAL;
        memory = find_ref(id->device, id->inode);
        r = memory ? 0 : open_id(id, &memory);
        if (r == 0 && memory->bytes != id->bytes) {
                pl_pool_memory_unref(memory);
                r = -EINVAL;
        }
        if (r == 0)
                *ret = memory;
        errno = saved;
        return r;
}
