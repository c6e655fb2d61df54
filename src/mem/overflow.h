/*
 * What happens when a flow runs into the guard of its stack: one line on stderr that names the task and its stack's
 * size, and death by SIGSEGV.
 *
 * plait: task 'NAME' (#ID) overflowed its stack of 64 KiB; give it a larger one with struct plait_task_opts.stack_bytes
 */
#ifndef PL_MEM_OVERFLOW_H
#define PL_MEM_OVERFLOW_H

#include <stddef.h>

#include "base/attributes.h"
#include "mem/stack.h"

/*
 * Writes who runs on *stack*, as in "task 'NAME' (#ID)", to *buf*, and returns its length (at most *n*, no NUL needed);
 * 0 if it is not the stack that the calling thread runs on, for then the fault was not an overflow but a stray pointer.
 * Called in a signal handler. Without one it is "a task".
 */
typedef int (*pl_mem_describe)(const struct pl_stack *stack, char *buf, size_t n);
void pl_mem_overflow_describe(pl_mem_describe describe);

/*
 * Take over SIGSEGV and SIGBUS, passing on what is not an overflow to the handlers that were there before; and give
 * them back, unless somebody took them over since. Counted: as many uninstall() as install(). 0 or -errno.
 */
PL_WARN_UNUSED int pl_mem_overflow_install(void);
void pl_mem_overflow_uninstall(void);

/* The stack for signal handlers of a thread whose flows use our stacks. */
struct pl_overflow_thread {
        void *base; /* NULL: the thread had one already */
        size_t bytes;
};

/* For the calling thread. 0 or -ENOMEM. */
PL_WARN_UNUSED int pl_mem_overflow_thread_init(struct pl_overflow_thread *thread);
void pl_mem_overflow_thread_done(struct pl_overflow_thread *thread);

#endif
