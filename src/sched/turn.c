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

struct pl_worker *pl_sched_let_ready_on(struct pl_worker *worker)
{
        struct plait_task *self = worker->current;
        struct plait_task *next = pl_sched_take_ready(worker);

        if (!next)
                return worker;
        pl_sched_enqueue_yielding(worker, self);
        pl_sched_switch_to(worker, self, next);
        return pl_sched_self_get();
}

static bool is_to_rest(const struct pl_worker *worker)
{
        return PL_UNLIKELY(worker->spare) && !atomic_load_explicit(&worker->wanted, memory_order_relaxed);
}

bool pl_sched_others_wait(struct pl_worker *worker)
{
        const struct pl_run *run = &pl_sched_the_run;

        return pl_sched_ready_count(worker) || pl_runq_count(&worker->bound) || pl_runq_count(&run->high) ||
               pl_runq_count(&run->low) || is_to_rest(worker) || pl_deque_any(&worker->fresh, pl_work_is_task);
}

void pl_sched_end_turn(void)
{
        struct pl_worker *worker = pl_sched_self_get();
        struct plait_task *self = worker->current;

        if (PL_LIKELY(!is_to_rest(worker))) {
                plait_yield();
                return;
        }
        pl_sched_enqueue_yielding(worker, self);
        pl_sched_spare_hand_over(worker);
        struct plait_task *next = pl_sched_pick(worker);
        if (next != self)
                pl_sched_switch_to(worker, self, next);
}
