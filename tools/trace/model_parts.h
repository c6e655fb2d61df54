/*
 * The model's insides, shared by its files: what is open at a time.
 */
#ifndef TRACE_MODEL_PARTS_H
#define TRACE_MODEL_PARTS_H

#include "common/id_map.h"
#include "trace/model.h"

enum {
        MODEL_FLOWS_A_BLOCK = 256,
        MODEL_ENDED = 4096,
};

struct flow_block {
        struct flow_block *next;
        struct model_flow flows[MODEL_FLOWS_A_BLOCK];
};

struct ended {
        uint64_t id;
        uint32_t process;
};

struct open_span {
        const char *name;
        int64_t start_ns;
        struct open_span *outer;
};

/* What a lane does. */
struct lane_state {
        struct model_flow *flow; /* runs; NULL: none */
        bool asleep;
        int64_t since_ns; /* it does that from then on */
};

struct model_private {
        const struct model_reader *reader;
        struct pl_id_map flows;    /* struct model_flow */
        struct pl_id_map objects;  /* texts */
        struct pl_id_map requests; /* struct model_request, allocated */
        struct pl_id_map jobs; /* struct model_job, allocated; pools' as of process 0, since their numbers are unique */
        struct pl_id_map calls; /* the same, blocking calls */
        struct lane_state *lanes;
        uint32_t n_lanes;
        struct model_flow *free_flows;
        struct flow_block *blocks;
        struct ended ended[MODEL_ENDED];    /* the last ones */
        uint8_t cause_places[MODEL_CAUSES]; /* where in model.causes, by number of the cause */
};

struct lane_state *model_lane(struct model_private *own, uint32_t lane);           /* NULL: there is none */
struct lane_state *model_lane_room(struct model *model, uint32_t lane);            /* NULL: out of memory */
int model_end_lane(struct model *model, uint32_t lane, int64_t now_ns, bool open); /* its slice */
int model_on_lane(struct model *model, const struct plait_recording_event *event);

int model_begin_span(struct model *model, struct model_flow *flow, const struct plait_recording_event *event);
int model_end_span(struct model *model, struct model_flow *flow, const struct plait_recording_event *event);
int model_end_spans(struct model *model, struct model_flow *flow, int64_t now_ns, bool open); /* all that are open */

int model_on_job(struct model *model, const struct plait_recording_event *event);
int model_on_request(struct model *model, const struct plait_recording_event *event);
int model_on_object(struct model *model, const struct plait_recording_event *event);
int model_tell_event(struct model *model, const struct plait_recording_event *event);

int model_end_rest(struct model *model); /* jobs, requests and lanes, at the end of the recording */
void model_parts_done(struct model_private *own);

#endif
