/*
 * A process pool, from the inside of the program that has it.
 *
 * Who does what: submitters put jobs into the rings of the workers, or into the queue; whoever waits for a job collects
 * results (collect.c); the keeper, one thread for all pools, does everything that has to do with processes
 * (lifecycle.c, burial.c): it has them made, looks after those that take too long, sees them die, passes on their
 * output.
 *
 * Locking: the pool's lock guards everything in it and in its workers, but for what is only the keeper's: descriptors
 * but those that are named below, output, and the freeing of workers. Futures are set without the lock, as their
 * consumers may call anything. The keeper's lock (keeper.c) is taken before a pool's.
 */
#ifndef PL_POOL_PROCESS_H
#define PL_POOL_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "plat/lock.h"
#include "pool/executor.h"
#include "pool/keeper.h"
#include "pool/output.h"
#include "pool/server.h"
#include "pool/share.h"
#include "sync/future.h"

enum pl_process_state {
        PL_PROCESS_ASKED,  /* the server has been told to make it; jobs can be given to it already */
        PL_PROCESS_LIVE,   /* it is there: pid, pidfd */
        PL_PROCESS_LEAVING /* it gets no more jobs, and has been told to end after those it has */
};

/* Why the pool has killed a worker. */
enum pl_process_fate { PL_FATE_NONE, PL_FATE_TIMED_OUT, PL_FATE_CANCELLED, PL_FATE_CORRUPT, PL_FATE_STOPPED };

struct pl_process {
        struct pl_list link; /* in pool->workers, the last one used first */
        struct pl_processes *pool;
        uint64_t number; /* for the server */
        unsigned index;
        enum pl_process_state state;
        enum pl_process_fate fate;
        uint64_t fated; /* the job that it is killed for */
        bool killed;
        pid_t pid;
        int pidfd; /* -1: not there yet */
        struct pl_share *share;
        struct pl_ring_end jobs, results;
        struct pl_list in_flight; /* jobs in its ring, in order; of_kind_number is where in the ring */
        unsigned n_in_flight;
        unsigned n_assigned; /* so far */
        unsigned n_returned;
        uint32_t n_modules; /* it knows of so many */
        uint32_t recording; /* and of that one last; 0: of none */
        int32_t cpu;        /* where it was when it last reported */

        /* For the tuner, with PLAIT_AUTO: its first job is under way, and what it has used so far. */
        bool metered;
        struct plait_tuner_call call;
        int64_t used_ns, blocked_ns;

        /* The timed job that is being watched. */
        uint64_t watched, watched_progress;
        int64_t watched_ns;

        /* The keeper's. */
        struct pl_keeper_source death;
        struct pl_output out, err;
        bool dead;   /* the pidfd says so */
        bool buried; /* the server says so: last_news */
        bool lost;   /* the server could not make it, or is gone and it has no pidfd: nobody will say so */
        bool orphan; /* the server is gone: nobody will say more than the pidfd */
        int64_t dead_ns, leaving_ns;
        struct pl_server_reply last_news;
};

/* A job that is in memory of its own. */
struct pl_big_job {
        struct pl_list link;
        const struct pl_job *job;
        struct pl_pool_memory *memory;
};

struct pl_processes {
        struct plait_executor executor; /* first */
        struct pl_future_source source;
        _Atomic uint32_t refs; /* one of the executor, one of each future */

        struct pl_lock lock;
        struct pl_job_queue queue;
        struct pl_list workers;
        unsigned n_workers, n_leaving, limit;
        unsigned n_in_flight; /* of all workers */
        struct pl_list bigs;
        bool wanted; /* results are to come by themselves, through the keeper */
        bool leader; /* a thread sleeps on the bell and collects */
        bool draining, stopping;
        uint64_t indices; /* of workers that are in use: the first 64 */

        /* How long jobs take, in ns, of late; 0: unknown. */
        int64_t usual_ns;
        /* Spinning: how often it has paid lately; not before that time, in ticks. */
        unsigned soon;
        uint64_t calm_until;
        int32_t worker_cpu;

        uint64_t retried, started, refusals; /* refusals: starts that failed in a row */
        int refusal;
        bool proved; /* a worker has started well */
        struct {
                bool any;
                uint32_t phase;
                int how;
        } told; /* how the last worker that could not start failed, of which a warning told */
        int64_t busy_ns, busy_cpu_ns;
        int64_t told_ns; /* the time of the last event that the tuner was told of */

        /* Constant. */
        struct pl_bell *bell;
        int bell_fd, event, setup_fd, cwd;
        struct pl_setup *setup;
        size_t setup_bytes;
        unsigned jobs_per_worker;
        size_t rss_most;
        unsigned forks;   /* of processes, on the way to the one that has opened it */
        bool exact_queue; /* no job is given to a worker that has one */
        char **environment;

        /* The keeper's. */
        struct pl_list link;
        struct pl_list graves;        /* workers that are gone, to be freed when no event of theirs can be under way */
        struct pl_keeper_source news; /* of *event* */
        int64_t ask_again_ns;         /* not before */
        bool gone;
};

/* --- dispatch.c: jobs to workers. With the lock. --- */

/* Give jobs in the queue to workers, as many as makes sense. Returns whether more workers are needed. */
bool pl_processes_dispatch(struct pl_processes *pool, struct pl_list *ended);

/* Give *job* to a worker at once if that is better than queueing it. True: more workers are needed. */
bool pl_processes_place(struct pl_processes *pool, struct pl_job *job, struct pl_list *ended);

/* Take back what *worker* has not begun, but for the first *keep*, to the front of the queue. Returns how many. */
unsigned pl_processes_take_back(struct pl_process *worker, unsigned keep);

/* Take *job*, which is in a worker's ring, back. False: it has begun. */
bool pl_processes_revoke(struct pl_process *worker, struct pl_job *job);

/* Let workers without jobs take over some of those that have many. */
void pl_processes_even_out(struct pl_processes *pool, struct pl_list *ended);

/* Tell *worker* to end when it has done its jobs. */
void pl_processes_dismiss(struct pl_process *worker);

/* Take what a job has in memory of its own; NULL: nothing. */
struct pl_big_job *pl_processes_big(struct pl_processes *pool, const struct pl_job *job);
void pl_processes_forget_big(struct pl_processes *pool, const struct pl_job *job);

/* The state of a job that is in *worker*'s ring; false: it is past. */
_Atomic uint32_t *pl_process_state_of(const struct pl_process *worker, const struct pl_job *job);

/* --- collect.c: results from workers, and those who wait. --- */

/* With the lock: take what has come from *worker*; jobs that have ended go to *ended*. */
void pl_processes_collect_from(struct pl_process *worker, struct pl_list *ended);

/* The same of all, and give out what waits in the queue. */
void pl_processes_collect(struct pl_processes *pool, struct pl_list *ended);

/* Without the lock: finish those jobs, and wake who has to know. */
void pl_processes_finish(struct pl_processes *pool, struct pl_list *ended);

/* With the lock: note how a job has ended, for pl_processes_finish(), and put it into *ended*. */
void pl_processes_end_job(struct pl_job *job, enum plait_job_status status, int result, struct pl_list *ended);

/* With the lock: have the keeper woken by the next result. */
void pl_processes_arm(struct pl_processes *pool);

/* Fill in the pool's source. */
void pl_processes_init_source(struct pl_processes *pool);

/* One reference less. Without the lock. */
void pl_processes_unref(struct pl_processes *pool);

/* --- measure.c: what is told to the tuner, where there is one. With the lock. --- */

/* The worker may have got its first job, or lost its last one without a result. */
void pl_process_measure(struct pl_process *worker);

/* A result has come of its first job, which is off the list. */
void pl_process_measure_result(struct pl_process *worker, int64_t ended_ns, int64_t took_ns, uint64_t items);

/* Without the lock, now and then: have the number of workers measured; and see whether there are other processors. */
PL_WARN_UNUSED int pl_processes_begin_to_measure(struct pl_processes *pool);
void pl_processes_look_at_processors(struct pl_processes *pool);

/* --- lifecycle.c: processes. --- */

/* With the lock: kill *worker* for *job* (NULL: in any case), if that is still being made. False: it is not. */
bool pl_process_kill(struct pl_process *worker, const struct pl_job *job, enum pl_process_fate fate);

/* By the keeper: everything that is due. Returns when to be called again at the latest. *ret_gone*: never again. */
int64_t pl_processes_serve(struct pl_processes *pool, int64_t now_ns, bool *ret_gone);

/* By the keeper: news of one of the pool's workers. */
bool pl_processes_hear(struct pl_processes *pool, const struct pl_server_reply *reply, int pidfd);

/* By the keeper: the server is gone, with all its workers. */
void pl_processes_lose_server(struct pl_processes *pool);

enum {
        PL_REFUSALS_MOST = 8,            /* so many failures in a row, and no worker: the jobs are told */
        PL_OUTPUT_NS = 10 * 1000 * 1000, /* between two attempts to write what could not be written */
};

/* With the lock: a worker could not be had, for *error*. The next one is asked for after a pause, longer each time. */
void pl_processes_refuse(struct pl_processes *pool, int error, int64_t now_ns);

/* By the keeper, when nobody knows of it any more. */
void pl_process_free(struct pl_process *worker);

/* --- burial.c --- */

/* By the keeper: sort out what workers that have died leave behind. Jobs that have ended go to *ended*. */
void pl_processes_bury(struct pl_processes *pool, int64_t now_ns, struct pl_list *ended);

/* By the keeper: free those that are buried. Returns when to try again. */
int64_t pl_processes_clear_graves(struct pl_processes *pool, int64_t now_ns);

/* --- crash_report.c --- */

/* What is to be said of a worker that died in *job*; malloc()ed, or NULL: no memory. */
char *pl_process_report(const struct pl_process *worker, const struct pl_job *job);

/* The same of one that died before it could do jobs. */
char *pl_process_start_report(const struct pl_process *worker);

#endif
