/* Who calls: the flow in the thread's own storage. */
#include "sched/flow.h"

#include <stdio.h>

#include "plait/base.h"
#include "sched/registry.h"
#include "sched/worker.h"

struct pl_wait pl_sched_nobody = {.held = 1};

_Static_assert(offsetof(struct pl_wait, held) == 0, "a flow's address is that of what it holds");
_Static_assert(_Alignof(struct pl_wait) >= 8, "locks keep bits below a flow's address");

/* Visible outside, since the inline halves of locks and forks are in the program. */
__attribute__((used,
               tls_model("initial-exec"))) __thread uintptr_t *plait_flow_tls = (uintptr_t *)(void *)&pl_sched_nobody;

struct pl_wait *pl_sched_flow(void)
{
        struct pl_worker *worker = pl_sched_self_get();

        if (PL_LIKELY(worker && worker->current))
                return &worker->current->wait;
        struct pl_wait *wait = pl_registry_thread_wait();
        if (!worker && pl_registry_thread_lasts())
                pl_sched_flow_set(wait);
        return wait;
}

static uint32_t tid_of(const struct pl_wait *flow)
{
        return atomic_load_explicit(&pl_registry_thread(flow)->tid, memory_order_relaxed);
}

uint64_t pl_sched_flow_id(const struct pl_wait *flow)
{
        const struct plait_task *task = pl_sched_wait_task(flow);

        return task ? __atomic_load_n(&task->id, __ATOMIC_RELAXED) : (uint64_t)1 << 63 | tid_of(flow);
}

void pl_sched_flow_name(const struct pl_wait *flow, char *buf, size_t n)
{
        char name[PL_TASK_NAME_BYTES] = "";
        struct plait_task *task = pl_sched_wait_task(flow);

        if (!task) {
                snprintf(buf, n, "thread %u", tid_of(flow));
                return;
        }
        uint64_t id = __atomic_load_n(&task->id, __ATOMIC_RELAXED);
        pl_registry_name(task, id, name, sizeof name);
        if (*name)
                snprintf(buf, n, "task '%s' (#%llu)", name, (unsigned long long)id);
        else
                snprintf(buf, n, "task #%llu", (unsigned long long)id);
}
