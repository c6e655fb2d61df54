/* What the other objects of this layer need of the mutex. */
#ifndef PL_SYNC_MUTEX_H
#define PL_SYNC_MUTEX_H

#include "plait/mutex.h"

/* Lock it, whatever the caller's scopes and deadlines say. */
void pl_sync_mutex_relock(struct plait_mutex *mutex);

/* Lock it as one of a set, of which the caller began to take locks when it held *n_before*. As plait_mutex_lock(). */
int pl_sync_mutex_lock_of_set(struct plait_mutex *mutex, int64_t deadline_ns, unsigned n_before);

#endif
