/*
 * Reading another program's memory, whatever it is.
 */
#include "inspect/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BATCH = 1024 }; /* IOV_MAX on Linux */

void inspect_explain(struct inspect_error *error, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 does not see va_start() here
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
}

static bool is_number(const char *text)
{
        return *text && text[strspn(text, "0123456789")] == '\0';
}

int inspect_memory_open(struct inspect_memory *memory, const char *target, struct inspect_error *error)
{
        struct stat info;

        *memory = (struct inspect_memory){.mem_fd = -1};
        if (is_number(target) && stat(target, &info) < 0)
                return inspect_process_open(memory, target, error);
        return inspect_core_open(memory, target, error);
}

void inspect_memory_close(struct inspect_memory *memory)
{
        inspect_core_close(memory->core);
        for (size_t i = 0; i < memory->n_mappings; i++)
                free(memory->mappings[i].path);
        free(memory->mappings);
        if (memory->mem_fd >= 0)
                close(memory->mem_fd);
        *memory = (struct inspect_memory){.mem_fd = -1};
}

static int open_file(struct inspect_memory *memory)
{
        char path[32];
        int none = -1;

        snprintf(path, sizeof path, "/proc/%d/mem", memory->pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || atomic_compare_exchange_strong(&memory->mem_fd, &none, fd))
                return fd;
        close(fd); /* another thread was quicker */
        return none;
}

/* Where process_vm_readv() is forbidden by a filter of system calls, the file may not be. */
static size_t read_file(struct inspect_memory *memory, uint64_t address, void *to, size_t bytes)
{
        int fd = memory->mem_fd < 0 ? open_file(memory) : memory->mem_fd;
        ssize_t n = fd < 0 ? -1 : pread(fd, to, bytes, (off_t)address);

        return n > 0 ? (size_t)n : 0;
}

static size_t read_process(struct inspect_memory *memory, uint64_t address, void *to, size_t bytes)
{
        size_t done = 0;

        while (done < bytes) {
                struct iovec local = {.iov_base = (char *)to + done, .iov_len = bytes - done};
                struct iovec remote = {.iov_base = (void *)(uintptr_t)(address + done), .iov_len = bytes - done};
                ssize_t n = memory->mem_fd < 0 ? process_vm_readv(memory->pid, &local, 1, &remote, 1, 0) : -1;

                if (memory->mem_fd >= 0 || (n < 0 && (errno == ENOSYS || errno == EPERM)))
                        n = (ssize_t)read_file(memory, address + done, (char *)to + done, bytes - done);
                if (n <= 0)
                        break;
                done += (size_t)n;
        }
        return done;
}

bool inspect_read(struct inspect_memory *memory, uint64_t address, void *to, size_t bytes)
{
        if (address + bytes < address)
                return false;
        if (!memory->live)
                return inspect_core_read(memory->core, address, to, bytes) == bytes;
        return read_process(memory, address, to, bytes) == bytes;
}

/* As many pieces as one call can do; those from the first that cannot be read on are left to the caller. */
static size_t read_some(struct inspect_memory *memory, struct inspect_piece *pieces, size_t count)
{
        struct iovec local[BATCH], remote[BATCH];
        size_t done = 0;

        if (count > BATCH)
                count = BATCH;
        for (size_t i = 0; i < count; i++) {
                local[i] = (struct iovec){.iov_base = pieces[i].to, .iov_len = pieces[i].bytes};
                remote[i] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[i].address,
                                           .iov_len = pieces[i].bytes};
        }
        ssize_t n = process_vm_readv(memory->pid, local, count, remote, count, 0);
        for (; n > 0 && done < count && (size_t)n >= pieces[done].bytes; done++) {
                n -= (ssize_t)pieces[done].bytes;
                pieces[done].ok = true;
        }
        return done;
}

void inspect_read_all(struct inspect_memory *memory, struct inspect_piece *pieces, size_t count)
{
        for (size_t i = 0; i < count; i++)
                pieces[i].ok = false;
        for (size_t i = 0; i < count;) {
                size_t done = memory->live && memory->mem_fd < 0 ? read_some(memory, pieces + i, count - i) : 0;

                i += done;
                if (i < count && done < BATCH) { /* this one alone, which may be the one that is not there */
                        pieces[i].ok = inspect_read(memory, pieces[i].address, pieces[i].to, pieces[i].bytes);
                        i++;
                }
        }
}

bool inspect_thread_registers(struct inspect_memory *memory, uint32_t tid, struct inspect_registers *ret)
{
        if (!tid)
                return false;
        return memory->live ? inspect_process_registers(memory->pid, tid, ret)
                            : inspect_core_registers(memory->core, tid, ret);
}
