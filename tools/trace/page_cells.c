/* The cells of the page's lanes (page_cells.h). */
#include "trace/page_cells.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct page_stored {
        struct page_cell cell;
        uint32_t n;    /* slices in it */
        uint32_t mix;  /* kind PAGE_MIXED: its shares */
        uint32_t next; /* of the lane */
};

bool page_cells_init(struct page_cells *cells, const struct page_plan *plan, const uint8_t *thresholds,
                     uint32_t n_lanes, uint32_t n_kinds)
{
        *cells = (struct page_cells){.plan = plan, .thresholds = thresholds, .n_lanes = n_lanes, .n_kinds = n_kinds};
        cells->lanes = calloc(n_lanes + 1, sizeof *cells->lanes);
        cells->times = calloc((size_t)(n_lanes + 1) * n_kinds, sizeof *cells->times);
        if (!cells->lanes || !cells->times)
                return false;
        for (uint32_t i = 0; i < n_lanes; i++)
                cells->lanes[i].first = cells->lanes[i].last = PAGE_NONE;
        return true;
}

void page_cells_free(struct page_cells *cells)
{
        free(cells->lanes);
        free(cells->times);
        free(cells->stored);
        free(cells->mixes);
        *cells = (struct page_cells){0};
}

static struct page_stored *store(struct page_cells *cells, uint32_t lane, const struct page_cell *cell, uint32_t n)
{
        struct page_run *run = &cells->lanes[lane];

        if (cells->n_stored >= PAGE_NONE - 1 ||
            !page_grow(&cells->stored, &cells->capacity, cells->n_stored, sizeof *cells->stored)) {
                cells->failed = true;
                return NULL;
        }
        uint32_t at = (uint32_t)cells->n_stored++;
        cells->stored[at] = (struct page_stored){.cell = *cell, .n = n, .next = PAGE_NONE};
        if (run->last == PAGE_NONE)
                run->first = at;
        else
                cells->stored[run->last].next = at;
        run->last = at;
        run->n_cells++;
        return &cells->stored[at];
}

/* Makes one cell of the run's slices, with the share of each state. */
static void store_mixed(struct page_cells *cells, uint32_t lane)
{
        struct page_run *run = &cells->lanes[lane];
        const int64_t *times = cells->times + (size_t)lane * cells->n_kinds;
        struct page_cell cell = run->longest;

        cell.start_ns = run->start_ns;
        cell.end_ns = run->end_ns;
        cell.kind = PAGE_MIXED;
        cell.hold = run->longest.hold;
        struct page_stored *stored = store(cells, lane, &cell, run->n);
        if (!stored)
                return;
        size_t bytes = cells->n_mixes * cells->n_kinds;
        if (bytes + cells->n_kinds > cells->mixes_capacity) {
                size_t larger = cells->mixes_capacity ? cells->mixes_capacity * 2 : 4096;
                unsigned char *mixes = realloc(cells->mixes, larger);
                if (!mixes) {
                        cells->failed = true;
                        return;
                }
                cells->mixes = mixes;
                cells->mixes_capacity = larger;
        }
        stored->mix = (uint32_t)cells->n_mixes++;
        double length = (double)(run->end_ns - run->start_ns);
        for (uint32_t s = 0; s < cells->n_kinds; s++)
                cells->mixes[bytes + s] = (unsigned char)((double)times[s] / length * 255 + 0.5);
}

static void end_run(struct page_cells *cells, uint32_t lane)
{
        struct page_run *run = &cells->lanes[lane];

        if (run->n == 1)
                store(cells, lane, &run->longest, 1);
        else if (run->n > 1)
                store_mixed(cells, lane);
        run->n = 0;
}

void page_cells_add(struct page_cells *cells, uint32_t lane, const struct page_cell *cell)
{
        struct page_run *run = &cells->lanes[lane];
        int64_t *times = cells->times + (size_t)lane * cells->n_kinds;
        int64_t length_ns = cell->end_ns - cell->start_ns;
        int64_t threshold_ns = page_plan_threshold(cells->plan, cells->thresholds, cell->start_ns);

        if (length_ns <= 0)
                return;
        if (run->n > 0 && (length_ns >= threshold_ns || cell->start_ns - run->end_ns >= threshold_ns ||
                           run->end_ns - run->start_ns >= threshold_ns))
                end_run(cells, lane);
        if (length_ns >= threshold_ns) {
                store(cells, lane, cell, 1);
                return;
        }
        if (run->n == 0) {
                run->start_ns = cell->start_ns;
                run->longest = *cell;
                memset(times, 0, cells->n_kinds * sizeof *times);
        } else if (length_ns > run->longest.end_ns - run->longest.start_ns) {
                run->longest = *cell;
        }
        run->n++;
        run->end_ns = cell->end_ns;
        times[cell->kind] += length_ns;
}

void page_cells_end(struct page_cells *cells)
{
        for (uint32_t lane = 0; lane < cells->n_lanes; lane++)
                end_run(cells, lane);
}

static void add_mix(const struct page_cells *cells, struct page_table *mixes, const struct page_stored *stored)
{
        int64_t shares[PAGE_STATES_MAX];

        for (uint32_t s = 0; s < cells->n_kinds; s++)
                shares[s] = cells->mixes[(size_t)stored->mix * cells->n_kinds + s];
        page_table_add(mixes, shares);
}

int page_cells_write(const struct page_cells *cells, const char *name, FILE *file)
{
        static const struct page_column columns[] = {
                {.name = "gap", .encoding = PAGE_VARINT, .width = 8},
                {.name = "dur", .encoding = PAGE_VARINT, .width = 8},
                {.name = "kind", .encoding = PAGE_BYTES, .width = 1},
                {.name = "ref", .encoding = PAGE_VARINT, .width = 4},
                {.name = "by", .encoding = PAGE_VARINT, .width = 4},
                {.name = "hold", .encoding = PAGE_VARINT, .width = 4},
                {.name = "n", .encoding = PAGE_VARINT, .width = 4},
        };
        struct page_column kinds[PAGE_STATES_MAX];
        char kind_names[PAGE_STATES_MAX][12];
        char table_name[32];
        struct page_table table, mixes;

        for (uint32_t s = 0; s < cells->n_kinds; s++) {
                snprintf(kind_names[s], sizeof kind_names[s], "s%u", s);
                kinds[s] = (struct page_column){.name = kind_names[s], .encoding = PAGE_BYTES, .width = 1};
        }
        page_table_init(&table, "", columns, sizeof columns / sizeof *columns);
        page_table_init(&mixes, "", kinds, cells->n_kinds);
        for (uint32_t lane = 0; lane < cells->n_lanes; lane++) {
                int64_t clock_ns = 0;
                for (uint32_t i = cells->lanes[lane].first; i != PAGE_NONE; i = cells->stored[i].next) {
                        const struct page_stored *stored = &cells->stored[i];
                        const struct page_cell *cell = &stored->cell;
                        page_table_add(&table,
                                       (const int64_t[]){cell->start_ns - clock_ns, cell->end_ns - cell->start_ns,
                                                         cell->kind, cell->ref, cell->by, cell->hold, stored->n});
                        clock_ns = cell->end_ns;
                        if (cell->kind == PAGE_MIXED)
                                add_mix(cells, &mixes, stored);
                }
        }
        snprintf(table_name, sizeof table_name, "%s_cells", name);
        table.name = table_name;
        int error = cells->failed ? -ENOMEM : page_table_write(&table, file);
        snprintf(table_name, sizeof table_name, "%s_mixes", name);
        mixes.name = table_name;
        if (!error)
                error = page_table_write(&mixes, file);
        page_table_free(&table);
        page_table_free(&mixes);
        return error;
}
