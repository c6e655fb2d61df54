/* What the scheduler tells a recording; see tell.h. And what a recording asks: trace/trace.h. */
#include "sched/tell.h"

#include <string.h>

#include "plait/time.h"
#include "sched/flow.h"
#include "sched/quick.h"
#include "sched/registry.h"

void pl_tell_spawned(const struct plait_task *task, int (*fn)(void *arg))
{
        pl_trace_record(PLAIT_RECORDING_SPAWNED, task->id, (uint64_t)(uintptr_t)fn);
        if (task->name)
                pl_trace_record_text(PLAIT_RECORDING_NAMED, task->id, 0, task->name);
}

void pl_tell_resumed(const struct plait_task *task)
{
        pl_tell_runs(task, !task->stack);
}

/* Who holds what *wait* is for: both kinds of locks have the holder's address in these bits of their first word. */
static uint64_t holder_of(const void *lock)
{
        uint64_t word = __atomic_load_n((const uint64_t *)lock, __ATOMIC_RELAXED);
        const struct pl_wait *holder = (const struct pl_wait *)(uintptr_t)(word & PL_SCHED_FLOW_BITS);

        return holder ? pl_sched_flow_id(holder) : 0;
}

/* A reader-writer lock that is read has the number of its readers there. */
static uint64_t writer_of(const void *lock)
{
        enum { WRITER = 1 };
        uint64_t word = __atomic_load_n((const uint64_t *)lock, __ATOMIC_RELAXED);

        return word & WRITER ? holder_of(lock) : 0;
}

static uint64_t number_of(const void *descriptor)
{
        int number;

        memcpy(&number, (const char *)descriptor + PL_REGISTRY_FD_NUMBER, sizeof number);
        return (uint64_t)(int64_t)number;
}

static uint64_t detail_of(const struct pl_wait *wait, int64_t deadline_ns)
{
        int64_t left_ns;

        switch (wait->cause) {
        case PL_WAIT_MUTEX: return holder_of(wait->object);
        case PL_WAIT_RWLOCK_READ:
        case PL_WAIT_RWLOCK_WRITE: return writer_of(wait->object);
        case PL_WAIT_TASK: return ((const struct plait_task *)wait->object)->id;
        case PL_WAIT_FD_READ:
        case PL_WAIT_FD_WRITE: return number_of(wait->object);
        case PL_WAIT_SLEEP:
                left_ns = deadline_ns == PLAIT_NEVER ? 0 : deadline_ns - pl_plat_now_ns();
                return left_ns > 0 ? (uint64_t)left_ns : 0;
        default: return 0;
        }
}

void pl_tell_waits(const struct pl_wait *wait, int64_t deadline_ns)
{
        pl_trace_record(PLAIT_RECORDING_WAITS | (unsigned)wait->cause << PL_TRACE_SMALL_SHIFT,
                        (uint64_t)(uintptr_t)wait->object, detail_of(wait, deadline_ns));
}

void pl_tell_refused(const struct pl_wait *wait, int error)
{
        pl_trace_record(PLAIT_RECORDING_REFUSED | (unsigned)wait->cause << PL_TRACE_SMALL_SHIFT,
                        (uint64_t)(uintptr_t)wait->object, (uint64_t)(int64_t)error);
}

void pl_tell_wakes(const struct pl_wait *wait, enum plait_recording_wake how)
{
        const struct pl_worker *worker = pl_sched_self_get();
        unsigned looking = worker && worker->looking ? PL_TRACE_LOOKING : 0;

        pl_trace_record(PLAIT_RECORDING_WAKES | ((unsigned)how | looking) << PL_TRACE_SMALL_SHIFT,
                        pl_sched_flow_id(wait), 0);
}

void pl_tell_thread_runs(const struct pl_wait *wait)
{
        pl_trace_record(PLAIT_RECORDING_RUNS, pl_sched_flow_id(wait), 0);
}

static uint64_t own_thread(void)
{
        return PLAIT_RECORDING_THREAD | pl_plat_thread_id();
}

void pl_tell_run_begins(void)
{
        pl_trace_prepare();
        pl_trace(PLAIT_RECORDING_WAITS, PL_WAIT_JOIN, (uint64_t)(uintptr_t)&pl_sched_the_run, 0);
}

void pl_tell_run_ends(void)
{
        if (pl_trace_is_on())
                pl_trace_record(PLAIT_RECORDING_RUNS, own_thread(), 0);
}

/* --- what a recording asks --- */

static void say_who(struct pl_trace_who *ret)
{
        const struct pl_worker *worker = pl_sched_self_get();

        if (!worker && pl_sched_is_watch())
                ret->kind = PLAIT_RECORDING_LANE_SERVICE;
        if (!worker)
                return;
        ret->kind = PLAIT_RECORDING_LANE_WORKER;
        ret->number = worker->index;
        ret->flow = worker->current ? worker->current->id : 0;
}

static uint64_t queued_on(const struct pl_worker *worker)
{
        int64_t fresh = pl_deque_length(&worker->fresh);

        return pl_sched_ready_count(worker) + pl_runq_count(&worker->bound) + (uint64_t)fresh;
}

/* Workers are freed at the end of a run: *lock* keeps them. */
static struct pl_lock lock;
static bool running;

void pl_tell_workers(bool there)
{
        pl_lock_acquire(&lock);
        running = there;
        pl_lock_release(&lock);
}

static bool take_sample(struct pl_trace_sample *ret)
{
        const struct pl_run *run = &pl_sched_the_run;

        pl_lock_acquire(&lock);
        bool there = running;
        if (there) {
                ret->queued = pl_runq_count(&run->injector) + pl_runq_count(&run->high) + pl_runq_count(&run->low);
                for (unsigned i = 0; i < atomic_load(&run->n_serving); i++)
                        ret->queued += queued_on(&run->workers[i]);
        }
        pl_lock_release(&lock);
        return there;
}

static bool tell_existing(struct pl_wait *wait, void *room)
{
        struct plait_task *task = pl_registry_task(wait);
        struct pl_registry_view view;
        char name[PL_TASK_NAME_BYTES];

        if (!task || !pl_registry_look(wait, &view))
                return true;
        if (view.cause != PL_WAIT_NONE)
                pl_trace_record(PL_TRACE_SINCE, (uint64_t)pl_registry_age_ms(view.since_ms) * 1000000, 0);
        pl_trace_record(PLAIT_RECORDING_EXISTS, view.id,
                        (uint64_t)(uintptr_t)__atomic_load_n(&task->fn, __ATOMIC_RELAXED));
        pl_registry_name(task, view.id, name, sizeof name);
        if (*name)
                pl_trace_record_text(PLAIT_RECORDING_NAMED, view.id, 0, name);
        if (view.cause != PL_WAIT_NONE)
                pl_trace_record(PL_TRACE_WAITS_SINCE | (unsigned)view.cause << PL_TRACE_SMALL_SHIFT,
                                (uint64_t)(uintptr_t)view.object, 0);
        (*(void (**)(void))room)();
        return true;
}

static void tell_all(void (*room)(void))
{
        pl_registry_for_each(tell_existing, &room);
}

static struct pl_trace_hooks hooks = {.who = say_who, .sample = take_sample, .snapshot = tell_all};

__attribute__((constructor)) static void hook(void)
{
        hooks.causes = pl_registry_causes(&hooks.n_causes);
        pl_trace_hook(&hooks);
}
