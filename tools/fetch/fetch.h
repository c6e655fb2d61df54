/*
 * What the parts of a running `plait fetch` share.
 */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include <stdbool.h>

#include <plait/http.h>

#include "fetch/dispatch.h"
#include "fetch/folder.h"
#include "fetch/journal.h"
#include "fetch/list.h"
#include "fetch/options.h"
#include "fetch/report.h"
#include "fetch/saver.h"
#include "fetch/signals.h"

struct fetch {
        struct options options;
        bool to_stdout;
        struct folder folder;
        struct journal journal;
        struct saver saver;
        struct list list;
        struct dispatch dispatch;
        struct report report;
        struct signals signals;
        struct plait_session *session;
        struct plait_scope scope; /* everything that runs; a signal cancels it */
        uint64_t seed;            /* of the waits before another attempt; changed without a lock */
        int failure;              /* why all was given up: a negative errno */
        const char *failed_at;    /* what could not be done then */
};

/* Gives up: notes why, if nothing was noted before. Returns *r*. */
int fetch_give_up(struct fetch *fetch, const char *what, int r);

#endif
