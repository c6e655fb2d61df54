/*
 * From event to event. Each lane's events are in order; a heap of the lanes, by the time of the next event of each,
 * makes one row of them. What an event does not say itself, since the one who told it knew, is filled in from those
 * before it in its lane: who runs there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/recording.h"
#include "trace/trace.h"

/* --- one lane --- */

static void rewind_track(struct pl_trace_track *track)
{
        track->piece = 0;
        track->in_rest = track->begun = false;
        track->next = 0;
        track->data_bytes = track->data_at = 0;
        track->flow = track->finished = track->existing = track->waited_ns = 0;
        track->reason = NULL;
        track->text = NULL;
        track->ticks = 0;
}

/* An event that says that *n* are missing. */
static int tell_gap(struct pl_trace_track *track, uint64_t n)
{
        track->event = (struct pl_trace_event){.word = PLAIT_RECORDING_DROPPED, .a = n};
        track->text = NULL;
        return 1;
}

/* The next chunk, if what it has is new. 1: it is in track->data; 2: an event tells what is missing before it. */
static int load(struct plait_recording *recording, struct pl_trace_track *track)
{
        const struct pl_trace_piece *piece = &track->pieces[track->piece];

        if (track->begun && piece->first + piece->count <= track->next) {
                track->piece++; /* known, or about nothing */
                return 1;
        }
        if (track->begun && piece->first > track->next) {
                uint64_t missing = piece->first - track->next;

                track->next = piece->first;
                track->ticks = piece->ticks;
                return tell_gap(track, missing) + 1;
        }
        if (piece->bytes > track->data_room) {
                uint8_t *data = realloc(track->data, piece->bytes);

                if (!data)
                        return -ENOMEM;
                track->data = data;
                track->data_room = piece->bytes;
        }
        ssize_t n = pread(recording->fd, track->data, piece->bytes, (off_t)piece->at);
        if (n < 0)
                return errno == EINTR ? 1 : -errno;
        track->data_bytes = (size_t)n;
        track->data_at = 0;
        pl_trace_coder_begin(&track->coder, piece->ticks);
        track->coder.time = piece->ticks >> recording->processes[track->shown.process].unit_shift;
        track->next = piece->first + piece->count;
        track->begun = true;
        track->piece++;
        return 1;
}

static const char *string_of(const struct pl_trace_process *process, uint64_t number)
{
        return number && number <= process->n_strings ? process->strings[number - 1] : NULL;
}

/* An event of the chunk that is loaded. False: it is damaged from here on. */
static bool decode(struct plait_recording *recording, struct pl_trace_track *track)
{
        const struct pl_trace_process *process = &recording->processes[track->shown.process];
        uint64_t units;
        uint32_t string;
        size_t n = pl_trace_decode(&track->coder, track->data + track->data_at, track->data_bytes - track->data_at,
                                   &track->event, &units, &string);

        if (!n) {
                track->data_at = track->data_bytes;
                recording->torn = true;
                return false;
        }
        track->data_at += n;
        track->ticks = track->coder.time << process->unit_shift;
        bool named = pl_trace_shapes[pl_trace_kind_of(&track->event)].a == PL_TRACE_NAME;
        track->text = string_of(process, named ? track->event.a : string);
        return true;
}

/* A text in a ring, in the slots from *from on, which it is moved behind. NULL: none, or no memory. */
static const char *rest_text(struct plait_recording *recording, const struct pl_trace_rest *rest, uint64_t *from)
{
        char bytes[PL_TRACE_TEXT_BYTES + PL_TRACE_TEXT_SLOT];
        size_t used = 0;

        for (; *from < rest->n && pl_trace_kind_of(&rest->events[*from]) == PL_TRACE_TEXT; (*from)++) {
                const struct pl_trace_event *event = &rest->events[*from];
                size_t n = pl_trace_small_of(event);

                if (n > PL_TRACE_TEXT_SLOT || used + n >= PL_TRACE_TEXT_BYTES)
                        continue;
                memcpy(bytes + used, &event->a, n < 8 ? n : 8);
                if (n > 8)
                        memcpy(bytes + used + 8, &event->b, n - 8);
                used += n;
        }
        return used ? pl_trace_keep(recording, bytes, used) : NULL;
}

static const char *name_in(struct plait_recording *recording, const struct pl_trace_process *process, uint64_t number)
{
        if (!process->names || !number || number >= PL_TRACE_NAMES_BYTES)
                return NULL;
        return pl_trace_keep(recording, process->names + number - 1, PL_TRACE_TEXT_BYTES);
}

/* The next event of the ring: 1; 0: none. */
static int take_rest(struct plait_recording *recording, struct pl_trace_track *track)
{
        const struct pl_trace_process *process = &recording->processes[track->shown.process];
        const struct pl_trace_rest *rest = &track->rest;
        uint64_t near = track->ticks ? track->ticks : process->begin.ticks;

        for (;;) {
                const char *text = rest_text(recording, rest, &track->next);
                if (track->next >= rest->n)
                        return 0;
                const struct pl_trace_event *event = &rest->events[track->next++];
                unsigned kind = pl_trace_kind_of(event);
                if (kind >= PL_TRACE_KINDS || !pl_trace_shapes[kind].known)
                        continue;
                track->event = *event;
                uint64_t ticks = pl_trace_ticks_of(event, near);
                track->ticks = (int64_t)(ticks - near) > 0 ? ticks : near;
                track->text = pl_trace_shapes[kind].a == PL_TRACE_NAME ? name_in(recording, process, event->a) : text;
                return 1;
        }
}

/* From the file to the ring: what has not been read yet. */
static void enter_rest(struct pl_trace_track *track)
{
        uint64_t known = track->begun && (int64_t)(track->next - track->rest.first) > 0
                                 ? track->next - track->rest.first
                                 : 0;

        track->in_rest = true;
        track->next = known < track->rest.n ? known : track->rest.n;
}

/* The next event of *track*, if any: in track->event. 1, 0: there is none, or a negative errno. */
static int advance(struct plait_recording *recording, struct pl_trace_track *track)
{
        for (;;) {
                if (track->in_rest)
                        return take_rest(recording, track);
                if (track->data_at < track->data_bytes) {
                        if (decode(recording, track))
                                return 1;
                } else if (track->piece < track->n_pieces) {
                        int r = load(recording, track);

                        if (r != 1)
                                return r < 0 ? r : 1;
                } else {
                        enter_rest(track);
                }
        }
}

/* --- all lanes --- */

/* Whether what comes next in *a* comes before what comes next in *b*. */
static bool is_before(const struct plait_recording *recording, uint32_t a, uint32_t b)
{
        uint64_t ta = recording->tracks[a].ticks, tb = recording->tracks[b].ticks;

        return ta != tb ? (int64_t)(ta - tb) < 0 : a < b;
}

static void sift_down(struct plait_recording *recording, uint32_t at)
{
        uint32_t *heap = recording->heap;

        for (;;) {
                uint32_t child = 2 * at + 1, moving = heap[at];

                if (child >= recording->n_heap)
                        return;
                if (child + 1 < recording->n_heap && is_before(recording, heap[child + 1], heap[child]))
                        child++;
                if (!is_before(recording, heap[child], moving))
                        return;
                heap[at] = heap[child];
                heap[child] = moving;
                at = child;
        }
}

static int start(struct plait_recording *recording)
{
        if (!recording->heap)
                recording->heap = calloc((size_t)recording->n_tracks + 1, sizeof *recording->heap);
        if (!recording->heap)
                return -ENOMEM;
        recording->n_heap = 0;
        recording->time_ns = 0;
        recording->has_pending = false;
        for (uint32_t i = 0; i < recording->n_tracks; i++) {
                rewind_track(&recording->tracks[i]);
                int r = advance(recording, &recording->tracks[i]);
                if (r < 0)
                        return r;
                if (r > 0)
                        recording->heap[recording->n_heap++] = i;
        }
        for (uint32_t i = recording->n_heap / 2; i-- > 0;)
                sift_down(recording, i);
        recording->started = true;
        return 0;
}

void plait_recording_rewind(struct plait_recording *recording)
{
        recording->started = false;
}

/* --- what an event means --- */

/* The library's own threads are nobody, whatever they tell. */
static uint64_t flow_of(const struct pl_trace_track *track)
{
        if (track->shown.kind == (unsigned)PLAIT_RECORDING_LANE_SERVICE)
                return 0;
        if (track->flow || track->shown.kind != (unsigned)PLAIT_RECORDING_LANE_THREAD)
                return track->flow;
        return PLAIT_RECORDING_THREAD | track->shown.tid;
}

static void leave_flow(struct pl_trace_track *track, uint64_t finished)
{
        track->flow = 0;
        track->finished = finished;
}

static void explain_wait(const struct pl_trace_process *process, const struct pl_trace_event *raw,
                         struct plait_recording_event *ret)
{
        ret->kind = PLAIT_RECORDING_WAITS;
        ret->cause = (uint16_t)pl_trace_small_of(raw);
        ret->object = raw->a;
        if (ret->cause < process->n_causes && process->cause_has_other[ret->cause])
                ret->other = raw->b;
        else
                ret->value = (int64_t)raw->b;
}

/* Of tasks and threads. */
static void explain_flow(const struct pl_trace_process *process, struct pl_trace_track *track,
                         const struct pl_trace_event *raw, struct plait_recording_event *ret)
{
        unsigned small = pl_trace_small_of(raw);

        switch (pl_trace_kind_of(raw)) {
        case PLAIT_RECORDING_EXISTS:
        case PLAIT_RECORDING_SPAWNED:
                ret->other = ret->kind == PLAIT_RECORDING_SPAWNED ? ret->flow : 0;
                ret->flow = raw->a;
                ret->object = raw->b;
                ret->text = pl_trace_function_name(process, raw->b);
                ret->value = (int64_t)track->waited_ns;
                track->existing = raw->a;
                track->waited_ns = 0;
                break;
        case PL_TRACE_WAITS_SINCE:
                explain_wait(process, raw, ret);
                ret->flow = track->existing;
                break;
        case PLAIT_RECORDING_WAITS:
                explain_wait(process, raw, ret);
                leave_flow(track, 0);
                break;
        case PLAIT_RECORDING_WAKES:
                if (!(small & PL_TRACE_LOOKING))
                        ret->other = ret->flow ? ret->flow : track->finished;
                ret->flow = raw->a;
                ret->value = small & (PL_TRACE_LOOKING - 1U);
                ret->text = ret->value == PLAIT_RECORDING_BY_CANCEL ? track->reason : NULL;
                break;
        case PLAIT_RECORDING_RUNS:
                track->flow = ret->flow = raw->a;
                track->finished = 0;
                ret->value = small;
                break;
        case PLAIT_RECORDING_FINISHED:
                ret->value = (int64_t)raw->b;
                leave_flow(track, track->flow);
                break;
        case PLAIT_RECORDING_REFUSED:
                ret->cause = (uint16_t)small;
                ret->object = raw->a;
                ret->value = (int64_t)raw->b;
                break;
        case PLAIT_RECORDING_CANCELS:
                ret->object = raw->a;
                track->reason = ret->text;
                break;
        default: /* NAMED */ ret->flow = raw->a; break;
        }
}

/* Which flow runs on worker *number* of a process; 0: none. */
static uint64_t flow_on(const struct plait_recording *recording, uint32_t process, uint64_t number)
{
        for (uint32_t i = 0; i < recording->n_tracks; i++) {
                const struct pl_trace_track *track = &recording->tracks[i];

                if (track->shown.process == process && track->shown.number == number &&
                    track->shown.kind == (unsigned)PLAIT_RECORDING_LANE_WORKER)
                        return track->flow;
        }
        return 0;
}

/* Of workers. */
static void explain_worker(const struct plait_recording *recording, struct pl_trace_track *track,
                           const struct pl_trace_event *raw, struct plait_recording_event *ret)
{
        unsigned small = pl_trace_small_of(raw);

        switch (pl_trace_kind_of(raw)) {
        case PLAIT_RECORDING_IDLE:
                leave_flow(track, 0);
                ret->flow = 0;
                ret->value = small;
                break;
        case PLAIT_RECORDING_STOLE:
                ret->flow = raw->a;
                ret->object = raw->b;
                ret->value = small;
                break;
        case PLAIT_RECORDING_STUCK:
                ret->cause = (uint16_t)small;
                ret->object = raw->b & ((1U << PL_TRACE_WORKER_BITS) - 1);
                ret->flow = flow_on(recording, ret->process, ret->object);
                ret->value = (int64_t)(raw->b >> PL_TRACE_WORKER_BITS) * 1000000;
                break;
        case PLAIT_RECORDING_RESCUED:
                ret->object = raw->b;
                ret->value = small;
                break;
        case PLAIT_RECORDING_DROPPED:
                leave_flow(track, 0);
                ret->flow = 0;
                ret->value = (int64_t)raw->a;
                break;
        default: /* AWAKE */ break;
        }
}

/* Of jobs, requests, and the program. */
static void explain_rest(const struct pl_trace_event *raw, struct plait_recording_event *ret)
{
        static const char *const calls[] = {
                [PL_TRACE_CALL] = "call", [PL_TRACE_FILE] = "file", [PL_TRACE_HOST] = "name"};
        unsigned small = pl_trace_small_of(raw);

        switch (pl_trace_kind_of(raw)) {
        case PLAIT_RECORDING_CALL_BEGIN:
                ret->object = raw->a;
                ret->other = raw->b;
                ret->text = small < PL_ARRAY_SIZE(calls) ? calls[small] : NULL;
                break;
        case PLAIT_RECORDING_REQUEST_PHASE:
                ret->cause = (uint16_t)small;
                ret->object = raw->a;
                ret->value = (int64_t)raw->b;
                break;
        case PLAIT_RECORDING_INSTANT: ret->value = (int64_t)raw->b; break;
        case PLAIT_RECORDING_COUNTER: memcpy(&ret->number, &raw->b, sizeof ret->number); break;
        case PLAIT_RECORDING_FLOW_OUT:
        case PLAIT_RECORDING_FLOW_IN: ret->object = raw->b; break;
        case PLAIT_RECORDING_SPAN_BEGIN:
        case PLAIT_RECORDING_SPAN_END: break;
        case PL_TRACE_MESSAGE: ret->kind = PLAIT_RECORDING_INSTANT; break;
        default: /* jobs, calls, requests, objects */
                ret->object = raw->a;
                ret->value = (int64_t)raw->b;
                break;
        }
}

/* False: it is nothing to be shown. */
static bool explain(struct plait_recording *recording, struct pl_trace_track *track, struct plait_recording_event *ret)
{
        const struct pl_trace_process *process = &recording->processes[track->shown.process];
        const struct pl_trace_event *raw = &track->event;
        unsigned kind = pl_trace_kind_of(raw);

        *ret = (struct plait_recording_event){.time_ns = recording->time_ns,
                                              .kind = (uint16_t)kind,
                                              .process = track->shown.process,
                                              .lane = (uint32_t)(track - recording->tracks),
                                              .flow = flow_of(track),
                                              .text = track->text};
        if (kind == PL_TRACE_SINCE) {
                track->waited_ns = raw->a;
                return false;
        }
        if (kind <= PLAIT_RECORDING_REFUSED || kind == PL_TRACE_WAITS_SINCE)
                explain_flow(process, track, raw, ret);
        else if (kind <= PLAIT_RECORDING_RESCUED || kind == PLAIT_RECORDING_DROPPED)
                explain_worker(recording, track, raw, ret);
        else
                explain_rest(raw, ret);
        return true;
}

/* Who runs without having said that he leaves has been put back into the queue. */
static bool yields_first(const struct pl_trace_track *track)
{
        return pl_trace_kind_of(&track->event) == PLAIT_RECORDING_RUNS && track->flow && track->flow != track->event.a;
}

static void set_time(struct plait_recording *recording, const struct pl_trace_track *track)
{
        int64_t passed = (int64_t)(track->ticks - recording->base.ticks);
        double ns = (double)passed * recording->ns_per_tick;

        if (ns > (double)recording->time_ns && ns < 9e18)
                recording->time_ns = (int64_t)ns;
}

/* The event of the track that is on top of the heap; the track goes on to its next one. */
static int take_top(struct plait_recording *recording, struct plait_recording_event *ret, bool *ret_shown)
{
        struct pl_trace_track *track = &recording->tracks[recording->heap[0]];

        set_time(recording, track);
        bool yields = yields_first(track);
        uint64_t leaving = track->flow;
        *ret_shown = explain(recording, track, ret);
        if (yields) {
                recording->pending = *ret;
                recording->has_pending = true;
                *ret = (struct plait_recording_event){.time_ns = recording->time_ns,
                                                      .kind = PLAIT_RECORDING_YIELDS,
                                                      .process = track->shown.process,
                                                      .lane = recording->pending.lane,
                                                      .flow = leaving};
        }
        int r = advance(recording, track);
        if (r == 0)
                recording->heap[0] = recording->heap[--recording->n_heap];
        if (r >= 0)
                sift_down(recording, 0);
        return r;
}

int plait_recording_next(struct plait_recording *recording, struct plait_recording_event *ret)
{
        if (!recording->started) {
                int r = start(recording);

                if (r < 0)
                        return r;
        }
        if (recording->has_pending) {
                *ret = recording->pending;
                recording->has_pending = false;
                return 1;
        }
        while (recording->n_heap) {
                bool shown;
                int r = take_top(recording, ret, &shown);

                if (r < 0)
                        return r;
                if (shown)
                        return 1;
        }
        return 0;
}
