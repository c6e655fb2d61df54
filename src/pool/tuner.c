/*
 * Tuners: a control loop (control.h) with a lock, a place in the registry, and somebody to tell.
 *
 * Locking: *lock* guards the loop. What others see in the registry is atomic, and written under it.
 */
#include "plait/tuner.h"

#include <stdio.h>
#include <stdlib.h>

#include "plait/trace.h"
#include "plat/lock.h"
#include "plat/sys.h"
#include "pool/control.h"
#include "sched/registry.h"
#include "trace/trace.h"

#define FIRST 8U
#define MOST_PER_PROCESSOR 8U
#define MOST 1000000U

struct plait_tuner {
        struct pl_lock lock;
        struct pl_pool_control control;
        struct pl_tuner_record *record; /* NULL: there was no memory for it */
        bool follows;                   /* the most that is allowed follows from the processors */
        void (*on_change)(void *arg, const struct plait_tuner_view *view);
        void *arg;
        char counter[64]; /* what the limit is called in a recording */
        struct plait_trace_name trace_name;
};

/* --- what others see --- */

static void show(struct plait_tuner *tuner)
{
        const struct pl_pool_control *control = &tuner->control;
        struct pl_tuner_record *record = tuner->record;

        if (!record)
                return;
        atomic_store_explicit(&record->limit, pl_pool_control_limit(control), memory_order_relaxed);
        atomic_store_explicit(&record->was, control->was, memory_order_relaxed);
        atomic_store_explicit(&record->reason, (uint32_t)control->reason, memory_order_relaxed);
        atomic_store_explicit(&record->changed_ns, control->changed_ns, memory_order_relaxed);
        atomic_store_explicit(&record->milli_rate, (uint64_t)(control->per_s * 1000), memory_order_relaxed);
        atomic_store_explicit(&record->refused, control->refused, memory_order_relaxed);
}

static void show_in_flight(struct plait_tuner *tuner)
{
        if (tuner->record)
                atomic_store_explicit(&tuner->record->in_flight, tuner->control.in_flight, memory_order_relaxed);
}

static void enrol(struct plait_tuner *tuner, const char *name)
{
        struct pl_tuner_record *record = pl_registry_tuner_new();

        if (!record)
                return;
        snprintf(record->name, sizeof record->name, "%s", name ? name : "");
        tuner->record = record;
        atomic_store_explicit(&record->kind, (uint32_t)tuner->control.kind, memory_order_relaxed);
        show(tuner);
        show_in_flight(tuner);
        atomic_store_explicit(&record->used, 1, memory_order_release);
}

static void look(const struct plait_tuner *tuner, struct plait_tuner_view *ret)
{
        const struct pl_pool_control *control = &tuner->control;

        *ret = (struct plait_tuner_view){
                .limit = pl_pool_control_limit(control),
                .in_flight = control->in_flight,
                .was = control->was,
                .reason = control->reason,
                .changed_ns = control->changed_ns,
                .hold_until_ns = control->hold_until_ns,
                .ceiling = control->ceiling,
                .per_s = control->per_s,
                .first_byte_s = control->first_byte_ns / 1e9,
                .ok = control->ok,
                .refused = control->refused,
        };
}

/* In a recording: the limit as a counter, and why it has changed. */
static PL_COLD void record(struct plait_tuner *tuner, const struct plait_tuner_view *view)
{
        char text[160];

        plait_trace_counter(&tuner->trace_name, view->limit);
        snprintf(text, sizeof text, "%s: %u, was %u: %s", tuner->counter, view->limit, view->was,
                 plait_tuner_reason_name(view->reason));
        plait_trace_message(text);
}

/* --- making --- */

static int fill_in_defaults(struct plait_tuner_opts *opts)
{
        bool cpu = opts->kind == PLAIT_TUNER_CPU;

        if (cpu && !opts->processors)
                opts->processors = (unsigned)pl_plat_cpu_count();
        if (!opts->least)
                opts->least = 1;
        if (!opts->most) {
                opts->most = cpu ? MOST_PER_PROCESSOR * opts->processors : PLAIT_TUNER_MOST;
                if (opts->most < opts->least)
                        opts->most = opts->least;
                if (opts->most < opts->first)
                        opts->most = opts->first;
        }
        if (!opts->first) {
                opts->first = cpu ? opts->processors : FIRST;
                if (opts->first < opts->least)
                        opts->first = opts->least;
                if (opts->first > opts->most)
                        opts->first = opts->most;
        }
        return opts->least <= opts->first && opts->first <= opts->most && opts->most <= MOST ? 0 : -EINVAL;
}

int plait_tuner_new(struct plait_tuner **ret, const struct plait_tuner_opts *opts)
{
        struct plait_tuner_opts own = {.size = sizeof own};
        struct plait_tuner *tuner;

        if (opts)
                own = *opts;
        if (!ret || own.size < sizeof own || (int)own.kind < 0 || own.kind > PLAIT_TUNER_CPU ||
            own.processors > MOST / MOST_PER_PROCESSOR)
                return -EINVAL;
        int r = fill_in_defaults(&own);
        if (r < 0)
                return r;
        tuner = calloc(1, sizeof *tuner);
        if (!tuner)
                return -ENOMEM;
        pl_pool_control_init(&tuner->control, own.kind, own.least, own.first, own.most, own.processors);
        tuner->follows = !opts || !opts->most;
        tuner->on_change = own.on_change;
        tuner->arg = own.arg;
        snprintf(tuner->counter, sizeof tuner->counter, "limit of %.47s", own.name ? own.name : "a tuner");
        tuner->trace_name.pl_text = tuner->counter;
        enrol(tuner, own.name);
        *ret = tuner;
        return 0;
}

void plait_tuner_free(struct plait_tuner *tuner)
{
        if (!tuner)
                return;
        if (tuner->record)
                pl_registry_tuner_free(tuner->record);
        free(tuner);
}

/* --- use --- */

unsigned plait_tuner_room(struct plait_tuner *tuner, int64_t now_ns)
{
        pl_lock_acquire(&tuner->lock);
        unsigned room = pl_pool_control_room(&tuner->control, now_ns);
        pl_lock_release(&tuner->lock);
        return room;
}

void plait_tuner_begin(struct plait_tuner *tuner, struct plait_tuner_call *call, int64_t now_ns)
{
        pl_lock_acquire(&tuner->lock);
        pl_pool_control_begin(&tuner->control, call, now_ns);
        show_in_flight(tuner);
        pl_lock_release(&tuner->lock);
}

/* Without the lock: the limit has changed to what *view* says. */
static void tell(struct plait_tuner *tuner, const struct plait_tuner_view *view)
{
        if (pl_trace_is_on())
                record(tuner, view);
        if (tuner->on_change)
                tuner->on_change(tuner->arg, view);
}

void plait_tuner_end(struct plait_tuner *tuner, const struct plait_tuner_call *call,
                     const struct plait_tuner_sample *sample, int64_t now_ns)
{
        struct plait_tuner_view view;

        pl_lock_acquire(&tuner->lock);
        bool changed = pl_pool_control_end(&tuner->control, call, sample, now_ns);
        show(tuner);
        show_in_flight(tuner);
        if (changed)
                look(tuner, &view);
        pl_lock_release(&tuner->lock);
        if (changed)
                tell(tuner, &view);
}

int plait_tuner_set_processors(struct plait_tuner *tuner, unsigned processors, int64_t now_ns)
{
        struct plait_tuner_view view;

        if (!processors || processors > MOST / MOST_PER_PROCESSOR || tuner->control.kind != PLAIT_TUNER_CPU)
                return -EINVAL;
        pl_lock_acquire(&tuner->lock);
        unsigned most = tuner->follows ? MOST_PER_PROCESSOR * processors : tuner->control.most;
        if (most < tuner->control.least)
                most = tuner->control.least;
        bool changed = pl_pool_control_set_processors(&tuner->control, processors, most, now_ns);
        show(tuner);
        if (changed)
                look(tuner, &view);
        pl_lock_release(&tuner->lock);
        if (changed)
                tell(tuner, &view);
        return 0;
}

void plait_tuner_look(struct plait_tuner *tuner, struct plait_tuner_view *ret)
{
        pl_lock_acquire(&tuner->lock);
        look(tuner, ret);
        pl_lock_release(&tuner->lock);
}

size_t plait_tuner_runs(struct plait_tuner *tuner, struct plait_advise_run *ret, size_t most)
{
        pl_lock_acquire(&tuner->lock);
        size_t n = pl_pool_control_runs(&tuner->control, ret, most);
        pl_lock_release(&tuner->lock);
        return n;
}

const char *plait_tuner_reason_name(enum plait_tuner_reason reason)
{
        return (int)reason >= 0 && reason < PLAIT_TUNER_REASONS ? pl_registry_tuner_reasons[reason] : "unknown";
}
