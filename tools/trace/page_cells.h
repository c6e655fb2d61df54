/*
 * The cells of the page's lanes: each a slice, or several short ones together. Cells of all lanes come in the order of
 * time, and leave lane by lane.
 */
#ifndef TRACE_PAGE_CELLS_H
#define TRACE_PAGE_CELLS_H

#include "trace/page_plan.h"
#include "trace/page_table.h"

#define PAGE_MIXED 255 /* the kind of a cell of several slices */

struct page_cell {
        int64_t start_ns, end_ns;
        uint32_t ref, by, hold;
        uint8_t kind;
};

/* What is not yet a cell: the short slices at the end of a lane. */
struct page_run {
        struct page_cell longest;
        int64_t start_ns, end_ns;
        uint32_t n;
        uint32_t first, last; /* cells of the lane so far; PAGE_NONE: none */
        uint32_t n_cells;
};

struct page_stored;

struct page_cells {
        const struct page_plan *plan;
        const uint8_t *thresholds;
        uint32_t n_kinds;
        struct page_run *lanes;
        int64_t *times; /* of each lane's run: n_kinds */
        uint32_t n_lanes;
        struct page_stored *stored;
        size_t n_stored, capacity;
        unsigned char *mixes;
        size_t n_mixes, mixes_capacity;
        bool failed;
};

bool page_cells_init(struct page_cells *cells, const struct page_plan *plan, const uint8_t *thresholds,
                     uint32_t n_lanes, uint32_t n_kinds);
void page_cells_free(struct page_cells *cells);

/* Appends a slice to a lane; it does not begin before the end of the one before. */
void page_cells_add(struct page_cells *cells, uint32_t lane, const struct page_cell *cell);

/* Ends all runs. Then the number of cells of each lane is in lanes[].n_cells. */
void page_cells_end(struct page_cells *cells);

/* Writes the tables NAME_cells and NAME_mixes. */
int page_cells_write(const struct page_cells *cells, const char *name, FILE *file);

#endif
