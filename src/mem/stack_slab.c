/*
 * Slabs of stacks. See mem/stack_slab.h.
 *
 * The table of slabs is for signal handlers: a slab's address is its entry, stored when the slab is ready and cleared
 * before it is unmapped. Entries are claimed by compare-and-swap and never move.
 */
#include "mem/stack_slab.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/guard.h"
#include "plat/sys.h"

#if PL_WITH_ASAN
#include <sanitizer/lsan_interface.h>
#endif

enum {
        TABLE_SIZE = 65536,
        GUARD_BYTES = 20 * 1024, /* five pages of 4 KiB: with any even number of pages for the stack, an odd stride */
        COLOURS = 16,
        COLOUR_STEP = 5, /* neighbours in one cache set are not neighbours in memory */
#if PL_WITH_SANITIZER
        STACK_SCALE = 4,       /* instrumented frames are bigger */
        SLAB_BYTES = 16 << 20, /* LeakSanitizer reads all of it */
#else
        STACK_SCALE = 1,
        SLAB_BYTES = 64 << 20,
#endif
};

static const size_t nominal_bytes[PL_STACK_CLASSES] = {
        16 << 10, 64 << 10, 256 << 10, 1 << 20, 8 << 20,
};

static struct pl_stack_slab *_Atomic table[TABLE_SIZE];
static _Atomic uint32_t table_end; /* entries from here on were never used */

/* Asked for once: each join wants to know how large a stack is. */
static size_t page_bytes(void)
{
        static _Atomic size_t known;
        size_t bytes = atomic_load_explicit(&known, memory_order_relaxed);

        if (PL_UNLIKELY(!bytes)) {
                long n = sysconf(_SC_PAGESIZE);

                bytes = n > 0 ? (size_t)n : 4096;
                atomic_store_explicit(&known, bytes, memory_order_relaxed);
        }
        return bytes;
}

static size_t round_up(size_t n, size_t to)
{
        return (n + to - 1) / to * to;
}

int pl_mem_stack_class(size_t bytes)
{
        if (bytes == 0)
                return PL_STACK_DEFAULT;
        for (int i = 0; i < PL_STACK_CLASSES; i++)
                if (bytes <= nominal_bytes[i])
                        return i;
        return -EINVAL;
}

size_t pl_mem_stack_class_bytes(enum pl_stack_class class)
{
        size_t page = page_bytes(); /* a power of two */

        return (nominal_bytes[class] * STACK_SCALE + page - 1) & ~(page - 1);
}

static bool table_add(struct pl_stack_slab *slab)
{
        for (uint32_t i = 0; i < TABLE_SIZE; i++) {
                struct pl_stack_slab *expected = NULL;
                uint32_t end = atomic_load(&table_end);

                slab->table_index = i;
                if (atomic_load_explicit(&table[i], memory_order_relaxed) ||
                    !atomic_compare_exchange_strong(&table[i], &expected, slab))
                        continue;
                while (end <= i && !atomic_compare_exchange_weak(&table_end, &end, i + 1))
                        ;
                return true;
        }
        return false;
}

/* Map room for *slots* stacks. */
static struct pl_stack_slab *map(enum pl_stack_class class, uint32_t slots)
{
        size_t page = page_bytes();
        size_t guard = round_up(GUARD_BYTES, page);
        size_t stride = pl_mem_stack_class_bytes(class) + guard;
        size_t header = round_up(sizeof(struct pl_stack_slab) + slots * sizeof(struct pl_stack), page);
        size_t bytes = header + slots * stride;
        char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
                        -1, 0);
        struct pl_stack_slab *slab = (void *)at;

        if (at == MAP_FAILED)
                return NULL;
        madvise(at, bytes, MADV_NOHUGEPAGE); /* a huge page would be 512 times what a sleeper needs */
        slab->bytes = bytes;
        slab->slots_at = at + header;
        slab->stride = stride;
        slab->guard_bytes = guard;
        slab->slots = slots;
        slab->class = class;
        pl_list_init(&slab->link);
        return slab;
}

struct pl_stack_slab *pl_mem_stack_slab_new(enum pl_stack_class class)
{
        size_t slots = SLAB_BYTES / (pl_mem_stack_class_bytes(class) + GUARD_BYTES);
        struct pl_stack_slab *slab = NULL;
        int saved = errno;

        if (slots > PL_STACK_SLAB_SLOTS)
                slots = PL_STACK_SLAB_SLOTS;
        if (slots == 0)
                slots = 1;
        for (; slots > 0 && !slab; slots /= 2) /* address space may be limited */
                slab = map(class, (uint32_t)slots);
        if (slab && !table_add(slab)) {
                munmap(slab, slab->bytes);
                slab = NULL;
        }
#if PL_WITH_ASAN
        if (slab) /* suspended flows may hold the only pointers to what they allocated */
                __lsan_register_root_region(slab, slab->bytes);
#endif
        errno = saved;
        return slab;
}

void pl_mem_stack_slab_free(struct pl_stack_slab *slab)
{
        unsigned protected = 0;
        int saved = errno;

        for (uint32_t i = 0; i < slab->carved; i++) {
                protected += slab->stacks[i].guard == PL_STACK_GUARD_MPROTECT;
                pl_fiber_done(&slab->stacks[i].fiber);
        }
#if PL_WITH_ASAN
        __lsan_unregister_root_region(slab, slab->bytes);
#endif
        atomic_store(&table[slab->table_index], NULL);
        munmap(slab, slab->bytes);
        pl_mem_guard_return(protected);
        errno = saved;
}

static void describe(struct pl_stack_slab *slab, uint32_t slot, enum pl_stack_guard guard)
{
        struct pl_stack *stack = &slab->stacks[slot];
        char *end = slab->slots_at + (slot + 1) * slab->stride;

        stack->top = end - slot * COLOUR_STEP % COLOURS * PL_CACHE_LINE;
        stack->next = stack + 1;
        stack->bytes = (uint32_t)(slab->stride - slab->guard_bytes);
        stack->slot = (uint16_t)slot;
        stack->class = (uint8_t)slab->class;
        stack->guard = (uint8_t)guard;
        pl_fiber_init(&stack->fiber, end - stack->bytes, stack->bytes);
}

struct pl_stack *pl_mem_stack_slab_carve(struct pl_stack_slab *slab, uint32_t first, uint32_t n)
{
        for (uint32_t done = 0; done < n;) {
                enum pl_stack_guard kind;
                char *at = slab->slots_at + (first + done) * slab->stride;
                uint32_t made = pl_mem_guard_install(at, slab->stride, slab->guard_bytes, n - done, &kind);

                for (; made > 0; made--, done++)
                        describe(slab, first + done, kind);
        }
        slab->stacks[first + n - 1].next = NULL;
        return &slab->stacks[first];
}

struct pl_stack *pl_mem_stack_slab_drop(struct pl_stack_slab *slab, struct pl_stack *list)
{
        uint64_t free[PL_STACK_SLAB_SLOTS / 64] = {0};
        uint32_t i = 0;
        int saved = errno;

        for (struct pl_stack *s = list; s; s = s->next)
                free[s->slot / 64] |= UINT64_C(1) << s->slot % 64;
        while (i < slab->slots) {
                uint32_t from = i;

                while (i < slab->slots && free[i / 64] >> i % 64 & 1)
                        i++;
                if (i > from) /* guards in between stay */
                        madvise(slab->slots_at + from * slab->stride, (i - from) * slab->stride, MADV_DONTNEED);
                i++;
        }
        errno = saved;
        return list;
}

struct pl_stack *pl_mem_stack_owner(const void *addr, bool *ret_in_guard)
{
        uint32_t end = atomic_load(&table_end);

        for (uint32_t i = 0; i < end; i++) {
                struct pl_stack_slab *slab = atomic_load(&table[i]);
                size_t offset;

                if (!slab || (uintptr_t)addr < (uintptr_t)slab)
                        continue;
                if ((uintptr_t)addr >= (uintptr_t)slab + slab->bytes || (uintptr_t)addr < (uintptr_t)slab->slots_at)
                        continue;
                offset = (uintptr_t)addr - (uintptr_t)slab->slots_at;
                if (slab->stacks[offset / slab->stride].guard == PL_STACK_GUARD_NONE)
                        return NULL;
                *ret_in_guard = offset % slab->stride < slab->guard_bytes;
                return &slab->stacks[offset / slab->stride];
        }
        return NULL;
}
