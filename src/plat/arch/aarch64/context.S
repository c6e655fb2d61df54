/*
 * Where a new flow starts, for aarch64. See arch/context.h.
 *
 * The return address is undefined here, so a backtrace that comes this far ends. The note says that indirect jumps land
 * on BTI instructions here; it does not claim a guarded control stack.
 */
        .text
        .balign 16
        .globl  pl_context_trampoline
        .hidden pl_context_trampoline
        .type   pl_context_trampoline, %function
pl_context_trampoline:
        .cfi_startproc
        .cfi_undefined x30
        hint    #36                     /* bti j */
        ldp     x16, x1, [sp]           /* entry and its second argument; the first, pass, is in x0 */
        blr     x16
        brk     #1                      /* entry never returns */
        .cfi_endproc
        .size   pl_context_trampoline, . - pl_context_trampoline

        .section .note.gnu.property, "a"
        .balign 8
        .long   4                       /* size of the name, of the data, NT_GNU_PROPERTY_TYPE_0 */
        .long   16
        .long   5
        .asciz  "GNU"
        .long   0xc0000000              /* GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI */
        .long   4
        .long   1
        .long   0

        .section .note.GNU-stack, "", %progbits
