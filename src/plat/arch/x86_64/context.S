/*
 * Where a new flow starts, and how one that has been resumed returns, for x86-64. See arch/context.h.
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

/* Where functions with PL_CONTEXT_RETURNS end; the name is the compiler's. */
        .balign 16
        .globl  __x86_return_thunk
        .hidden __x86_return_thunk
        .type   __x86_return_thunk, @function
__x86_return_thunk:
        .cfi_startproc
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register rip, rcx
        notrack jmp *%rcx
        .cfi_endproc
        .size   __x86_return_thunk, . - __x86_return_thunk

        .section .note.GNU-stack, "", @progbits
