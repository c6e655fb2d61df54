/*
 * What is open while the model reads: lanes, spans, jobs, requests; and the names of objects.
 */
#include "trace/model_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- lanes --- */

struct lane_state *model_lane(struct model_private *own, uint32_t lane)
{
        return lane < own->n_lanes ? &own->lanes[lane] : NULL;
}

struct lane_state *model_lane_room(struct model *model, uint32_t lane)
{
        struct model_private *own = model->own;

        if (lane >= own->n_lanes) {
                uint32_t room = lane + 1 > 2 * own->n_lanes ? lane + 1 : 2 * own->n_lanes;
                struct lane_state *bigger = realloc(own->lanes, room * sizeof *bigger);

                if (!bigger)
                        return NULL;
                memset(bigger + own->n_lanes, 0, (room - own->n_lanes) * sizeof *bigger);
                own->lanes = bigger;
                own->n_lanes = room;
        }
        return &own->lanes[lane];
}

int model_end_lane(struct model *model, uint32_t lane, int64_t now_ns, bool open)
{
        const struct model_reader *reader = model->own->reader;
        struct lane_state *state = &model->own->lanes[lane];
        struct model_lane_slice slice = {
                .lane = lane,
                .state = state->flow ? MODEL_LANE_RUNS : MODEL_LANE_SLEEPS,
                .flow = state->flow,
                .start_ns = state->since_ns,
                .end_ns = now_ns,
                .open = open,
        };

        *state = (struct lane_state){0};
        return reader->lane ? reader->lane(reader->arg, &slice) : 0;
}

/* IDLE and AWAKE. */
int model_on_lane(struct model *model, const struct plait_recording_event *event)
{
        struct lane_state *lane = model_lane_room(model, event->lane);
        bool sleeps = event->kind == PLAIT_RECORDING_IDLE;
        int r = 0;

        if (!lane)
                return -ENOMEM;
        if (lane->flow ||
            (sleeps && lane->asleep)) /* a flow that did not say that it left goes on: nobody knows better */
                return 0;
        if (lane->asleep)
                r = model_end_lane(model, event->lane, event->time_ns, false);
        if (sleeps)
                *lane = (struct lane_state){.asleep = true, .since_ns = event->time_ns};
        return r;
}

/* --- spans --- */

static int tell_span(struct model *model, struct model_flow *flow, int64_t now_ns, bool open)
{
        const struct model_reader *reader = model->own->reader;
        struct open_span *span = flow->spans;
        struct model_span told = {
                .flow = flow,
                .name = span->name,
                .start_ns = span->start_ns,
                .end_ns = now_ns,
                .depth = flow->n_spans - 1,
                .open = open,
        };

        flow->spans = span->outer;
        flow->n_spans--;
        free(span);
        return reader->span ? reader->span(reader->arg, &told) : 0;
}

int model_begin_span(struct model *model, struct model_flow *flow, const struct plait_recording_event *event)
{
        struct open_span *span = malloc(sizeof *span);

        (void)model;
        if (!span)
                return -ENOMEM;
        *span = (struct open_span){.name = event->text, .start_ns = event->time_ns, .outer = flow->spans};
        flow->spans = span;
        flow->n_spans++;
        return 0;
}

/* Those inside it whose end was dropped end with it; one whose begin was dropped is not there. */
int model_end_span(struct model *model, struct model_flow *flow, const struct plait_recording_event *event)
{
        const struct open_span *ended = flow->spans;
        int r = 0;

        while (ended && ended->name != event->text)
                ended = ended->outer;
        for (bool more = ended; more && r == 0;) {
                more = flow->spans != ended;
                r = tell_span(model, flow, event->time_ns, false);
        }
        return r;
}

int model_end_spans(struct model *model, struct model_flow *flow, int64_t now_ns, bool open)
{
        int r = 0;

        while (flow->spans && r == 0)
                r = tell_span(model, flow, now_ns, open);
        return r;
}

/* --- jobs and blocking calls --- */

static struct model_job *find_job(struct pl_id_map *jobs, uint32_t process, const struct plait_recording_event *event)
{
        struct model_job *job = pl_id_map_get(jobs, process, event->object);

        if (job)
                return job;
        job = malloc(sizeof *job);
        if (!job)
                return NULL;
        *job = (struct model_job){.id = event->object, .submitted_ns = -1, .start_ns = -1};
        if (pl_id_map_put(jobs, process, event->object, job) < 0) {
                free(job);
                return NULL;
        }
        return job;
}

static int end_job(struct model *model, struct pl_id_map *jobs, uint32_t process, struct model_job *job, int64_t now_ns)
{
        const struct model_reader *reader = model->own->reader;
        int r = 0;

        pl_id_map_take(jobs, process, job->id);
        job->end_ns = now_ns;
        if (job->start_ns >= 0 && reader->job)
                r = reader->job(reader->arg, job);
        free(job);
        return r;
}

int model_on_job(struct model *model, const struct plait_recording_event *event)
{
        bool is_call = event->kind == PLAIT_RECORDING_CALL_BEGIN || event->kind == PLAIT_RECORDING_CALL_END;
        bool ends = event->kind == PLAIT_RECORDING_CALL_END || event->kind == PLAIT_RECORDING_JOB_END;
        struct pl_id_map *jobs = is_call ? &model->own->calls : &model->own->jobs;
        uint32_t process = is_call ? event->process : 0;
        struct model_job *job;

        if (ends) {
                job = pl_id_map_get(jobs, process, event->object);
                if (!job)
                        return 0;
                job->result = event->value;
                return end_job(model, jobs, process, job, event->time_ns);
        }
        job = find_job(jobs, process, event);
        if (!job)
                return -ENOMEM;
        job->is_call = is_call;
        if (event->text)
                job->text = event->text;
        if (is_call || event->kind == PLAIT_RECORDING_JOB_SUBMITTED) {
                job->submitter = is_call ? event->other : event->flow;
                job->submitter_process = event->process;
        }
        if (event->kind == PLAIT_RECORDING_JOB_SUBMITTED) {
                job->submitted_ns = event->time_ns;
        } else {
                job->process = event->process;
                job->lane = event->lane;
                job->start_ns = event->time_ns;
        }
        return 0;
}

/* --- requests --- */

static int begin_request(struct model *model, const struct plait_recording_event *event)
{
        struct model_flow *flow = model_find(model, event->process, event->flow);
        struct model_request *old = pl_id_map_take(&model->own->requests, event->process, event->object);
        struct model_request *request = malloc(sizeof *request);

        free(old);
        if (!request)
                return -ENOMEM;
        *request = (struct model_request){
                .process = event->process,
                .id = event->object,
                .flow = event->flow,
                .text = event->text,
                .start_ns = event->time_ns,
        };
        for (int i = 0; i < PLAIT_RECORDING_PHASES; i++)
                request->phase_ns[i] = -1;
        if (pl_id_map_put(&model->own->requests, event->process, event->object, request) < 0) {
                free(request);
                return -ENOMEM;
        }
        if (flow) {
                request->flow_name = flow->name;
                flow->request = event->object;
                flow->request_text = event->text;
        }
        return 0;
}

static int end_request(struct model *model, struct model_request *request, int64_t now_ns)
{
        const struct model_reader *reader = model->own->reader;
        struct model_flow *flow = model_find(model, request->process, request->flow);
        int r = 0;

        pl_id_map_take(&model->own->requests, request->process, request->id);
        request->end_ns = now_ns;
        if (flow) {
                request->flow_name = flow->name;
                if (flow->request == request->id)
                        flow->request = 0;
        }
        if (reader->request)
                r = reader->request(reader->arg, request);
        free(request);
        return r;
}

int model_on_request(struct model *model, const struct plait_recording_event *event)
{
        struct model_request *request;

        if (event->kind == PLAIT_RECORDING_REQUEST_BEGIN)
                return begin_request(model, event);
        request = pl_id_map_get(&model->own->requests, event->process, event->object);
        if (!request)
                return 0;
        if (event->kind == PLAIT_RECORDING_REQUEST_PHASE) {
                if (event->cause < PLAIT_RECORDING_PHASES && event->value >= 0)
                        request->phase_ns[event->cause] = event->value;
                return 0;
        }
        request->status = event->value;
        request->problem = event->text;
        return end_request(model, request, event->time_ns);
}

/* --- the rest --- */

int model_on_object(struct model *model, const struct plait_recording_event *event)
{
        /* The map hands out what it was given, and nobody writes to it. */
        return event->text ? pl_id_map_put(&model->own->objects, event->process, event->object,
                                           (void *)(uintptr_t)event->text)
                           : 0;
}

int model_tell_event(struct model *model, const struct plait_recording_event *event)
{
        const struct model_reader *reader = model->own->reader;

        return reader->event ? reader->event(reader->arg, event, model_find(model, event->process, event->flow)) : 0;
}

int model_end_rest(struct model *model)
{
        struct model_private *own = model->own;
        int r = 0;

        /* What is taken out may bring another one into its place. */
        for (size_t i = 0; i < own->requests.room; i++)
                while (r == 0 && own->requests.entries[i].value) {
                        struct model_request *request = own->requests.entries[i].value;

                        request->open = true;
                        r = end_request(model, request, model->end_ns);
                }
        for (size_t i = 0; i < own->jobs.room; i++)
                while (r == 0 && own->jobs.entries[i].value) {
                        struct model_job *job = own->jobs.entries[i].value;

                        job->open = true;
                        r = end_job(model, &own->jobs, 0, job, model->end_ns);
                }
        for (size_t i = 0; i < own->calls.room; i++)
                while (r == 0 && own->calls.entries[i].value) {
                        struct model_job *job = own->calls.entries[i].value;

                        job->open = true;
                        r = end_job(model, &own->calls, job->process, job, model->end_ns);
                }
        for (uint32_t i = 0; i < own->n_lanes && r == 0; i++)
                if (own->lanes[i].asleep)
                        r = model_end_lane(model, i, model->end_ns, true);
        return r;
}

static void free_values(struct pl_id_map *map)
{
        for (size_t i = 0; i < map->room; i++)
                free(map->entries[i].value);
        pl_id_map_done(map);
}

static void free_spans(struct pl_id_map *flows)
{
        for (size_t i = 0; i < flows->room; i++) {
                struct model_flow *flow = flows->entries[i].value;

                while (flow && flow->spans) {
                        struct open_span *span = flow->spans;

                        flow->spans = span->outer;
                        free(span);
                }
        }
}

void model_parts_done(struct model_private *own)
{
        if (!own)
                return;
        free_spans(&own->flows);
        pl_id_map_done(&own->flows);
        pl_id_map_done(&own->objects);
        free_values(&own->requests);
        free_values(&own->jobs);
        free_values(&own->calls);
        free(own->lanes);
        while (own->blocks) {
                struct flow_block *block = own->blocks;

                own->blocks = block->next;
                free(block);
        }
}
