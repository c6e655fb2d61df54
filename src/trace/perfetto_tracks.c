/*
 * The tracks of a Perfetto trace: those of processes, workers and threads, tasks, and what goes on beside tasks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/perfetto_parts.h"

enum { BY_TIME = 2, AS_RANKED = 3, NOT_MERGED = 2, UNIT_BYTES = 3, UNIT_COUNT = 2 };

/* The order of what is below a process. */
enum rank { RANK_WORKERS, RANK_TASKS = 1000, RANK_REQUESTS, RANK_JOBS, RANK_CALLS, RANK_COUNTERS };

static uint64_t make_named(struct pl_trace_encoder *encoder, uint64_t parent, const char *name, enum rank rank)
{
        struct pl_trace_packets *packets = &encoder->packets;
        uint64_t track = pl_trace_packets_track(packets, parent);

        pl_trace_proto_text(&packets->track, PL_TRACE_TRACK_NAME, name);
        pl_trace_proto_number(&packets->track, PL_TRACE_TRACK_RANK, rank);
        return track;
}

static uint64_t home_track(struct pl_trace_encoder *encoder, uint32_t process)
{
        const struct plait_recording_process *of = plait_recording_get_process(encoder->recording, process);
        struct pl_trace_packets *packets = &encoder->packets;

        if (process >= encoder->info.n_processes || !of)
                return 0;
        struct pl_trace_home *home = &encoder->homes[process];
        if (home->track)
                return home->track;
        home->track = pl_trace_packets_track(packets, 0);
        pl_trace_proto_number(&packets->part, PL_TRACE_PROCESS_PID, of->pid);
        if (of->command && *of->command)
                pl_trace_proto_text(&packets->part, PL_TRACE_PROCESS_COMMAND, of->command);
        if (of->name && *of->name)
                pl_trace_proto_text(&packets->part, PL_TRACE_PROCESS_NAME, of->name);
        pl_trace_proto_message(&packets->track, PL_TRACE_TRACK_PROCESS, &packets->part);
        pl_trace_proto_number(&packets->track, PL_TRACE_TRACK_CHILD_ORDER, AS_RANKED);
        pl_trace_packets_send_track(packets);
        return home->track;
}

uint64_t pl_trace_line_track(struct pl_trace_encoder *encoder, uint32_t lane)
{
        const struct plait_recording_lane *of = plait_recording_get_lane(encoder->recording, lane);
        struct pl_trace_packets *packets = &encoder->packets;
        char name[32];

        if (lane >= encoder->info.n_lanes || !of)
                return 0;
        struct pl_trace_line *line = &encoder->lines[lane];
        uint64_t parent = line->track ? 0 : home_track(encoder, of->process);
        if (line->track || !parent)
                return line->track;
        line->track = pl_trace_packets_track(packets, parent);
        pl_trace_proto_number(&packets->part, PL_TRACE_THREAD_PID,
                              plait_recording_get_process(encoder->recording, of->process)->pid);
        pl_trace_proto_number(&packets->part, PL_TRACE_THREAD_TID, of->tid);
        if (of->kind == PLAIT_RECORDING_LANE_WORKER)
                snprintf(name, sizeof name, "worker %" PRIu32, of->number);
        else
                snprintf(name, sizeof name, "thread %" PRIu32, of->tid);
        pl_trace_proto_text(&packets->part, PL_TRACE_THREAD_NAME,
                            of->kind != PLAIT_RECORDING_LANE_WORKER && of->name && *of->name ? of->name : name);
        pl_trace_proto_message(&packets->track, PL_TRACE_TRACK_THREAD, &packets->part);
        pl_trace_packets_send_track(packets);
        return line->track;
}

static uint64_t tasks_track(struct pl_trace_encoder *encoder, uint32_t process)
{
        uint64_t parent = home_track(encoder, process);

        if (!parent)
                return 0;
        struct pl_trace_home *home = &encoder->homes[process];
        if (!home->tasks_track) {
                home->tasks_track = make_named(encoder, parent, "tasks", RANK_TASKS);
                pl_trace_proto_number(&encoder->packets.track, PL_TRACE_TRACK_CHILD_ORDER, BY_TIME);
                pl_trace_packets_send_track(&encoder->packets);
        }
        return home->tasks_track;
}

void pl_trace_make_strand_track(struct pl_trace_encoder *encoder, struct pl_trace_strand *strand, uint32_t lane)
{
        struct pl_trace_packets *packets = &encoder->packets;
        uint64_t parent;
        char name[256];

        if (strand->id & PLAIT_RECORDING_THREAD) { /* what it does itself is the same as what its lane does */
                strand->track = pl_trace_line_track(encoder, lane);
                return;
        }
        parent = tasks_track(encoder, strand->process);
        if (!parent)
                return;
        snprintf(name, sizeof name, "%s #%" PRIu64, strand->name ? strand->name : "task", strand->id);
        strand->track = pl_trace_packets_track(packets, parent);
        pl_trace_proto_text(&packets->track, PL_TRACE_TRACK_NAME, name);
        pl_trace_proto_number(&packets->track, PL_TRACE_TRACK_MERGE, NOT_MERGED);
        pl_trace_packets_send_track(packets);
}

uint64_t pl_trace_spans_track(struct pl_trace_encoder *encoder, struct pl_trace_strand *strand)
{
        struct pl_trace_packets *packets = &encoder->packets;

        if (!strand->spans_track && strand->track) {
                strand->spans_track = pl_trace_packets_track(packets, strand->track);
                pl_trace_proto_text(&packets->track, PL_TRACE_TRACK_NAME, "spans");
                pl_trace_proto_number(&packets->track, PL_TRACE_TRACK_MERGE, NOT_MERGED);
                pl_trace_packets_send_track(packets);
        }
        return strand->spans_track;
}

/* --- slots --- */

static uint64_t make_slot_track(struct pl_trace_encoder *encoder, enum pl_trace_kind kind, uint32_t process,
                                const char *name)
{
        static const enum rank ranks[PL_TRACE_KINDS] = {
                [PL_TRACE_REQUESTS] = RANK_REQUESTS,
                [PL_TRACE_CALLS] = RANK_CALLS,
                [PL_TRACE_JOBS] = RANK_JOBS,
                [PL_TRACE_COUNTERS] = RANK_COUNTERS,
        };
        struct pl_trace_packets *packets = &encoder->packets;
        uint64_t parent = home_track(encoder, process);

        if (!parent)
                return 0;
        uint64_t track = make_named(encoder, parent, name, ranks[kind]);
        if (kind == PL_TRACE_COUNTERS) {
                /* Only the library's own have a unit that is known. */
                if (strcmp(name, "rss") == 0)
                        pl_trace_proto_number(&packets->part, PL_TRACE_COUNTER_UNIT, UNIT_BYTES);
                else
                        pl_trace_proto_number(&packets->part, PL_TRACE_COUNTER_UNIT, UNIT_COUNT);
                pl_trace_proto_message(&packets->track, PL_TRACE_TRACK_COUNTER, &packets->part);
        }
        pl_trace_packets_send_track(packets);
        return track;
}

struct pl_trace_slot *pl_trace_take_slot(struct pl_trace_encoder *encoder, enum pl_trace_kind kind, uint32_t process,
                                         uint32_t space, uint64_t id, const char *name)
{
        struct pl_trace_slot *slot = pl_id_map_get(&encoder->used[kind], space, id);

        if (slot || process >= encoder->info.n_processes)
                return slot;
        struct pl_trace_home *home = &encoder->homes[process];
        slot = home->free_slots[kind];
        if (slot) {
                home->free_slots[kind] = slot->next;
        } else {
                slot = calloc(1, sizeof *slot);
                if (!slot)
                        return NULL;
                slot->track = make_slot_track(encoder, kind, process, name);
                slot->process = process;
                slot->kind = kind;
        }
        if (pl_id_map_put(&encoder->used[kind], space, id, slot) < 0) {
                slot->next = home->free_slots[kind];
                home->free_slots[kind] = slot;
                return NULL;
        }
        return slot;
}

void pl_trace_free_slot(struct pl_trace_encoder *encoder, struct pl_trace_slot *slot, uint32_t space, uint64_t id)
{
        struct pl_trace_home *home = &encoder->homes[slot->process];

        pl_id_map_take(&encoder->used[slot->kind], space, id);
        slot->next = home->free_slots[slot->kind];
        home->free_slots[slot->kind] = slot;
}

void pl_trace_end_slots(struct pl_trace_encoder *encoder, uint32_t process, int64_t now_ns)
{
        for (enum pl_trace_kind kind = 0; kind < PL_TRACE_KINDS; kind++)
                for (size_t i = 0; i < encoder->used[kind].room; i++) {
                        struct pl_trace_slot *slot = encoder->used[kind].entries[i].value;

                        if (!slot || !slot->open || slot->process != process)
                                continue;
                        pl_trace_packets_event(&encoder->packets, PL_TRACE_SLICE_END, slot->track);
                        pl_trace_packets_send(&encoder->packets, now_ns);
                        slot->open = false;
                }
}
