/* Context switch for x86-64 (System V ABI). See plat/context.h, which includes this. */
#ifndef PL_ARCH_CONTEXT_H
#define PL_ARCH_CONTEXT_H

enum { PL_CONTEXT_FRAME = 32 };

/* Where a new flow starts (context.S): finds entry and arg at the stack pointer, and pass in rdi. */
__attribute__((visibility("hidden"))) extern const char pl_context_trampoline[];

/* With branch tracking (-fcf-protection=branch) an indirect jump must land on this instruction. */
#if defined(__CET__) && (__CET__ & 1)
#define PL_CONTEXT_LANDING "endbr64\n\t"
#else
#define PL_CONTEXT_LANDING ""
#endif

#ifdef __AVX512F__
#define PL_CONTEXT_AVX512                                                                                             \
        , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", \
                "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define PL_CONTEXT_AVX512
#endif

/*
 * For a function in which flows are switched, and whose callers differ: it returns by an indirect jump. A processor
 * predicts a return from the calls that it has seen last, and those are of the flow that was left; 5 ns are lost then.
 * (gcc writes the jump to the thunk, which is in context.S; clang can do so from version 15 on, and large code cannot.)
 */
#if !defined(__clang__) && !defined(__code_model_large__)
#define PL_CONTEXT_RETURNS __attribute__((function_return("thunk-extern")))
#else
#define PL_CONTEXT_RETURNS
#endif

/*
 * Nothing is pushed, so the red zone below the stack pointer stays as it is. rbp cannot be named as clobbered in builds
 * with frame pointers; it is saved by hand and put back before the jump, which also keeps the CFA right where it is
 * computed from rbp.
 */
static PL_ALWAYS_INLINE void *pl_context_switch(struct pl_context *save, const struct pl_context *load, void *pass)
{
        __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                         "movq %%rsp, 0(%%rdx)\n\t"
                         "movq %%rbp, 8(%%rdx)\n\t"
                         "movq %%rax, 16(%%rdx)\n\t"
                         "movq 16(%%rsi), %%rcx\n\t"
                         "movq 8(%%rsi), %%rbp\n\t"
                         "movq 0(%%rsi), %%rsp\n\t"
                         "jmp *%%rcx\n"
                         "1:\n\t" PL_CONTEXT_LANDING
                         : "+D"(pass), "+S"(load), "+d"(save)
                         :
                         : "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
                           "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                           "xmm13", "xmm14", "xmm15" PL_CONTEXT_AVX512, "st", "st(1)", "st(2)", "st(3)", "st(4)",
                           "st(5)", "st(6)", "st(7)", "cc", "memory");
        return pass;
}

static PL_ALWAYS_INLINE void pl_context_here(struct pl_context *save)
{
        __asm__ volatile("leaq 0(%%rip), %%rax\n\t"
                         "movq %%rsp, 0(%0)\n\t"
                         "movq %%rbp, 8(%0)\n\t"
                         "movq %%rax, 16(%0)"
                         :
                         : "r"(save)
                         : "rax", "memory");
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
