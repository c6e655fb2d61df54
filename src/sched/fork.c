/* Forks that are taken by another worker, or by this one for another task; and plait_fork_join(). */
#include "sched/fork.h"

#include "plait/parallel.h"
#include "plait/time.h"
#include "sched/tell.h"

/*
 * As a task, on another worker: *fork* stands in the parent's frame, and may be gone once it is DONE. The parent sleeps
 * only after it has added AWAITED, so either it sees DONE or it is woken.
 */
static int run_taken(void *arg)
{
        struct pl_fork *fork = arg;
        struct plait_task *parent = pl_fork_parent(fork);

        fork->result = fork->fn(fork->arg);
        uintptr_t before = atomic_fetch_or_explicit(&fork->parent, PL_FORK_DONE, memory_order_acq_rel);
        if ((before & PL_FORK_AWAITED) && pl_sched_wake_claim(&parent->wait))
                pl_sched_wake_ready(&parent->wait);
        return 0;
}

struct plait_task *pl_sched_task_of(struct pl_worker *worker, void *work)
{
        struct pl_fork *fork = pl_work_as_fork(work);

        if (PL_LIKELY(!fork))
                return work;
        struct plait_task *task = pl_sched_task_new(worker, run_taken, fork);
        if (PL_UNLIKELY(!task)) {
                pl_deque_push(&worker->fresh, work); /* its parent, or somebody with memory, will come to it */
                return NULL;
        }
        if (pl_trace_is_on())
                pl_tell_spawned(task, fork->fn);
        const struct plait_task *parent = pl_fork_parent(fork);
        pl_sched_scope_adopt(fork->scope, task);
        task->stack_class = parent->stack->class;
        return task;
}

int pl_fork_await(struct pl_worker *worker, struct pl_fork *fork, void *work)
{
        if (work)
                pl_deque_push(&worker->fresh, work); /* there is room: it has just left */
        struct pl_wait *wait = pl_sched_wait_begin(PL_WAIT_JOIN, fork);
        uintptr_t before = atomic_fetch_or_explicit(&fork->parent, PL_FORK_AWAITED, memory_order_acq_rel);

        if (!(before & PL_FORK_DONE))
                (void)!pl_sched_wait_finish(wait, PLAIT_NEVER, PL_WAIT_UNINTERRUPTIBLE);
        else
                pl_sched_wait_abandon(wait);
        return fork->result;
}

static int first_error(int a, int b)
{
        return a < 0 ? a : b < 0 ? b : 0;
}

int plait_fork_join(int (*first)(void *arg), void *first_arg, int (*second)(void *arg), void *second_arg)
{
        struct pl_worker *worker = pl_sched_self_get();
        struct pl_fork fork;

        if (PL_UNLIKELY(!worker || !worker->current || worker->current->compact ||
                        !pl_fork_push(worker, &fork, second, second_arg))) {
                int r = first(first_arg);

                return first_error(r, second(second_arg));
        }
        int r = first(first_arg);
        return first_error(r, pl_fork_join(&fork));
}
