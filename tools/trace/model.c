/*
 * The model: what the events of a recording mean.
 *
 * A flow is in one state at a time, since since_ns; each event that changes it ends a slice. What a recording cannot
 * promise is borne: an event of a flow that was never seen to begin, one that comes a little late (a wake-up after the
 * flow runs already), and gaps where events were dropped.
 */
#include "trace/model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/model_parts.h"

#define LATE_NS INT64_C(100000) /* a wake-up is told that much after what it leads to, at most */

/* --- flows --- */

struct model_flow *model_find(const struct model *model, uint32_t process, uint64_t flow)
{
        return flow ? pl_id_map_get(&model->own->flows, process, flow) : NULL;
}

static const char *name_of(const struct model *model, uint32_t process, uint64_t flow)
{
        const struct model_flow *found = model_find(model, process, flow);

        return found ? found->name : NULL;
}

/* Where late events about flows that have ended are known by. */
static struct ended *ended_place(struct model_private *own, uint32_t process, uint64_t id)
{
        return &own->ended[(id * 31 + process) % MODEL_ENDED];
}

static bool has_ended(struct model_private *own, uint32_t process, uint64_t id)
{
        const struct ended *ended = ended_place(own, process, id);

        return ended->id == id && ended->process == process;
}

static struct model_flow *allocate_flow(struct model_private *own)
{
        struct model_flow *flow = own->free_flows;

        if (!flow) {
                struct flow_block *block = malloc(sizeof *block);

                if (!block)
                        return NULL;
                block->next = own->blocks;
                own->blocks = block;
                for (size_t i = 0; i < MODEL_FLOWS_A_BLOCK; i++) {
                        block->flows[i].next = own->free_flows;
                        own->free_flows = &block->flows[i];
                }
                flow = own->free_flows;
        }
        own->free_flows = flow->next;
        return flow;
}

static const char *thread_name(const struct model *model, const struct plait_recording_event *event)
{
        const struct plait_recording_lane *lane = plait_recording_get_lane(model->recording, event->lane);

        return lane && lane->tid == (event->flow & ~PLAIT_RECORDING_THREAD) && lane->name && *lane->name ? lane->name
                                                                                                         : NULL;
}

static int add_flow(struct model *model, const struct plait_recording_event *event, struct model_flow **ret)
{
        struct model_private *own = model->own;
        struct model_flow *flow = allocate_flow(own);

        if (!flow)
                return -ENOMEM;
        *flow = (struct model_flow){
                .id = event->flow,
                .process = event->process,
                .number = (uint32_t)model->n_flows,
                .born_ns = event->time_ns,
                .since_ns = event->time_ns,
                .lane = MODEL_NO_LANE,
        };
        if (event->flow & PLAIT_RECORDING_THREAD)
                flow->name = thread_name(model, event);
        int r = pl_id_map_put(&own->flows, event->process, event->flow, flow);
        if (r < 0) {
                flow->next = own->free_flows;
                own->free_flows = flow;
                return r;
        }
        model->n_flows++;
        *ret = flow;
        return own->reader->begins ? own->reader->begins(own->reader->arg, flow) : 0;
}

/* The flow that the event is about; one that is not known is new. */
static int flow_of(struct model *model, const struct plait_recording_event *event, struct model_flow **ret)
{
        *ret = pl_id_map_get(&model->own->flows, event->process, event->flow);
        return *ret ? 0 : add_flow(model, event, ret);
}

/* --- slices --- */

static void add_cause(struct model *model, const struct model_slice *slice)
{
        const char *name = plait_recording_cause(model->recording, slice->flow->process, slice->cause);
        uint8_t *place = &model->own->cause_places[slice->cause % MODEL_CAUSES];

        if (*place >= model->n_causes || model->causes[*place].name != name) {
                size_t i = 0;

                while (i < model->n_causes && strcmp(model->causes[i].name, name) != 0)
                        i++;
                if (i == MODEL_CAUSES)
                        return;
                if (i == model->n_causes)
                        model->causes[model->n_causes++].name = name;
                *place = (uint8_t)i;
        }
        model->causes[*place].total_ns += slice->end_ns - slice->start_ns;
        model->causes[*place].count++;
}

/* Of what it waits for: its name, or the request that the wait is a part of. */
static const char *object_name(const struct model *model, const struct model_flow *flow)
{
        static const char *const transport[] = {"http", "read", "write", "call", "poll"};
        const char *name = flow->object ? pl_id_map_get(&model->own->objects, flow->process, flow->object) : NULL;

        if (name || !flow->request)
                return name;
        const char *cause = plait_recording_cause(model->recording, flow->process, flow->cause);
        for (size_t i = 0; i < sizeof transport / sizeof *transport; i++)
                if (strcmp(cause, transport[i]) == 0)
                        return flow->request_text;
        return NULL;
}

static int tell_slice(struct model *model, struct model_flow *flow, struct model_slice *slice)
{
        const struct model_reader *reader = model->own->reader;

        slice->flow = flow;
        slice->start_ns = flow->since_ns;
        slice->state = flow->state;
        slice->lane = flow->state == MODEL_RUNNING ? flow->lane : MODEL_NO_LANE;
        if (flow->state == MODEL_WAITING) {
                slice->cause = flow->cause;
                slice->object = flow->object;
                slice->object_name = object_name(model, flow);
                slice->value = flow->value;
                slice->holder = flow->other ? flow->other : slice->waker;
                slice->holder_name = flow->other ? flow->other_name : name_of(model, flow->process, slice->waker);
                add_cause(model, slice);
        }
        flow->busy_ns[flow->state] += slice->end_ns - slice->start_ns;
        model->state_ns[flow->state] += slice->end_ns - slice->start_ns;
        return reader->slice ? reader->slice(reader->arg, slice) : 0;
}

/* The flow's slice ends, and the lane that it ran on is free. */
static int end_slice(struct model *model, struct model_flow *flow, struct model_slice *slice)
{
        struct lane_state *lane = model_lane(model->own, flow->lane);
        int r = 0;

        if (slice->end_ns < flow->since_ns)
                slice->end_ns = flow->since_ns;
        if (flow->known && flow->state == MODEL_RUNNING && lane && lane->flow == flow)
                r = model_end_lane(model, flow->lane, slice->end_ns, slice->open);
        if (r == 0 && flow->known)
                r = tell_slice(model, flow, slice);
        flow->known = false;
        flow->since_ns = slice->end_ns;
        return r;
}

static int change(struct model *model, struct model_flow *flow, int64_t now_ns, enum model_state state)
{
        struct model_slice slice = {.end_ns = now_ns};
        int r = end_slice(model, flow, &slice);

        flow->state = state;
        flow->known = true;
        return r;
}

static int end_flow(struct model *model, struct model_flow *flow, int64_t now_ns, bool open)
{
        struct model_private *own = model->own;
        struct model_slice slice = {.end_ns = now_ns, .open = open};
        int r = end_slice(model, flow, &slice);

        if (r == 0)
                r = model_end_spans(model, flow, now_ns, open);
        if (r == 0 && own->reader->ends)
                r = own->reader->ends(own->reader->arg, flow);
        pl_id_map_take(&own->flows, flow->process, flow->id);
        *ended_place(own, flow->process, flow->id) = (struct ended){.id = flow->id, .process = flow->process};
        flow->next = own->free_flows;
        own->free_flows = flow;
        return r;
}

/* --- events of flows --- */

static int on_exists(struct model_flow *flow, const struct plait_recording_event *event)
{
        flow->function = event->text;
        if (!flow->name)
                flow->name = event->text;
        flow->state = MODEL_RUNNABLE; /* if it waits, that is the next event */
        flow->other = 0;
        flow->known = true;
        return 0;
}

/* It may be told after the task began to run elsewhere, or even ended. */
static int on_spawned(struct model *model, const struct plait_recording_event *event)
{
        struct model_flow *flow = pl_id_map_get(&model->own->flows, event->process, event->flow);
        bool late = flow;

        if (!late && has_ended(model->own, event->process, event->flow))
                return 0;
        int r = late ? 0 : add_flow(model, event, &flow);
        if (r < 0)
                return r;
        flow->parent = event->other;
        flow->function = event->text;
        if (!flow->name)
                flow->name = event->text;
        if (!late) {
                flow->state = MODEL_RUNNABLE;
                flow->other = event->other;
                flow->known = true;
        }
        return 0;
}

static int on_runs(struct model *model, struct model_flow *flow, const struct plait_recording_event *event)
{
        struct lane_state *lane = model_lane_room(model, event->lane);
        bool unwoken = flow->known && flow->state == MODEL_WAITING;
        int r = 0;

        if (!lane)
                return -ENOMEM;
        if (unwoken)
                unwoken = strcmp(plait_recording_cause(model->recording, flow->process, flow->cause), "join") != 0;
        if (lane->flow && lane->flow != flow) { /* it has left, and that was not recorded */
                struct model_slice slice = {.end_ns = event->time_ns};

                r = end_slice(model, lane->flow, &slice);
        }
        if (r == 0 && lane->asleep)
                r = model_end_lane(model, event->lane, event->time_ns, false);
        if (r == 0)
                r = change(model, flow, event->time_ns, MODEL_RUNNING);
        flow->lane = event->lane;
        flow->unwoken_ns = unwoken ? event->time_ns : INT64_MIN / 2;
        lane = model_lane(model->own, event->lane);
        lane->flow = flow;
        lane->since_ns = flow->since_ns;
        return r;
}

/* The thread that has called plait_run() waits for its tasks, and is a worker meanwhile: that is no wait of its own. */
static bool becomes_worker(const struct model *model, const struct plait_recording_event *event)
{
        const struct plait_recording_lane *lane = plait_recording_get_lane(model->recording, event->lane);

        return event->flow & PLAIT_RECORDING_THREAD && lane && lane->kind == PLAIT_RECORDING_LANE_WORKER;
}

/* That it has left a lane is told after it runs on another one. */
static bool runs_elsewhere(const struct model_flow *flow, const struct plait_recording_event *event)
{
        return flow->known && flow->state == MODEL_RUNNING && flow->lane != event->lane;
}

static int on_waits(struct model *model, struct model_flow *flow, const struct plait_recording_event *event)
{
        if (runs_elsewhere(flow, event))
                return 0;
        if (becomes_worker(model, event)) {
                struct model_slice slice = {.end_ns = event->time_ns};

                return end_slice(model, flow, &slice);
        }
        int r = change(model, flow, event->time_ns, MODEL_WAITING);

        flow->cause = event->cause;
        flow->object = event->object;
        flow->other = event->other;
        flow->other_name = name_of(model, event->process, event->other);
        flow->value = event->value;
        return r;
}

static int on_yields(struct model *model, struct model_flow *flow, const struct plait_recording_event *event)
{
        if (runs_elsewhere(flow, event))
                return 0;
        int r = change(model, flow, event->time_ns, MODEL_RUNNABLE);

        flow->other = 0;
        return r;
}

static int on_wakes(struct model *model, const struct plait_recording_event *event)
{
        const struct model_reader *reader = model->own->reader;
        struct model_flow *flow = pl_id_map_get(&model->own->flows, event->process, event->flow);
        int r = 0;

        if (!flow)
                return 0; /* it has run on and ended since */
        if (flow->known && flow->state == MODEL_WAITING && event->time_ns - flow->unwoken_ns > LATE_NS) {
                struct model_slice slice = {
                        .end_ns = event->time_ns,
                        .waker = event->other,
                        .how = (enum plait_recording_wake)event->value,
                };

                r = end_slice(model, flow, &slice);
                flow->state = MODEL_RUNNABLE;
                flow->other = event->other;
                flow->known = true;
        }
        flow->unwoken_ns = INT64_MIN / 2;
        if (r < 0 || !reader->wake)
                return r;
        struct model_wake wake = {
                .time_ns = event->time_ns,
                .process = event->process,
                .lane = event->lane,
                .waker = model_find(model, event->process, event->other),
                .wakee = flow,
                .how = (enum plait_recording_wake)event->value,
                .why = event->text,
        };
        return reader->wake(reader->arg, &wake);
}

static int on_named(struct model *model, const struct plait_recording_event *event)
{
        struct model_flow *flow = pl_id_map_get(&model->own->flows, event->process, event->flow);
        int r = 0;

        if (!flow && has_ended(model->own, event->process, event->flow))
                return 0;
        if (!flow)
                r = add_flow(model, event, &flow);
        if (r == 0)
                flow->name = event->text;
        return r;
}

/* Who ran there is not known any more. */
static int on_dropped(struct model *model, const struct plait_recording_event *event)
{
        struct lane_state *lane = model_lane_room(model, event->lane);
        struct model_slice slice = {.end_ns = event->time_ns};

        if (!lane)
                return -ENOMEM;
        if (lane->flow) {
                int r = end_slice(model, lane->flow, &slice);

                lane->flow = NULL;
                return r;
        }
        return lane->asleep ? model_end_lane(model, event->lane, event->time_ns, false) : 0;
}

/* All flows of a process (or of all), at their end or the recording's. */
static int end_flows(struct model *model, const uint32_t *process, int64_t now_ns, bool open)
{
        struct pl_id_map *flows = &model->own->flows;
        struct model_flow **all = calloc(flows->n + 1, sizeof(void *));
        size_t n = 0;
        int r = 0;

        if (!all)
                return -ENOMEM;
        for (size_t i = 0; i < flows->room; i++) {
                struct model_flow *flow = flows->entries[i].value;

                if (flow && (!process || flow->process == *process))
                        all[n++] = flow;
        }
        for (size_t i = 0; i < n && r == 0; i++) {
                const struct plait_recording_process *of = plait_recording_get_process(model->recording,
                                                                                       all[i]->process);
                int64_t end_ns = of && !process && of->ended_ns < now_ns ? of->ended_ns : now_ns;

                r = end_flow(model, all[i], end_ns, open);
        }
        free(all);
        return r;
}

/* --- the pass --- */

static int on_flow_event(struct model *model, const struct plait_recording_event *event)
{
        struct model_flow *flow = NULL;
        int r;

        if (!event->flow || has_ended(model->own, event->process, event->flow))
                return 0;
        r = flow_of(model, event, &flow);
        if (r < 0)
                return r;
        switch (event->kind) {
        case PLAIT_RECORDING_EXISTS: return on_exists(flow, event);
        case PLAIT_RECORDING_RUNS: return on_runs(model, flow, event);
        case PLAIT_RECORDING_WAITS: return on_waits(model, flow, event);
        case PLAIT_RECORDING_YIELDS: return on_yields(model, flow, event);
        case PLAIT_RECORDING_SPAN_BEGIN: return model_begin_span(model, flow, event);
        case PLAIT_RECORDING_SPAN_END: return model_end_span(model, flow, event);
        default: return end_flow(model, flow, event->time_ns, false); /* FINISHED */
        }
}

static int on_event(struct model *model, const struct plait_recording_event *event)
{
        switch ((enum plait_recording_kind)event->kind) {
        case PLAIT_RECORDING_EXISTS:
        case PLAIT_RECORDING_RUNS:
        case PLAIT_RECORDING_WAITS:
        case PLAIT_RECORDING_YIELDS:
        case PLAIT_RECORDING_FINISHED:
        case PLAIT_RECORDING_SPAN_BEGIN:
        case PLAIT_RECORDING_SPAN_END: return on_flow_event(model, event);
        case PLAIT_RECORDING_SPAWNED: return event->flow ? on_spawned(model, event) : 0;
        case PLAIT_RECORDING_NAMED: return event->flow && event->text ? on_named(model, event) : 0;
        case PLAIT_RECORDING_WAKES: return on_wakes(model, event);
        case PLAIT_RECORDING_IDLE:
        case PLAIT_RECORDING_AWAKE: return model_on_lane(model, event);
        case PLAIT_RECORDING_CALL_BEGIN:
        case PLAIT_RECORDING_CALL_END:
        case PLAIT_RECORDING_JOB_SUBMITTED:
        case PLAIT_RECORDING_JOB_BEGIN:
        case PLAIT_RECORDING_JOB_END: return model_on_job(model, event);
        case PLAIT_RECORDING_REQUEST_BEGIN:
        case PLAIT_RECORDING_REQUEST_PHASE:
        case PLAIT_RECORDING_REQUEST_END: return model_on_request(model, event);
        case PLAIT_RECORDING_OBJECT: return model_on_object(model, event);
        case PLAIT_RECORDING_DROPPED: {
                int r = on_dropped(model, event);

                return r < 0 ? r : model_tell_event(model, event);
        }
        case PLAIT_RECORDING_ENDED: return end_flows(model, &event->process, event->time_ns, true);
        default: return model_tell_event(model, event);
        }
}

static int compare_causes(const void *left, const void *right)
{
        const struct model_cause *a = left, *b = right;

        return (a->total_ns < b->total_ns) - (a->total_ns > b->total_ns);
}

int model_read(struct model *model, const struct model_reader *reader)
{
        struct plait_recording_event event;
        int r;

        model->own->reader = reader;
        plait_recording_rewind(model->recording);
        while ((r = plait_recording_next(model->recording, &event)) > 0) {
                model->n_events++;
                model->end_ns = event.time_ns;
                r = on_event(model, &event);
                if (r < 0)
                        return r;
        }
        if (r == 0)
                r = end_flows(model, NULL, model->end_ns, true);
        if (r == 0)
                r = model_end_rest(model);
        qsort(model->causes, model->n_causes, sizeof *model->causes, compare_causes);
        /* What was read, rather than what was announced: a recording under way grows meanwhile. */
        struct plait_recording_info info = {.size = sizeof info};
        if (r == 0 && plait_recording_get_info(model->recording, &info) == 0)
                model->info = info;
        return r;
}
