/*
 * Scopes: counting tasks, joining them, cancelling them.
 *
 * Counting. A child costs its scope no atomic operation in the best case: pl_owed, the owner's, counts the tasks that
 * it started and has not yet seen end; a child that it runs itself in join is subtracted there. All others count in
 * pl_pending, in steps of two: a task that somebody else started adds, a task that ends elsewhere subtracts, so that
 * the sum of both is the number of tasks alive. When the owner has to wait, it moves what is owed to pl_pending and
 * adds 1, which says so; whoever brings pl_pending to exactly 1 ends the wait, and touches the scope no more.
 * A worker that runs one task of a scope after the other tells the scope of their ends all at once, before it runs
 * anything else: the scope cannot end before its last task anyway, and one contended operation does for many tasks.
 *
 * Cancelling. A scope has lists of the tasks and scopes in it that a cancellation must reach: tasks that have waited at
 * least once, and scopes with such tasks in them. A task that never waits is on no list; it has nothing to interrupt.
 * Both lists and the links in them are guarded by the scope's lock; a canceller takes the locks downwards, and whoever
 * links or unlinks takes only the one of the scope above.
 *
 * A waiting task obeys its innermost scope (task->scope) and what stands around that, up to a shield.
 */
#include "plait/scope.h"

#include "plait/time.h"
#include "sched/fork.h"
#include "sched/worker.h"

enum { CLOSED, OPEN };

enum {
        TURN_US = 100, /* how long children run inline while other tasks could go on */
};

enum {
        ONE_TASK = 2,
        OWNER_WAITS = 1,
};

static struct pl_lock *lock_of(struct plait_scope *scope)
{
        return (struct pl_lock *)(void *)&scope->pl_lock;
}

static struct plait_task *current_task(void)
{
        struct pl_worker *worker = pl_sched_self_get();

        return worker ? worker->current : NULL;
}

static bool is_cancelled(const struct plait_scope *scope)
{
        return __atomic_load_n(&scope->pl_cancelled, __ATOMIC_SEQ_CST);
}

/* --- being found by a cancellation --- */

static void link_task(struct plait_task *task)
{
        struct plait_scope *home = task->home;

        pl_lock_acquire(lock_of(home));
        struct plait_task *first = home->pl_tasks;
        task->scope_next = first;
        task->scope_prev = (struct plait_task **)&home->pl_tasks;
        if (first)
                first->scope_prev = &task->scope_next;
        home->pl_tasks = task;
        pl_lock_release(lock_of(home));
        task->flags |= PL_TASK_LINKED;
}

static void unlink_task(struct plait_task *task)
{
        pl_lock_acquire(lock_of(task->home));
        *task->scope_prev = task->scope_next;
        if (task->scope_next)
                task->scope_next->scope_prev = task->scope_prev;
        pl_lock_release(lock_of(task->home));
}

static void link_scope(struct plait_scope *scope)
{
        struct plait_scope *parent = scope->pl_parent;

        pl_lock_acquire(lock_of(parent));
        if (!__atomic_load_n(&scope->pl_linked, __ATOMIC_RELAXED)) {
                struct plait_scope *first = parent->pl_children;

                scope->pl_next = first;
                scope->pl_prev = &parent->pl_children;
                if (first)
                        first->pl_prev = &scope->pl_next;
                parent->pl_children = scope;
                __atomic_store_n(&scope->pl_linked, 1, __ATOMIC_SEQ_CST);
        }
        pl_lock_release(lock_of(parent));
}

static void unlink_scope(struct plait_scope *scope)
{
        struct pl_lock *lock = lock_of(scope->pl_parent);

        pl_lock_acquire(lock);
        *scope->pl_prev = scope->pl_next;
        if (scope->pl_next)
                ((struct plait_scope *)scope->pl_next)->pl_prev = scope->pl_prev;
        pl_lock_release(lock);
        scope->pl_linked = 0;
}

/*
 * The number of disturbances is read before the scopes are: a cancellation marks its scope, then counts. So one that is
 * missed here has not been counted yet, and the next wait asks again.
 */
int pl_sched_scope_ask(struct plait_task *task, int64_t *deadline_ns)
{
        uint64_t calm = atomic_load(&pl_sched_the_run.disturbances);
        int r = 0;

        if (!(task->flags & PL_TASK_LINKED))
                link_task(task);
        for (struct plait_scope *scope = task->scope; scope; scope = scope->pl_parent) {
                if (is_cancelled(scope))
                        r = -ECANCELED;
                if (scope->deadline_ns) {
                        calm = 0;
                        if (scope->deadline_ns < *deadline_ns)
                                *deadline_ns = scope->deadline_ns;
                }
                if (scope->flags & PLAIT_SCOPE_SHIELD)
                        break;
                if (scope->pl_parent && !__atomic_load_n(&scope->pl_linked, __ATOMIC_SEQ_CST)) {
                        link_scope(scope);
                        if (is_cancelled(scope))
                                r = -ECANCELED;
                }
        }
        task->calm = r < 0 ? 0 : calm;
        return r;
}

/* --- cancelling --- */

/*
 * End *task*'s wait if *scope* is the one that it obeys. The word is read first: if the task has moved on to another
 * wait, maybe in another scope, its number has changed and the CAS fails.
 */
static void interrupt_task(struct plait_task *task, const struct plait_scope *scope)
{
        uint32_t word = atomic_load(&task->wait.state);

        if ((word & PL_WAIT_STATE_MASK) != PL_WAIT_WAITING || __atomic_load_n(&task->scope, __ATOMIC_SEQ_CST) != scope)
                return;
        uint32_t cancelled = (word & ~(uint32_t)PL_WAIT_STATE_MASK) | PL_WAIT_CANCELED;
        if (atomic_compare_exchange_strong(&task->wait.state, &word, cancelled))
                pl_sched_enqueue(task);
}

/* Under the scope's lock. */
static void interrupt_tasks_of(struct plait_scope *scope)
{
        for (struct plait_task *task = scope->pl_tasks; task; task = task->scope_next)
                interrupt_task(task, scope);
        if (scope->pl_owner)
                interrupt_task(scope->pl_owner, scope);
}

static struct plait_scope *unshielded(struct plait_scope *scope)
{
        while (scope && (scope->flags & PLAIT_SCOPE_SHIELD))
                scope = scope->pl_next;
        return scope;
}

/* Walk the tree of linked scopes from *top*, holding the locks on the path, without recursion: it may be deep. */
static void interrupt_tree(struct plait_scope *top) PL_NO_LOCK_CHECK
{
        struct plait_scope *scope = top;

        pl_lock_acquire(lock_of(scope));
        interrupt_tasks_of(scope);
        for (;;) {
                struct plait_scope *next = unshielded(scope->pl_children);

                while (!next && scope != top) {
                        struct plait_scope *done = scope;

                        next = unshielded(done->pl_next);
                        scope = done->pl_parent;
                        pl_lock_release(lock_of(done));
                }
                if (!next)
                        break;
                scope = next;
                pl_lock_acquire(lock_of(scope));
                interrupt_tasks_of(scope);
        }
        pl_lock_release(lock_of(top));
}

static void cancel_with(struct plait_scope *scope, int error)
{
        int none = 0;

        __atomic_compare_exchange_n(&scope->pl_error, &none, error, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
        if (__atomic_exchange_n(&scope->pl_cancelled, 1, __ATOMIC_SEQ_CST))
                return;
        atomic_fetch_add(&pl_sched_the_run.disturbances, 1);
        interrupt_tree(scope);
}

void plait_scope_cancel(struct plait_scope *scope)
{
        if (scope && __atomic_load_n(&scope->pl_state, __ATOMIC_RELAXED) == OPEN)
                cancel_with(scope, -ECANCELED);
}

/* --- opening and starting --- */

static int open_at(struct plait_scope *scope, const void *caller)
{
        struct plait_task *self = current_task();

        if (!self || self->compact || scope->pl_state != CLOSED || (scope->flags & ~PLAIT_SCOPE_SHIELD))
                return -EINVAL;
        scope->pl_parent = self->scope;
        scope->pl_owner = self;
        scope->pl_opened_at = caller;
        scope->pl_state = OPEN;
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

static void launch(struct pl_worker *worker, struct plait_scope *scope, struct plait_task *task)
{
        struct plait_task *self = worker ? worker->current : NULL;

        task->home = scope;
        task->scope = scope;
        if (PL_LIKELY(self && self == scope->pl_owner))
                scope->pl_owed++;
        else
                count_in(scope);
        if (PL_UNLIKELY(!self)) {
                pl_sched_enqueue(task);
        } else if (PL_LIKELY(pl_deque_push(&worker->fresh, task))) {
                pl_sched_offer();
        } else {
                /* Enough tasks wait for their turn. Run this one now; the caller comes right after it. */
                if (PL_UNLIKELY(self->bound))
                        pl_sched_enqueue_yielding(worker, self);
                else
                        pl_runq_push_front(&worker->ready, self);
                pl_sched_switch_to(worker, self, task);
        }
}

int plait_scope_go(struct plait_scope *scope, int (*fn)(void *arg), void *arg)
{
        struct pl_worker *worker = pl_sched_self_get();

        if (PL_UNLIKELY(!fn))
                return -EINVAL;
        if (PL_UNLIKELY(scope->pl_state != OPEN)) {
                int r = open_at(scope, __builtin_return_address(0));

                if (r < 0)
                        return r;
        }
        struct plait_task *task = pl_sched_task_new(worker, fn, arg);
        if (PL_UNLIKELY(!task)) {
                cancel_with(scope, -ENOMEM);
                return -ENOMEM;
        }
        launch(worker, scope, task);
        return 0;
}

int plait_scope_start(struct plait_scope *scope, int (*fn)(void *arg), void *arg, const struct plait_task_opts *opts,
                      struct plait_task **ret_task)
{
        struct pl_worker *worker = pl_sched_self_get();

        if (!fn)
                return -EINVAL;
        int r = pl_sched_task_check_opts(opts);
        if (r < 0)
                return r;
        if (scope->pl_state != OPEN) {
                r = open_at(scope, __builtin_return_address(0));
                if (r < 0)
                        return r;
        }
        struct plait_task *task = pl_sched_task_new(worker, fn, arg);
        r = task ? pl_sched_task_apply_opts(task, opts, ret_task != NULL) : -ENOMEM;
        if (r < 0) {
                if (task)
                        plait_task_unref(task);
                cancel_with(scope, r);
                return r;
        }
        if (ret_task)
                *ret_task = task;
        launch(worker, scope, task);
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
        pl_sched_scope_adopt(scope, task);
        pl_sched_enqueue_on(task, index);
        return 0;
}

/* --- ending and joining --- */

void pl_sched_scope_ending(struct plait_task *task, int result)
{
        struct plait_scope *scope = task->home;

        if (PL_UNLIKELY(task->scope != scope))
                pl_panic("task '%s' (#%llu) returned while a scope that it opened at %p is open: call "
                         "plait_scope_join() before returning",
                         plait_task_name(task), (unsigned long long)task->id, task->scope->pl_opened_at);
        if (task->flags & PL_TASK_LINKED)
                unlink_task(task);
        if (PL_UNLIKELY(result < 0))
                cancel_with(scope, result);
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

/* Half of a stack like the child's must be left: running on top of each other, tasks share what one would have. */
static bool fits_inline(const struct plait_task *self, const struct plait_task *child)
{
        size_t left = (size_t)((char *)__builtin_frame_address(0) - pl_mem_stack_base(self->stack));

        return !child->compact && left >= pl_mem_stack_class_bytes(child->stack_class) / 2;
}

static void run_inline(struct plait_task *self, struct plait_task *child)
{
        struct pl_worker *worker = pl_sched_self_get();

        child->stack = self->stack;
        child->stack->owner = child;
        child->flags |= PL_TASK_INLINE;
        atomic_store_explicit(&child->on_cpu, 1, memory_order_relaxed);
        worker->current = child;
        pl_sched_task_end(child, child->fn(child->arg));
        worker = pl_sched_self_get(); /* the child may have waited */
        self->stack->owner = self;
        worker->current = self;
}

/*
 * Whether it is another task's turn. Not each time that one could go on: the owner would be suspended, its children get
 * stacks of their own, each would make an owner able to go on when it ends, and nothing would run inline ever after.
 */
static bool turn_is_over(struct pl_worker *worker)
{
        if (PL_LIKELY(!pl_runq_count(&worker->ready)))
                return false;
        uint64_t now = pl_plat_ticks();
        if (now - worker->turn_began < TURN_US * pl_sched_the_run.ticks_per_us)
                return false;
        worker->turn_began = now;
        return true;
}

/* Run children that nobody has started, as long as they are next in line. */
static void run_own_children(struct plait_scope *scope, struct plait_task *self)
{
        while (scope->pl_owed) {
                struct pl_worker *worker = pl_sched_self_get();

                if (pl_deque_empty(&worker->fresh) || turn_is_over(worker))
                        return;
                void *work = pl_deque_pop(&worker->fresh);
                if (!work)
                        return;
                struct plait_task *child = pl_work_as_fork(work) ? NULL : work;
                if (!child || child->home != scope || !fits_inline(self, child)) {
                        pl_deque_push(&worker->fresh, work); /* there is room: it has just left */
                        return;
                }
                run_inline(self, child);
                scope->pl_owed--;
                pl_sched_tick(pl_sched_self_get());
        }
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

int plait_scope_join(struct plait_scope *scope)
{
        struct plait_task *self = current_task();

        if (scope->pl_state == CLOSED)
                return 0;
        if (PL_UNLIKELY(!self || scope->pl_owner != self || self->scope != scope))
                pl_panic(
                        "plait_scope_join() of a scope that is not the caller's innermost one (it was opened at %p, by "
                        "%s): join scopes in the task that opened them, the last one opened first",
                        scope->pl_opened_at, scope->pl_owner == self ? "this task" : "another task");
        run_own_children(scope, self);
        wait_for_children(scope);
        __atomic_store_n(&self->scope, scope->pl_parent, __ATOMIC_RELAXED);
        self->calm = 0;
        if (__atomic_load_n(&scope->pl_linked, __ATOMIC_RELAXED))
                unlink_scope(scope);
        scope->pl_state = CLOSED;
        return __atomic_load_n(&scope->pl_error, __ATOMIC_RELAXED);
}
