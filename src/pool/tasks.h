/* The executor that makes jobs in tasks: what job.c asks of it. */
#ifndef PL_POOL_TASKS_H
#define PL_POOL_TASKS_H

struct pl_job_here;

/* Of the job of an executor of tasks that the calling task is, or is a part of; NULL: it is none. */
struct pl_job_here *pl_tasks_here(void);

#endif
