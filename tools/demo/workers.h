/*
 * Worker processes that tell what they have used, when they end, through memory that all share.
 */
#ifndef DEMO_WORKERS_H
#define DEMO_WORKERS_H

#include <plait/executor.h>

#include "demo/strategy.h"

#define WORKERS_MAX 256

/*
 * Opens an executor of processes; *workers* 0: as many as there are processors. *initializer* is called in each; NULL:
 * none. Returns 0 or a negative errno.
 */
int workers_open(unsigned workers, int (*initializer)(void *unused), struct plait_executor **ret_executor);

/* Shuts it down in an orderly way, so that all tell, and frees it. Returns 0 or a negative errno. */
int workers_close(struct plait_executor *executor);

/* Adds what the workers used to what this process did. */
void workers_add(struct measure *measure);

#endif
