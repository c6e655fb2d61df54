/*
 * The shared stack of a worker and what was copied from it. Only the worker itself touches any of this.
 *
 * The occupant is the compact task whose frames are on the shared stack, running or waiting. When another one is to
 * run, the occupant's are copied to a block of the next larger size, from its stack pointer up to the top. (What is
 * below, a leaf function may use on x86-64; but whoever is switched away from has called others, see switch.c.) That is
 * never done on the shared stack itself: a compact task that is followed by another one goes through the scheduler's
 * loop.
 */
#include "sched/compact.h"

#include <stdlib.h>
#include <string.h>

#include "plat/sanitizer.h"

enum { SIZES = 5 };

static struct pl_slab_pool pools[SIZES] = {
        PL_SLAB_POOL_INIT("saved stack, 384", 384),   PL_SLAB_POOL_INIT("saved stack, 512", 512),
        PL_SLAB_POOL_INIT("saved stack, 768", 768),   PL_SLAB_POOL_INIT("saved stack, 1024", 1024),
        PL_SLAB_POOL_INIT("saved stack, 2048", 2048),
};

struct pl_compact {
        struct pl_stack *stack;
        struct plait_task *occupant;
        struct pl_slab_cache caches[SIZES];
};

static PL_COLD PL_NORETURN void no_memory(const struct plait_task *task)
{
        pl_panic("no memory for the stack of compact task '%s' (#%llu): run fewer tasks at a time",
                 plait_task_name(task), (unsigned long long)task->id);
}

static struct pl_compact *own(struct pl_worker *worker, const struct plait_task *task)
{
        struct pl_compact *compact = worker->compact;

        if (PL_LIKELY(compact != NULL))
                return compact;
        compact = calloc(1, sizeof *compact);
        if (!compact)
                no_memory(task);
        for (int i = 0; i < SIZES; i++)
                pl_mem_slab_cache_init(&compact->caches[i], &pools[i]);
        compact->stack = pl_mem_stack_get(&worker->stacks, (enum pl_stack_class)task->stack_class);
        if (!compact->stack)
                no_memory(task);
        return worker->compact = compact;
}

static struct saved *new_saved(struct pl_compact *compact, size_t bytes)
{
        uint32_t size = 0;
        struct saved *saved;

        while (size < SIZES && sizeof *saved + bytes > pools[size].object_bytes)
                size++;
        saved = size < SIZES ? pl_mem_slab_get(&compact->caches[size]) : malloc(sizeof *saved + bytes);
        if (saved) {
                saved->bytes = (uint32_t)bytes;
                saved->size = size;
        }
        return saved;
}

static void free_saved(struct pl_compact *compact, struct saved *saved)
{
        if (saved->size < SIZES)
                pl_mem_slab_put(&compact->caches[saved->size], saved);
        else
                free(saved);
}

static void copy_out(struct pl_compact *compact)
{
        struct plait_task *task = compact->occupant;
        char *low = task->context.sp;
        size_t bytes = (size_t)(compact->stack->top - low);
        struct saved *saved = new_saved(compact, bytes);

        if (!saved)
                no_memory(task);
        memcpy(saved->data, low, bytes);
        task->saved = saved;
        compact->occupant = NULL;
}

static void copy_in(struct pl_compact *compact, struct plait_task *task)
{
        struct saved *saved = task->saved;

        memcpy(compact->stack->top - saved->bytes, saved->data, saved->bytes);
        task->saved = NULL;
        free_saved(compact, saved);
}

static void occupy(struct pl_worker *worker, struct plait_task *task)
{
        worker->compact->occupant = task;
        worker->compact->stack->owner = task;
}

void pl_compact_enter(struct pl_worker *worker, struct plait_task *task, pl_context_entry flow)
{
        struct pl_compact *compact = own(worker, task);

        pl_deque_close(&worker->fresh); /* nobody may take what is in its frames */
        if (compact->occupant == task)
                return;
        if (compact->occupant)
                copy_out(compact);
        if (task->stack) {
                copy_in(compact, task);
        } else {
                task->stack = compact->stack;
                task->worker = (uint16_t)worker->index;
                task->bound = 1;
                pl_context_make(&task->context, compact->stack->top, flow, compact->stack);
        }
        occupy(worker, task);
}

void pl_compact_follow(struct pl_worker *worker, struct plait_task *next)
{
        pl_deque_close(&worker->fresh);
        next->stack = worker->compact->stack;
        next->worker = (uint16_t)worker->index;
        next->bound = 1;
        occupy(worker, next);
}

void pl_compact_end(struct pl_worker *worker)
{
        worker->compact->occupant = NULL;
}

bool pl_compact_is_shared(const struct pl_worker *worker, const struct pl_stack *stack)
{
        return worker->compact && worker->compact->stack == stack;
}

static bool on_stack_of(const struct plait_task *task, const void *address)
{
        const char *place = address;

        return place >= pl_mem_stack_base(task->stack) && place < task->stack->top;
}

void pl_compact_check(const struct plait_task *task, unsigned flags)
{
        if (PL_UNLIKELY((flags & PL_WAIT_LENDS) || on_stack_of(task, task->wait.node.slot) ||
                        on_stack_of(task, task->wait.object)))
                pl_panic("compact task '%s' (#%llu) waits while others may use something on its stack, which is moved "
                         "meanwhile: what PLAIT_TASK_COMPACT says in plait/task.h tells what it cannot do",
                         plait_task_name(task), (unsigned long long)task->id);
}

void pl_compact_done(struct pl_worker *worker)
{
        if (!worker->compact)
                return;
        for (int i = 0; i < SIZES; i++)
                pl_mem_slab_cache_flush(&worker->compact->caches[i]);
        pl_mem_stack_put(&worker->stacks, worker->compact->stack);
        free(worker->compact);
        worker->compact = NULL;
}
