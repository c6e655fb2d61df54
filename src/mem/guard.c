/* Guards below stacks. See mem/guard.h. Lock-free: two threads that find out the same thing at once do no harm. */
#include "mem/guard.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "plat/sys.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
        SELF = -10000,          /* PIDFD_SELF_THREAD (Linux 6.14): no descriptor, but the caller */
        MAPS_LEFT_FREE = 16384, /* of vm.max_map_count, for everybody else */
};

static _Atomic int best_kind;      /* enum pl_stack_guard; NONE: not known yet */
static _Atomic bool no_batches;    /* process_madvise() does not do it here */
static _Atomic bool proven;        /* madvise() not only says that it made a guard */
static _Atomic long mprotect_left; /* how many PROT_NONE guards may still be made */

static long mprotect_budget(void)
{
        FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
        char text[32] = "";

        if (file) {
                if (!fgets(text, sizeof text, file))
                        text[0] = '\0';
                fclose(file);
        }

        long maps = strtol(text, NULL, 10);

        if (maps <= 0)
                maps = 65530;
        return maps > 2 * MAPS_LEFT_FREE ? (maps - MAPS_LEFT_FREE) / 2 : maps / 4;
}

void pl_mem_guard_force(enum pl_stack_guard kind)
{
        if (atomic_load(&best_kind) == PL_STACK_GUARD_NONE)
                atomic_store(&mprotect_left, mprotect_budget());
        atomic_store(&best_kind, kind);
}

/* The kind to start with. */
static void choose(void)
{
        enum pl_stack_guard kind = PL_STACK_GUARD_MADVISE;
        char wish[16];

        /* LeakSanitizer reads slabs from end to end and skips only what /proc/self/maps shows as unreadable. */
        if (PL_WITH_ASAN)
                kind = PL_STACK_GUARD_MPROTECT;
        if (pl_plat_debug("guard", wish, sizeof(wish))) {
                if (strcmp(wish, "mprotect") == 0)
                        kind = PL_STACK_GUARD_MPROTECT;
                else if (strcmp(wish, "canary") == 0)
                        kind = PL_STACK_GUARD_CANARY;
                else if (strcmp(wish, "madvise") != 0)
                        pl_warn("PLAIT_DEBUG=guard=%s is ignored: it is not madvise, mprotect or canary", wish);
        }
        pl_mem_guard_force(kind);
}

/* How many of the guards were made by one system call; 0 if that does not work here. */
static unsigned madvise_batch(char *first, size_t stride, size_t bytes, unsigned n)
{
#ifdef SYS_process_madvise
        struct iovec parts[PL_MEM_GUARD_BATCH];
        long done;

        if (n < 2 || atomic_load_explicit(&no_batches, memory_order_relaxed))
                return 0;
        for (unsigned i = 0; i < n; i++)
                parts[i] = (struct iovec){.iov_base = first + i * stride, .iov_len = bytes};
        done = syscall(SYS_process_madvise, SELF, parts, (size_t)n, MADV_GUARD_INSTALL, 0U);
        if (done >= (long)bytes)
                return (unsigned)((size_t)done / bytes);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
                atomic_store_explicit(&no_batches, true, memory_order_relaxed);
#else
        (void)first, (void)stride, (void)bytes, (void)n;
#endif
        return 0;
}

/* Whether the kernel refuses to write there. Emulators take unknown advice and do nothing: qemu-user 7 does. */
static bool is_guarded(char *guard)
{
        if (!atomic_load_explicit(&proven, memory_order_relaxed)) {
                if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, guard) == 0 || errno != EFAULT)
                        return false;
                atomic_store_explicit(&proven, true, memory_order_relaxed);
        }
        return true;
}

static unsigned by_madvise(char *first, size_t stride, size_t bytes, unsigned n)
{
        unsigned done = madvise_batch(first, stride, bytes, n);

        while (done < n) {
                if (madvise(first + done * stride, bytes, MADV_GUARD_INSTALL) == 0)
                        done++;
                else if (errno != EINTR && errno != EAGAIN)
                        break; /* EINVAL: an older kernel, or the memory is locked */
        }
        return done > 0 && is_guarded(first) ? done : 0;
}

static unsigned by_mprotect(char *first, size_t stride, size_t bytes, unsigned n)
{
        unsigned done = 0;

        while (done < n) {
                if (atomic_fetch_sub_explicit(&mprotect_left, 1, memory_order_relaxed) <= 0 ||
                    mprotect(first + done * stride, bytes, PROT_NONE) != 0) {
                        atomic_fetch_add_explicit(&mprotect_left, 1, memory_order_relaxed);
                        break;
                }
                done++;
        }
        return done;
}

static void say_canaries(void)
{
        static atomic_flag said;

        if (!atomic_flag_test_and_set(&said))
                pl_warn("new stacks have no guard pages, because this kernel has no MADV_GUARD_INSTALL (Linux 6.13) "
                        "and "
                        "vm.max_map_count allows no more of the other kind; an overflow is noticed late, by a canary. "
                        "Raise vm.max_map_count, or run fewer tasks at once");
}

unsigned pl_mem_guard_install(char *first, size_t stride, size_t bytes, unsigned n, enum pl_stack_guard *ret)
{
        int saved = errno;
        unsigned done = 0;

        if (atomic_load(&best_kind) == PL_STACK_GUARD_NONE)
                choose();
        if (atomic_load(&best_kind) == PL_STACK_GUARD_MADVISE) {
                done = by_madvise(first, stride, bytes, n);
                *ret = PL_STACK_GUARD_MADVISE;
        }
        if (done == 0 && atomic_load(&best_kind) != PL_STACK_GUARD_CANARY) {
                done = by_mprotect(first, stride, bytes, n);
                *ret = PL_STACK_GUARD_MPROTECT;
                if (done > 0)
                        atomic_store(&best_kind, PL_STACK_GUARD_MPROTECT);
        }
        if (done == 0) {
                if (atomic_load(&best_kind) != PL_STACK_GUARD_CANARY)
                        say_canaries();
                *ret = PL_STACK_GUARD_CANARY;
                done = n;
        }
        errno = saved;
        return done;
}

void pl_mem_guard_return(unsigned n)
{
        atomic_fetch_add_explicit(&mprotect_left, (long)n, memory_order_relaxed);
}
