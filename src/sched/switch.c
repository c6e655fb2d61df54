/*
 * Switching between tasks, and the flows they run on.
 *
 * A flow is what happens on one stack of the pool. It runs a task to its end and goes on with the next task that has
 * not started, on the same stack: such tasks cost no switch. A task that waits keeps the stack, and the worker goes on
 * with another flow, or with a new one. So a stack is bound to a task only by its first wait.
 *
 * A task that joins its scope runs children that have not started right on its own stack, since it could not go on
 * before they end anyway (see scope.c). Such a child has the parent's stack; if it waits, both are suspended as one.
 *
 * Each switch settles what the other side left behind: it publishes that the task that was left can be resumed, or puts
 * the stack of a flow that ended into the cache.
 */
#include "plait/errno.h"
#include "plat/sanitizer.h"
#include "sched/compact.h"
#include "sched/quick.h"
#include "sched/runtime.h"
#include "sched/tell.h"

enum { FRAMES_BYTES = 640 }; /* of a task that waits for a descriptor, and the beginning of its buffer */

static PL_ALWAYS_INLINE void settle(struct pl_worker *worker)
{
        if (worker->left) {
                atomic_store_explicit(&worker->left->on_cpu, 0, memory_order_release);
                worker->left = NULL;
        }
        if (PL_UNLIKELY(worker->left_stack != NULL)) {
                pl_mem_stack_put(&worker->stacks, worker->left_stack);
                worker->left_stack = NULL;
        }
}

static bool on_cpu(const struct plait_task *task)
{
        return atomic_load_explicit(&task->on_cpu, memory_order_acquire);
}

/* Whether *next*, which has not started, can start on *stack*, where another one has just ended. */
static bool may_follow(const struct pl_worker *worker, const struct pl_stack *stack, const struct plait_task *next)
{
        if (PL_UNLIKELY(pl_compact_is_shared(worker, stack)))
                return next->compact;
        return next->stack_class == stack->class && !next->compact;
}

/* The next task for this stack, or NULL when the flow has to go: *ret_next* then says where. */
static struct plait_task *next_on(struct pl_stack *stack, struct plait_task **ret_next)
{
        struct pl_worker *worker = pl_sched_self_get();
        struct plait_task *next;

        worker->current = NULL;
        next = pl_sched_pick(worker);
        bool follows = next && !next->stack && may_follow(worker, stack, next);
        if (!follows || next->home != worker->ended_in)
                pl_sched_scope_tell(worker);
        if (follows) {
                if (PL_UNLIKELY(next->compact))
                        pl_compact_follow(worker, next);
                next->stack = stack;
                stack->owner = next;
                pl_sched_current_set(worker, next);
                pl_tell_runs(next, true);
                atomic_store_explicit(&next->on_cpu, 1, memory_order_relaxed);
                return next;
        }
        *ret_next = next;
        return NULL;
}

static PL_NO_TSAN void flow(void *pass, void *arg);

/* *next*, which has a stack, is the current task from now on. */
static PL_ALWAYS_INLINE void resume(struct pl_worker *worker, struct plait_task *next)
{
        pl_sched_current_set(worker, next);
        atomic_store_explicit(&next->on_cpu, 1, memory_order_relaxed);
}

/* Make *next* the current task; it can be switched to afterwards. */
static void prepare(struct pl_worker *worker, struct plait_task *next)
{
        if (pl_trace_is_on())
                pl_tell_resumed(next);
        if (PL_UNLIKELY(next->compact)) {
                pl_compact_enter(worker, next, flow);
        } else if (!next->stack) {
                struct pl_stack *stack = pl_mem_stack_get(&worker->stacks, next->stack_class);

                if (PL_UNLIKELY(!stack))
                        pl_panic(
                                "no memory for the stack of task '%s' (#%llu): %zu bytes of address space could not be "
                                "mapped. Run fewer tasks at a time, or raise RLIMIT_AS or vm.max_map_count",
                                plait_task_name(next), (unsigned long long)next->id,
                                pl_mem_stack_class_bytes(next->stack_class));
                next->stack = stack;
                stack->owner = next;
                pl_context_make(&next->context, stack->top, flow, stack);
        }
        resume(worker, next);
}

/*
 * Whether the flow *from* can go straight to *next*: not while that is still leaving another processor, nor from the
 * shared stack to another task that needs it.
 */
static bool can_go_to(const struct pl_worker *worker, const struct plait_task *next, const struct pl_stack *from)
{
        if (!next || on_cpu(next))
                return false;
        return !next->compact || !pl_compact_is_shared(worker, from);
}

/* Where to go instead of *next*, or *next* after what that takes. */
static PL_NOINLINE struct plait_task *go_specially(struct pl_worker *worker, const struct pl_stack *from,
                                                   struct plait_task *next)
{
        if (can_go_to(worker, next, from)) {
                prepare(worker, next);
                return next;
        }
        worker->handoff = next;
        pl_sched_current_set(worker, NULL);
        return NULL;
}

/* Leave for *next*, if that can be done directly, else for the scheduler's loop, which goes on with it. */
static PL_ALWAYS_INLINE void leave(struct pl_worker *worker, struct pl_context *save, struct pl_stack *from,
                                   struct plait_task *next, bool final)
{
        if (PL_LIKELY(next && next->stack && !on_cpu(next) && !next->compact && !pl_trace_is_on()))
                resume(worker, next);
        else
                next = go_specially(worker, from, next);

        const struct pl_context *load = PL_LIKELY(next != NULL) ? &next->context : &worker->root;

        pl_fiber_before_switch(&from->fiber, next ? &next->stack->fiber : &worker->root_fiber, final);
        worker = pl_context_switch(save, load, worker);
        pl_fiber_after_switch(&from->fiber);
        settle(worker);
}

static PL_NO_TSAN void flow(void *pass, void *arg)
{
        struct pl_worker *worker = pass;
        struct pl_stack *stack = arg;
        struct plait_task *task = worker->current;
        struct plait_task *next = NULL;
        struct pl_context nowhere;

        pl_fiber_after_switch(&stack->fiber);
        settle(worker);
        while (task) {
                struct plait_scope *home = task->home;

                pl_sched_task_end(task, task->fn(task->arg));
                pl_sched_scope_ended(pl_sched_self_get(), home);
                task = next_on(stack, &next);
        }
        worker = pl_sched_self_get();
        if (PL_UNLIKELY(pl_compact_is_shared(worker, stack)))
                pl_compact_end(worker);
        else
                worker->left_stack = stack;
        leave(worker, &nowhere, stack, next, true);
        __builtin_unreachable();
}

static PL_ALWAYS_INLINE void switch_to(struct pl_worker *worker, struct plait_task *self, struct plait_task *next)
{
        pl_mem_stack_check(self->stack);
        pl_sched_scope_tell(worker);
        worker->left = self;
        leave(worker, &self->context, self->stack, next, false);
}

/* Reads a queue without its lock: what it finds may be gone, and is only fetched. */
PL_NO_TSAN void pl_sched_fetch_next(void)
{
        const struct pl_worker *worker = pl_sched_self_get();
        const struct pl_list *front = worker->ready.ahead.next;

        if (front == &worker->ready.ahead)
                front = worker->ready.tasks.next;
        if (front == &worker->ready.tasks)
                return;
        const struct plait_task *task = PL_CONTAINER_OF(front, const struct plait_task, link);

        pl_sched_wait_fetch(&task->wait);

        uintptr_t sp = (uintptr_t)task->context.sp;

        for (uintptr_t i = 0; i < FRAMES_BYTES; i += PL_CACHE_LINE)
                __builtin_prefetch((const void *)(sp + i)); /* NOLINT(performance-no-int-to-ptr): it may be none */
}

void pl_sched_switch_to(struct pl_worker *worker, struct plait_task *self, struct plait_task *next)
{
        switch_to(worker, self, next);
}

int pl_sched_suspend(struct plait_task *self)
{
        struct pl_worker *worker = pl_sched_self_get();
        struct plait_task *next = pl_sched_pick_quickly(worker);

        if (PL_LIKELY(next != self)) /* it can have been woken by what pick() looked at */
                switch_to(worker, self, next);
        else
                pl_tell_runs(self, false);
        return pl_sched_wait_end(&self->wait);
}

void pl_sched_resume(struct pl_worker *worker, struct plait_task *task)
{
        while (task) {
                for (int spins = 0; PL_UNLIKELY(on_cpu(task)); spins++) {
                        if (spins < 64)
                                pl_cpu_relax();
                        else
                                sched_yield(); /* its worker has lost its processor on the way */
                }
                prepare(worker, task);
                pl_fiber_before_switch(&worker->root_fiber, &task->stack->fiber, false);
                pl_context_switch(&worker->root, &task->context, worker);
                pl_fiber_after_switch(&worker->root_fiber);
                settle(worker);
                task = worker->handoff;
                worker->handoff = NULL;
        }
}

void plait_yield(void)
{
        struct pl_worker *worker = pl_sched_self_get();
        struct plait_task *self = worker ? worker->current : NULL;
        struct plait_task *next;

        if (PL_UNLIKELY(!self)) {
                sched_yield();
                return;
        }
        uint32_t ticks = atomic_load_explicit(&worker->ticks, memory_order_relaxed) + 1;
        if (PL_UNLIKELY(ticks == worker->service_at || !pl_deque_empty(&worker->fresh) ||
                        pl_runq_has_ahead(&worker->ready) || self->bound ||
                        atomic_load_explicit(&worker->next, memory_order_relaxed) ||
                        pl_runq_count(&pl_sched_the_run.high))) {
                pl_sched_enqueue_yielding(worker, self);
                next = pl_sched_pick(worker);
        } else {
                uint32_t yields = atomic_load_explicit(&worker->yields, memory_order_relaxed) + 1;

                atomic_store_explicit(&worker->ticks, ticks, memory_order_relaxed);
                atomic_store_explicit(&worker->yields, yields, memory_order_relaxed);
                next = pl_runq_rotate(&worker->ready, self);
        }
        if (next != self)
                pl_sched_switch_to(worker, self, next);
}
