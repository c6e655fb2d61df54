/* Instants, counters and flows of the page (page_fill.h). */
#include "trace/page_fill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INSTANTS_IN_BUCKET 24 /* of a kind */
#define STARTS_MAX 200000     /* flows that went out and have not come in */
#define STRETCHES 1500        /* of a counter that has more samples than it may show */

struct page_flow_start {
        int64_t time_ns;
        uint32_t task; /* + 1; 0: none that has a lane */
};

/* As web/instants in docs/internals/trace-page.md numbers them. */
enum instant_kind { USER, STOLE, STUCK, RESCUED, CANCELS, REFUSED, DROPPED, INSTANT_KINDS };

static const char *const kind_texts[INSTANT_KINDS] = {
        [STOLE] = "took tasks from another worker",         [STUCK] = "a worker was found stuck",
        [RESCUED] = "took over from a stuck worker",        [CANCELS] = "cancelled a scope",
        [REFUSED] = "did not wait: cancelled, or too late", [DROPPED] = "events were dropped here",
};

void page_events_init(struct page_fill *fill)
{
        static const struct page_column instants[] = {
                {.name = "time", .encoding = PAGE_DELTA, .width = 8},
                {.name = "kind", .encoding = PAGE_BYTES, .width = 1},
                {.name = "task", .encoding = PAGE_VARINT, .width = 4},
                {.name = "lane", .encoding = PAGE_VARINT, .width = 4},
                {.name = "name", .encoding = PAGE_VARINT, .width = 4},
                {.name = "value", .encoding = PAGE_DELTA, .width = 8},
        };
        static const struct page_column flows[] = {
                {.name = "start", .encoding = PAGE_DELTA, .width = 8},
                {.name = "end", .encoding = PAGE_DELTA, .width = 8},
                {.name = "from", .encoding = PAGE_VARINT, .width = 4},
                {.name = "to", .encoding = PAGE_VARINT, .width = 4},
                {.name = "name", .encoding = PAGE_VARINT, .width = 4},
        };

        page_table_init(&fill->instants, "instants", instants, sizeof instants / sizeof *instants);
        page_table_init(&fill->flows, "flows", flows, sizeof flows / sizeof *flows);
        for (uint32_t i = 0; i < PAGE_COUNTERS_MAX; i++) {
                fill->series[i].stretch = -1;
                fill->series[i].thinned = fill->plan->counters[i].samples > fill->plan->limits.samples;
        }
}

/* --- instants --- */

static int instant_kind_of(const struct plait_recording_event *event)
{
        switch (event->kind) {
        case PLAIT_RECORDING_INSTANT: return USER;
        case PLAIT_RECORDING_STOLE: return STOLE;
        case PLAIT_RECORDING_STUCK: return STUCK;
        case PLAIT_RECORDING_RESCUED: return RESCUED;
        case PLAIT_RECORDING_CANCELS: return CANCELS;
        case PLAIT_RECORDING_REFUSED: return REFUSED;
        case PLAIT_RECORDING_DROPPED: return DROPPED;
        default: return -1;
        }
}

static uint32_t task_of(const struct page_fill *fill, const struct plait_recording_event *event)
{
        uint32_t kept = page_plan_kept(fill->plan, event->process, event->flow);

        return kept == PAGE_NONE ? 0 : kept + 1;
}

/* Of each kind, so many in each stretch of time. */
static int add_instant(struct page_fill *fill, const struct plait_recording_event *event, int kind)
{
        struct page_plan *plan = fill->plan;
        uint32_t bucket = (uint32_t)((double)event->time_ns / (double)plan->duration_ns * PAGE_BUCKETS);

        if (bucket != fill->instants_bucket) {
                memset(fill->n_instants_here, 0, sizeof fill->n_instants_here);
                fill->instants_bucket = bucket;
        }
        if (fill->n_instants_here[kind]++ >= INSTANTS_IN_BUCKET || fill->instants.rows >= plan->limits.instants)
                return 0;

        bool own = kind == USER || kind == CANCELS;
        uint32_t name = page_name_lasting(&plan->names, own && event->text ? event->text : kind_texts[kind]);
        uint32_t row = event->lane < plan->n_lanes ? fill->row_of_lane[event->lane] : PAGE_NONE;
        bool of_lane = kind == STOLE || kind == STUCK || kind == RESCUED || kind == DROPPED;
        uint32_t task = of_lane ? 0 : task_of(fill, event);
        if (name == PAGE_NONE)
                return -ENOMEM;
        if (task || row != PAGE_NONE)
                page_table_add(&fill->instants, (const int64_t[]){event->time_ns, kind, task,
                                                                  row == PAGE_NONE ? 0 : row + 1, name, event->value});
        return 0;
}

/* --- flows of the program's own --- */

static int add_flow(struct page_fill *fill, const struct plait_recording_event *event)
{
        uint32_t name = page_name_lasting(&fill->plan->names, event->text);

        if (name == PAGE_NONE)
                return -ENOMEM;
        if (event->kind == PLAIT_RECORDING_FLOW_OUT) {
                if (fill->n_starts >= STARTS_MAX)
                        return 0;
                if (!page_grow(&fill->starts, &fill->starts_capacity, fill->n_starts, sizeof *fill->starts))
                        return -ENOMEM;
                fill->starts[fill->n_starts] = (struct page_flow_start){.time_ns = event->time_ns,
                                                                        .task = task_of(fill, event)};
                return page_map_put(&fill->flow_starts, name, event->object, (uint32_t)fill->n_starts++) ? 0 : -ENOMEM;
        }
        uint32_t start = page_map_get(&fill->flow_starts, name, event->object);
        uint32_t to = task_of(fill, event);
        if (start != PAGE_NONE && fill->starts[start].task && to && fill->flows.rows < fill->plan->limits.flows)
                page_table_add(&fill->flows, (const int64_t[]){fill->starts[start].time_ns, event->time_ns,
                                                               fill->starts[start].task, to, name});
        return 0;
}

/* --- counters --- */

static int add_sample(struct page_series *series, struct page_sample sample)
{
        if (!page_grow(&series->samples, &series->capacity, series->n, sizeof *series->samples))
                return -ENOMEM;
        series->samples[series->n++] = sample;
        return 0;
}

/* Of the stretch that ends: the least, the most, and the last value, in the order of time. */
static int end_stretch(struct page_series *series)
{
        struct page_sample first = series->least, second = series->most;
        int error = 0;

        if (series->stretch < 0)
                return 0;
        if (first.time_ns > second.time_ns) {
                first = series->most;
                second = series->least;
        }
        if (first.time_ns < second.time_ns)
                error = add_sample(series, first);
        if (!error && second.time_ns < series->last.time_ns)
                error = add_sample(series, second);
        return error ? error : add_sample(series, series->last);
}

static int add_counter(struct page_fill *fill, const struct plait_recording_event *event)
{
        uint32_t counter = page_plan_counter(fill->plan, event->process, event->text);
        struct page_sample sample = {event->time_ns, event->number};

        if (counter == PAGE_NONE)
                return 0;
        struct page_series *series = &fill->series[counter];
        if (!series->thinned)
                return add_sample(series, sample);

        int64_t stretch = (int64_t)((double)event->time_ns / (double)fill->plan->duration_ns * STRETCHES);
        if (stretch != series->stretch) {
                int error = end_stretch(series);
                if (error)
                        return error;
                series->stretch = stretch;
                series->least = series->most = sample;
        }
        if (sample.value < series->least.value)
                series->least = sample;
        if (sample.value > series->most.value)
                series->most = sample;
        series->last = sample;
        return 0;
}

int page_events_add(struct page_fill *fill, const struct plait_recording_event *event, const struct model_flow *flow)
{
        int kind = instant_kind_of(event);

        (void)flow;
        if (kind >= 0)
                return add_instant(fill, event, kind);
        switch (event->kind) {
        case PLAIT_RECORDING_COUNTER: return add_counter(fill, event);
        case PLAIT_RECORDING_FLOW_OUT:
        case PLAIT_RECORDING_FLOW_IN: return add_flow(fill, event);
        default: return 0;
        }
}

int page_events_end(struct page_fill *fill)
{
        int error = 0;

        for (uint32_t i = 0; i < PAGE_COUNTERS_MAX && !error; i++)
                error = end_stretch(&fill->series[i]);
        return error;
}
