/* The tables of the page, out of what was read: workers, tasks, groups, spans, and the rest (page_fill.h). */
#include "trace/page_fill.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS(array) (array), sizeof(array) / sizeof *(array)
#define WHOLE(n)                                                 \
        {                                                        \
                .name = (n), .encoding = PAGE_VARINT, .width = 4 \
        }
#define LENGTH(n)                                                \
        {                                                        \
                .name = (n), .encoding = PAGE_VARINT, .width = 8 \
        }
#define TIME(n)                                                 \
        {                                                       \
                .name = (n), .encoding = PAGE_DELTA, .width = 8 \
        }
#define BYTE(n)                                                 \
        {                                                       \
                .name = (n), .encoding = PAGE_BYTES, .width = 1 \
        }

static int write_and_free(struct page_table *table, FILE *file)
{
        int error = page_table_write(table, file);

        page_table_free(table);
        return error;
}

static int by_task_and_start(const void *a, const void *b)
{
        const struct page_span *x = a, *y = b;

        if (x->task != y->task)
                return x->task < y->task ? -1 : 1;
        if (x->start_ns != y->start_ns)
                return x->start_ns < y->start_ns ? -1 : 1;
        return (x->depth > y->depth) - (x->depth < y->depth);
}

static int write_spans(struct page_fill *fill, uint32_t *spans_of_task, FILE *file)
{
        static const struct page_column columns[] = {WHOLE("name"), TIME("start"), LENGTH("dur"), BYTE("depth")};
        struct page_table table;

        if (fill->n_spans > 0)
                qsort(fill->spans, fill->n_spans, sizeof *fill->spans, by_task_and_start);
        page_table_init(&table, "spans", COLUMNS(columns));
        for (size_t i = 0; i < fill->n_spans; i++) {
                const struct page_span *span = &fill->spans[i];
                spans_of_task[span->task]++;
                page_table_add(&table, (const int64_t[]){span->name, span->start_ns, span->dur_ns, span->depth});
        }
        return write_and_free(&table, file);
}

static int write_tasks(struct page_fill *fill, const uint32_t *spans_of_task, FILE *file)
{
        static const struct page_column columns[] = {
                TIME("id"),        WHOLE("name"),      WHOLE("group"),    WHOLE("parent"),
                TIME("start"),     TIME("end"),        WHOLE("cells"),    WHOLE("spans"),
                LENGTH("running"), LENGTH("runnable"), LENGTH("waiting"), LENGTH("longest"),
        };
        const struct page_plan *plan = fill->plan;
        struct page_table table;

        page_table_init(&table, "tasks", COLUMNS(columns));
        for (uint32_t i = 0; i < plan->n_tasks_kept; i++) {
                const struct page_task *task = &plan->tasks[i];
                uint32_t parent = page_plan_kept(plan, task->process, task->parent);
                page_table_add(&table, (const int64_t[]){
                                               (int64_t)(task->id & ~PLAIT_RECORDING_THREAD),
                                               task->name,
                                               task->group,
                                               parent == PAGE_NONE ? 0 : parent + 1,
                                               task->start_ns,
                                               task->end_ns,
                                               fill->task_cells.lanes[i].n_cells,
                                               spans_of_task[i],
                                               task->busy_ns[MODEL_RUNNING],
                                               task->busy_ns[MODEL_RUNNABLE],
                                               task->busy_ns[MODEL_WAITING],
                                               task->longest_ns,
                                       });
        }
        return write_and_free(&table, file);
}

/* A table with a column for each state, after the ones given. */
static void init_with_states(struct page_table *table, const char *name, const struct page_column *first,
                             size_t n_first, uint32_t n_states, uint8_t width)
{
        static const char *const names[PAGE_STATES_MAX] = {
                "s0",  "s1",  "s2",  "s3",  "s4",  "s5",  "s6",  "s7",  "s8",  "s9",  "s10", "s11", "s12", "s13",
                "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27",
        };
        struct page_column columns[PAGE_STATES_MAX + 4];

        memcpy(columns, first, n_first * sizeof *first);
        for (uint32_t s = 0; s < n_states; s++)
                columns[n_first + s] = (struct page_column){.name = names[s], .encoding = PAGE_VARINT, .width = width};
        page_table_init(table, name, columns, n_first + n_states);
}

static int write_groups(struct page_fill *fill, FILE *file)
{
        static const struct page_column first[] = {WHOLE("name"), LENGTH("tasks")};
        const struct page_plan *plan = fill->plan;
        struct page_table table;

        init_with_states(&table, "groups", COLUMNS(first), plan->n_states, 8);
        for (uint32_t g = 0; g < plan->n_groups; g++) {
                int64_t row[2 + PAGE_STATES_MAX] = {plan->groups[g].name, (int64_t)plan->groups[g].tasks};
                memcpy(row + 2, plan->groups[g].state_ns, plan->n_states * sizeof *row);
                page_table_add(&table, row);
        }
        return write_and_free(&table, file);
}

static int write_bins(struct page_fill *fill, int64_t unit_ns, FILE *file)
{
        static const struct page_column none[1];
        const struct page_plan *plan = fill->plan;
        double whole[PAGE_STATES_MAX];
        struct page_table table;

        init_with_states(&table, "bins", none, 0, plan->n_states, 4);
        for (uint32_t g = 0; g < plan->n_groups; g++) {
                memset(whole, 0, sizeof whole);
                for (uint32_t bin = 0; bin < fill->n_bins; bin++) {
                        int64_t row[PAGE_STATES_MAX];
                        for (uint32_t s = 0; s < plan->n_states; s++) {
                                size_t at = ((size_t)s * plan->n_groups + g) * fill->n_bins + bin;
                                whole[s] += fill->spans_of_bins[at];
                                double ns = fill->bins[at] + whole[s] * fill->bin_ns;
                                row[s] = (int64_t)(ns / (double)unit_ns + 0.5);
                        }
                        page_table_add(&table, row);
                }
        }
        return write_and_free(&table, file);
}

static int write_objects(struct page_fill *fill, FILE *file)
{
        static const struct page_column columns[] = {WHOLE("name"), BYTE("kind"), LENGTH("count"), LENGTH("total"),
                                                     LENGTH("longest")};
        struct page_table table;

        page_table_init(&table, "objects", COLUMNS(columns));
        for (size_t i = 0; i < fill->n_objects; i++) {
                const struct page_object *object = &fill->objects[i];
                page_table_add(&table, (const int64_t[]){object->name, object->state, (int64_t)object->count,
                                                         object->total_ns, object->longest_ns});
        }
        return write_and_free(&table, file);
}

static int by_start(const void *a, const void *b)
{
        int64_t x = ((const struct page_request *)a)->start_ns, y = ((const struct page_request *)b)->start_ns;

        return (x > y) - (x < y);
}

static int write_requests(struct page_fill *fill, FILE *file)
{
        static const struct page_column columns[] = {
                WHOLE("task"), WHOLE("name"), TIME("start"), LENGTH("dur"), TIME("status"), LENGTH("p0"),
                LENGTH("p1"),  LENGTH("p2"),  LENGTH("p3"),  LENGTH("p4"),  LENGTH("p5"),   LENGTH("p6"),
        };
        _Static_assert(sizeof columns / sizeof *columns == 5 + PLAIT_RECORDING_PHASES, "a column for each phase");
        struct page_table table;

        if (fill->n_requests > 0)
                qsort(fill->requests, fill->n_requests, sizeof *fill->requests, by_start);
        page_table_init(&table, "requests", COLUMNS(columns));
        for (size_t i = 0; i < fill->n_requests; i++) {
                const struct page_request *request = &fill->requests[i];
                int64_t row[5 + PLAIT_RECORDING_PHASES] = {request->task, request->name, request->start_ns,
                                                           request->dur_ns, request->status};
                memcpy(row + 5, request->phase_ns, sizeof request->phase_ns);
                page_table_add(&table, row);
        }
        return write_and_free(&table, file);
}

static int write_samples(struct page_fill *fill, FILE *file)
{
        static const struct page_column columns[] = {TIME("time"), TIME("value")};
        const struct page_plan *plan = fill->plan;
        struct page_table table;

        page_table_init(&table, "samples", COLUMNS(columns));
        for (uint32_t c = 0; c < plan->n_counters; c++) {
                double scale = plan->counters[c].whole ? 1 : PAGE_COUNTER_SCALE;
                for (size_t i = 0; i < fill->series[c].n; i++) {
                        double value = fill->series[c].samples[i].value * scale;
                        value = value > 9e15 ? 9e15 : value < -9e15 ? -9e15 : isnan(value) ? 0 : value;
                        page_table_add(&table, (const int64_t[]){fill->series[c].samples[i].time_ns, (int64_t)value});
                }
        }
        return write_and_free(&table, file);
}

int64_t page_bins_unit(const struct page_fill *fill)
{
        int64_t unit_ns = (int64_t)(fill->bin_ns / 1000);

        return unit_ns > 0 ? unit_ns : 1;
}

int page_fill_write(struct page_fill *fill, FILE *file)
{
        uint32_t *spans_of_task = calloc(fill->plan->n_tasks_kept + 1, sizeof *spans_of_task);
        int error = spans_of_task ? 0 : -ENOMEM;

        if (!error)
                error = page_cells_write(&fill->lane_cells, "worker", file);
        if (!error)
                error = write_groups(fill, file);
        if (!error)
                error = write_bins(fill, page_bins_unit(fill), file);
        if (!error)
                error = write_spans(fill, spans_of_task, file);
        if (!error)
                error = write_tasks(fill, spans_of_task, file);
        if (!error)
                error = page_cells_write(&fill->task_cells, "task", file);
        if (!error)
                error = write_objects(fill, file);
        if (!error)
                error = write_requests(fill, file);
        if (!error)
                error = page_table_write(&fill->instants, file);
        if (!error)
                error = page_table_write(&fill->flows, file);
        if (!error)
                error = write_samples(fill, file);
        free(spans_of_task);
        return error;
}
