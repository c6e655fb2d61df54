/*
 * What a kind of executor is to the rest: how it is given jobs, and how it says what became of them.
 *
 * executor.c has what is common: it checks jobs, makes them with their futures, binds them to the scope they were
 * submitted in, counts, waits at a queue that is full, and does map, stream and call on top. A kind has the queue and
 * the workers. A job is the kind's from submit(), when that has returned 0 (or, at once, while it is in there), until
 * the kind calls pl_job_finish(), exactly once.
 *
 * A kind embeds struct plait_executor as its first member and calls pl_executor_init().
 *
 * Locking: a kind has a lock of its own, and calls nothing of here with it held but what says so.
 */
#ifndef PL_POOL_EXECUTOR_H
#define PL_POOL_EXECUTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"
#include "plait/executor.h"
#include "plait/semaphore.h"
#include "plait/tuner.h"
#include "plat/lock.h"
#include "sched/follow.h"

struct pl_job;

struct pl_executor_kind {
        const char *name;
        bool in_process;  /* workers see the caller's memory: nothing is copied */
        bool outside;     /* jobs are no tasks, and may wake some when all of those wait */
        bool has_timeout; /* plait_job.timeout_ns can be honoured */

        /*
         * Have *job* made. 0; or -errno, and the job is not the kind's. -EPIPE after stop(). Never waits.
         */
        int (*submit)(struct plait_executor *executor, struct pl_job *job);

        /*
         * Somebody does not want *job* any more. If it is queued, take it off the queue and return true: then it is
         * the kind's no longer, and is finished as PLAIT_JOB_CANCELLED. If it runs, end it or have it told, and return
         * false, as for one that is not to be found. Called at most once per job, in any flow, with the job's lock
         * (pl_job_lock()) held, so that it is not finished meanwhile; maybe before submit() has queued it: then
         * pl_job_is_unwanted() says so, to be asked when it is queued, under the kind's lock, or about to begin.
         */
        bool (*cancel)(struct plait_executor *executor, struct pl_job *job);

        /* No more than so many workers, 1 to 1024. */
        void (*resize)(struct plait_executor *executor, unsigned workers);

        /*
         * Take no more jobs. *now*: cancel those that there are. When the last worker is gone, or can be joined
         * without delay by free(), call pl_executor_gone(), once; that may be in here. Called once or twice, the second
         * time with *now*.
         */
        void (*stop)(struct plait_executor *executor, bool now);

        /* No job is left, and pl_executor_gone() has been called: free it, with pl_executor_done(). */
        void (*free)(struct plait_executor *executor);

        /* Fill in limit, workers, queued, running, retried, started, busy_ns, busy_cpu_ns. */
        void (*look)(struct plait_executor *executor, struct plait_executor_stats *stats);

        /* How many jobs can run at the same time, for choosing chunks; >= 1. */
        unsigned (*width)(struct plait_executor *executor);
};

enum pl_executor_stage { PL_EXECUTOR_OPEN, PL_EXECUTOR_DRAINING, PL_EXECUTOR_STOPPING };

struct plait_executor {
        struct pl_list all; /* of this process */
        const struct pl_executor_kind *kind;
        char *name;
        struct plait_tuner *tuner;   /* with PLAIT_AUTO, and width.c's, as the next; NULL: the number is fixed */
        unsigned affine;             /* how many processors affinity allows */
        _Atomic unsigned processors; /* and the quota of late; */
        _Atomic int64_t look_ns;     /* to be looked at again then */
        int64_t job_timeout_ns;
        unsigned retries;
        bool limited;
        struct plait_semaphore room;  /* places in the queue, if *limited* */
        _Atomic bool spins;           /* jobs are so short that a thread should look for the result before it sleeps */
        struct plait_future *stopped; /* set when nothing holds it any more */
        struct pl_lock stop_lock;     /* guards the next */
        enum pl_executor_stage stage;
        _Atomic uint64_t holds; /* jobs that are not finished, and 1 until pl_executor_gone() */
        _Atomic uint64_t submitted;
        _Atomic uint64_t ended[PLAIT_JOB_REFUSED + 1];
};

/* A job: *count* items of the same kind, one after the other in memory; 1 of what the user submits. */
struct pl_job {
        struct pl_list link; /* the kind's; initialised */
        void *of_kind;       /* the kind's, as the next: 0 at first */
        uint64_t of_kind_number;
        enum { PL_JOB_NEW, PL_JOB_QUEUED, PL_JOB_RUNNING } place; /* of pl_job_queue_...() */
        struct plait_executor *executor;
        struct plait_future *future; /* which this is a part of */

        int (*fn)(void *arg, void *result);
        char *arg;
        size_t arg_bytes;    /* of an item */
        char *result;        /* NULL, not in_process: the kind says where it is by end.data, and drop() frees it */
        size_t result_bytes; /* of an item */
        size_t count;
        int *codes;          /* what fn returned for each item that was made; NULL: for count 1 only */
        bool stop_at_error;  /* items after one that fails are not to be made */
        const char *name;    /* or NULL */
        int priority;        /* -128 to 127; higher first */
        int64_t timeout_ns;  /* how long an item may take, from its beginning; 0: no limit */
        int64_t deadline_ns; /* CLOCK_MONOTONIC; not to begin after it, and, where that can be done, to be ended then */

        /* The kind fills these in before it calls pl_job_finish(). */
        size_t progress;                  /* how many items were made, with results (and codes) in place; <= count */
        int64_t took_ns;                  /* how long they took */
        char *report;                     /* malloc()ed or NULL; freed with the future */
        void (*drop)(struct pl_job *job); /* called when the future goes, if not NULL; in any flow */
        struct plait_job_end end; /* signal, exit_code (-1), tries, bytes; the rest is filled in by pl_job_finish() */

        uint64_t number; /* in a recording; 0: none was under way when it was submitted */

        /* executor.c's. */
        bool holds_place; /* in the queue, by executor->room */
        bool finished;    /* guarded by *lock* */
        struct pl_lock lock;
        struct pl_follower follower;
        struct pl_following *following; /* what cancel() has left to be cancelled when the lock is released */
        struct plait_future_callback on_cancel;
};

/*
 * Fill in *executor*, which is zeroed. *opts*, which may be NULL, have been checked by pl_executor_check(). 0 or
 * -ENOMEM.
 */
PL_WARN_UNUSED int pl_executor_init(struct plait_executor *executor, const struct pl_executor_kind *kind,
                                    const struct plait_executor_opts *opts);
void pl_executor_done(struct plait_executor *executor);

/* The last worker is gone: it may be freed when the last job has been finished. Nothing of it is touched afterwards. */
void pl_executor_gone(struct plait_executor *executor);

enum { PL_WORKERS_MOST = 1024 }; /* of an executor */

/* What a kind can honour of what is not for all kinds. */
enum pl_executor_can {
        PL_CAN_INITIALIZE = 1, /* initializer, finaliser */
        PL_CAN_REPLACE = 2,    /* jobs_per_worker */
        PL_CAN_RSS = 4,
        PL_CAN_TIME_OUT = 8, /* job_timeout_ns */
        PL_CAN_RETRY = 16,
        PL_CAN_SCHEDULE = 32, /* threads, PLAIT_EXECUTOR_PIN */
        PL_CAN_STACK = 64,
        PL_CAN_TUNE = 128, /* PLAIT_AUTO */
};

/* 0, -EINVAL (out of range), -ENOTSUP (set, but not among *can*). *opts* may be NULL. */
PL_WARN_UNUSED int pl_executor_check(const struct plait_executor_opts *opts, unsigned can);

/* --- for what submits --- */

/*
 * A job of *executor*, with one reference to its future; *room* more bytes stand at pl_job_room(). 0 or -ENOMEM. The
 * caller fills in the rest, up to deadline_ns.
 */
PL_WARN_UNUSED int pl_job_new(struct plait_executor *executor, size_t room, struct pl_job **ret_job);
char *pl_job_room(struct pl_job *job);

/*
 * Give it to the executor: as plait_executor_submit(). On failure it is still to be unreferenced. *wait*: for a place
 * in the queue, if it is full; else that is -EAGAIN.
 */
PL_WARN_UNUSED int pl_job_submit(struct pl_job *job, bool wait);

/* --- for kinds, about a job that is theirs --- */

/* Taken before any lock of a kind's. */
void pl_job_lock(struct pl_job *job);
void pl_job_unlock(struct pl_job *job);

/* It leaves the queue, to begin or not; so there is room for one more. Not needed before pl_job_finish(). */
void pl_job_dequeued(struct pl_job *job);

/* Whether it is not to begin any more: PLAIT_JOB_CANCELLED, PLAIT_JOB_TIMED_OUT; or PLAIT_JOB_RETURNED: it may. */
enum plait_job_status pl_job_is_unwanted(const struct pl_job *job);

/*
 * Make the items of *job* one after the other in this thread or task, with progress and codes. Returns the first
 * error, or what fn returned for the last item.
 */
int pl_job_run(struct pl_job *job);

/*
 * The same where the job is somebody else's, in a worker process: *progress* is written after each item.
 */
int pl_job_run_items(int (*fn)(void *arg, void *result), char *arg, size_t arg_bytes, char *result, size_t result_bytes,
                     size_t count, int *codes, bool stop_at_error, _Atomic size_t *progress);

/*
 * It has ended: set its future, and let go of it. *result* counts with PLAIT_JOB_RETURNED and PLAIT_JOB_REFUSED. Not
 * with a lock held that cancel() takes: functions of the user's may be called.
 */
void pl_job_finish(struct pl_job *job, enum plait_job_status status, int result);

/* Of the job that runs in this thread, for plait_job_cancelled() and plait_job_set_bytes(); in the thread's frame. */
struct pl_job_here {
        const struct plait_executor *executor;
        bool (*cancelled)(void *arg); /* NULL: never */
        void *arg;
        size_t bytes; /* the job's result_bytes at first, then what was set */
        size_t most;
};

/* NULL: none. Returns what was there before. Of plain threads and worker processes. */
struct pl_job_here *pl_job_here_set(struct pl_job_here *here);
struct pl_job_here *pl_job_here(void);

/* Whether the caller is in a job of this executor: waiting for another one might be for ever. */
bool pl_job_is_inside(const struct plait_executor *executor);

/* --- queues by priority; the caller locks --- */

struct pl_job_queue {
        struct pl_list jobs; /* the highest first, and of the same priority the first to come */
        size_t count;
        struct pl_list running; /* by their links, for pl_job_queue_cancel_all() */
};

void pl_job_queue_init(struct pl_job_queue *queue);
void pl_job_queue_push(struct pl_job_queue *queue, struct pl_job *job);
/* Before all others of its priority: it is begun again. */
void pl_job_queue_push_front(struct pl_job_queue *queue, struct pl_job *job);
struct pl_job *pl_job_queue_pop(struct pl_job_queue *queue); /* NULL: none */
/* True: it was queued, and is not any more. */
bool pl_job_queue_remove(struct pl_job_queue *queue, struct pl_job *job);
/* It runs; it has been popped. And it does not. */
void pl_job_queue_begin(struct pl_job_queue *queue, struct pl_job *job);
void pl_job_queue_end(struct pl_job *job);
/* Without the lock, which is *lock*: cancel the futures of all jobs that are queued or run. */
void pl_job_queue_cancel_all(struct pl_job_queue *queue, struct pl_lock *lock);
/* Without the lock: finish those that are queued, as PLAIT_JOB_REFUSED. */
void pl_job_queue_refuse_all(struct pl_job_queue *queue, struct pl_lock *lock, int error);

#endif
