/* What the page of a recording can hold (page_plan.h). */
#include "trace/page_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_SEEN_MAX 4096
#define OTHER_FUNCTIONS "other functions"
#define EACH_GROUP_KEEPS 48 /* tasks, before the longest-lived ones of all */
#define WHOLE_SHARE 3       /* one of so many cells goes to stretches that are kept whole */

/* What is known of a flow while it is there: model_flow.user. */
struct alive {
        uint32_t group;
        int64_t longest_ns;
        const struct model_flow *flow;
        struct alive *next, **link;
};

struct pass {
        struct page_plan *plan;
        struct model *model;
        struct alive *alive;
};

/* --- lengths and stretches of time --- */

static uint32_t class_of(int64_t length_ns)
{
        uint32_t class = length_ns <= 0 ? 0 : (uint32_t)(64 - __builtin_clzll((uint64_t)length_ns));

        return class < PAGE_CLASSES ? class : PAGE_CLASSES - 1;
}

static uint32_t bucket_of(const struct page_plan *plan, int64_t time_ns)
{
        int64_t bucket = (int64_t)((double)time_ns / (double)plan->duration_ns * PAGE_BUCKETS);

        return (uint32_t)(bucket < 0 ? 0 : bucket >= PAGE_BUCKETS ? PAGE_BUCKETS - 1 : bucket);
}

int64_t page_plan_threshold(const struct page_plan *plan, const uint8_t *thresholds, int64_t time_ns)
{
        uint8_t class = thresholds[bucket_of(plan, time_ns)];

        return class ? INT64_C(1) << class : 0;
}

static void count_length(const struct page_plan *plan, struct page_histogram *histogram, int64_t start_ns,
                         int64_t end_ns)
{
        uint32_t bucket = bucket_of(plan, start_ns);
        uint32_t class = class_of(end_ns - start_ns);

        histogram->count[bucket][class]++;
        histogram->time_ns[bucket][class] += end_ns - start_ns;
}

/*
 * How many cells a stretch has when what is shorter than 2^class is merged: a run of short ones ends when it is that
 * long, or at a long one.
 */
static uint64_t cells_at(const struct page_histogram *histogram, uint32_t bucket, uint32_t class, bool merges)
{
        uint64_t longer = 0, shorter = 0;
        int64_t shorter_ns = 0;

        for (uint32_t i = 0; i < PAGE_CLASSES; i++) {
                if (i > class || class == 0) {
                        longer += histogram->count[bucket][i];
                } else {
                        shorter += histogram->count[bucket][i];
                        shorter_ns += histogram->time_ns[bucket][i];
                }
        }
        if (!merges)
                return longer;
        uint64_t runs = (uint64_t)(shorter_ns >> class) + longer;
        return longer + (runs < shorter ? runs : shorter);
}

/* The least threshold with which a stretch has at most *most* cells. */
static uint32_t least_class(const struct page_histogram *histogram, uint32_t bucket, uint64_t most, bool merges)
{
        uint32_t class = 0;

        while (class < PAGE_CLASSES - 1 && cells_at(histogram, bucket, class, merges) > most)
                class ++;
        return class;
}

static int by_interest(const void *a, const void *b, void *interest)
{
        const int64_t *of = interest;
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        if (of[x] != of[y])
                return of[x] < of[y] ? 1 : -1;
        return x < y ? -1 : 1;
}

/* Marks the stretches that are kept whole, and returns how many cells they take. */
static uint64_t keep_whole(struct page_plan *plan, const struct page_histogram *histogram, uint64_t most, bool *whole)
{
        uint32_t order[PAGE_BUCKETS];
        uint64_t sum = 0;

        for (uint32_t b = 0; b < PAGE_BUCKETS; b++)
                order[b] = b;
        plan->interest_ns[0] = plan->interest_ns[PAGE_BUCKETS - 1] = INT64_MAX;
        qsort_r(order, PAGE_BUCKETS, sizeof *order, by_interest, plan->interest_ns);
        for (uint32_t i = 0; i < PAGE_BUCKETS && plan->interest_ns[order[i]] > 0; i++) {
                uint64_t cells = cells_at(histogram, order[i], 0, false);
                if (sum + cells > most)
                        continue;
                sum += cells;
                whole[order[i]] = true;
        }
        return sum;
}

/* Finds the level up to which the other stretches may fill, such that all of them keep to the limit. */
static void set_thresholds(struct page_plan *plan, uint8_t *thresholds, const struct page_histogram *histogram,
                           uint64_t limit, bool merges)
{
        bool whole[PAGE_BUCKETS] = {false};
        uint64_t kept = keep_whole(plan, histogram, limit / WHOLE_SHARE, whole);
        uint64_t low = 1, high = limit;

        while (low < high) {
                uint64_t level = low + (high - low + 1) / 2;
                uint64_t sum = kept;
                for (uint32_t b = 0; b < PAGE_BUCKETS && sum <= limit; b++) {
                        if (!whole[b])
                                sum += cells_at(histogram, b, least_class(histogram, b, level, merges), merges);
                }
                if (sum <= limit)
                        low = level;
                else
                        high = level - 1;
        }
        for (uint32_t b = 0; b < PAGE_BUCKETS; b++)
                thresholds[b] = whole[b] ? 0 : (uint8_t)least_class(histogram, b, low, merges);
}

/* --- states, groups, counters --- */

uint32_t page_plan_state(struct page_plan *plan, const struct model *model, const struct model_slice *slice)
{
        if (slice->state != MODEL_WAITING)
                return slice->state == MODEL_RUNNING ? PAGE_RUNNING : PAGE_RUNNABLE;

        const char *cause = plait_recording_cause(model->recording, slice->flow->process, slice->cause);
        uint32_t name = page_name_lasting(&plan->names, cause);
        for (uint32_t i = PAGE_FIRST_WAIT; i < plan->n_states; i++) {
                if (plan->states[i] == name)
                        return i;
        }
        if (plan->n_states == PAGE_STATES_MAX)
                return PAGE_STATES_MAX - 1;
        plan->states[plan->n_states] = plan->n_states == PAGE_STATES_MAX - 1 ? page_name(&plan->names, "other") : name;
        return plan->n_states++;
}

static bool is_thread(uint64_t flow)
{
        return flow & PLAIT_RECORDING_THREAD;
}

uint32_t page_plan_group(struct page_plan *plan, const struct model_flow *flow)
{
        const char *text = flow->function ? flow->function : flow->name;
        if (!text)
                text = is_thread(flow->id) ? "threads" : "tasks of an unknown function";

        uint32_t name = page_name_lasting(&plan->names, text);
        uint32_t seen = page_map_get(&plan->group_of_name, name, 0);
        if (plan->group_of_seen)
                return seen == PAGE_NONE ? plan->n_groups - 1 : plan->group_of_seen[seen];
        if (seen != PAGE_NONE)
                return seen;
        if (plan->n_groups >= GROUPS_SEEN_MAX) {
                name = page_name(&plan->names, OTHER_FUNCTIONS);
                seen = page_map_get(&plan->group_of_name, name, 0);
                if (seen != PAGE_NONE)
                        return seen;
        }
        struct page_group *groups = reallocarray(plan->groups, plan->n_groups + 1, sizeof *groups);
        if (!groups)
                return PAGE_NONE;
        plan->groups = groups;
        groups[plan->n_groups] = (struct page_group){.name = name};
        return page_map_put(&plan->group_of_name, name, 0, plan->n_groups) ? plan->n_groups++ : PAGE_NONE;
}

uint32_t page_plan_kept(const struct page_plan *plan, uint32_t process, uint64_t flow)
{
        return flow ? page_map_get(&plan->kept_of_id, process, flow) : PAGE_NONE;
}

uint32_t page_plan_counter(struct page_plan *plan, uint32_t process, const char *text)
{
        uint32_t name = page_name_lasting(&plan->names, text);

        for (uint32_t i = 0; i < plan->n_counters; i++) {
                if (plan->counters[i].process == process && plan->counters[i].name == name)
                        return i;
        }
        if (plan->n_counters == PAGE_COUNTERS_MAX)
                return PAGE_NONE;
        plan->counters[plan->n_counters] = (struct page_counter){.process = process, .name = name, .whole = true};
        return plan->n_counters++;
}

/* --- candidates for lanes: of each group the longest-lived, in a heap --- */

static int64_t life(const struct page_task *task)
{
        return task->end_ns - task->start_ns;
}

static void swap(struct page_task *a, struct page_task *b)
{
        struct page_task kept = *a;

        *a = *b;
        *b = kept;
}

static void sink_down(struct page_task *heap, size_t count, size_t at)
{
        for (;;) {
                size_t least = at;
                for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
                        if (life(&heap[child]) < life(&heap[least]))
                                least = child;
                }
                if (least == at)
                        return;
                swap(&heap[at], &heap[least]);
                at = least;
        }
}

static int keep_candidate(struct page_group *group, const struct page_task *task, uint32_t limit)
{
        if (group->n_longest == limit) {
                if (life(task) > life(&group->longest[0])) {
                        group->longest[0] = *task;
                        sink_down(group->longest, group->n_longest, 0);
                }
                return 0;
        }
        if (!page_grow(&group->longest, &group->longest_capacity, group->n_longest, sizeof *group->longest))
                return -ENOMEM;
        size_t at = group->n_longest++;
        group->longest[at] = *task;
        for (; at > 0 && life(&group->longest[at]) < life(&group->longest[(at - 1) / 2]); at = (at - 1) / 2)
                swap(&group->longest[at], &group->longest[(at - 1) / 2]);
        return 0;
}

/* --- the first reading --- */

static int flow_begins(void *arg, struct model_flow *flow)
{
        struct pass *pass = arg;
        struct alive *alive = calloc(1, sizeof *alive);

        if (!alive)
                return -ENOMEM;
        alive->group = PAGE_NONE;
        alive->flow = flow;
        alive->next = pass->alive;
        alive->link = &pass->alive;
        if (alive->next)
                alive->next->link = &alive->next;
        pass->alive = alive;
        flow->user = alive;
        return 0;
}

static int know_group(struct pass *pass, struct alive *alive)
{
        if (alive->group == PAGE_NONE)
                alive->group = page_plan_group(pass->plan, alive->flow);
        return alive->group == PAGE_NONE ? -ENOMEM : 0;
}

static int flow_slice(void *arg, const struct model_slice *slice)
{
        struct pass *pass = arg;
        struct page_plan *plan = pass->plan;
        struct alive *alive = slice->flow->user;
        int64_t length_ns = slice->end_ns - slice->start_ns;

        if (!alive)
                return 0;
        int error = know_group(pass, alive);
        if (error)
                return error;
        struct page_group *group = &plan->groups[alive->group];
        group->state_ns[page_plan_state(plan, pass->model, slice)] += length_ns;
        group->total_ns += length_ns;
        if (slice->state != MODEL_RUNNING && length_ns > alive->longest_ns)
                alive->longest_ns = length_ns;
        int64_t *interest_ns = &plan->interest_ns[bucket_of(plan, slice->end_ns - 1)];
        bool for_others = slice->state == MODEL_RUNNABLE || (slice->state == MODEL_WAITING && slice->waker);
        if (for_others && length_ns > *interest_ns)
                *interest_ns = length_ns;
        plan->n_task_slices++;
        count_length(plan, plan->task_cells, slice->start_ns, slice->end_ns);
        return 0;
}

static int flow_ends(void *arg, const struct model_flow *flow)
{
        struct pass *pass = arg;
        struct page_plan *plan = pass->plan;
        struct alive *alive = flow->user;

        if (!alive)
                return 0;
        int error = know_group(pass, alive);
        if (!error) {
                struct page_group *group = &plan->groups[alive->group];
                struct page_task task = {
                        .number = flow->number,
                        .process = flow->process,
                        .name = page_name_lasting(&plan->names, flow->name ? flow->name : flow->function),
                        .id = flow->id,
                        .parent = flow->parent,
                        .start_ns = flow->born_ns,
                        .end_ns = flow->since_ns > flow->born_ns ? flow->since_ns : flow->born_ns,
                        .longest_ns = alive->longest_ns,
                };
                memcpy(task.busy_ns, flow->busy_ns, sizeof task.busy_ns);
                group->tasks++;
                plan->n_tasks++;
                error = keep_candidate(group, &task, plan->limits.tasks);
        }
        *alive->link = alive->next;
        if (alive->next)
                alive->next->link = alive->link;
        free(alive);
        return error;
}

static int lane_slice(void *arg, const struct model_lane_slice *slice)
{
        struct pass *pass = arg;

        pass->plan->n_lane_slices++;
        count_length(pass->plan, pass->plan->lane_cells, slice->start_ns, slice->end_ns);
        return 0;
}

static int lane_job(void *arg, const struct model_job *job)
{
        struct pass *pass = arg;

        if (job->lane < pass->plan->n_lanes)
                pass->plan->lane_has_jobs[job->lane] = true;
        pass->plan->n_lane_slices++;
        count_length(pass->plan, pass->plan->lane_cells, job->start_ns, job->end_ns);
        return 0;
}

static int flow_span(void *arg, const struct model_span *span)
{
        struct pass *pass = arg;

        pass->plan->n_spans++;
        count_length(pass->plan, pass->plan->spans, span->start_ns, span->end_ns);
        return 0;
}

static int flow_request(void *arg, const struct model_request *request)
{
        struct pass *pass = arg;

        (void)request;
        pass->plan->n_requests++;
        return 0;
}

static int other_event(void *arg, const struct plait_recording_event *event, const struct model_flow *flow)
{
        struct pass *pass = arg;

        (void)flow;
        if (event->kind != PLAIT_RECORDING_COUNTER)
                return 0;
        uint32_t counter = page_plan_counter(pass->plan, event->process, event->text);
        if (counter != PAGE_NONE) {
                pass->plan->counters[counter].samples++;
                if (event->number > 9e15 || event->number < -9e15 || (double)(int64_t)event->number < event->number ||
                    (double)(int64_t)event->number > event->number)
                        pass->plan->counters[counter].whole = false;
        }
        return 0;
}

static int read_first(struct page_plan *plan, const char *path, char *message, size_t size)
{
        struct model model;
        struct pass pass = {.plan = plan, .model = &model};
        const struct model_reader reader = {
                .arg = &pass,
                .begins = flow_begins,
                .slice = flow_slice,
                .ends = flow_ends,
                .lane = lane_slice,
                .request = flow_request,
                .span = flow_span,
                .job = lane_job,
                .event = other_event,
        };
        int error = model_open(&model, path, message, size);

        if (error)
                return error;
        plan->duration_ns = model.info.duration_ns > 0 ? model.info.duration_ns : 1;
        plan->dropped = model.info.dropped;
        plan->torn = model.info.torn;
        plan->live = model.info.live;
        plan->n_processes = model.info.n_processes;
        plan->n_lanes = model.info.n_lanes;
        plan->lane_has_jobs = calloc(plan->n_lanes + 1, sizeof *plan->lane_has_jobs);
        error = plan->lane_has_jobs ? model_read(&model, &reader) : -ENOMEM;
        plan->events = model.n_events;
        while (pass.alive) {
                struct alive *next = pass.alive->next;
                free(pass.alive);
                pass.alive = next;
        }
        page_names_forget(&plan->names);
        model_close(&model);
        return error;
}

/* --- which groups and tasks remain --- */

static int by_total(const void *a, const void *b)
{
        int64_t x = ((const struct page_group *)a)->total_ns, y = ((const struct page_group *)b)->total_ns;

        return (x < y) - (x > y);
}

/* Orders the groups by their time, and makes one of all beyond the limit. */
static int settle_groups(struct page_plan *plan)
{
        uint32_t seen = plan->n_groups;
        uint32_t kept = seen > PAGE_GROUPS_MAX ? PAGE_GROUPS_MAX : seen;

        plan->group_of_seen = calloc(seen + 1, sizeof *plan->group_of_seen);
        if (!plan->group_of_seen)
                return -ENOMEM;
        if (seen == 0)
                return 0;
        qsort(plan->groups, seen, sizeof *plan->groups, by_total);
        for (uint32_t g = 0; g < seen; g++) {
                uint32_t before = page_map_get(&plan->group_of_name, plan->groups[g].name, 0);
                plan->group_of_seen[before] = g < kept ? g : kept - 1;
        }
        for (uint32_t g = kept; g < seen; g++) {
                struct page_group *from = &plan->groups[g], *to = &plan->groups[kept - 1];
                to->name = page_name(&plan->names, OTHER_FUNCTIONS);
                to->tasks += from->tasks;
                to->total_ns += from->total_ns;
                for (uint32_t s = 0; s < PAGE_STATES_MAX; s++)
                        to->state_ns[s] += from->state_ns[s];
                for (size_t i = 0; i < from->n_longest; i++) {
                        int error = keep_candidate(to, &from->longest[i], plan->limits.tasks);
                        if (error)
                                return error;
                }
                free(from->longest);
                from->longest = NULL;
        }
        plan->n_groups = kept;
        return 0;
}

static int longest_lived_first(const void *a, const void *b)
{
        int64_t x = life(a), y = life(b);

        if (x != y)
                return (x < y) - (x > y);
        return ((const struct page_task *)a)->number < ((const struct page_task *)b)->number ? -1 : 1;
}

static int by_group_and_start(const void *a, const void *b)
{
        const struct page_task *x = a, *y = b;

        if (x->group != y->group)
                return x->group < y->group ? -1 : 1;
        if (x->start_ns != y->start_ns)
                return x->start_ns < y->start_ns ? -1 : 1;
        return x->number < y->number ? -1 : 1;
}

/* Chooses the tasks that get lanes: some of each group first, then the longest-lived of all. */
static int choose_tasks(struct page_plan *plan)
{
        size_t all = 0, first = 0;

        for (uint32_t g = 0; g < plan->n_groups; g++)
                all += plan->groups[g].n_longest;
        plan->tasks = calloc(all + 1, sizeof *plan->tasks);
        if (!plan->tasks)
                return -ENOMEM;
        for (int rest = 0; rest <= 1; rest++) {
                size_t from = first;
                for (uint32_t g = 0; g < plan->n_groups; g++) {
                        struct page_group *group = &plan->groups[g];
                        if (!rest)
                                qsort(group->longest, group->n_longest, sizeof *group->longest, longest_lived_first);
                        size_t edge = group->n_longest < EACH_GROUP_KEEPS ? group->n_longest : EACH_GROUP_KEEPS;
                        for (size_t i = rest ? edge : 0; i < (rest ? group->n_longest : edge); i++) {
                                plan->tasks[first] = group->longest[i];
                                plan->tasks[first++].group = g;
                        }
                }
                if (rest)
                        qsort(plan->tasks + from, first - from, sizeof *plan->tasks, longest_lived_first);
        }
        plan->n_tasks_kept = (uint32_t)(first < plan->limits.tasks ? first : plan->limits.tasks);
        qsort(plan->tasks, plan->n_tasks_kept, sizeof *plan->tasks, by_group_and_start);
        for (uint32_t i = 0; i < plan->n_tasks_kept; i++) {
                if (!page_map_put(&plan->kept_of_number, plan->tasks[i].number, 0, i) ||
                    !page_map_put(&plan->kept_of_id, plan->tasks[i].process, plan->tasks[i].id, i))
                        return -ENOMEM;
        }
        return 0;
}

/* --- the second reading: what the kept tasks alone have --- */

static int kept_slice(void *arg, const struct model_slice *slice)
{
        struct pass *pass = arg;
        struct page_plan *plan = pass->plan;

        if (page_map_get(&plan->kept_of_number, slice->flow->number, 0) != PAGE_NONE) {
                plan->n_task_slices++;
                count_length(plan, plan->task_cells, slice->start_ns, slice->end_ns);
        }
        return 0;
}

static int kept_span(void *arg, const struct model_span *span)
{
        struct pass *pass = arg;
        struct page_plan *plan = pass->plan;

        if (page_map_get(&plan->kept_of_number, span->flow->number, 0) != PAGE_NONE) {
                plan->n_spans++;
                count_length(plan, plan->spans, span->start_ns, span->end_ns);
        }
        return 0;
}

static int read_second(struct page_plan *plan, const char *path, char *message, size_t size)
{
        struct model model;
        struct pass pass = {.plan = plan, .model = &model};
        const struct model_reader reader = {.arg = &pass, .slice = kept_slice, .span = kept_span};
        int error = model_open(&model, path, message, size);

        if (error)
                return error;
        memset(plan->task_cells, 0, sizeof *plan->task_cells);
        memset(plan->spans, 0, sizeof *plan->spans);
        plan->n_task_slices = plan->n_spans = 0;
        error = model_read(&model, &reader);
        model_close(&model);
        return error;
}

int page_plan_make(struct page_plan *plan, const char *path, const struct page_limits *limits, char *message,
                   size_t size)
{
        *plan = (struct page_plan){.limits = *limits, .n_states = PAGE_FIRST_WAIT};
        plan->states[PAGE_RUNNING] = page_name(&plan->names, "running");
        plan->states[PAGE_RUNNABLE] = page_name(&plan->names, "runnable");
        plan->task_cells = calloc(1, sizeof *plan->task_cells);
        plan->lane_cells = calloc(1, sizeof *plan->lane_cells);
        plan->spans = calloc(1, sizeof *plan->spans);
        if (!plan->task_cells || !plan->lane_cells || !plan->spans)
                return -ENOMEM;

        int error = read_first(plan, path, message, size);
        if (!error)
                error = settle_groups(plan);
        if (!error)
                error = choose_tasks(plan);
        if (!error && plan->n_tasks_kept < plan->n_tasks)
                error = read_second(plan, path, message, size);
        if (error)
                return error;
        set_thresholds(plan, plan->task_threshold, plan->task_cells, limits->task_cells, true);
        set_thresholds(plan, plan->lane_threshold, plan->lane_cells, limits->lane_cells, true);
        set_thresholds(plan, plan->span_threshold, plan->spans, limits->spans, false);
        return 0;
}

void page_plan_free(struct page_plan *plan)
{
        for (uint32_t g = 0; g < plan->n_groups; g++)
                free(plan->groups[g].longest);
        free(plan->groups);
        free(plan->group_of_seen);
        free(plan->tasks);
        free(plan->lane_has_jobs);
        free(plan->task_cells);
        free(plan->lane_cells);
        free(plan->spans);
        page_map_free(&plan->group_of_name);
        page_map_free(&plan->kept_of_number);
        page_map_free(&plan->kept_of_id);
        page_names_free(&plan->names);
}
