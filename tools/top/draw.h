/*
 * What `plait top` shows.
 */
#ifndef TOP_DRAW_H
#define TOP_DRAW_H

#include "inspect/tuners.h"
#include "inspect/words.h"
#include "top/rates.h"

enum top_order {
        TOP_RUN,  /* the share of the time on a worker */
        TOP_WAIT, /* the longest wait first */
        TOP_ID,
        TOP_NAME,
        TOP_ORDERS,
};

struct top_view {
        struct words *words;
        struct inspect_picture *picture;
        struct rates *rates;
        const struct inspect_tuners *tuners;
        enum top_order order;
        bool live, color, paused;
        size_t rows, columns; /* rows 0: as many tasks as there is something to say about, 20 at most */
};

const char *top_order_name(enum top_order order);

/* Print it, in one go. */
void top_draw(const struct top_view *view);

#endif
