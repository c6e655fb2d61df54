/* What is said of deadlocks that have happened. */
#include <stdio.h>

#include "plat/sys.h"
#include "plat/unwind.h"
#include "sched/flow.h"
#include "sched/held.h"
#include "sync/deadlock.h"
#include "sync/report.h"

enum { FRAMES = 16, LABEL_BYTES = 200, LEAVING_NAPS = 100, NAP_US = 20 };

static struct pl_report report;

static void add_label(const void *object)
{
        char place[LABEL_BYTES];

        if (!object) {
                pl_report_add(&report, " nothing that ever happens");
        } else if (pl_plat_is_static(object)) {
                pl_plat_describe_data(object, place, sizeof place);
                pl_report_add(&report, " %p, %s", object, place);
        } else {
                pl_report_add(&report, " %p", object);
        }
}

static void add_what(const struct pl_deadlock_stop *stop)
{
        char name[PL_FLOW_NAME_BYTES];

        if (stop->runs_here) {
                pl_report_add(&report, "waits for a scope, and runs a task of it on its own stack");
                return;
        }
        switch (stop->seen.cause) {
        case PL_WAIT_TASK:
                pl_sched_flow_name(&((struct plait_task *)(uintptr_t)stop->seen.object)->wait, name, sizeof name);
                pl_report_add(&report, "waits for %s to end", name);
                break;
        case PL_WAIT_JOIN: pl_report_add(&report, "waits for the tasks of scope %p to end", stop->seen.object); break;
        default:
                pl_report_add(&report, "waits for %s", pl_registry_cause(stop->seen.cause));
                add_label(stop->seen.object);
                break;
        }
        pl_report_add(&report, ", since %u ms", (unsigned)pl_registry_age_ms(stop->seen.since_ms));
}

static void add_held(const struct pl_wait *flow)
{
        struct pl_held held[PL_HELD_MOST];
        unsigned n = pl_sched_held_list(flow, held, PL_HELD_MOST);

        for (unsigned i = 0; i < n; i++) {
                uintptr_t lock = atomic_load_explicit(&held[i].lock, memory_order_relaxed);

                pl_report_add(&report, "      holds %s%s", lock & PL_HELD_RWLOCK ? "rwlock" : "mutex",
                              lock & PL_HELD_SHARED ? " (reading)" : "");
                add_label((const void *)(lock & ~(uintptr_t)PL_HELD_MODE_MASK));
                pl_report_add(&report, "\n");
        }
}

/* Where a suspended task would go on. False: it has not left its processor, or its frames are elsewhere. */
static bool context_of(struct plait_task *task, struct pl_context *ret)
{
        if (task->compact)
                return false;
        for (int naps = 0; atomic_load_explicit(&task->on_cpu, memory_order_acquire); naps++) {
                if (naps == LEAVING_NAPS)
                        return false;
                pl_plat_nap_us(NAP_US);
        }
        return pl_plat_peek(ret, &task->context, sizeof *ret) == 0;
}

static void add_stack(const struct pl_deadlock_stop *stop, const struct pl_wait *self, const struct pl_context *here)
{
        struct plait_task *task = pl_registry_task(stop->flow);
        struct pl_context context;
        void *frames[FRAMES];

        if (stop->runs_here)
                return;
        if (here && stop->flow == self)
                context = *here;
        else if (!task)
                context = pl_registry_thread(stop->flow)->place;
        else if (!context_of(task, &context)) {
                pl_report_add(&report, "      (its stack is not to be had)\n");
                return;
        }
        unsigned n = pl_plat_unwind(&context, stop->flow == self, frames, FRAMES);
        pl_report_stack(&report, frames, n, "      ");
}

static void add_stop(const struct pl_deadlock_stop *stop, const struct pl_deadlock_stop *next,
                     const struct pl_wait *self, const struct pl_context *here)
{
        char name[PL_FLOW_NAME_BYTES];

        pl_sched_flow_name(stop->flow, name, sizeof name);
        pl_report_add(&report, "  %s ", name);
        add_what(stop);
        if (next && stop->seen.cause != PL_WAIT_TASK) {
                pl_sched_flow_name(next->flow, name, sizeof name);
                pl_report_add(&report, "; %s %s",
                              stop->runs_here || stop->seen.cause == PL_WAIT_JOIN ? "one of them is or waits for"
                                                                                  : "it is held by",
                              name);
        }
        pl_report_add(&report, "\n");
        add_held(stop->flow);
        add_stack(stop, self, here);
}

void pl_deadlock_report_circle(const struct pl_deadlock_stop *stops, unsigned n, const struct pl_wait *self,
                               const struct pl_context *here)
{
        report.n = 0;
        if (n == 1)
                pl_report_add(&report, "plait: deadlock: one waits for itself\n");
        else
                pl_report_add(&report, "plait: deadlock: %u wait for each other in a circle\n", n);
        for (unsigned i = 0; i < n; i++)
                add_stop(&stops[i], &stops[(i + 1) % n], self, here);
        pl_report_add(&report, "  Only a cancellation can end this.\n");
        pl_report_write(&report);
}

void pl_deadlock_report_all(const struct pl_deadlock_stop *stops, unsigned n, unsigned tasks)
{
        report.n = 0;
        pl_report_add(&report,
                      "plait: deadlock: all tasks (%u) wait, and no timer, descriptor or other thread is there to wake "
                      "one\n",
                      tasks);
        for (unsigned i = 0; i < n; i++)
                add_stop(&stops[i], NULL, NULL, NULL);
        if (n < tasks)
                pl_report_add(&report, "  ... and %u more\n", tasks - n);
        pl_report_write(&report);
}
