/* The content of the page: one more reading of the recording, by the plan, into tables. */
#ifndef TRACE_PAGE_FILL_H
#define TRACE_PAGE_FILL_H

#include "trace/page_cells.h"
#include "trace/page_plan.h"
#include "trace/page_table.h"

struct page_span {
        int64_t start_ns, dur_ns;
        uint32_t task, name;
        uint8_t depth;
};

struct page_request {
        int64_t start_ns, dur_ns, status;
        int64_t phase_ns[PLAIT_RECORDING_PHASES];
        uint32_t task, name; /* task: its lane + 1, or 0 */
};

struct page_object {
        uint32_t name, state;
        uint64_t count;
        int64_t total_ns, longest_ns;
};

struct page_sample {
        int64_t time_ns;
        double value;
};

/* The points of a counter that the page shows: all, or of each stretch of time the least, the most and the last. */
struct page_series {
        struct page_sample *samples;
        size_t n, capacity;
        bool thinned;
        int64_t stretch; /* the one under way, -1: none */
        struct page_sample least, most, last;
};

struct page_fill {
        struct page_plan *plan;
        struct model *model;
        struct page_cells task_cells, lane_cells;
        uint32_t *row_of_lane; /* of the recording's lanes: its row in the table of workers, PAGE_NONE: none */
        uint32_t n_rows;
        int64_t *row_end_ns; /* of each: where its last cell ends */

        uint32_t n_bins;
        double bin_ns;
        double *bins;          /* n_states by n_groups by n_bins: time within the bin */
        double *spans_of_bins; /* the same: how many begin (+1) and end (-1) to fill whole bins there */

        struct page_span *spans;
        size_t n_spans, spans_capacity;
        uint64_t spans_left_out;

        struct page_object *objects;
        size_t n_objects, objects_capacity;
        struct page_map object_of_key;
        struct page_map object_of_name;

        struct page_series series[PAGE_COUNTERS_MAX];

        struct page_request *requests; /* the slowest: a heap, the least slow first */
        size_t n_requests, requests_capacity;

        struct page_table instants, flows;
        uint32_t n_instants_here[8]; /* of the present bucket, by kind */
        uint32_t instants_bucket;
        struct page_map flow_starts; /* name and id: where the flow went out */
        struct page_flow_start *starts;
        size_t n_starts, starts_capacity;
};

/* Reads the recording; page_fill_free() is due in any case. */
int page_fill(struct page_fill *fill, struct page_plan *plan, const char *path, char *message, size_t size);
void page_fill_free(struct page_fill *fill);

/* Instants, counters, flows: the recording's other events (page_events.c). */
void page_events_init(struct page_fill *fill);
int page_events_add(struct page_fill *fill, const struct plait_recording_event *event, const struct model_flow *flow);
int page_events_end(struct page_fill *fill);

/* What a counter that is not whole is multiplied with. */
#define PAGE_COUNTER_SCALE 1000

/* The unit of time of the table of bins. */
int64_t page_bins_unit(const struct page_fill *fill);

/* Writes all tables but the one of workers and the names. */
int page_fill_write(struct page_fill *fill, FILE *file);

#endif
