/*
 * A future of the library's own: with room for what its producer keeps about it, and perhaps with a source, which can
 * be asked to look for results. Then those who wait bring them themselves, without a thread in between.
 */
#ifndef PL_SYNC_FUTURE_H
#define PL_SYNC_FUTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "plait/future.h"

/*
 * plait_future_new(), and *bytes* of zeroed memory, aligned as malloc() does it, that go with the future: to be had by
 * pl_sync_future_room(). 0 or -ENOMEM.
 */
PL_WARN_UNUSED int pl_sync_future_new(size_t bytes, void (*destroy)(void *value), struct plait_future **ret_future);

void *pl_sync_future_room(struct plait_future *future);

/* Wait until it is set, whatever the caller's scopes say: its producer uses memory on the caller's stack. */
void pl_sync_future_await(struct plait_future *future);

struct pl_future_source {
        /* Bring what there is, without waiting. */
        void (*look)(struct pl_future_source *source);
        /*
         * Somebody waits for a future of this source in other ways than wait(): from now on results are to come by
         * themselves. Called with the future's lock held, so it must not set one.
         */
        void (*want)(struct pl_future_source *source);
        /*
         * Bring results until *future* is set or *deadline_ns* has passed; or return at any time after having done what
         * want() does: the caller then waits in the ordinary way.
         */
        void (*wait)(struct pl_future_source *source, const struct plait_future *future, int64_t deadline_ns);
        /* A future of this source is gone. */
        void (*release)(struct pl_future_source *source);
};

/* Before anybody waits for *future*, once. It is released with it. */
void pl_sync_future_set_source(struct plait_future *future, struct pl_future_source *source);

/* plait_future_is_set() without asking the source. */
bool pl_sync_future_is_set(const struct plait_future *future);

#endif
