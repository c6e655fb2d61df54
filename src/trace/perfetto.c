/*
 * A recording as Perfetto's TrackEvents.
 *
 * Slices on a track follow each other or nest. What a task does (it runs, is runnable, waits for what) is a row of
 * slices on its own track; that it runs is also one on the track of its worker. Its spans, which begin and end amid
 * those, have a track below. The events come in time, and so do the packets.
 *
 * What a recording cannot promise is borne: a task that was never seen to begin, a wake-up that is told a little after
 * its task runs already, and gaps where events were dropped.
 */
#include "trace/perfetto_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LATE_NS INT64_C(100000) /* a wake-up is told that much after what it leads to, at most */
#define LONG_AGO_NS (INT64_MIN / 2)

/* --- slices --- */

static void begin_slice(struct pl_trace_encoder *encoder, uint64_t track, const char *name)
{
        pl_trace_packets_event(&encoder->packets, PL_TRACE_SLICE_BEGIN, track);
        pl_trace_packets_name(&encoder->packets, name);
}

static void end_slice(struct pl_trace_encoder *encoder, uint64_t track, int64_t now_ns)
{
        pl_trace_packets_event(&encoder->packets, PL_TRACE_SLICE_END, track);
        pl_trace_packets_send(&encoder->packets, now_ns);
}

static void begin_instant(struct pl_trace_encoder *encoder, uint64_t track, const char *name)
{
        pl_trace_packets_event(&encoder->packets, PL_TRACE_INSTANT, track);
        pl_trace_packets_name(&encoder->packets, name);
}

static void send(struct pl_trace_encoder *encoder, int64_t now_ns)
{
        pl_trace_packets_send(&encoder->packets, now_ns);
}

/* A thread's own slices stand on its lane's track. */
static bool is_thread(const struct pl_trace_strand *strand)
{
        return strand->id & PLAIT_RECORDING_THREAD;
}

static void leave_line(struct pl_trace_encoder *encoder, struct pl_trace_line *line, int64_t now_ns)
{
        if (line->asleep || (line->strand && !is_thread(line->strand)))
                end_slice(encoder, line->track, now_ns);
        line->asleep = false;
        line->strand = NULL;
}

/* What it did ends; what it does now is not known yet. */
static void leave(struct pl_trace_encoder *encoder, struct pl_trace_strand *strand, int64_t now_ns)
{
        struct pl_trace_line *line = &encoder->lines[strand->lane];

        if (strand->state == PL_TRACE_RUNNING && line->strand == strand)
                leave_line(encoder, line, now_ns);
        if (strand->state != PL_TRACE_UNKNOWN)
                end_slice(encoder, strand->track, now_ns);
        strand->state = PL_TRACE_UNKNOWN;
}

/* "waiting: mutex"; made once. */
static const char *waiting_name(struct pl_trace_encoder *encoder, const char *cause)
{
        static const char prefix[] = "waiting: ";
        char *name = pl_id_map_get(&encoder->waitings, 0, (uintptr_t)cause);
        size_t bytes = strlen(cause) + 1;

        if (name)
                return name;
        name = malloc(sizeof prefix - 1 + bytes);
        if (!name)
                return "waiting";
        memcpy(name, prefix, sizeof prefix - 1);
        memcpy(name + sizeof prefix - 1, cause, bytes);
        if (pl_id_map_put(&encoder->waitings, 0, (uintptr_t)cause, name) < 0) {
                free(name);
                return "waiting";
        }
        return name;
}

/* --- strands --- */

static struct pl_trace_strand *find(const struct pl_trace_encoder *encoder, uint32_t process, uint64_t flow)
{
        return flow ? pl_id_map_get(&encoder->strands, process, flow) : NULL;
}

/* The one that the event is about; one that is not known is new. NULL: out of memory, or the event is damaged. */
static struct pl_trace_strand *strand_of(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        struct pl_trace_strand *strand = find(encoder, event->process, event->flow);

        if (strand)
                return strand;
        strand = malloc(sizeof *strand);
        if (!strand)
                return NULL;
        *strand = (struct pl_trace_strand){
                .id = event->flow,
                .process = event->process,
                .lane = event->lane,
                .name = pl_id_map_get(&encoder->names, event->process, event->flow),
                .unwoken_ns = LONG_AGO_NS,
        };
        if (!strand->name && (event->kind == PLAIT_RECORDING_SPAWNED || event->kind == PLAIT_RECORDING_EXISTS))
                strand->name = event->text;
        pl_trace_make_strand_track(encoder, strand, event->lane);
        if (!strand->track || pl_id_map_put(&encoder->strands, event->process, event->flow, strand) < 0) {
                free(strand);
                return NULL;
        }
        return strand;
}

static void end_span(struct pl_trace_encoder *encoder, struct pl_trace_strand *strand, int64_t now_ns)
{
        struct pl_trace_span *span = strand->spans;

        strand->spans = span->outer;
        free(span);
        end_slice(encoder, strand->spans_track, now_ns);
}

/* Where it is known that a task has ended: others may tell of it a little later than that. */
static struct pl_trace_ended *ended_place(struct pl_trace_encoder *encoder, uint32_t process, uint64_t id)
{
        return &encoder->ended[(id * 31 + process) % PL_TRACE_ENDED];
}

static void end_strand(struct pl_trace_encoder *encoder, struct pl_trace_strand *strand, int64_t now_ns)
{
        leave(encoder, strand, now_ns);
        while (strand->spans)
                end_span(encoder, strand, now_ns);
        pl_id_map_take(&encoder->strands, strand->process, strand->id);
        *ended_place(encoder, strand->process, strand->id) = (struct pl_trace_ended){.id = strand->id,
                                                                                     .process = strand->process};
        free(strand);
}

/* Everything of a process that is open ends. */
void pl_trace_end_process(struct pl_trace_encoder *encoder, uint32_t process, int64_t now_ns)
{
        for (size_t i = 0; i < encoder->strands.room; i++)
                for (struct pl_trace_strand *strand = encoder->strands.entries[i].value;
                     strand && strand->process == process; strand = encoder->strands.entries[i].value)
                        end_strand(encoder, strand, now_ns); /* which may bring another one into its place */
        for (uint32_t i = 0; i < encoder->info.n_lanes; i++) {
                const struct plait_recording_lane *lane = plait_recording_get_lane(encoder->recording, i);

                if (lane && lane->process == process)
                        leave_line(encoder, &encoder->lines[i], now_ns);
        }
        pl_trace_end_slots(encoder, process, now_ns);
        if (process < encoder->info.n_processes)
                encoder->homes[process].ended = true;
}

/* Processes that were killed: theirs ends at the last moment known of them. */
static void end_killed(struct pl_trace_encoder *encoder, int64_t now_ns)
{
        int64_t next_ns = INT64_MAX;

        for (uint32_t i = 0; i < encoder->info.n_processes; i++) {
                const struct plait_recording_process *process = plait_recording_get_process(encoder->recording, i);

                if (!process || process->ended || encoder->homes[i].ended)
                        continue;
                if (process->ended_ns < now_ns)
                        pl_trace_end_process(encoder, i, process->ended_ns);
                else if (process->ended_ns < next_ns)
                        next_ns = process->ended_ns;
        }
        encoder->next_end_ns = next_ns;
}

/* --- events --- */

static void put_runs(struct pl_trace_encoder *encoder, struct pl_trace_strand *strand,
                     const struct plait_recording_event *event)
{
        struct pl_trace_line *line = &encoder->lines[event->lane];
        bool unwoken = strand->state == PL_TRACE_WAITING && !strand->joins;

        if (!pl_trace_line_track(encoder, event->lane))
                return;
        if (line->strand && line->strand != strand) /* it has left, and that was not recorded */
                leave(encoder, line->strand, event->time_ns);
        leave(encoder, strand, event->time_ns);
        leave_line(encoder, line, event->time_ns);
        begin_slice(encoder, strand->track, "running");
        if (!is_thread(strand)) {
                pl_trace_packets_note_number(&encoder->packets, "worker",
                                             plait_recording_get_lane(encoder->recording, event->lane)->number);
                send(encoder, event->time_ns);
                begin_slice(encoder, line->track, strand->name ? strand->name : "task");
                pl_trace_packets_note_number(&encoder->packets, "task", (int64_t)strand->id);
        }
        send(encoder, event->time_ns);
        line->strand = strand;
        strand->lane = event->lane;
        strand->state = PL_TRACE_RUNNING;
        strand->unwoken_ns = unwoken ? event->time_ns : LONG_AGO_NS;
}

static void put_waits(struct pl_trace_encoder *encoder, struct pl_trace_strand *strand,
                      const struct plait_recording_event *event)
{
        const char *cause = plait_recording_cause(encoder->recording, event->process, event->cause);
        const struct pl_trace_strand *other = find(encoder, event->process, event->other);
        const char *object = pl_id_map_get(&encoder->objects, event->process, event->object);

        leave(encoder, strand, event->time_ns);
        if (is_thread(strand)) {
                leave_line(encoder, &encoder->lines[event->lane], event->time_ns);
                /* Who has called plait_run() waits for its tasks, and is a worker meanwhile: that is no wait of its
                 * own. */
                if (plait_recording_get_lane(encoder->recording, event->lane)->kind == PLAIT_RECORDING_LANE_WORKER)
                        return;
        }
        begin_slice(encoder, strand->track, waiting_name(encoder, cause));
        if (object)
                pl_trace_packets_note(&encoder->packets, "object", object);
        else if (event->object)
                pl_trace_packets_note_address(&encoder->packets, "object", event->object);
        if (strcmp(cause, "read") == 0 || strcmp(cause, "write") == 0)
                pl_trace_packets_note_number(&encoder->packets, "descriptor", event->value);
        if (other && other->name)
                pl_trace_packets_note(&encoder->packets, "holder", other->name);
        if (event->other)
                pl_trace_packets_note_number(&encoder->packets, "held by task", (int64_t)event->other);
        send(encoder, event->time_ns);
        strand->state = PL_TRACE_WAITING;
        strand->joins = strcmp(cause, "join") == 0;
}

/* An arrow from where it was woken or spawned, and the slice that it leads to. */
static void put_runnable(struct pl_trace_encoder *encoder, struct pl_trace_strand *strand, const char *by,
                         const struct plait_recording_event *event)
{
        struct pl_trace_strand *other = find(encoder, event->process, event->other);
        uint64_t from = other ? other->track : pl_trace_line_track(encoder, event->lane);
        uint64_t flow = from && by ? ++encoder->n_flows << 1 : 0;

        if (flow) {
                begin_instant(encoder, from, by);
                pl_trace_packets_note_number(&encoder->packets, "task", (int64_t)strand->id);
                if (event->kind == PLAIT_RECORDING_WAKES && event->text)
                        pl_trace_packets_note(&encoder->packets, "why", event->text);
                pl_trace_packets_flow(&encoder->packets, flow);
                send(encoder, event->time_ns);
        }
        leave(encoder, strand, event->time_ns);
        begin_slice(encoder, strand->track, "runnable");
        if (flow)
                pl_trace_packets_end_flow(&encoder->packets, flow);
        send(encoder, event->time_ns);
        strand->state = PL_TRACE_RUNNABLE;
}

static void put_wakes(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        static const char *const names[] = {
                [PLAIT_RECORDING_BY_WAKER] = "wakes",
                [PLAIT_RECORDING_BY_DEADLINE] = "deadline of",
                [PLAIT_RECORDING_BY_CANCEL] = "cancels the wait of",
        };
        struct pl_trace_strand *strand = find(encoder, event->process, event->flow);
        size_t how = (size_t)event->value < sizeof names / sizeof *names ? (size_t)event->value : 0;

        if (!strand)
                return; /* it has run on and ended since */
        if (strand->state == PL_TRACE_WAITING && event->time_ns - strand->unwoken_ns > LATE_NS)
                put_runnable(encoder, strand, names[how], event);
        strand->unwoken_ns = LONG_AGO_NS;
}

static void put_span(struct pl_trace_encoder *encoder, struct pl_trace_strand *strand,
                     const struct plait_recording_event *event)
{
        if (event->kind == PLAIT_RECORDING_SPAN_BEGIN) {
                struct pl_trace_span *span = malloc(sizeof *span);

                if (!span || !pl_trace_spans_track(encoder, strand)) {
                        free(span);
                        return;
                }
                *span = (struct pl_trace_span){.name = event->text, .outer = strand->spans};
                strand->spans = span;
                begin_slice(encoder, strand->spans_track, event->text ? event->text : "span");
                send(encoder, event->time_ns);
                return;
        }
        /* Those inside it whose end was dropped end with it; one whose begin was dropped is not there. */
        const struct pl_trace_span *ended = strand->spans;
        while (ended && ended->name != event->text)
                ended = ended->outer;
        for (bool more = ended; more;) {
                more = strand->spans != ended;
                end_span(encoder, strand, event->time_ns);
        }
}

/* The same name and id make the same arrow, in all processes. */
static uint64_t flow_id(const struct plait_recording_event *event)
{
        uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ event->object;

        for (const char *at = event->text ? event->text : ""; *at; at++)
                hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
        return hash | UINT64_C(1) << 63;
}

/* What happens at a moment: on the task's track, or else on the worker's. */
static void put_instant(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        struct pl_trace_packets *packets = &encoder->packets;
        struct pl_trace_strand *strand = find(encoder, event->process, event->flow);
        bool of_lane = event->kind == PLAIT_RECORDING_STOLE || event->kind == PLAIT_RECORDING_DROPPED;
        uint64_t track = strand && !of_lane ? strand->track : pl_trace_line_track(encoder, event->lane);

        if (!track)
                return;
        switch ((enum plait_recording_kind)event->kind) {
        case PLAIT_RECORDING_STOLE:
        case PLAIT_RECORDING_RESCUED:
                begin_instant(encoder, track, event->kind == PLAIT_RECORDING_STOLE ? "steals" : "rescues");
                pl_trace_packets_note_number(packets, "tasks", event->value);
                pl_trace_packets_note_number(packets, "from worker", (int64_t)event->object);
                break;
        case PLAIT_RECORDING_STUCK:
                begin_instant(encoder, track, event->cause ? "is blocked and holds up a worker" : "holds up a worker");
                pl_trace_packets_note_number(packets, "worker", (int64_t)event->object);
                pl_trace_packets_note_double(packets, "seconds", (double)event->value / 1e9);
                break;
        case PLAIT_RECORDING_CANCELS:
                begin_instant(encoder, track, "cancels a scope");
                if (event->text)
                        pl_trace_packets_note(packets, "why", event->text);
                break;
        case PLAIT_RECORDING_REFUSED: begin_instant(encoder, track, "does not wait: cancelled or too late"); break;
        case PLAIT_RECORDING_DROPPED:
                begin_instant(encoder, track, "EVENTS ARE MISSING HERE");
                pl_trace_packets_note_number(packets, "events", event->value);
                break;
        case PLAIT_RECORDING_INSTANT:
                begin_instant(encoder, track, event->text ? event->text : "instant");
                pl_trace_packets_note_number(packets, "value", event->value);
                break;
        default: /* FLOW_OUT, FLOW_IN */
                begin_instant(encoder, track, event->text ? event->text : "flow");
                pl_trace_packets_note_number(packets, "id", (int64_t)event->object);
                if (event->kind == PLAIT_RECORDING_FLOW_OUT)
                        pl_trace_begin_arrow(encoder, flow_id(event));
                else
                        pl_trace_end_arrow(encoder, flow_id(event));
        }
        send(encoder, event->time_ns);
}

/* The worker sleeps, or is awake again. */
static void put_sleep(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        uint64_t track = pl_trace_line_track(encoder, event->lane);
        struct pl_trace_line *line = &encoder->lines[event->lane];

        if (!track || line->strand)
                return;
        if (event->kind == PLAIT_RECORDING_AWAKE) {
                leave_line(encoder, line, event->time_ns);
        } else if (!line->asleep) {
                begin_slice(encoder, track, "asleep");
                send(encoder, event->time_ns);
                line->asleep = true;
        }
}

static void put_dropped(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        struct pl_trace_line *line = &encoder->lines[event->lane];

        if (line->strand)
                leave(encoder, line->strand, event->time_ns);
        else
                leave_line(encoder, line, event->time_ns);
        put_instant(encoder, event);
}

/* That it has left a lane is told after it runs on another one. */
static bool runs_elsewhere(const struct pl_trace_strand *strand, const struct plait_recording_event *event)
{
        return strand->state == PL_TRACE_RUNNING && strand->lane != event->lane;
}

/* Events of a task or a thread, which is new if it is not known. */
static int put_strand(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        const struct pl_trace_ended *ended = ended_place(encoder, event->process, event->flow);
        bool known = find(encoder, event->process, event->flow);
        struct pl_trace_strand *strand;

        if (ended->id == event->flow && ended->process == event->process)
                return 0;
        strand = event->flow ? strand_of(encoder, event) : NULL;
        if (!strand)
                return event->flow && !encoder->packets.error ? -ENOMEM : 0;
        switch ((enum plait_recording_kind)event->kind) {
        case PLAIT_RECORDING_EXISTS:
                put_runnable(encoder, strand, NULL, event); /* if it waits, that is the next event */
                break;
        case PLAIT_RECORDING_SPAWNED:
                if (!known) /* else it runs elsewhere already */
                        put_runnable(encoder, strand, "spawns", event);
                break;
        case PLAIT_RECORDING_RUNS: put_runs(encoder, strand, event); break;
        case PLAIT_RECORDING_WAITS:
                if (!runs_elsewhere(strand, event))
                        put_waits(encoder, strand, event);
                break;
        case PLAIT_RECORDING_YIELDS:
                if (!runs_elsewhere(strand, event))
                        put_runnable(encoder, strand, NULL, event);
                break;
        case PLAIT_RECORDING_FINISHED: end_strand(encoder, strand, event->time_ns); break;
        default: put_span(encoder, strand, event);
        }
        return 0;
}

int pl_trace_put(struct pl_trace_encoder *encoder, const struct plait_recording_event *event)
{
        if (event->process >= encoder->info.n_processes || event->lane >= encoder->info.n_lanes)
                return 0;
        if (event->time_ns > encoder->next_end_ns)
                end_killed(encoder, event->time_ns);
        switch ((enum plait_recording_kind)event->kind) {
        case PLAIT_RECORDING_EXISTS:
        case PLAIT_RECORDING_SPAWNED:
        case PLAIT_RECORDING_RUNS:
        case PLAIT_RECORDING_WAITS:
        case PLAIT_RECORDING_YIELDS:
        case PLAIT_RECORDING_FINISHED:
        case PLAIT_RECORDING_SPAN_BEGIN:
        case PLAIT_RECORDING_SPAN_END: return put_strand(encoder, event);
        case PLAIT_RECORDING_WAKES: put_wakes(encoder, event); return 0;
        case PLAIT_RECORDING_IDLE:
        case PLAIT_RECORDING_AWAKE: put_sleep(encoder, event); return 0;
        case PLAIT_RECORDING_DROPPED: put_dropped(encoder, event); return 0;
        case PLAIT_RECORDING_ENDED: pl_trace_end_process(encoder, event->process, event->time_ns); return 0;
        case PLAIT_RECORDING_OBJECT:
                return event->text ? pl_id_map_put(&encoder->objects, event->process, event->object,
                                                   (void *)(uintptr_t)event->text)
                                   : 0;
        case PLAIT_RECORDING_STOLE:
        case PLAIT_RECORDING_STUCK:
        case PLAIT_RECORDING_RESCUED:
        case PLAIT_RECORDING_CANCELS:
        case PLAIT_RECORDING_REFUSED:
        case PLAIT_RECORDING_INSTANT:
        case PLAIT_RECORDING_FLOW_OUT:
        case PLAIT_RECORDING_FLOW_IN: put_instant(encoder, event); return 0;
        default: return pl_trace_put_aside(encoder, event);
        }
}
