/*
 * A recording, once through, as a Perfetto trace.
 */
#include <errno.h>
#include <stdlib.h>

#include "plait/recording.h"
#include "trace/mend.h"
#include "trace/perfetto.h"
#include "trace/perfetto_parts.h"

/* A name may be told when the task's track has been made long ago: all of them are learnt before. */
static int learn_names(struct pl_trace_encoder *encoder)
{
        struct plait_recording_event event;
        int r;

        while ((r = plait_recording_next(encoder->recording, &event)) > 0) {
                if (event.kind != PLAIT_RECORDING_NAMED || !event.text)
                        continue;
                /* The map hands out what it was given, and nobody writes to it. */
                r = pl_id_map_put(&encoder->names, event.process, event.flow, (void *)(uintptr_t)event.text);
                if (r < 0)
                        return r;
        }
        plait_recording_rewind(encoder->recording);
        return r;
}

static int put_all(struct pl_trace_encoder *encoder)
{
        struct plait_recording_event event = {.time_ns = 0};
        int64_t last_ns = 0;
        int r;

        while (encoder->packets.error == 0 && (r = plait_recording_next(encoder->recording, &event)) != 0) {
                if (r > 0)
                        r = pl_trace_put(encoder, &event);
                if (r < 0)
                        return r;
                last_ns = event.time_ns;
        }
        for (uint32_t i = 0; i < encoder->info.n_processes; i++)
                pl_trace_end_process(encoder, i, last_ns);
        return 0;
}

static int allocate(struct pl_trace_encoder *encoder)
{
        encoder->info.size = sizeof encoder->info;
        int r = plait_recording_get_info(encoder->recording, &encoder->info);
        if (r < 0)
                return r;
        encoder->homes = calloc(encoder->info.n_processes + 1, sizeof *encoder->homes);
        encoder->lines = calloc(encoder->info.n_lanes + 1, sizeof *encoder->lines);
        return encoder->homes && encoder->lines ? 0 : -ENOMEM;
}

static void free_values(struct pl_id_map *map)
{
        for (size_t i = 0; i < map->room; i++)
                free(map->entries[i].value);
        pl_id_map_done(map);
}

static void done(struct pl_trace_encoder *encoder)
{
        for (size_t i = 0; i < encoder->strands.room; i++) {
                struct pl_trace_strand *strand = encoder->strands.entries[i].value;

                while (strand && strand->spans) {
                        struct pl_trace_span *span = strand->spans;

                        strand->spans = span->outer;
                        free(span);
                }
        }
        free_values(&encoder->strands);
        free_values(&encoder->waitings);
        pl_id_map_done(&encoder->names);
        pl_id_map_done(&encoder->objects);
        pl_id_map_done(&encoder->arrows);
        for (int kind = 0; kind < PL_TRACE_KINDS; kind++) {
                free_values(&encoder->used[kind]);
                for (uint32_t i = 0; encoder->homes && i < encoder->info.n_processes; i++)
                        while (encoder->homes[i].free_slots[kind]) {
                                struct pl_trace_slot *slot = encoder->homes[i].free_slots[kind];

                                encoder->homes[i].free_slots[kind] = slot->next;
                                free(slot);
                        }
        }
        free(encoder->homes);
        free(encoder->lines);
}

int plait_recording_perfetto(struct plait_recording *recording, int fd)
{
        const int saved = errno;
        struct pl_trace_encoder *encoder = calloc(1, sizeof *encoder);
        int r, ended;

        if (!encoder) {
                errno = saved;
                return -ENOMEM;
        }
        encoder->recording = recording;
        plait_recording_rewind(recording);
        r = pl_trace_mend(recording, fd);
        if (r == 0)
                r = allocate(encoder);
        if (r == 0)
                r = learn_names(encoder);
        if (r == 0) {
                pl_trace_packets_begin(&encoder->packets, fd, encoder->info.began_ns, encoder->info.began_real_ns);
                r = put_all(encoder);
                ended = pl_trace_packets_end(&encoder->packets);
                r = r < 0 ? r : ended;
        }
        done(encoder);
        free(encoder);
        plait_recording_rewind(recording);
        errno = saved;
        return r;
}

int pl_trace_perfetto_append(int fd, const char *path)
{
        struct plait_recording *recording;
        int r = plait_recording_open(&recording, path);

        if (r < 0)
                return r;
        r = plait_recording_perfetto(recording, fd);
        plait_recording_close(recording);
        return r;
}
