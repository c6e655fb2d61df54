/* A future of the library's own: with room for what its producer keeps about it. */
#ifndef PL_SYNC_FUTURE_H
#define PL_SYNC_FUTURE_H

#include <stddef.h>

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

#endif
