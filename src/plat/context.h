/*
 * Contexts: what it takes to leave one flow of control and to go on with another.
 *
 * A switch treats every register as clobbered, so the compiler saves exactly those that are live around it, and only
 * the stack pointer, the frame pointer and the address to go on at are kept by hand. It leaves by an indirect jump: a
 * return would be mispredicted every time. Its frames have ordinary CFI, so a debugger given sp, fp and pc of a
 * suspended flow unwinds it, and an unwinder that starts inside a flow ends at the trampoline below its first function.
 *
 * Not part of a context: the floating-point control words (x87, MXCSR, FPCR), the signal mask and errno. A flow that
 * changes a rounding mode must change it back before it suspends.
 *
 * Shadow stacks (CET SHSTK, arm64 GCS) are not switched. The trampoline's object file does not claim to support them,
 * so that the linker and the loader leave them off for the whole process. Branch tracking (IBT, BTI) is supported.
 */
#ifndef PL_PLAT_CONTEXT_H
#define PL_PLAT_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

/* A suspended flow. The arch headers know these offsets. */
struct pl_context {
        void *sp;
        void *fp;
        void *pc;
};

/* Where a new flow starts. *pass* is what the first switch to it passed. It never returns. */
typedef void (*pl_context_entry)(void *pass, void *arg);

/*
 * static inline void *pl_context_switch(struct pl_context *save, const struct pl_context *load, void *pass);
 *
 * Suspend the calling flow into *save* and go on with *load*. Returns, when somebody switches back to *save*, what that
 * switch passed. *save* and *load* may be the same only if nothing is to happen.
 *
 * static inline void pl_context_here(struct pl_context *save);
 *
 * Where the caller is, for pl_plat_unwind(). Nobody can switch there.
 *
 * static inline void pl_context_make(struct pl_context *ctx, void *top, pl_context_entry entry, void *arg);
 *
 * Make *ctx* a flow that calls entry(pass, arg) on the stack that ends at *top* (aligned to 16 bytes) when it is first
 * switched to. Writes only to the PL_CONTEXT_FRAME bytes below *top*.
 *
 * PL_CONTEXT_RETURNS is an attribute for a function in which flows are switched and that different callers have called:
 * where it helps, it returns in a way that does not depend on which flow called last.
 */
#include "arch/context.h"

#endif
