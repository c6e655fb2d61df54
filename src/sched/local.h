/* Where src/sync keeps a task's local values: one pointer in the task, destroyed with it. */
#ifndef PL_SCHED_LOCAL_H
#define PL_SCHED_LOCAL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/attributes.h"

struct plait_task;

/* The calling task's pointer, or the calling thread's in a thread that runs no task; NULL at first. Until it suspends.
 */
void **pl_sched_local(void);

/* Called with a task's pointer, if it is not NULL, in the task when it ends; or in the thread when that ends. */
void pl_sched_local_on_end(void (*destroy)(void *pointer));

/*
 * From now on, *inherit* is called in who starts a task, if his pointer is not NULL: it makes of that what the task has
 * when it starts. 0, or -ENOMEM, and then the task is not started. Until somebody needs it, starting costs a look.
 */
void pl_sched_local_on_start(int (*inherit)(const void *pointer, void **ret_pointer));

extern _Atomic bool pl_sched_local_inherited;

/* The long way of pl_sched_local_inherit(). */
PL_WARN_UNUSED int pl_sched_local_hand_down(struct plait_task *task);

/* The caller starts *task*, which is new: give it what it inherits. 0 or -ENOMEM. */
PL_WARN_UNUSED static inline int pl_sched_local_inherit(struct plait_task *task)
{
        if (PL_LIKELY(!atomic_load_explicit(&pl_sched_local_inherited, memory_order_relaxed)))
                return 0;
        return pl_sched_local_hand_down(task);
}

#endif
