/* Where src/sync keeps a task's local values: one pointer in the task, destroyed with it. */
#ifndef PL_SCHED_LOCAL_H
#define PL_SCHED_LOCAL_H

/* The calling task's pointer, or the calling thread's in a thread that runs no task; NULL at first. Until it suspends.
 */
void **pl_sched_local(void);

/* Called with a task's pointer, if it is not NULL, in the task when it ends; or in the thread when that ends. */
void pl_sched_local_on_end(void (*destroy)(void *pointer));

#endif
