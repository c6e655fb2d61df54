/* Forks that are taken by another worker, or by this one for another task; and plait_fork_join(). */
#include "sched/fork.h"

#include "plait/parallel.h"
#include "plait/time.h"
#include "sched/tell.h"

/* NOLINTNEXTLINE(misc-redundant-expression) */
_Static_assert(offsetof(struct plait_task, wait) == offsetof(struct plait_task, scope) + sizeof(uintptr_t),
               "plait/parallel.h finds the scope in front of the flow");

extern struct plait_deque *plait_deque_mine(void);
extern int plait_fork_join(int (*first)(void *arg), void *first_arg, int (*second)(void *arg), void *second_arg);

/*
 * As a task, on another worker: *fork* stands in the parent's frame, and may be gone once it is DONE. The parent sleeps
 * only after it has added AWAITED, so either it sees DONE or it is woken.
 */
static int run_taken(void *arg)
{
        struct plait_fork *fork = arg;
        struct plait_task *parent = pl_fork_parent(fork);

        fork->pl_result = fork->pl_fn(fork->pl_arg);
        uintptr_t before = __atomic_fetch_or(&fork->pl_parent, PL_FORK_DONE, __ATOMIC_ACQ_REL);
        if ((before & PL_FORK_AWAITED) && pl_sched_wake_claim(&parent->wait))
                pl_sched_wake_ready(&parent->wait);
        return 0;
}

struct plait_task *pl_sched_task_of(struct pl_worker *worker, void *work)
{
        struct plait_fork *fork = pl_work_as_fork(work);

        if (PL_LIKELY(!fork))
                return work;
        struct plait_task *task = pl_sched_task_new(worker, run_taken, fork);
        if (PL_UNLIKELY(!task)) {
                pl_deque_push(&worker->fresh, work); /* its parent, or somebody with memory, will come to it */
                return NULL;
        }
        if (pl_trace_is_on())
                pl_tell_spawned(task, fork->pl_fn);
        const struct plait_task *parent = pl_fork_parent(fork);
        pl_sched_scope_adopt(fork->pl_scope, task);
        task->stack_class = parent->stack->class;
        return task;
}

bool pl_fork_push(struct pl_worker *worker, struct plait_fork *fork, int (*fn)(void *), void *arg)
{
        struct plait_task *self = worker->current;

        *fork = (struct plait_fork){
                .pl_fn = fn, .pl_arg = arg, .pl_parent = (uintptr_t)&self->wait, .pl_scope = self->scope};
        if (PL_UNLIKELY(!pl_deque_push(&worker->fresh, pl_fork_as_work(fork))))
                return false;
        pl_sched_offer();
        return true;
}

void pl_sched_deque_open(struct pl_worker *worker)
{
        pl_deque_open(&worker->fresh);
        if (atomic_load(&pl_sched_the_run.n_idle))
                pl_deque_close(&worker->fresh);
}

/* Wait until it is done. */
static int await(struct plait_fork *fork)
{
        struct pl_wait *wait = pl_sched_wait_begin(PL_WAIT_JOIN, fork);
        uintptr_t before = __atomic_fetch_or(&fork->pl_parent, PL_FORK_AWAITED, __ATOMIC_ACQ_REL);

        if (!(before & PL_FORK_DONE))
                (void)!pl_sched_wait_finish(wait, PLAIT_NEVER, PL_WAIT_UNINTERRUPTIBLE);
        else
                pl_sched_wait_abandon(wait);
        return fork->pl_result;
}

/* The owner has lowered its deque's bottom and not found *fork* at once. */
int plait_fork_await(struct plait_fork *fork, int64_t bottom)
{
        struct plait_deque *deque = &pl_sched_self_get()->fresh;
        void *work = pl_deque_pop_rest(deque, bottom);

        if (work == pl_fork_as_work(fork))
                return fork->pl_fn(fork->pl_arg);
        if (work)
                pl_deque_push(deque, work); /* there is room: it has just left */
        return await(fork);
}

int pl_fork_join(struct plait_fork *fork)
{
        struct plait_deque *deque = &pl_sched_self_get()->fresh;

        return plait_fork_await(fork, pl_deque_pop_begin(deque));
}

static int first_error(int a, int b)
{
        return a < 0 ? a : b < 0 ? b : 0;
}

int plait_fork_join_uncommon(int (*first)(void *arg), void *first_arg, int (*second)(void *arg), void *second_arg)
{
        struct pl_worker *worker = pl_sched_self_get();
        struct plait_fork fork;

        if (!worker || !worker->current || worker->current->compact ||
            !pl_fork_push(worker, &fork, second, second_arg)) {
                int r = first(first_arg);

                return first_error(r, second(second_arg));
        }
        pl_sched_deque_open(worker);
        int r = first(first_arg);
        return first_error(r, pl_fork_join(&fork));
}
