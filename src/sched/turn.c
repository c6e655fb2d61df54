/* Turns of a task that could keep its worker to itself. See turn.h. */
#include "sched/turn.h"

#include "plait/task.h"
#include "sched/fork.h"

enum {
        TURN_US = 1000,
        TURN_CHILDREN = 16, /* reading the clock takes as long as a small child */
};

/*
 * Not each time that another one could go on: of an owner that waits for its children those that have not started get
 * stacks of their own, and lie in the deque on top of the next owner's, which has to wait for them as well. So when
 * its turn is over it does not wait, but yields.
 *
 * After children that took a microsecond each or less, the clock is not read for as many.
 */
bool pl_sched_turn_took_long(struct pl_worker *worker)
{
        if (worker->turn_rest) {
                worker->turn_rest--;
                return false;
        }
        uint64_t now = pl_plat_ticks();
        bool small = now - worker->turn_looked < TURN_CHILDREN * pl_sched_the_run.ticks_per_us;

        worker->turn_looked = now;
        worker->turn_rest = small ? TURN_CHILDREN : 0;
        if (now - worker->turn_began < TURN_US * pl_sched_the_run.ticks_per_us)
                return false;
        worker->turn_began = now;
        return true;
}

static void leave_for(struct pl_worker *worker, struct plait_task *next)
{
        struct plait_task *self = worker->current;

        pl_sched_enqueue_yielding(worker, self);
        pl_sched_switch_to(worker, self, next);
}

struct pl_worker *pl_sched_let_ready_on(struct pl_worker *worker)
{
        struct plait_task *next = pl_sched_take_ready(worker);

        if (!next)
                return worker;
        leave_for(worker, next);
        return pl_sched_self_get();
}

/* The youngest that has not started, if it is a task. */
static struct plait_task *take_fresh(struct pl_worker *worker)
{
        void *work = pl_deque_empty(&worker->fresh) ? NULL : pl_deque_pop(&worker->fresh);

        if (!work || !pl_work_as_fork(work))
                return work;
        pl_deque_push(&worker->fresh, work); /* there is room: it has just left */
        return NULL;
}

/*
 * As pl_sched_pick() does, but no fork: that is a part of what *self* or another one does that waits here. Made a task
 * for a turn, it would offer a part of its own for the next one to take, and so on, until all parts are tasks.
 */
static struct plait_task *pick_other(struct pl_worker *worker)
{
        uint32_t ticks = atomic_load_explicit(&worker->ticks, memory_order_relaxed);
        struct plait_task *task = NULL;

        if (ticks % PL_ORDINARY_TICKS)
                task = pl_runq_pop_front(&pl_sched_the_run.high);
        if (!task && ticks % PL_SERVICE_TICKS == 0)
                task = pl_runq_pop_front(&pl_sched_the_run.low);
        if (!task && ticks % 3 == 0)
                task = pl_runq_pop_front(&worker->bound);
        if (!task && ticks % 2)
                task = pl_sched_take_ready(worker);
        if (!task)
                task = take_fresh(worker);
        if (!task)
                task = pl_sched_take_ready(worker);
        return task ? task : pl_runq_pop_front(&worker->bound);
}

void pl_sched_let_others_on(void)
{
        struct pl_worker *worker = pl_sched_self_get();

        if (PL_UNLIKELY(worker->current->bound)) { /* or of a priority of its own */
                plait_yield();
                return;
        }
        if (PL_UNLIKELY(pl_sched_tick(worker)))
                pl_sched_look_if_time(worker);

        struct plait_task *next = pick_other(worker);
        if (PL_UNLIKELY(next != NULL))
                leave_for(worker, next);
}
