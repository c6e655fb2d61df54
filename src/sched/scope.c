/*
 * Scopes: starting tasks in them, counting them, joining them.
 *
 * Counting. A child costs its scope no atomic operation in the best case: pl_owed, the owner's, counts the tasks that
 * it started and has not yet seen end; a child that it runs itself in join is subtracted there. All others count in
 * pl_pending, in steps of two: a task that somebody else started adds, a task that ends elsewhere subtracts, so that
 * the sum of both is the number of tasks alive. When the owner has to wait, it moves what is owed to pl_pending and
 * adds 1, which says so; whoever brings pl_pending to exactly 1 ends the wait, and touches the scope no more.
 * A worker that runs one task of a scope after the other tells the scope of their ends all at once, before it runs
 * anything else: the scope cannot end before its last task anyway, and one contended operation does for many tasks.
 *
 * A scope that has to look at each start and end (record.c) is PL_SCOPE_WATCHED, and its tasks are PL_TASK_WATCHED; all
 * others do not pay for it. How a scope is cancelled is told in cancel.c.
 */
#include "sched/scope.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "plait/time.h"
#include "sched/fork.h"
#include "sched/local.h"
#include "sched/quick.h"
#include "sched/tell.h"
#include "sched/turn.h"

static const unsigned all_flags = PLAIT_SCOPE_SHIELD | PLAIT_SCOPE_SUPERVISOR;

enum {
        ONE_TASK = 2,
        OWNER_WAITS = 1,
};

static struct plait_task *current_task(void)
{
        struct pl_worker *worker = pl_sched_self_get();

        return worker ? worker->current : NULL;
}

/* --- opening and starting --- */

/* What *scope*, which is in the way, and its storage say of it. It may have gone with the frame that held it. */
const char *pl_sched_scope_where(const struct plait_scope *scope, const struct plait_task *task, char *buf,
                                 size_t bytes)
{
        if (scope->pl_state == PL_SCOPE_CLOSED || scope->pl_owner != task)
                snprintf(buf, bytes, "a function that returned without joining it");
        else if (pl_scope_name(scope))
                snprintf(buf, bytes, "%s", pl_scope_name(scope));
        else
                snprintf(buf, bytes, "address %p; PLAIT_SCOPE_INIT would tell file and line", scope->pl_opened_at);
        return buf;
}

static int open_at(struct plait_scope *scope, const void *caller)
{
        struct plait_task *self = current_task();

        if (!self || self->compact || scope->pl_state != PL_SCOPE_CLOSED || (scope->flags & ~all_flags))
                return -EINVAL;
        if (PL_UNLIKELY(self->scope == scope))
                pl_panic("the scope of %s is initialised anew while it is open: call plait_scope_join() before that",
                         scope->pl_where ? scope->pl_where : "unknown place");
        if (PL_UNLIKELY(scope->limit != 0) && pl_sched_scope_add_more(scope) < 0)
                return -ENOMEM;
        scope->pl_parent = self->scope;
        scope->pl_owner = self;
        scope->pl_opened_at = caller;
        __atomic_store_n(&scope->pl_state, pl_scope_is_watched(scope) ? PL_SCOPE_WATCHED : PL_SCOPE_OPEN,
                         __ATOMIC_RELEASE);
        __atomic_store_n(&self->scope, scope, __ATOMIC_RELAXED);
        self->calm = 0;
        return 0;
}

int plait_scope_open(struct plait_scope *scope)
{
        return open_at(scope, __builtin_return_address(0));
}

/* A task that somebody else than the owner starts. */
static void count_in(struct plait_scope *scope)
{
        __atomic_add_fetch(&scope->pl_pending, ONE_TASK, __ATOMIC_RELAXED);
}

void pl_sched_scope_adopt(struct plait_scope *scope, struct plait_task *task)
{
        task->home = scope;
        task->scope = scope;
        count_in(scope);
}

static void count(struct plait_scope *scope, const struct plait_task *self, struct plait_task *task)
{
        if (pl_trace_is_on())
                pl_tell_spawned(task, task->fn);
        task->home = scope;
        task->scope = scope;
        if (PL_LIKELY(self && self == scope->pl_owner))
                scope->pl_owed++;
        else
                count_in(scope);
}

/*
 * Enough tasks wait for their turn: run this one now, and after it more of them, since to leave the caller and come
 * back takes as long as some small tasks do. He comes next, so that a tree of tasks is walked depth first; but if
 * others have waited for long, it is their turn.
 */
static PL_NOINLINE void start_now(struct pl_worker *worker, struct plait_task *self, struct plait_task *task)
{
        if (PL_UNLIKELY(pl_sched_turn_is_over(worker))) {
                pl_runq_push_back(&worker->ready, task);
                (void)pl_sched_let_ready_on(worker);
                return;
        }
        if (PL_UNLIKELY(self->bound))
                pl_sched_enqueue_yielding(worker, self);
        else if (!pl_sched_put_next(worker, self))
                pl_runq_push_front(&worker->ready, self);
        worker->to_drain = PLAIT_DEQUE_SIZE / 2;
        pl_sched_switch_to(worker, self, task);
}

static void queue(struct pl_worker *worker, struct plait_task *self, struct plait_task *task)
{
        if (PL_UNLIKELY(!self)) {
                pl_sched_enqueue(task);
        } else if (PL_LIKELY(pl_deque_push(&worker->fresh, task))) {
                pl_sched_offer();
        } else {
                start_now(worker, self, task);
        }
}

/* The same in whatever state the scope is. */
static PL_NOINLINE void launch(struct plait_scope *scope, struct plait_task *task)
{
        struct pl_worker *worker = pl_sched_self_get();
        struct plait_task *self = worker ? worker->current : NULL;

        count(scope, self, task);
        if (scope->pl_state == PL_SCOPE_WATCHED) {
                task->flags |= PL_TASK_WATCHED;
                if (!pl_sched_scope_admit(scope, task))
                        return;
        }
        if (PL_UNLIKELY(task->bound)) /* by its priority */
                pl_sched_enqueue(task);
        else
                queue(worker, self, task);
}

/* No memory for a task. */
static int fail_to_start(struct plait_scope *scope, int error)
{
        if (!(scope->flags & PLAIT_SCOPE_SUPERVISOR))
                pl_sched_scope_cancel(scope, error, NULL);
        return error;
}

/* A task that has what it inherits of the caller; NULL: no memory. */
static struct plait_task *new_child(struct pl_worker *worker, int (*fn)(void *arg), void *arg)
{
        struct plait_task *task = pl_sched_task_new(worker, fn, arg);

        if (PL_UNLIKELY(task && pl_sched_local_inherit(task) < 0)) {
                plait_task_unref(task);
                return NULL;
        }
        return task;
}

/* Whether *worker*'s current task owns *scope*, which is open, and nobody else needs to know of a task started there.
 */
static PL_ALWAYS_INLINE bool can_go_quickly(const struct plait_scope *scope, const struct pl_worker *worker)
{
        return scope->pl_state == PL_SCOPE_OPEN && worker->current == scope->pl_owner &&
               pl_deque_is_open(&worker->fresh) && worker->tasks.n && worker->next_id != worker->end_id &&
               !pl_trace_is_on() && !atomic_load_explicit(&pl_sched_local_inherited, memory_order_relaxed);
}

static PL_ALWAYS_INLINE int go_quickly(struct plait_scope *scope, struct pl_worker *worker, int (*fn)(void *arg),
                                       void *arg)
{
        struct plait_task *task = pl_mem_slab_get_hot(&worker->tasks);

        pl_sched_task_init(task, worker->next_id++, fn, arg);
        task->home = scope;
        task->scope = scope;
        scope->pl_owed++;
        pl_deque_put(&worker->fresh, pl_deque_bottom(&worker->fresh), task);
        return 0;
}

/* What plait_scope_go() does, whoever calls and in whatever state everything is. */
static PL_NOINLINE int go_uncommon(struct plait_scope *scope, int (*fn)(void *arg), void *arg, const void *caller)
{
        struct pl_worker *worker = pl_sched_self_get();
        struct plait_task *self = worker ? worker->current : NULL;

        if (!fn)
                return -EINVAL;
        if (scope->pl_state == PL_SCOPE_CLOSED) {
                int r = open_at(scope, caller);

                if (r < 0)
                        return r;
                if (PL_LIKELY(self && can_go_quickly(scope, worker)))
                        return go_quickly(scope, worker, fn, arg);
        }
        struct plait_task *task = new_child(worker, fn, arg);
        if (!task)
                return fail_to_start(scope, -ENOMEM);
        if (scope->pl_state == PL_SCOPE_WATCHED) {
                launch(scope, task);
                return 0;
        }
        if (self && !self->compact)
                pl_sched_deque_open(worker);
        count(scope, self, task);
        queue(worker, self, task);
        return 0;
}

int plait_scope_go(struct plait_scope *scope, int (*fn)(void *arg), void *arg)
{
        struct pl_worker *worker = pl_sched_self_get();

        if (PL_UNLIKELY(!worker || !fn || !can_go_quickly(scope, worker)))
                return go_uncommon(scope, fn, arg, __builtin_return_address(0));
        return go_quickly(scope, worker, fn, arg);
}

int plait_scope_start(struct plait_scope *scope, int (*fn)(void *arg), void *arg, const struct plait_task_opts *opts,
                      struct plait_task **ret_task)
{
        if (!fn)
                return -EINVAL;
        int r = pl_sched_task_check_opts(opts);
        if (r < 0)
                return r;
        if (scope->pl_state == PL_SCOPE_CLOSED) {
                r = open_at(scope, __builtin_return_address(0));
                if (r < 0)
                        return r;
        }
        struct plait_task *task = pl_sched_task_new(pl_sched_self_get(), fn, arg);
        r = task ? pl_sched_task_apply_opts(task, opts, ret_task != NULL) : -ENOMEM;
        if (r == 0) {
                r = pl_sched_local_inherit(task); /* last, so that nothing fails afterwards */
                if (r < 0 && ret_task)
                        plait_task_unref(task);
        }
        if (r < 0) {
                if (task)
                        plait_task_unref(task);
                return fail_to_start(scope, r);
        }
        if (ret_task)
                *ret_task = task;
        launch(scope, task);
        return 0;
}

int pl_sched_scope_start_on(struct plait_scope *scope, int (*fn)(void *arg), void *arg,
                            const struct plait_task_opts *opts, unsigned index)
{
        struct plait_task *task = pl_sched_task_new(pl_sched_self_get(), fn, arg);
        int r = task ? pl_sched_task_apply_opts(task, opts, false) : -ENOMEM;

        if (r < 0) {
                plait_task_unref(task);
                return r;
        }
        if (pl_trace_is_on())
                pl_tell_spawned(task, fn);
        pl_sched_scope_adopt(scope, task);
        pl_sched_enqueue_on(task, index);
        return 0;
}

/* --- ending and joining --- */

static PL_COLD PL_NORETURN void leaked(const struct plait_task *task)
{
        const struct plait_scope *scope = task->scope;
        char where[PLAIT_REASON_BYTES * 2];

        pl_panic("task '%s' (#%llu) returned while a scope that it opened is open, that of %s: call plait_scope_join() "
                 "before returning",
                 plait_task_name(task), (unsigned long long)task->id,
                 pl_sched_scope_where(scope, task, where, sizeof where));
}

/* A task of a watched scope, or one that can be found by a cancellation, has ended. */
static PL_NOINLINE void ending_watched(struct plait_scope *scope, struct plait_task *task, int result)
{
        if (task->flags & PL_TASK_LINKED)
                pl_sched_scope_unlink_task(task);
        if (!(task->flags & PL_TASK_WATCHED))
                return;
        struct plait_task *next = pl_sched_scope_dismiss(scope, task, result);
        if (!next)
                return;
        if (!next->bound && pl_deque_push(&pl_sched_self_get()->fresh, next))
                pl_sched_offer();
        else
                pl_sched_enqueue(next);
}

void pl_sched_scope_ending(struct plait_task *task, int result)
{
        struct plait_scope *scope = task->home;

        if (PL_UNLIKELY(task->scope != scope))
                leaked(task);
        if (PL_UNLIKELY(result < 0) && !(scope->flags & PLAIT_SCOPE_SUPERVISOR))
                pl_sched_scope_fail(scope, task, result);
        if (task->flags & (PL_TASK_LINKED | PL_TASK_WATCHED))
                ending_watched(scope, task, result);
}

/* If they were the last, its owner goes on and the scope is gone. */
void pl_sched_scope_tell_ended(struct pl_worker *worker)
{
        struct plait_scope *scope = worker->ended_in;
        struct plait_task *owner = scope->pl_owner;
        int64_t ended = worker->ended;

        worker->ended_in = NULL;
        worker->ended = 0;
        if (__atomic_sub_fetch(&scope->pl_pending, ended * ONE_TASK, __ATOMIC_ACQ_REL) == OWNER_WAITS &&
            pl_sched_wake_claim(&owner->wait))
                pl_sched_wake_ready(&owner->wait);
}

void pl_sched_scope_ended(struct pl_worker *worker, struct plait_scope *scope)
{
        if (worker->ended_in != scope) {
                pl_sched_scope_tell(worker);
                worker->ended_in = scope;
        }
        worker->ended++;
}

/*
 * Half of a stack like the child's must be left: running on top of each other, tasks share what one would have.
 * *fitting* is a class that is known to fit, or PL_STACK_CLASSES.
 */
static PL_ALWAYS_INLINE bool fits_inline(const struct plait_task *self, const struct plait_task *child,
                                         unsigned *fitting)
{
        if (PL_UNLIKELY(child->compact))
                return false;
        if (PL_LIKELY(child->stack_class == *fitting))
                return true;
        size_t left = (size_t)((char *)__builtin_frame_address(0) - pl_mem_stack_base(self->stack));
        if (left < pl_mem_stack_class_bytes(child->stack_class) / 2)
                return false;
        *fitting = child->stack_class;
        return true;
}

/* On *stack*, the parent's; returns the worker where it ended, whose current task is not set back. */
static PL_ALWAYS_INLINE struct pl_worker *run_inline(struct pl_worker *worker, struct pl_stack *stack,
                                                     struct plait_task *child)
{
        child->stack = stack;
        stack->owner = child;
        child->flags |= PL_TASK_INLINE;
        atomic_store_explicit(&child->on_cpu, 1, memory_order_relaxed);
        pl_sched_current_set(worker, child);
        pl_tell_runs(child, true);
        return pl_sched_task_end(child, child->fn(child->arg));
}

/* A child that nobody has started, if it is next in line; NULL: none. */
static PL_ALWAYS_INLINE struct plait_task *next_own_child(struct pl_worker *worker, const struct plait_scope *scope,
                                                          const struct plait_task *self, unsigned *fitting)
{
        void *work = pl_deque_pop(&worker->fresh);
        if (!work)
                return NULL;
        struct plait_task *child = pl_work_as_fork(work) ? NULL : work;
        if (!child || child->home != scope || !fits_inline(self, child, fitting)) {
                pl_deque_push(&worker->fresh, work); /* there is room: it has just left */
                return NULL;
        }
        return child;
}

/* The worker is out of children of *self*. */
static PL_ALWAYS_INLINE void return_to(struct pl_worker *worker, struct plait_task *self)
{
        self->stack->owner = self;
        pl_sched_current_set(worker, self);
}

/* Run children that nobody has started, as long as they are next in line. Meanwhile the owner waits for them. */
static void run_own_children(struct plait_scope *scope, struct plait_task *self)
{
        struct pl_worker *worker = pl_sched_self_get();
        unsigned fitting = PL_STACK_CLASSES;
        struct plait_task *child = scope->pl_owed ? next_own_child(worker, scope, self, &fitting) : NULL;

        if (!child)
                return;
        pl_trace(PLAIT_RECORDING_WAITS, PL_WAIT_JOIN, (uint64_t)(uintptr_t)scope, 0);
        while (child) {
                worker = run_inline(worker, self->stack, child); /* it may have waited */
                scope->pl_owed--;
                if (PL_UNLIKELY(pl_sched_tick(worker))) {
                        return_to(worker, self);
                        pl_sched_look_if_time(worker);
                }
                if (PL_UNLIKELY(pl_sched_turn_is_over(worker))) {
                        return_to(worker, self);
                        worker = pl_sched_let_ready_on(worker);
                }
                child = scope->pl_owed ? next_own_child(worker, scope, self, &fitting) : NULL;
        }
        return_to(worker, self);
        pl_tell_runs(self, false);
}

static void wait_for_children(struct plait_scope *scope)
{
        if (!scope->pl_owed && !__atomic_load_n(&scope->pl_pending, __ATOMIC_ACQUIRE))
                return;
        struct pl_wait *wait = pl_sched_wait_begin(PL_WAIT_JOIN, scope);
        int64_t moved = scope->pl_owed * ONE_TASK + OWNER_WAITS;

        scope->pl_owed = 0;
        if (__atomic_add_fetch(&scope->pl_pending, moved, __ATOMIC_ACQ_REL) == OWNER_WAITS)
                pl_sched_wait_abandon(wait);
        else
                (void)!pl_sched_wait_finish(wait, PLAIT_NEVER, PL_WAIT_UNINTERRUPTIBLE);
        scope->pl_pending = 0;
}

static PL_COLD PL_NORETURN void not_innermost(const struct plait_scope *scope, const struct plait_task *self)
{
        char asked[PLAIT_REASON_BYTES * 2], innermost[PLAIT_REASON_BYTES * 2];

        pl_sched_scope_where(scope, scope->pl_owner, asked, sizeof asked);
        if (!self || scope->pl_owner != self)
                pl_panic("plait_scope_join() of the scope of %s by another task or thread than the one that opened it: "
                         "join scopes in the task that opened them",
                         asked);
        pl_panic(
                "plait_scope_join() of the scope of %s, while the innermost open scope of the task is that of %s: join "
                "the last one opened first",
                asked, pl_sched_scope_where(self->scope, self, innermost, sizeof innermost));
}

/* A scope that failed, or is watched, is closed: what its join returns. */
static PL_NOINLINE int close_unusual(struct plait_scope *scope)
{
        int r = __atomic_load_n(&scope->pl_error, __ATOMIC_RELAXED);

        bool cancelled = pl_scope_is_cancelled(scope);

        pl_sched_scope_settle(scope);
        return cancelled && r >= 0 ? -ECANCELED : r;
}

int plait_scope_join(struct plait_scope *scope)
{
        struct plait_task *self = current_task();

        if (scope->pl_state == PL_SCOPE_CLOSED)
                return 0;
        if (PL_UNLIKELY(!self || scope->pl_owner != self || self->scope != scope))
                not_innermost(scope, self);
        run_own_children(scope, self);
        wait_for_children(scope);
        __atomic_store_n(&self->scope, scope->pl_parent, __ATOMIC_RELAXED);
        self->calm = 0;
        if (__atomic_load_n(&scope->pl_linked, __ATOMIC_RELAXED))
                pl_sched_scope_unlink(scope);
        int r = __atomic_load_n(&scope->pl_error, __ATOMIC_RELAXED);
        if (PL_UNLIKELY(r || scope->pl_state == PL_SCOPE_WATCHED || pl_scope_more(scope)))
                r = close_unusual(scope);
        scope->pl_state = PL_SCOPE_CLOSED;
        return r;
}
