/* What the other objects of this layer need of the reader-writer lock. */
#ifndef PL_SYNC_RWLOCK_H
#define PL_SYNC_RWLOCK_H

#include <stdbool.h>

#include "plait/rwlock.h"

/* Lock it as one of a set, of which the caller began to take locks when it held *n_before*. As plait_rwlock_lock_*().
 */
int pl_sync_rwlock_lock_of_set(struct plait_rwlock *lock, int64_t deadline_ns, bool write, unsigned n_before);

#endif
