/* Context switch for aarch64 (AAPCS64). See plat/context.h, which includes this. */
#ifndef PL_ARCH_CONTEXT_H
#define PL_ARCH_CONTEXT_H

enum { PL_CONTEXT_FRAME = 32 };

/* Where a new flow starts (context.S): finds entry and arg at the stack pointer, and pass in x0. */
__attribute__((visibility("hidden"))) extern const char pl_context_trampoline[];

/* x86-64 has a use for this. */
#define PL_CONTEXT_RETURNS

#ifdef __ARM_FEATURE_SVE
#define PL_CONTEXT_SVE \
        , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", "p15"
#else
#define PL_CONTEXT_SVE
#endif

/*
 * Everything is clobbered but the stack pointer and the frame pointer, which are saved by hand: d8-d15 and x19-x28 by
 * name like the rest. x18 is the platform register; on Linux compilers use it as a scratch register, so it is clobbered
 * too, but nothing here reads or writes it. The landing is "bti j" (a hint, harmless where there is no BTI).
 */
static PL_ALWAYS_INLINE void *pl_context_switch(struct pl_context *save, const struct pl_context *load, void *pass)
{
        register void *x0 __asm__("x0") = pass;
        register struct pl_context *x1 __asm__("x1") = save;
        register const struct pl_context *x2 __asm__("x2") = load;

        __asm__ volatile("adr x9, 1f\n\t"
                         "mov x10, sp\n\t"
                         "stp x10, x29, [x1]\n\t"
                         "str x9, [x1, #16]\n\t"
                         "ldr x11, [x2, #16]\n\t"
                         "ldp x10, x29, [x2]\n\t"
                         "mov sp, x10\n\t"
                         "br x11\n"
                         "1:\n\t"
                         "hint #36\n\t"
                         : "+r"(x0), "+r"(x1), "+r"(x2)
                         :
                         : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                           "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30",
                           "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",
                           "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
                           "v27", "v28", "v29", "v30", "v31" PL_CONTEXT_SVE, "cc", "memory");
        return x0;
}

static PL_ALWAYS_INLINE void pl_context_here(struct pl_context *save)
{
        __asm__ volatile("mov x9, sp\n\t"
                         "adr x10, .\n\t"
                         "stp x9, x29, [%0]\n\t"
                         "str x10, [%0, #16]"
                         :
                         : "r"(save)
                         : "x9", "x10", "x30", "memory");
}

static inline void pl_context_make(struct pl_context *ctx, void *top, pl_context_entry entry, void *arg)
{
        void **frame = (void **)top - PL_CONTEXT_FRAME / sizeof(void *);

        frame[0] = (void *)(uintptr_t)entry;
        frame[1] = arg;
        frame[2] = NULL; /* what a walk along frame pointers finds: no caller */
        frame[3] = NULL;
        ctx->sp = frame;
        ctx->fp = &frame[2];
        ctx->pc = (void *)(uintptr_t)pl_context_trampoline;
}

#endif
