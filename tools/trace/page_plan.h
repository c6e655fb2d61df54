/*
 * What the page of a recording can hold: found by reading the recording once (a second time when it has more tasks than
 * lanes), before anything is written. docs/internals/trace-page.md tells the policy.
 *
 *   - Groups: tasks by their function. Each has its totals and its tasks over time.
 *   - Kept tasks: those with a lane of their own, the longest-lived ones when there are too many.
 *   - Thresholds: in each of PAGE_BUCKETS equal stretches of time, what is shorter than the stretch's threshold is
 * merged with its neighbours, so that all stretches together keep to a number of cells. Part of that number is spent on
 *     stretches that are kept whole: the first, the last, and those in which the longest waits for others end.
 */
#ifndef TRACE_PAGE_PLAN_H
#define TRACE_PAGE_PLAN_H

#include "trace/model.h"
#include "trace/page_names.h"

#define PAGE_STATES_MAX 28 /* running, runnable, causes of waiting, the last of them "other" */
#define PAGE_GROUPS_MAX 64 /* the last of them "other functions", when there are more */
#define PAGE_BUCKETS 2048
#define PAGE_CLASSES 48 /* lengths by their binary logarithm */
#define PAGE_COUNTERS_MAX 24

enum page_state { PAGE_RUNNING, PAGE_RUNNABLE, PAGE_FIRST_WAIT };

/* How much of each there may be. */
struct page_limits {
        uint32_t tasks, task_cells, lane_cells, spans, requests, instants, flows, samples;
};

struct page_task {
        uint32_t number; /* model_flow.number */
        uint32_t process;
        uint32_t group, name;
        uint64_t id, parent;
        int64_t start_ns, end_ns;
        int64_t busy_ns[MODEL_STATES];
        int64_t longest_ns; /* without running */
};

struct page_group {
        uint32_t name;
        uint64_t tasks;
        int64_t total_ns;
        int64_t state_ns[PAGE_STATES_MAX];

        struct page_task *longest; /* candidates for lanes: a heap, the shortest-lived first */
        size_t n_longest, longest_capacity;
};

struct page_counter {
        uint32_t process, name;
        uint64_t samples;
        bool whole; /* all values are whole numbers */
};

struct page_histogram {
        uint32_t count[PAGE_BUCKETS][PAGE_CLASSES];
        int64_t time_ns[PAGE_BUCKETS][PAGE_CLASSES];
};

struct page_plan {
        struct page_limits limits;
        struct page_names names;
        int64_t duration_ns;
        uint64_t events, dropped, n_tasks;
        bool torn, live;
        uint32_t n_processes, n_lanes;

        uint32_t states[PAGE_STATES_MAX]; /* names */
        uint32_t n_states;

        struct page_group *groups;
        uint32_t n_groups;
        struct page_map group_of_name;
        uint32_t *group_of_seen; /* the groups as met during a pass, as those that remain; NULL during the first */

        struct page_task *tasks; /* those with lanes, by group and start */
        uint32_t n_tasks_kept;
        struct page_map kept_of_number; /* model_flow.number, 0 */
        struct page_map kept_of_id;     /* process, id */

        struct page_counter counters[PAGE_COUNTERS_MAX];
        uint32_t n_counters;

        bool *lane_has_jobs; /* by recording lane */
        uint64_t n_task_slices, n_lane_slices, n_spans, n_requests;

        struct page_histogram *task_cells, *lane_cells, *spans;
        int64_t interest_ns[PAGE_BUCKETS]; /* the longest wait for others that ends there */
        uint8_t task_threshold[PAGE_BUCKETS], lane_threshold[PAGE_BUCKETS], span_threshold[PAGE_BUCKETS];
};

/* Reads the recording at *path*. On failure *message* says why. page_plan_free() is due in any case. */
int page_plan_make(struct page_plan *plan, const char *path, const struct page_limits *limits, char *message,
                   size_t size);
void page_plan_free(struct page_plan *plan);

/* The state of a slice, as the page numbers them. */
uint32_t page_plan_state(struct page_plan *plan, const struct model *model, const struct model_slice *slice);

/* The group of a flow. */
uint32_t page_plan_group(struct page_plan *plan, const struct model_flow *flow);

/* The lane of a task, or PAGE_NONE. */
uint32_t page_plan_kept(const struct page_plan *plan, uint32_t process, uint64_t flow);

/* The number of a counter, PAGE_NONE when there are too many. */
uint32_t page_plan_counter(struct page_plan *plan, uint32_t process, const char *text);

/* What is shorter than this is merged or left out, at a time. */
int64_t page_plan_threshold(const struct page_plan *plan, const uint8_t *thresholds, int64_t time_ns);

#endif
