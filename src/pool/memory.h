/*
 * Anonymous shared memory: a memfd that is mapped once in each process that uses it, however many users there are in
 * it. Its size is sealed, so no process can pull pages away under another. The system frees it with the last descriptor
 * and mapping, whatever becomes of the processes.
 *
 * A process knows another's memory by (device, inode), which no other memory has at the same time.
 */
#ifndef PL_POOL_MEMORY_H
#define PL_POOL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"

struct pl_pool_memory {
        struct pl_list link; /* the table's (memory.c) */
        struct pl_list kept; /* among those without references, last used first */
        uint32_t refs;       /* guarded by the table's lock, as is kept */
        int fd;
        int32_t owner_pid, owner_fd; /* where it was opened from; 0: this process made it, or was sent it */
        size_t bytes;                /* 1 or more */
        void *data;                  /* page-aligned */
        uint64_t device, inode;
};

/* How another process finds it: as long as process *pid* has *fd* open. Plain bytes. */
struct pl_pool_memory_id {
        int32_t pid, fd;
        uint64_t device, inode, bytes;
};

enum pl_pool_memory_flag { PL_POOL_MEMORY_RESERVE = 1 };

/* Make it, zeroed, with one reference. -ENOMEM, -EMFILE, -ENFILE. *name*: for /proc/PID/maps. */
PL_WARN_UNUSED int pl_pool_memory_new(size_t bytes, unsigned flags, const char *name, struct pl_pool_memory **ret);

void pl_pool_memory_ref(struct pl_pool_memory *memory);
void pl_pool_memory_unref(struct pl_pool_memory *memory);

/* The id for other processes; good while this process has a reference. */
void pl_pool_memory_id(const struct pl_pool_memory *memory, struct pl_pool_memory_id *ret);

/*
 * Open memory by its id: what this process has already, or through /proc/PID/fd. One reference. -ENOENT: its process
 * has gone or has let go of it; -EACCES; -EINVAL: it is none of plait's; -ENOMEM, -EMFILE, -ENFILE.
 */
PL_WARN_UNUSED int pl_pool_memory_open(const struct pl_pool_memory_id *id, struct pl_pool_memory **ret);

/*
 * In a process that opens the same memory again and again (a worker): leave up to *n* that other processes made mapped
 * when their last reference goes; opening one again then costs no page faults. 0: none any more.
 */
void pl_pool_memory_keep(unsigned n);

/*
 * Unmap those that are kept without a reference: *all*, or only those that the process they were opened from has let go
 * of. The latter also happens, at most ten times a second, when another one is put among the kept.
 */
void pl_pool_memory_sweep(bool all);

#endif
