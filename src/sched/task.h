/* A task's control block. It comes from a slab, so a stale pointer still points to some task. */
#ifndef PL_SCHED_TASK_H
#define PL_SCHED_TASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "mem/stack.h"
#include "plait/scope.h"
#include "plait/task.h"
#include "plat/context.h"
#include "plat/lock.h"
#include "sched/timer.h"
#include "sched/wait.h"

enum { PL_TASK_NAME_BYTES = 32 };

/* Only the task itself looks at these, and who starts it. */
enum pl_task_flag {
        PL_TASK_INLINE = 1,  /* runs on the stack of the task that joins it */
        PL_TASK_HANDLE = 2,  /* somebody may wait for it */
        PL_TASK_LINKED = 4,  /* on its home scope's list */
        PL_TASK_WATCHED = 8, /* its home scope is PL_SCOPE_WATCHED */
};

/* In *worker* of a task that is not bound to any, but queued for all according to its priority. */
enum { PL_HIGH = UINT16_MAX, PL_LOW = UINT16_MAX - 1 };

/*
 * on_cpu is set by whoever resumes the task and cleared once its context has been saved: a task can be woken, queued
 * and even picked by another worker before it has left its stack; it can be switched to only afterwards.
 */
struct plait_task {
        /* What a switch touches. */
        struct pl_context context;
        struct pl_stack *stack;   /* NULL: it has not started */
        struct pl_list link;      /* in a run queue */
        struct plait_scope *home; /* the scope it was started in */
        union {
                struct {
                        uint8_t stack_class; /* first: this is what a new task has there, and zeroes */
                        _Atomic uint8_t on_cpu;
                        uint8_t flags;
                        uint8_t ended;   /* guarded by lock, as are waiters */
                        uint8_t compact; /* whether it runs on its worker's shared stack (compact.h) */
                        uint8_t bound;   /* whether it has a queue of its own kind: */
                        uint16_t worker; /* that of the one worker where it runs; or PL_HIGH or PL_LOW */
                };
                uint64_t marks; /* all of these, on a little-endian machine */
        };

        int (*fn)(void *arg); /* NULL: the memory holds no task that is alive (registry.h) */
        union {
                void *arg;           /* until it starts */
                struct saved *saved; /* of a compact task that has: its frames, while they are not on the stack */
        };

        /* These two stand together: plait_fork_join() finds the scope from the flow, the address of the wait. */
        struct plait_scope *scope; /* the innermost one that is open: what its waits obey */
        struct pl_wait wait;
        struct pl_timer timer; /* ends the wait */

        struct plait_task *scope_next; /* tasks of the home scope that have waited; guarded by its lock */
        struct plait_task **scope_prev;
        void *local;
        char *name;
        uint64_t id;
        _Atomic uint32_t refs;
        int result;
        struct pl_lock lock; /* guards the name, too, which only the task itself changes while it lives */
        uint32_t since_ms;   /* pl_run.clock_ms when its last wait began */

        struct pl_list *waiters; /* nodes of those in plait_task_wait(): a ring, or NULL. With PL_TASK_HANDLE */
        uint64_t calm;           /* value of pl_run.disturbances when its scopes last had nothing to say; 0: unknown */
};

_Static_assert(sizeof(struct plait_task) == 256, "a million tasks cost what this says");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "marks");

/* Fetch what waking the task of *wait* touches. It may be anything: nothing is read. */
static inline void pl_sched_wait_fetch(const struct pl_wait *wait)
{
        const char *task = (const char *)wait - offsetof(struct plait_task, wait);

        __builtin_prefetch(task);
        __builtin_prefetch(task + PL_CACHE_LINE);
        __builtin_prefetch(task + 2 * PL_CACHE_LINE);
}

/* The task whose wait this is; NULL: a plain thread's. */
static inline struct plait_task *pl_sched_wait_task(const struct pl_wait *wait)
{
        return __atomic_load_n(&wait->of_task, __ATOMIC_RELAXED)
                       ? PL_CONTAINER_OF((struct pl_wait *)(uintptr_t)wait, struct plait_task, wait)
                       : NULL;
}

#endif
