/* What gather.c, race.c and as_completed.c share: starting tasks that make calls. */
#ifndef PL_SYNC_CALLS_H
#define PL_SYNC_CALLS_H

#include <limits.h>
#include <stddef.h>

#include "plait/gather.h"
#include "plait/scope.h"

/* 0, or -EINVAL: a function is missing, or *opts*, which may be NULL, has other than *flags* or what is out of range.
 */
int pl_sync_calls_check(const struct plait_call *calls, size_t n, const struct plait_gather_opts *opts, unsigned flags);

/* Start a task for each, which is to *make* it; *all* is put into each. The rest after a failure is -ECANCELED. */
int pl_sync_calls_start(struct plait_scope *scope, struct plait_call *calls, size_t n, int (*make)(void *call),
                        void *all);

/* In such a task: make the call, unless the scope has been cancelled or is out of time; sets the result. */
void pl_sync_call_make(struct plait_call *call);

#endif
