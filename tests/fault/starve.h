/*
 * Failing allocations: this program's malloc(), calloc(), realloc(), aligned_alloc() and mmap(), which the library
 * uses, too, fail when told to. For test programs with one source file.
 */
#ifndef FAULT_STARVE_H
#define FAULT_STARVE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own, under names that stay reachable. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t n, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t align, size_t bytes);

static _Atomic long starve_in;       /* allocations until the first failure; 0: none is to fail */
static _Atomic bool starve_for_good; /* all later ones fail, too */
static _Atomic long starved;         /* how many have failed */

static bool starve(void)
{
        long left = atomic_load_explicit(&starve_in, memory_order_relaxed);

        if (left == 0)
                return false;
        left = atomic_fetch_sub(&starve_in, 1);
        if (left > 1)
                return false;
        if (left < 1)
                atomic_fetch_add(&starve_in, 1); /* stay below 1: not to come to 0 by wrapping */
        else
                atomic_store(&starve_in, atomic_load(&starve_for_good) ? -1 : 0);
        atomic_fetch_add(&starved, 1);
        errno = ENOMEM;
        return true;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library has underscores in its names */
void *malloc(size_t bytes)
{
        return starve() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
        return starve() ? NULL : __libc_calloc(n, bytes);
}

void *realloc(void *old, size_t bytes)
{
        return starve() ? NULL : __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
        return starve() ? NULL : __libc_memalign(align, bytes);
}

void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
        return starve() ? MAP_FAILED : (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#endif
