/*
 * Cancelling scopes. A scope has lists of the tasks and scopes in it that a cancellation must reach: tasks that have
 * waited at least once, and scopes with such tasks in them. A task that never waits is on no list; it has nothing to
 * interrupt. Both lists and the links in them are guarded by the scope's lock; a canceller takes the locks downwards,
 * and whoever links or unlinks takes only the one of the scope above.
 *
 * A waiting task obeys its innermost scope (task->scope) and what stands around that, up to a shield.
 *
 * The reason is set once, before the scope is marked, and freed when it is joined: whoever may read it is a task
 * inside, or knows that the scope is open.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plait/time.h"
#include "sched/follow.h"
#include "sched/scope.h"
#include "sched/tell.h"
#include "sched/worker.h"

/* --- being found by a cancellation --- */

/* The heads of the lists are looked at without the lock, to see whether they are empty. */
static void set_link(void **link, void *to)
{
        __atomic_store_n(link, to, __ATOMIC_RELAXED);
}

static void link_task(struct plait_task *task)
{
        struct plait_scope *home = task->home;

        pl_lock_acquire(pl_scope_lock(home));
        struct plait_task *first = home->pl_tasks;
        task->scope_next = first;
        task->scope_prev = (struct plait_task **)&home->pl_tasks;
        if (first)
                first->scope_prev = &task->scope_next;
        set_link(&home->pl_tasks, task);
        pl_lock_release(pl_scope_lock(home));
        task->flags |= PL_TASK_LINKED;
}

void pl_sched_scope_unlink_task(struct plait_task *task)
{
        pl_lock_acquire(pl_scope_lock(task->home));
        set_link((void **)task->scope_prev, task->scope_next);
        if (task->scope_next)
                task->scope_next->scope_prev = task->scope_prev;
        pl_lock_release(pl_scope_lock(task->home));
}

static void link_scope(struct plait_scope *scope)
{
        struct plait_scope *parent = scope->pl_parent;

        pl_lock_acquire(pl_scope_lock(parent));
        if (!__atomic_load_n(&scope->pl_linked, __ATOMIC_RELAXED)) {
                struct plait_scope *first = parent->pl_children;

                scope->pl_next = first;
                scope->pl_prev = &parent->pl_children;
                if (first)
                        first->pl_prev = &scope->pl_next;
                set_link(&parent->pl_children, scope);
                __atomic_store_n(&scope->pl_linked, 1, __ATOMIC_SEQ_CST);
        }
        pl_lock_release(pl_scope_lock(parent));
}

void pl_sched_scope_unlink(struct plait_scope *scope)
{
        struct pl_lock *lock = pl_scope_lock(scope->pl_parent);

        pl_lock_acquire(lock);
        set_link(scope->pl_prev, scope->pl_next);
        if (scope->pl_next)
                ((struct plait_scope *)scope->pl_next)->pl_prev = scope->pl_prev;
        pl_lock_release(lock);
        scope->pl_linked = 0;
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
        if (!atomic_compare_exchange_strong(&task->wait.state, &word, cancelled))
                return;
        if (pl_trace_is_on())
                pl_tell_wakes(&task->wait, PLAIT_RECORDING_BY_CANCEL);
        pl_sched_enqueue(task);
}

/* Under the scope's lock: its tasks; what follows it goes into *chain*. */
static void interrupt_one(struct plait_scope *scope, struct pl_following **chain)
{
        const struct pl_scope_more *more = pl_scope_more(scope);

        if (more && more->following)
                pl_sched_following_collect(more->following, chain);
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

/*
 * Walk the tree of linked scopes from *top*, holding the locks on the path, without recursion: it may be deep. What
 * follows them is returned, to be cancelled when *top* may be gone.
 */
static struct pl_following *interrupt_tree(struct plait_scope *top) PL_NO_LOCK_CHECK
{
        struct plait_scope *scope = top;
        struct pl_following *chain = NULL;

        pl_lock_acquire(pl_scope_lock(scope));
        interrupt_one(scope, &chain);
        for (;;) {
                struct plait_scope *next = unshielded(scope->pl_children);

                while (!next && scope != top) {
                        struct plait_scope *done = scope;

                        next = unshielded(done->pl_next);
                        scope = done->pl_parent;
                        pl_lock_release(pl_scope_lock(done));
                }
                if (!next)
                        break;
                scope = next;
                pl_lock_acquire(pl_scope_lock(scope));
                interrupt_one(scope, &chain);
        }
        pl_lock_release(pl_scope_lock(top));
        return chain;
}

const char *pl_sched_scope_reason(const struct plait_scope *scope)
{
        const struct pl_scope_more *more = pl_scope_more(scope);

        return more && atomic_load_explicit(&more->has_reason, memory_order_acquire) ? more->reason : NULL;
}

/* The first one counts; without memory there is none. Under the lock, so that it is written once. */
static void give_reason(struct plait_scope *scope, const char *reason)
{
        pl_lock_acquire(pl_scope_lock(scope));
        struct pl_scope_more *more = pl_scope_more(scope);
        if (!more && pl_sched_scope_add_more(scope) == 0) /* or who begins to follow it, without the lock */
                more = pl_scope_more(scope);
        if (more && !atomic_load_explicit(&more->has_reason, memory_order_relaxed)) {
                snprintf(more->reason, sizeof more->reason, "%s", reason);
                atomic_store_explicit(&more->has_reason, 1, memory_order_release);
        }
        pl_lock_release(pl_scope_lock(scope));
}

struct pl_following *pl_sched_scope_cancel_tasks(struct plait_scope *scope, int error, const char *reason)
{
        int none = 0;

        if (!(scope->flags & PLAIT_SCOPE_SUPERVISOR))
                __atomic_compare_exchange_n(&scope->pl_error, &none, error, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
        if (reason && !pl_scope_is_cancelled(scope))
                give_reason(scope, reason);
        if (__atomic_exchange_n(&scope->pl_cancelled, 1, __ATOMIC_SEQ_CST))
                return NULL;
        atomic_fetch_add(&pl_sched_the_run.disturbances, 1);
        pl_trace_text(PLAIT_RECORDING_CANCELS, 0, (uint64_t)(uintptr_t)scope, 0, pl_sched_scope_reason(scope));
        return interrupt_tree(scope);
}

void pl_sched_scope_cancel(struct plait_scope *scope, int error, const char *reason)
{
        pl_sched_following_cancel(pl_sched_scope_cancel_tasks(scope, error, reason));
}

void pl_sched_scope_fail(struct plait_scope *scope, const struct plait_task *task, int error)
{
        char reason[PLAIT_REASON_BYTES];
        const char *meaning = strerrordesc_np(-error);

        if (pl_scope_is_cancelled(scope)) {
                pl_sched_scope_cancel(scope, error, NULL);
                return;
        }
        snprintf(reason, sizeof reason, "task '%s' (#%llu) failed: %d (%s)", plait_task_name(task),
                 (unsigned long long)task->id, error, meaning ? meaning : "no error of the system's");
        pl_sched_scope_cancel(scope, error, reason);
}

static bool is_open(const struct plait_scope *scope)
{
        return scope && __atomic_load_n(&scope->pl_state, __ATOMIC_RELAXED) != PL_SCOPE_CLOSED;
}

void plait_scope_cancel(struct plait_scope *scope)
{
        if (is_open(scope))
                pl_sched_scope_cancel(scope, -ECANCELED, NULL);
}

void plait_scope_cancel_because(struct plait_scope *scope, const char *reason)
{
        if (is_open(scope))
                pl_sched_scope_cancel(scope, -ECANCELED, reason);
}

/* --- why --- */

static void describe(const struct plait_scope *scope, const char *reason, const char *otherwise, char *buf,
                     size_t bytes)
{
        char where[PLAIT_REASON_BYTES];

        if (reason)
                snprintf(buf, bytes, "%s", reason);
        else
                snprintf(buf, bytes, "%s (scope of %s)", otherwise,
                         pl_sched_scope_where(scope, scope->pl_owner, where, sizeof where));
}

int plait_cancel_reason(char *buf, size_t bytes)
{
        const struct plait_task *self = plait_task_self();
        const struct plait_scope *overdue = NULL;
        int64_t now_ns = pl_plat_now_ns();

        if (!self)
                return 0;
        for (const struct plait_scope *scope = self->scope; scope; scope = scope->pl_parent) {
                if (pl_scope_is_cancelled(scope)) {
                        describe(scope, pl_sched_scope_reason(scope), "cancelled", buf, bytes);
                        return -ECANCELED;
                }
                if (scope->deadline_ns && scope->deadline_ns <= now_ns &&
                    (!overdue || scope->deadline_ns < overdue->deadline_ns))
                        overdue = scope;
                if (scope->flags & PLAIT_SCOPE_SHIELD)
                        break;
        }
        if (overdue)
                describe(overdue, NULL, "the deadline has passed", buf, bytes);
        return overdue ? -ETIMEDOUT : 0;
}

/* --- cancelling at a given wait, to test what comes after it --- */

static struct {
        const struct plait_scope
                *_Atomic scope; /* around all that the program does, but no services; NULL: not armed */
        uint64_t at;
        _Atomic uint64_t waits;
} injection;

void pl_sched_cancel_arm(const struct plait_scope *scope)
{
        char text[24];
        char *end;

        if (!pl_plat_debug("cancel", text, sizeof text))
                return;
        injection.at = strtoull(text, &end, 10);
        if (end == text || *end || !injection.at) {
                pl_warn("PLAIT_DEBUG: cancel=%s is ignored: it is not a number from 1 on", text);
                return;
        }
        atomic_store(&injection.waits, 0);
        atomic_store_explicit(&injection.scope, scope, memory_order_release);
}

void pl_sched_cancel_disarm(void)
{
        atomic_store_explicit(&injection.scope, NULL, memory_order_relaxed);
}

/*
 * A cancellation of the innermost scope around *task* that is no shield. Inside a shield it goes unnoticed until that
 * ends, as a cancellation from outside would.
 */
static void inject(const struct plait_task *task, const struct plait_scope *all)
{
        struct plait_scope *victim = task->scope;
        const struct plait_scope *scope;

        if ((atomic_load(&task->wait.state) & PL_WAIT_STATE_MASK) != PL_WAIT_WAITING)
                return; /* it only asks */
        for (scope = task->scope; scope && scope != all; scope = scope->pl_parent)
                if (scope == victim && (scope->flags & PLAIT_SCOPE_SHIELD))
                        victim = scope->pl_parent;
        if (scope && atomic_fetch_add(&injection.waits, 1) + 1 == injection.at)
                pl_sched_scope_cancel(victim, -ECANCELED, "injected by PLAIT_DEBUG=cancel");
}

/* --- being asked --- */

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
        const struct plait_scope *injected = atomic_load_explicit(&injection.scope, memory_order_acquire);
        if (PL_UNLIKELY(injected != NULL)) {
                inject(task, injected);
                calm = 0; /* so that the next wait comes here, too */
        }
        for (struct plait_scope *scope = task->scope; scope; scope = scope->pl_parent) {
                if (pl_scope_is_cancelled(scope))
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
                        if (pl_scope_is_cancelled(scope))
                                r = -ECANCELED;
                }
        }
        task->calm = r < 0 ? 0 : calm;
        return r;
}
