/*
 * Where a new flow starts, for x86-64. See arch/context.h.
 *
 * The return address is undefined here, so a backtrace that comes this far ends. This file has no .note.gnu.property:
 * what it becomes a part of is then not marked as able to use a shadow stack, which is so.
 */
        .text
        .balign 16
        .globl  pl_context_trampoline
        .hidden pl_context_trampoline
        .type   pl_context_trampoline, @function
pl_context_trampoline:
        .cfi_startproc
        .cfi_undefined rip
        endbr64
        movq    (%rsp), %rax            /* entry */
        movq    8(%rsp), %rsi           /* its second argument; the first, pass, is in rdi */
        call    *%rax
        ud2                             /* entry never returns */
        .cfi_endproc
        .size   pl_context_trampoline, . - pl_context_trampoline

        .section .note.GNU-stack, "", @progbits
