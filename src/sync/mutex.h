/* What the other objects of this layer need of the mutex. */
#ifndef PL_SYNC_MUTEX_H
#define PL_SYNC_MUTEX_H

#include "plait/mutex.h"

/* Lock it, whatever the caller's scopes and deadlines say. */
void pl_sync_mutex_relock(struct plait_mutex *mutex);

#endif
