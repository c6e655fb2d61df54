/*
 * What the sanitizers must be told about a context switch. Without a sanitizer all of it is empty.
 *
 * A struct pl_fiber stands beside each stack: one per pool stack, made once (TSan handles are dear and dead ones leak),
 * and one per thread for the stack that the thread came with. Around every switch:
 *
 *      pl_fiber_before_switch(mine, next, final);
 *      pass = pl_context_switch(&my_context, &next_context, pass);
 *      pl_fiber_after_switch(mine);
 *
 * and pl_fiber_after_switch(mine) first thing in the entry function of a flow. *final* says that the flow ends here and
 * nobody will switch back to it: then, and only then, ASan drops its fake stack.
 *
 * These are inlined into the function that switches, because TSan keeps a stack of calls per fiber: between
 * before_switch() and after_switch() no function may be entered or left. The entry function of a flow is PL_NO_TSAN
 * (plat/sanitizer.h), and so is the function that makes the final switch if it is not inlined into the entry function.
 *
 * TSan takes a switch as an order between the two flows. So it sees no race between tasks that took turns on one
 * worker, only between those that ran on different ones.
 */
#ifndef PL_PLAT_FIBER_H
#define PL_PLAT_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "plat/sanitizer.h"

#if PL_WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if PL_WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif

struct pl_fiber {
#if PL_WITH_ASAN
        const void *bottom; /* lowest address of the stack */
        size_t bytes;
        void *fake; /* ASan's stack for use-after-return, while the flow is suspended */
#endif
#if PL_WITH_TSAN
        void *tsan;
#endif
};

/* The calling thread on its own stack. */
static inline void pl_fiber_init_thread(struct pl_fiber *fiber)
{
        (void)fiber;
#if PL_WITH_ASAN
        /* Its bounds as ASan knows them, learnt by two switches that stay where they are. */
        __sanitizer_start_switch_fiber(&fiber->fake, __builtin_frame_address(0), 1);
        __sanitizer_finish_switch_fiber(fiber->fake, &fiber->bottom, &fiber->bytes);
        __sanitizer_start_switch_fiber(&fiber->fake, fiber->bottom, fiber->bytes);
        __sanitizer_finish_switch_fiber(fiber->fake, NULL, NULL);
        fiber->fake = NULL;
#endif
#if PL_WITH_TSAN
        fiber->tsan = __tsan_get_current_fiber();
#endif
}

/* A stack, before a flow first runs on it. */
static inline void pl_fiber_init(struct pl_fiber *fiber, const void *bottom, size_t bytes)
{
        (void)fiber, (void)bottom, (void)bytes;
#if PL_WITH_ASAN
        fiber->bottom = bottom;
        fiber->bytes = bytes;
        fiber->fake = NULL;
#endif
#if PL_WITH_TSAN
        fiber->tsan = __tsan_create_fiber(0);
#endif
}

/* The stack goes away. Not from the flow itself, and not for a thread's own. */
static inline void pl_fiber_done(struct pl_fiber *fiber)
{
        (void)fiber;
#if PL_WITH_TSAN
        __tsan_destroy_fiber(fiber->tsan);
        fiber->tsan = NULL;
#endif
}

/* The flow on this stack has ended and the stack will be used again: forget what its frames had poisoned. */
static inline void pl_fiber_reset(struct pl_fiber *fiber)
{
        (void)fiber;
#if PL_WITH_ASAN
        __asan_unpoison_memory_region(fiber->bottom, fiber->bytes);
#endif
}

static PL_ALWAYS_INLINE void pl_fiber_before_switch(struct pl_fiber *from, const struct pl_fiber *to, bool final)
{
        (void)from, (void)to, (void) final;
#if PL_WITH_ASAN
        __sanitizer_start_switch_fiber(final ? NULL : &from->fake, to->bottom, to->bytes);
#endif
#if PL_WITH_TSAN
        __tsan_switch_to_fiber(to->tsan, 0);
#endif
}

static PL_ALWAYS_INLINE void pl_fiber_after_switch(struct pl_fiber *self)
{
        (void)self;
#if PL_WITH_ASAN
        __sanitizer_finish_switch_fiber(self->fake, NULL, NULL);
        self->fake = NULL;
#endif
}

#endif
