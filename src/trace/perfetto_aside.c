/*
 * What goes on beside tasks: HTTP requests, blocking calls, jobs of pools, counters.
 */
#include <errno.h>
#include <stddef.h>

#include "trace/perfetto_parts.h"

enum { EVERYWHERE = 0 }; /* the numbers of jobs are those of all processes */

static const char *const phase_names[PLAIT_RECORDING_PHASES] = {
        [PLAIT_RECORDING_QUEUED] = "has had its turn",
        [PLAIT_RECORDING_NAME] = "name looked up",
        [PLAIT_RECORDING_CONNECT] = "connected",
        [PLAIT_RECORDING_TLS] = "TLS set up",
        [PLAIT_RECORDING_SEND] = "sent",
        [PLAIT_RECORDING_FIRST_BYTE] = "first byte",
        [PLAIT_RECORDING_BODY] = "last byte",
};

void pl_trace_begin_arrow(struct pl_trace_encoder *encoder, uint64_t id)
{
        if (pl_id_map_get(&encoder->arrows, 0, id) || pl_id_map_put(&encoder->arrows, 0, id, encoder) < 0)
                return; /* the one before it has not arrived yet */
        pl_trace_packets_flow(&encoder->packets, id);
}

void pl_trace_end_arrow(struct pl_trace_encoder *encoder, uint64_t id)
{
        if (pl_id_map_take(&encoder->arrows, 0, id))
                pl_trace_packets_end_flow(&encoder->packets, id);
}

static int put_request(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        struct pl_trace_packets *packets = &encoder->packets;
        struct pl_trace_slot *slot = pl_id_map_get(&encoder->used[PL_TRACE_REQUESTS], event->process, event->object);

        if (event->kind == PLAIT_RECORDING_REQUEST_BEGIN) {
                slot = pl_trace_take_slot(encoder, PL_TRACE_REQUESTS, event->process, event->process, event->object,
                                          "HTTP requests");
                if (!slot)
                        return -ENOMEM;
                if (slot->open)
                        return 0;
                pl_trace_packets_event(packets, PL_TRACE_SLICE_BEGIN, slot->track);
                pl_trace_packets_passing_name(packets, event->text ? event->text : "request");
                if (event->flow)
                        pl_trace_packets_note_number(packets, "task", (int64_t)event->flow);
                slot->open = true;
        } else if (!slot || !slot->open) {
                return 0; /* its begin was dropped */
        } else if (event->kind == PLAIT_RECORDING_REQUEST_PHASE) {
                if (event->cause >= PLAIT_RECORDING_PHASES)
                        return 0;
                pl_trace_packets_event(packets, PL_TRACE_INSTANT, slot->track);
                pl_trace_packets_name(packets, phase_names[event->cause]);
                pl_trace_packets_note_double(packets, "seconds from the begin", (double)event->value / 1e9);
        } else {
                pl_trace_packets_event(packets, PL_TRACE_SLICE_END, slot->track);
                pl_trace_packets_note_number(packets, "status", event->value);
                if (event->text)
                        pl_trace_packets_note(packets, "problem", event->text);
                slot->open = false;
                pl_trace_free_slot(encoder, slot, event->process, event->object);
        }
        pl_trace_packets_send(packets, event->time_ns);
        return 0;
}

/*
 * Begins or ends the slice of a call or a job, in a slot of its kind, which are called *name*. 1, and its event is to
 * be filled in and sent; 0: there is nothing to tell; or -ENOMEM.
 */
static int turn(struct pl_trace_encoder *encoder, enum pl_trace_kind kind, const char *name, uint32_t space,
                const struct plait_recording_event *event, bool begins, struct pl_trace_slot **ret)
{
        struct pl_trace_slot *slot = begins ? pl_trace_take_slot(encoder, kind, event->process, space, event->object,
                                                                 name)
                                            : pl_id_map_get(&encoder->used[kind], space, event->object);

        if (!slot)
                return begins ? -ENOMEM : 0;
        if (slot->open == begins)
                return 0;
        slot->open = begins;
        pl_trace_packets_event(&encoder->packets, begins ? PL_TRACE_SLICE_BEGIN : PL_TRACE_SLICE_END, slot->track);
        *ret = slot;
        return 1;
}

static int put_call(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        struct pl_trace_packets *packets = &encoder->packets;
        bool begins = event->kind == PLAIT_RECORDING_CALL_BEGIN;
        struct pl_trace_slot *slot = NULL;
        int r = turn(encoder, PL_TRACE_CALLS, "blocking calls", event->process, event, begins, &slot);

        if (r <= 0)
                return r;
        if (begins) {
                pl_trace_packets_name(packets, event->text ? event->text : "call");
                if (event->other)
                        pl_trace_packets_note_number(packets, "task", (int64_t)event->other);
        } else {
                pl_trace_free_slot(encoder, slot, event->process, event->object);
        }
        pl_trace_packets_send(packets, event->time_ns);
        return 0;
}

/* The arrow of a job begins where it is submitted, and leads to where it runs. */
static void put_submitted(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        struct pl_trace_packets *packets = &encoder->packets;
        struct pl_trace_strand *strand = pl_id_map_get(&encoder->strands, event->process, event->flow);
        uint64_t track = strand ? strand->track : pl_trace_line_track(encoder, event->lane);

        if (!track)
                return;
        pl_trace_packets_event(packets, PL_TRACE_INSTANT, track);
        pl_trace_packets_name(packets, "submits a job");
        if (event->text)
                pl_trace_packets_note(packets, "job", event->text);
        pl_trace_begin_arrow(encoder, event->object << 1 | 1);
        pl_trace_packets_send(packets, event->time_ns);
}

static int put_job(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        struct pl_trace_packets *packets = &encoder->packets;
        bool begins = event->kind == PLAIT_RECORDING_JOB_BEGIN;
        struct pl_trace_slot *slot = NULL;
        int r = turn(encoder, PL_TRACE_JOBS, "pool jobs", EVERYWHERE, event, begins, &slot);

        if (r <= 0)
                return r;
        if (begins) {
                pl_trace_packets_name(packets, event->text ? event->text : "job");
                pl_trace_packets_note_number(packets, "job", (int64_t)event->object);
                pl_trace_end_arrow(encoder, event->object << 1 | 1);
        } else {
                pl_trace_packets_note_number(packets, "result", event->value);
                pl_trace_free_slot(encoder, slot, EVERYWHERE, event->object);
        }
        pl_trace_packets_send(packets, event->time_ns);
        return 0;
}

static int put_counter(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        const char *name = event->text ? event->text : "counter";
        struct pl_trace_slot *slot = pl_trace_take_slot(encoder, PL_TRACE_COUNTERS, event->process, event->process,
                                                        (uintptr_t)event->text, name);

        if (!slot)
                return -ENOMEM;
        pl_trace_packets_event(&encoder->packets, PL_TRACE_VALUE, slot->track);
        pl_trace_packets_value(&encoder->packets, event->number);
        pl_trace_packets_send(&encoder->packets, event->time_ns);
        return 0;
}

int pl_trace_put_aside(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        switch ((enum plait_recording_kind)event->kind) {
        case PLAIT_RECORDING_CALL_BEGIN:
        case PLAIT_RECORDING_CALL_END: return put_call(encoder, event);
        case PLAIT_RECORDING_JOB_BEGIN:
        case PLAIT_RECORDING_JOB_END: return put_job(encoder, event);
        case PLAIT_RECORDING_JOB_SUBMITTED: put_submitted(encoder, event); return 0;
        case PLAIT_RECORDING_REQUEST_BEGIN:
        case PLAIT_RECORDING_REQUEST_PHASE:
        case PLAIT_RECORDING_REQUEST_END: return put_request(encoder, event);
        case PLAIT_RECORDING_COUNTER: return put_counter(encoder, event);
        default: return 0;
        }
}
