/* The content of the page (page_fill.h): what the tasks and the lanes did. */
#include "trace/page_fill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX 6000
#define BINS_MAX 2048
#define BINS_MIN 256
#define BINS_OF_ALL (48 * 1024) /* bins of all groups together */

/* Who ended a wait, as web/model.js has it. */
enum { BY_NOBODY, BY_RUNTIME, BY_OTHER, BY_TASK };

enum { LANE_RUNS, LANE_SLEEPS, LANE_JOB, LANE_KINDS };

/* --- tasks over time, by group --- */

static void add_to_bins(struct page_fill *fill, uint32_t group, uint32_t state, int64_t start_ns, int64_t end_ns)
{
        size_t row = ((size_t)state * fill->plan->n_groups + group) * fill->n_bins;
        double *bins = fill->bins + row, *whole = fill->spans_of_bins + row;
        double last_bin = (double)fill->n_bins - 1;
        double from = (double)start_ns / fill->bin_ns, to = (double)end_ns / fill->bin_ns;
        size_t first = (size_t)(from < 0 ? 0 : from > last_bin ? last_bin : from);
        size_t last = (size_t)(to < 0 ? 0 : to > last_bin ? last_bin : to);

        if (first == last) {
                bins[first] += (double)(end_ns - start_ns);
                return;
        }
        bins[first] += ((double)first + 1 - from) * fill->bin_ns;
        bins[last] += (to - (double)last) * fill->bin_ns;
        if (last > first + 1) {
                whole[first + 1] += 1;
                whole[last] -= 1;
        }
}

/* --- what was waited for --- */

/* Waits of one kind for one thing have one key. */
static void key_of(const struct model *model, const struct model_slice *slice, uint64_t *a, uint64_t *b)
{
        const char *cause = plait_recording_cause(model->recording, slice->flow->process, slice->cause);
        bool by_value = strcmp(cause, "read") == 0 || strcmp(cause, "write") == 0;

        *a = (uint64_t)slice->flow->process << 32 | slice->cause;
        *b = slice->object_name ? (uintptr_t)slice->object_name : by_value ? (uint64_t)slice->value : slice->object;
        if (strcmp(cause, "sleep") == 0)
                *b = 0;
}

static uint32_t object_of(struct page_fill *fill, const struct model_slice *slice, uint32_t state)
{
        uint64_t a, b;
        char text[400];

        key_of(fill->model, slice, &a, &b);
        uint32_t object = page_map_get(&fill->object_of_key, a, b);
        if (object != PAGE_NONE)
                return object;
        if (fill->n_objects < OBJECTS_MAX)
                model_wait_text(fill->model, slice, text, sizeof text);
        else
                snprintf(text, sizeof text, "%s (others)", fill->plan->names.texts[fill->plan->states[state]]);
        uint32_t name = page_name(&fill->plan->names, text);
        if (name == PAGE_NONE)
                return PAGE_NONE;
        object = page_map_get(&fill->object_of_name, name, state);
        if (object == PAGE_NONE) {
                if (!page_grow(&fill->objects, &fill->objects_capacity, fill->n_objects, sizeof *fill->objects))
                        return PAGE_NONE;
                object = (uint32_t)fill->n_objects++;
                fill->objects[object] = (struct page_object){.name = name, .state = state};
                if (!page_map_put(&fill->object_of_name, name, state, object))
                        return PAGE_NONE;
        }
        if (fill->n_objects < OBJECTS_MAX && !page_map_put(&fill->object_of_key, a, b, object))
                return PAGE_NONE;
        return object;
}

/* --- slices --- */

static uint32_t waker_of(const struct page_fill *fill, const struct model_slice *slice)
{
        if (slice->open)
                return BY_NOBODY;
        if (!slice->waker)
                return BY_RUNTIME;
        uint32_t kept = page_plan_kept(fill->plan, slice->flow->process, slice->waker);
        return kept == PAGE_NONE ? BY_OTHER : BY_TASK + kept;
}

/*
 * Who was waited for: the lane + 1 of a lock's holder, or of a task that was joined. Where the model only knows who
 * ended the wait, that is the waker's matter.
 */
static uint32_t holder_of(const struct page_fill *fill, const struct model_slice *slice, uint32_t state)
{
        const char *cause = fill->plan->names.texts[fill->plan->states[state]];
        bool is_lock = strstr(cause, "mutex") || strstr(cause, "lock");
        uint32_t holder = page_plan_kept(fill->plan, slice->flow->process, slice->holder);

        return holder == PAGE_NONE || (slice->holder == slice->waker && !is_lock) ? 0 : holder + 1;
}

static int on_slice(void *arg, const struct model_slice *slice)
{
        struct page_fill *fill = arg;
        struct page_plan *plan = fill->plan;
        uint32_t state = page_plan_state(plan, fill->model, slice);
        uint32_t group = page_plan_group(plan, slice->flow);
        uint32_t kept = page_map_get(&plan->kept_of_number, slice->flow->number, 0);
        int64_t length_ns = slice->end_ns - slice->start_ns;
        struct page_cell cell = {.start_ns = slice->start_ns, .end_ns = slice->end_ns, .kind = (uint8_t)state};

        if (group < plan->n_groups && length_ns > 0)
                add_to_bins(fill, group, state, slice->start_ns, slice->end_ns);
        if (state >= PAGE_FIRST_WAIT) {
                uint32_t object = object_of(fill, slice, state);
                if (object == PAGE_NONE)
                        return -ENOMEM;
                struct page_object *waited = &fill->objects[object];
                waited->count++;
                waited->total_ns += length_ns;
                if (length_ns > waited->longest_ns)
                        waited->longest_ns = length_ns;
                cell.ref = object + 1;
                cell.by = waker_of(fill, slice);
                cell.hold = holder_of(fill, slice, state);
        } else if (state == PAGE_RUNNING && slice->lane < plan->n_lanes &&
                   fill->row_of_lane[slice->lane] != PAGE_NONE) {
                cell.ref = fill->row_of_lane[slice->lane] + 1;
        }
        if (kept != PAGE_NONE)
                page_cells_add(&fill->task_cells, kept, &cell);
        return 0;
}

/* Lanes have no overlaps on the page: a job within a task's slice is left to that. */
static void add_to_lane(struct page_fill *fill, uint32_t lane, struct page_cell *cell)
{
        uint32_t row = lane < fill->plan->n_lanes ? fill->row_of_lane[lane] : PAGE_NONE;

        if (row == PAGE_NONE)
                return;
        if (cell->start_ns < fill->row_end_ns[row])
                cell->start_ns = fill->row_end_ns[row];
        if (cell->end_ns <= cell->start_ns)
                return;
        fill->row_end_ns[row] = cell->end_ns;
        page_cells_add(&fill->lane_cells, row, cell);
}

static int on_lane(void *arg, const struct model_lane_slice *slice)
{
        struct page_fill *fill = arg;
        struct page_plan *plan = fill->plan;
        struct page_cell cell = {.start_ns = slice->start_ns, .end_ns = slice->end_ns, .kind = LANE_SLEEPS};

        if (slice->state == MODEL_LANE_RUNS && slice->flow) {
                if (slice->lane < plan->n_lanes && plan->lane_has_jobs[slice->lane] &&
                    (slice->flow->id & PLAIT_RECORDING_THREAD))
                        return 0; /* the thread itself: its jobs say more */
                uint32_t kept = page_map_get(&plan->kept_of_number, slice->flow->number, 0);
                cell.kind = LANE_RUNS;
                cell.ref = kept == PAGE_NONE ? 0 : kept + 1;
                cell.by = page_name_lasting(&plan->names,
                                            slice->flow->name ? slice->flow->name : slice->flow->function);
                cell.hold = page_plan_group(plan, slice->flow);
                if (cell.by == PAGE_NONE)
                        return -ENOMEM;
        }
        add_to_lane(fill, slice->lane, &cell);
        return 0;
}

static int on_job(void *arg, const struct model_job *job)
{
        struct page_fill *fill = arg;
        uint32_t kept = page_plan_kept(fill->plan, job->submitter_process, job->submitter);
        struct page_cell cell = {.start_ns = job->start_ns, .end_ns = job->end_ns, .kind = LANE_JOB};

        cell.by = page_name_lasting(&fill->plan->names, job->text ? job->text : job->is_call ? "call" : "job");
        cell.ref = kept == PAGE_NONE ? 0 : kept + 1;
        cell.hold = kept == PAGE_NONE ? 0 : fill->plan->tasks[kept].group;
        if (cell.by == PAGE_NONE)
                return -ENOMEM;
        add_to_lane(fill, job->lane, &cell);
        return 0;
}

static int on_span(void *arg, const struct model_span *span)
{
        struct page_fill *fill = arg;
        struct page_plan *plan = fill->plan;
        uint32_t kept = page_map_get(&plan->kept_of_number, span->flow->number, 0);
        int64_t length_ns = span->end_ns - span->start_ns;

        if (kept == PAGE_NONE || length_ns < page_plan_threshold(plan, plan->span_threshold, span->start_ns)) {
                fill->spans_left_out++;
                return 0;
        }
        if (!page_grow(&fill->spans, &fill->spans_capacity, fill->n_spans, sizeof *fill->spans))
                return -ENOMEM;
        uint32_t name = page_name_lasting(&plan->names, span->name);
        if (name == PAGE_NONE)
                return -ENOMEM;
        fill->spans[fill->n_spans++] = (struct page_span){
                .start_ns = span->start_ns,
                .dur_ns = length_ns,
                .task = kept,
                .name = name,
                .depth = (uint8_t)(span->depth > 255 ? 255 : span->depth),
        };
        return 0;
}

static void sink_request(struct page_request *heap, size_t count)
{
        for (size_t at = 0;;) {
                size_t least = at;
                for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
                        if (heap[child].dur_ns < heap[least].dur_ns)
                                least = child;
                }
                if (least == at)
                        return;
                struct page_request moved = heap[at];
                heap[at] = heap[least];
                heap[least] = moved;
                at = least;
        }
}

/* Keeps a request, in place of the least slow one when there are enough. */
static int keep_request(struct page_fill *fill, const struct page_request *request)
{
        struct page_request *heap;
        size_t at;

        if (fill->n_requests >= fill->plan->limits.requests) {
                if (fill->n_requests > 0 && request->dur_ns > fill->requests[0].dur_ns) {
                        fill->requests[0] = *request;
                        sink_request(fill->requests, fill->n_requests);
                }
                return 0;
        }
        if (!page_grow(&fill->requests, &fill->requests_capacity, fill->n_requests, sizeof *fill->requests))
                return -ENOMEM;
        heap = fill->requests;
        for (at = fill->n_requests++; at > 0 && request->dur_ns < heap[(at - 1) / 2].dur_ns; at = (at - 1) / 2)
                heap[at] = heap[(at - 1) / 2];
        heap[at] = *request;
        return 0;
}

static int on_request(void *arg, const struct model_request *request)
{
        struct page_fill *fill = arg;
        uint32_t kept = page_plan_kept(fill->plan, request->process, request->flow);
        struct page_request row = {
                .start_ns = request->start_ns,
                .dur_ns = request->end_ns - request->start_ns,
                .status = request->open ? 0 : request->status,
                .task = kept == PAGE_NONE ? 0 : kept + 1,
                .name = page_name(&fill->plan->names, request->text),
        };

        if (row.name == PAGE_NONE)
                return -ENOMEM;
        for (size_t i = 0; i < PLAIT_RECORDING_PHASES; i++)
                row.phase_ns[i] = request->phase_ns[i] < 0 ? 0 : request->phase_ns[i] + 1;
        return keep_request(fill, &row);
}

static int on_event(void *arg, const struct plait_recording_event *event, const struct model_flow *flow)
{
        return page_events_add(arg, event, flow);
}

/* --- the pass --- */

/* Which lanes have rows: workers, those with jobs, and threads of the program's own. */
static int choose_lanes(struct page_fill *fill)
{
        const struct page_plan *plan = fill->plan;

        fill->row_of_lane = calloc(plan->n_lanes + 1, sizeof *fill->row_of_lane);
        fill->row_end_ns = calloc(plan->n_lanes + 1, sizeof *fill->row_end_ns);
        if (!fill->row_of_lane || !fill->row_end_ns)
                return -ENOMEM;
        for (uint32_t i = 0; i < plan->n_lanes; i++) {
                const struct plait_recording_lane *lane = plait_recording_get_lane(fill->model->recording, i);
                bool has_row = lane && (lane->kind != PLAIT_RECORDING_LANE_SERVICE || plan->lane_has_jobs[i]);
                fill->row_of_lane[i] = has_row ? fill->n_rows++ : PAGE_NONE;
        }
        return 0;
}

static int prepare(struct page_fill *fill)
{
        struct page_plan *plan = fill->plan;
        uint32_t n_bins = BINS_OF_ALL / (plan->n_groups + 1);

        fill->n_bins = n_bins > BINS_MAX ? BINS_MAX : n_bins < BINS_MIN ? BINS_MIN : n_bins;
        fill->bin_ns = (double)plan->duration_ns / fill->n_bins;
        size_t n = (size_t)PAGE_STATES_MAX * (plan->n_groups + 1) * fill->n_bins;
        fill->bins = calloc(n, sizeof *fill->bins);
        fill->spans_of_bins = calloc(n, sizeof *fill->spans_of_bins);
        if (!fill->bins || !fill->spans_of_bins || choose_lanes(fill) < 0 ||
            !page_cells_init(&fill->task_cells, plan, plan->task_threshold, plan->n_tasks_kept, PAGE_STATES_MAX) ||
            !page_cells_init(&fill->lane_cells, plan, plan->lane_threshold, fill->n_rows, LANE_KINDS))
                return -ENOMEM;

        page_events_init(fill);
        return 0;
}

int page_fill(struct page_fill *fill, struct page_plan *plan, const char *path, char *message, size_t size)
{
        struct model model;
        const struct model_reader reader = {
                .arg = fill,
                .slice = on_slice,
                .lane = on_lane,
                .request = on_request,
                .span = on_span,
                .job = on_job,
                .event = on_event,
        };
        int error;

        *fill = (struct page_fill){.plan = plan, .model = &model};
        error = model_open(&model, path, message, size);
        if (error)
                return error;
        error = plan->n_lanes <= model.info.n_lanes ? prepare(fill) : -ESTALE;
        if (!error)
                error = model_read(&model, &reader);
        if (!error)
                error = page_events_end(fill);
        page_cells_end(&fill->task_cells);
        page_cells_end(&fill->lane_cells);
        page_names_forget(&plan->names);
        model_close(&model);
        fill->model = NULL;
        return error;
}

void page_fill_free(struct page_fill *fill)
{
        page_cells_free(&fill->task_cells);
        page_cells_free(&fill->lane_cells);
        free(fill->requests);
        page_table_free(&fill->instants);
        page_table_free(&fill->flows);
        for (uint32_t i = 0; i < PAGE_COUNTERS_MAX; i++)
                free(fill->series[i].samples);
        page_map_free(&fill->object_of_key);
        page_map_free(&fill->object_of_name);
        page_map_free(&fill->flow_starts);
        free(fill->starts);
        free(fill->objects);
        free(fill->spans);
        free(fill->bins);
        free(fill->spans_of_bins);
        free(fill->row_of_lane);
        free(fill->row_end_ns);
}
