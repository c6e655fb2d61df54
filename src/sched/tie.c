/* Waits that can be part of a deadlock. */
#include "sched/tie.h"

#include "sched/scope.h"
#include "sched/worker.h"

enum { CHILDREN_MOST = 256 }; /* of a scope are looked at when its owner begins to wait */

static void (*look_at)(struct pl_wait *wait, bool tied_child);
static void (*all_asleep)(void);

void pl_sched_on_tie(void (*look)(struct pl_wait *wait, bool tied_child))
{
        look_at = look;
}

void pl_sched_on_asleep(void (*asleep)(void))
{
        all_asleep = asleep;
}

static bool is_tied_up(const struct pl_wait *wait)
{
        uint8_t endless = __atomic_load_n(&wait->endless, __ATOMIC_RELAXED);
        uint16_t cause = __atomic_load_n(&wait->cause, __ATOMIC_RELAXED);

        return endless && pl_sched_wait_claimable(atomic_load_explicit(&wait->state, memory_order_relaxed)) &&
               (cause == PL_WAIT_JOIN ? endless == PL_WAIT_TIED : pl_sched_may_tie(cause));
}

/* Without the lock: who is being added looks for himself. */
static bool has_known_children(const struct plait_scope *scope)
{
        return __atomic_load_n(&scope->pl_tasks, __ATOMIC_RELAXED) ||
               __atomic_load_n(&scope->pl_children, __ATOMIC_RELAXED);
}

static bool has_tied_child(struct plait_scope *scope)
{
        bool found = false;
        unsigned n = 0;

        if (!has_known_children(scope))
                return false;
        pl_lock_acquire(pl_scope_lock(scope));
        for (const struct plait_task *task = scope->pl_tasks; task && !found && n < CHILDREN_MOST;
             task = task->scope_next, n++)
                found = is_tied_up(&task->wait);
        for (const struct plait_scope *child = scope->pl_children; child && !found && n < CHILDREN_MOST;
             child = child->pl_next, n++)
                found = is_tied_up(&child->pl_owner->wait);
        pl_lock_release(pl_scope_lock(scope));
        return found;
}

/*
 * Of two flows that tie themselves to each other at the same time, one sees the other: each says that it waits, then
 * looks.
 */
void pl_sched_tie(struct pl_wait *wait)
{
        const struct plait_task *task = pl_sched_wait_task(wait);
        bool tied_child = false;

        __atomic_store_n(&wait->endless, PL_WAIT_ENDLESS, __ATOMIC_RELAXED);
        atomic_thread_fence(memory_order_seq_cst);
        if (wait->cause == PL_WAIT_JOIN && task && wait->object == task->scope) /* not a fork */
                tied_child = has_tied_child(task->scope);
        if (tied_child)
                __atomic_store_n(&wait->endless, PL_WAIT_TIED, __ATOMIC_RELAXED);
        if (look_at)
                look_at(wait, tied_child);
}

/*
 * It may take one SHARE of the time. If it was done a short time ago it is put off, until everybody has slept for
 * QUIET_NS: where they are woken all the time, to get up for it would cost more than it does.
 */
int64_t pl_sched_all_asleep(int64_t until_ns)
{
        enum { SHARE = 1000, QUIET_NS = 20 * 1000 * 1000 };
        static _Atomic int64_t next_ns;
        struct pl_run *run = &pl_sched_the_run;

        if (!all_asleep)
                return until_ns;
        for (unsigned i = 0; i < atomic_load(&run->n_serving); i++)
                if (atomic_load_explicit(&run->workers[i].timers.next_ns, memory_order_relaxed) != PLAIT_NEVER)
                        return until_ns;
        int64_t begun_ns = pl_plat_now_ns(), due_ns = atomic_load_explicit(&next_ns, memory_order_relaxed);
        if (begun_ns < due_ns) {
                if (due_ns < begun_ns + QUIET_NS)
                        due_ns = begun_ns + QUIET_NS;
                return due_ns < until_ns ? due_ns : until_ns;
        }
        all_asleep();
        int64_t now_ns = pl_plat_now_ns();
        atomic_store_explicit(&next_ns, now_ns + SHARE * (now_ns - begun_ns), memory_order_relaxed);
        return until_ns;
}
