/**
 * @file plait/executor.h
 * Executors: jobs, made by threads, by tasks or by processes, behind one interface.
 *
 * An executor takes jobs and has its workers make them. What kind of worker that is, is chosen when the executor is
 * opened, and nowhere else:
 *   - plait_executor_threads(): plain threads of its own, for code that computes or blocks. Works without plait_run().
 *   - plait_executor_tasks(): tasks of the run, for jobs that wait, and for computing on the run's own workers.
 *   - plait_executor_processes(): processes, for code that may crash, hang, leak or is not safe for threads.
 *
 * A job is a function with bytes for its argument and bytes for its result, so the same function runs in all of them.
 * Threads and tasks are given the caller's own memory, and nothing is copied. Processes are given a copy, and what
 * they put into the result is copied back: there the argument must not hold pointers to what was made at run time.
 *
 * Each job that is submitted has a struct plait_future (plait/future.h): tasks and plain threads wait for it,
 * plait_select() does (plait_case_future()), functions can be called by it, and plait_call_future() puts it among the
 * calls of plait_gather() and plait_race(). It is set exactly once, whatever becomes of the worker: to what the
 * function returned, or to an error that says why there is no such thing; its value is a struct plait_job_end.
 *
 * A job that is submitted by a task is cancelled together with the scope the task was in. When a job is cancelled
 * (that way, by plait_future_cancel(), or by plait_executor_shutdown()), and has not begun, it never will; one that
 * runs is told (plait_job_cancelled(); in a task every wait says so), or, in a process, ended with it.
 *
 * Jobs of one executor must not wait for others of the same executor by their futures: its workers might all wait.
 * plait_executor_call() and plait_executor_map() may be called in a job of the same executor. Functions that are called
 * when a job's future is set (plait_future_on_set()) may submit jobs, but must not wait for one: the worker that runs
 * them, or what collects the results of processes, would be held up by what it is to do.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int sum_of_squares(void *arg, void *result)
 * {
 *         long limit = *(const long *)arg, sum = 0;
 *
 *         for (long i = 0; i < limit; i++)
 *                 sum += i * i;
 *         *(long *)result = sum;
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         struct plait_executor_opts opts = {.size = sizeof opts, .name = "squares", .workers = 2};
 *         struct plait_executor *executor;
 *         struct plait_future *future;
 *         long limits[100], sums[100], limit = 10, sum = 0;
 *
 *         if (plait_executor_threads(&opts, &executor) < 0)
 *                 return 1;
 *
 *         // One job, to be waited for.
 *         struct plait_job job = {.fn = sum_of_squares, .arg = &limit, .arg_bytes = sizeof limit,
 *                                 .result = &sum, .result_bytes = sizeof sum};
 *         int r = plait_executor_submit(executor, &job, &future);
 *         assert(r == 0);
 *         r = plait_future_wait(future, PLAIT_NEVER, NULL, NULL);
 *         assert(r == 0 && sum == 285);
 *         plait_future_unref(future);
 *
 *         // The same for each item of an array.
 *         for (int i = 0; i < 100; i++)
 *                 limits[i] = i;
 *         r = plait_executor_map(executor, sum_of_squares, limits, sizeof *limits, sums, sizeof *sums, 100, NULL);
 *         assert(r == 0 && sums[10] == 285);
 *
 *         plait_executor_free(executor);
 *         return 0;
 * }
 * @endcode
 */
#ifndef PLAIT_EXECUTOR_H
#define PLAIT_EXECUTOR_H

#include <stdbool.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/future.h>
#include <plait/scope.h>
#include <plait/thread.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** An executor; opaque. */
struct plait_executor;
struct plait_tuner;

/* --- jobs --- */

/** For plait_job.flags: the argument is copied by plait_executor_submit(), and need not last longer. */
#define PLAIT_JOB_COPY 1U

/** A job. Zero means the default in every member but *fn*. */
struct plait_job {
        /**
         * What to do, with the argument's bytes and room for the result's, which is not cleared. A negative result is
         * an error. For processes: a function of the program or of a library that it has loaded.
         */
        int (*fn)(void *arg, void *result);
        void *arg;           /**< borrowed until the future is set, unless #PLAIT_JOB_COPY; may be NULL */
        size_t arg_bytes;    /**< how many; with 0 *fn* gets the very pointer *arg* from threads and tasks */
        void *result;        /**< borrowed until the future is set; NULL: the future has room of its own for it */
        size_t result_bytes; /**< how many */
        const char *name;    /**< for reports; borrowed until the future is set; default: none */
        unsigned flags;      /**< #PLAIT_JOB_COPY or 0 */
        int priority;        /**< -128 to 127: of the jobs that wait for a worker, the highest goes first */
        /**
         * How long it may run; 0: as long as the executor's *job_timeout_ns* says. Of threads, which cannot be ended:
         * -ENOTSUP.
         */
        int64_t timeout_ns;
};

/** What has become of a job. */
enum plait_job_status {
        PLAIT_JOB_RETURNED,  /**< its function has returned; *result* is what */
        PLAIT_JOB_CRASHED,   /**< its process ended in it: *signal* or *exit_code* says how; *result* is -EOWNERDEAD */
        PLAIT_JOB_TIMED_OUT, /**< it took too long, or a deadline passed before its end; *result* is -ETIMEDOUT */
        PLAIT_JOB_CANCELLED, /**< *result* is -ECANCELED */
        PLAIT_JOB_REFUSED,   /**< no worker can be had or could begin it; *result* says why */
};

/** How a job has ended: the value of its future, which owns it. */
struct plait_job_end {
        enum plait_job_status status; /**< which of these */
        int result;                   /**< what the future is set to: of the function, or -errno */
        int signal;                   /**< that ended the process; 0: none did */
        int exit_code;                /**< of a process that called exit() in the job; -1: none did */
        unsigned tries;               /**< how often it was begun */
        void *data;                   /**< the result's bytes, the caller's memory or the future's */
        size_t bytes;                 /**< how many of them count: *result_bytes*, or what plait_job_set_bytes() said */
        const char *report; /**< of a crash: signal, address, backtrace, the job's name, as text; NULL: none */
};

/**
 * In a job: whether it has been asked not to go on. What it returns then is what its future is set to.
 * @return true or false; false outside of jobs
 *
 * Threads: workers of executors. Suspends: never. Cancellation: this tells. Since: 0.1.
 */
PLAIT_API bool plait_job_cancelled(void);

/**
 * In a job: say how much of the room for its result it has used, so that no more is copied. In a job of
 * plait_executor_map() and plait_executor_stream(), and outside of jobs, it does nothing.
 * @param bytes  at most the job's *result_bytes*; more counts as that
 *
 * Threads: workers of executors. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_job_set_bytes(size_t bytes);

/* --- opening and closing --- */

/** For plait_executor_opts.flags: each worker runs on one processor only, by turns. Threads and processes. */
#define PLAIT_EXECUTOR_PIN 1U

/**
 * For plait_executor_opts.workers: found by measurement, as #PLAIT_TUNER_CPU says: the default, more while jobs block
 * and that gets more done, fewer while they get into each other's way; at most 8 for each processor. A cgroup quota
 * that changes is followed within seconds. `plait top` shows the number, plait_executor_get_tuner() what it follows
 * from. Threads and processes.
 */
#define PLAIT_AUTO UINT32_MAX

/**
 * How to open an executor. Zero means the default in every member but *size*. What a kind of executor cannot honour it
 * refuses, with -ENOTSUP.
 */
struct plait_executor_opts {
        size_t size;      /**< sizeof(struct plait_executor_opts) */
        const char *name; /**< of it and, cut to 15 bytes, of its workers; copied; default: that of the kind */
        /**
         * How many jobs run at the same time, 1 to 1024, or #PLAIT_AUTO. Default: the processors that this process may
         * use (affinity and cgroup quota); of tasks: no limit.
         */
        unsigned workers;
        unsigned flags; /**< #PLAIT_EXECUTOR_PIN or 0 */
        /**
         * How many jobs may wait for a worker; plait_executor_submit() waits while there are so many. 0: no limit.
         */
        unsigned queue_limit;
        /**
         * Called in each worker before its first job. A negative result is an error: that worker ends, and when no
         * other is there, jobs that wait end as #PLAIT_JOB_REFUSED with it. Not tasks. Nothing limits how long it
         * takes: jobs wait for it meanwhile, and a shutdown that drains does, too. When it crashes, or calls exit(),
         * in a process, a warning says how, and jobs that wait end as #PLAIT_JOB_REFUSED with -EOWNERDEAD: at once if
         * it has not worked in any worker yet, else (or if SIGKILL ended it) when 8 workers in a row have died so.
         */
        int (*initializer)(void *arg);
        /** Called in each worker that ends in an orderly way and whose initializer has not failed. Not tasks. */
        void (*finaliser)(void *arg);
        void *arg;                /**< handed to both: for threads as it is, for processes a copy of its bytes */
        size_t arg_bytes;         /**< how many those are */
        unsigned jobs_per_worker; /**< after so many jobs a worker is replaced; 0: never. Not tasks */
        size_t rss_bytes; /**< with so much resident memory a worker is replaced after its job. Processes only */
        /**
         * How long a job may run; 0: without limit. A process is then killed and replaced; of a task, all waits end
         * with -ETIMEDOUT. Not threads.
         */
        int64_t job_timeout_ns;
        unsigned retries; /**< how often a job is begun again whose process died in it. Processes only */
        const struct plait_thread_opts *threads; /**< how the system is to schedule workers; copied. Not tasks */
        size_t stack_bytes; /**< of each worker; 0: the system's default, of tasks the run's. Threads and tasks */
};

/**
 * Open an executor with threads of its own. A thread is started when a job finds none idle, up to *workers*.
 * @param opts          NULL for the defaults. *rss_bytes*, *job_timeout_ns*, *retries* must be 0.
 * @param ret_executor  to be given back with plait_executor_free()
 * @return 0, or
 *   - -EINVAL   an option is out of its range
 *   - -ENOTSUP  an option is set that threads cannot honour
 *   - -ENOMEM   no memory
 *
 * Threads: any; with a run or without. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_executor_threads(const struct plait_executor_opts *opts,
                                                      struct plait_executor **ret_executor);

/**
 * Open an executor with processes of its own. One is started when a job finds none idle, up to *workers*, and replaced
 * when it dies; plait/fork_server.h says what it starts with. A death costs the job that it happened in, and no other:
 * the job ends as #PLAIT_JOB_CRASHED (or is begun again, see *retries*), jobs that had not begun go to another worker.
 * exit() in a job counts as a crash. What jobs print comes out of this process, in whole lines. While nobody takes it,
 * jobs that print wait; what a worker leaves behind at its end is kept for 5 s then.
 *
 * The argument's and the result's bytes travel through shared memory. plait_array_share() is for data that are not even
 * to be copied.
 *
 * The executor belongs to the process that has opened it: in one that the program forks, it takes no jobs (-EPIPE),
 * and can only be freed. Executors that are opened there are that process's.
 *
 * Functions that are called when a future is set may be called by a thread of the library's, and must be short.
 *
 * @param opts          NULL for the defaults. *stack_bytes* must be 0.
 * @param ret_executor  to be given back with plait_executor_free()
 * @return 0, or
 *   - -EINVAL   an option is out of its range, or *initializer* or *finaliser* is no function of the program or its
 *               libraries
 *   - -ENOTSUP  an option is set that processes cannot honour
 *   - -ENOMEM, -EAGAIN, -EMFILE, -ENFILE  no memory, thread or descriptor is left
 *
 * That no process can be made shows when jobs need one: after some attempts those that wait end as #PLAIT_JOB_REFUSED,
 * with -EAGAIN, -ENOMEM, -EMFILE and the like; with -EPERM in a set-user-ID program and -ENOEXEC in one that has loaded
 * this library by dlopen(): these need plait_fork_server_start(). A job also ends so with -ELIBACC when its worker
 * cannot load the library that the function is in, with -ELIBBAD when that library's file is another one by now, and
 * with -ENOMEM when there is no memory for its bytes.
 *
 * Threads: any; with a run or without. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_executor_processes(const struct plait_executor_opts *opts,
                                                        struct plait_executor **ret_executor);

/**
 * Open an executor whose jobs are tasks of a scope. Tasks and plain threads may submit to it.
 * @param scope         open, or, when its future opener calls, closed: then this opens it. It must not be joined
 *                      before plait_executor_free(). A job that fails does not cancel it; when it is cancelled, all
 *                      jobs are.
 * @param opts          NULL for the defaults. Only *name*, *workers*, *queue_limit*, *job_timeout_ns* and
 *                      *stack_bytes* may be set.
 * @param ret_executor  to be given back with plait_executor_free()
 * @return 0, or
 *   - -EINVAL   an option is out of its range, or *scope* is closed and cannot be opened here
 *   - -ENOTSUP  an option is set that tasks cannot honour
 *   - -ENOMEM   no memory
 *
 * Threads: any while *scope* is open. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_executor_tasks(struct plait_scope *scope, const struct plait_executor_opts *opts,
                                                    struct plait_executor **ret_executor);

/** For plait_executor_shutdown(): jobs that wait are still made. */
#define PLAIT_SHUTDOWN_DRAIN 0U
/** For plait_executor_shutdown(): all jobs are cancelled. */
#define PLAIT_SHUTDOWN_NOW 1U

/**
 * Take no more jobs, and wait until all have ended and the workers are gone. It may be called again, to wait longer or
 * with #PLAIT_SHUTDOWN_NOW after all.
 * @param executor     which
 * @param how          #PLAIT_SHUTDOWN_DRAIN or #PLAIT_SHUTDOWN_NOW
 * @param deadline_ns  for the wait; see plait/time.h
 * @return 0, or
 *   - -ETIMEDOUT, -ECANCELED  jobs run; it takes no new ones all the same
 *   - -EDEADLK  a job of this executor calls
 *   - -EINVAL   *how* is neither
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_executor_shutdown(struct plait_executor *executor, unsigned how,
                                                       int64_t deadline_ns);

/**
 * Shut down at once (#PLAIT_SHUTDOWN_NOW), unless that has been done, wait for the jobs that run, and free. Futures
 * stay good. In a job of the same executor it ends the program with a message.
 * @param executor  NULL does nothing; nobody uses it any more
 *
 * Threads: any. Suspends: may. Cancellation: it waits in any case. Since: 0.1.
 */
PLAIT_API void plait_executor_free(struct plait_executor *executor);

/* --- submitting --- */

/**
 * Submit a job.
 * @param executor    which
 * @param job         copied; for what it points to see struct plait_job
 * @param ret_future  one reference, to be given back with plait_future_unref(), at any time. NULL: nobody wants to
 *                    know. It is set to what the function returns, or to the error that plait_job_end.status explains;
 *                    its value is a struct plait_job_end.
 * @return 0: the future will be set. Or
 *   - -EINVAL   *fn* is NULL or, of processes, no function of the program or its libraries; or a member is out of its
 *               range
 *   - -ENFILE   of processes: there have been functions of more than 1,024 libraries
 *   - -ENOTSUP  the executor cannot honour *timeout_ns*
 *   - -EPIPE    the executor is shut down
 *   - -ENOMEM   no memory (of tasks: for a task, and the executor's scope has been cancelled, as plait_scope_go()
 *               does it)
 *   - -EAGAIN   there is no worker, and the system refuses to make one
 *   - -ECANCELED, -ETIMEDOUT  the caller's scope was cancelled, or is out of time
 *
 * Threads: any. Suspends: may, with *queue_limit*. Cancellation: ends that wait; afterwards it reaches the job.
 * Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_executor_submit(struct plait_executor *executor, const struct plait_job *job,
                                                     struct plait_future **ret_future);

/**
 * Submit a job and wait until it has ended. When the deadline or a cancellation comes first, the job is cancelled and
 * waited for, so argument and result may stand in the caller's frame. In a job of the same executor it is made here.
 * @param executor     which
 * @param job          what
 * @param deadline_ns  see plait/time.h
 * @param ret_end      how it ended, without *report*; NULL when it does not matter. Filled in whenever the job was
 *                     submitted, or a deadline or a cancellation came before that. *data* is NULL if the job had no
 *                     *result*.
 * @return what the function returned, or
 *   - -ETIMEDOUT, -ECANCELED  it was cancelled, by a deadline or the scope, and ended with that
 *   - -EOWNERDEAD  its process crashed
 *   - what plait_executor_submit() returns
 *
 * Threads: any. Suspends: may. Cancellation: reaches the job; it waits for it in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_executor_call(struct plait_executor *executor, const struct plait_job *job,
                                                   int64_t deadline_ns, struct plait_job_end *ret_end);

/* --- mapping --- */

/** For plait_executor_map_opts.flags: an error of one item does not end the others. */
#define PLAIT_EXECUTOR_MAP_COLLECT 1U

/** How to map. Zero means the default in every member but *size*. */
struct plait_executor_map_opts {
        size_t size;         /**< sizeof(struct plait_executor_map_opts) */
        unsigned flags;      /**< #PLAIT_EXECUTOR_MAP_COLLECT or 0 */
        size_t chunk;        /**< how many items go to a worker at a time, up to 1048576; default: found by measuring */
        size_t limit;        /**< of plait_executor_stream(): how many items may be out at a time; default: as many as
                                  keep the workers busy */
        int64_t deadline_ns; /**< everything is to end by then; 0: no deadline */
        const char *name;    /**< for reports; default: none */
        /**
         * Of plait_executor_map(): *n* numbers, filled in with what *fn* returned for each item, or -EOWNERDEAD where
         * its process crashed, -ETIMEDOUT, or -ECANCELED where it was not called.
         */
        int *codes;
};

/**
 * Call *fn* for each item of an array, and put the results into another, in the same order.
 *
 * Workers are given many items at a time when that pays: how many is found by measuring how long they take. A crash
 * costs the item that was being worked on.
 * @param executor      which
 * @param fn            not NULL; as plait_job.fn. A negative result is an error: without #PLAIT_EXECUTOR_MAP_COLLECT
 *                      no more items are begun.
 * @param args          *n* arguments, one after the other; NULL if *arg_bytes* is 0
 * @param arg_bytes     the size of each
 * @param results       room for *n* results; NULL if *result_bytes* is 0
 * @param result_bytes  the size of each
 * @param n             how many; 0 does nothing
 * @param opts          NULL for the defaults
 * @return 0 when *fn* returned 0 or more for each item. With #PLAIT_EXECUTOR_MAP_COLLECT, how many it did not (no more
 *         than INT_MAX). Else
 *   - the error that came first, of an item
 *   - -EOWNERDEAD  a process crashed
 *   - -EINVAL  *fn* is NULL, a pointer is missing or an option is out of its range
 *   - -ECANCELED, -ETIMEDOUT  the caller's scope was cancelled, or a deadline passed, before all was done
 *   - what plait_executor_submit() returns
 *
 * Ownership: the arrays may stand in the caller's frame.
 * Threads: any. Suspends: may. Cancellation: no more items are begun; it waits for those that run in any case.
 * Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_executor_map(struct plait_executor *executor, int (*fn)(void *arg, void *result),
                                                  void *args, size_t arg_bytes, void *results, size_t result_bytes,
                                                  size_t n, const struct plait_executor_map_opts *opts);

/** What to do with the items of plait_executor_stream(). */
struct plait_executor_flow {
        /**
         * Fills in the next item, *arg_bytes* of it, and returns 1; or returns 0 when there is none left, or an error.
         * Not called again after 0 or an error.
         */
        int (*next)(void *context, void *item);
        int (*fn)(void *arg, void *result); /**< for each item; as plait_job.fn */
        /**
         * Called for each item that *next* filled in, in that order, with its result. A negative result is an error
         * and ends all. NULL: nobody wants to know.
         */
        int (*done)(void *context, void *item, const struct plait_job_end *end);
        void *context;       /**< handed to *next* and *done*, which the caller of plait_executor_stream() calls */
        size_t arg_bytes;    /**< the size of an item */
        size_t result_bytes; /**< and of a result, for which there is room that is cleared */
};

/**
 * Call a function for each item that another one hands out, and report the results in the same order: a map that is
 * lazy. No more items are asked for than are needed to keep the workers busy, so they need not fit into memory.
 * @param executor  which
 * @param flow      what to do
 * @param opts      NULL for the defaults; *codes* must be NULL
 * @return as plait_executor_map(), or the first error of *next* or *done*
 *   - -EINVAL  *next* or *fn* is NULL, or an option is out of its range
 *   - -ENOMEM  no memory for the items that are out
 *
 * Threads: any; *next* and *done* are called by the caller, one at a time. Suspends: may. Cancellation: as
 * plait_executor_map(). Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_executor_stream(struct plait_executor *executor,
                                                     const struct plait_executor_flow *flow,
                                                     const struct plait_executor_map_opts *opts);

/* --- looking, and changing the number of workers --- */

/** What an executor is doing. */
struct plait_executor_stats {
        size_t size;         /**< sizeof(struct plait_executor_stats); set by the caller */
        const char *kind;    /**< "threads", "tasks", "processes" */
        unsigned limit;      /**< how many workers there may be; 0: no limit */
        unsigned workers;    /**< how many there are */
        uint64_t queued;     /**< jobs that wait for a worker at the moment */
        uint64_t running;    /**< jobs that run at the moment */
        uint64_t submitted;  /**< jobs so far; a chunk of a map counts as one, as in all that follow */
        uint64_t returned;   /**< of the ended: #PLAIT_JOB_RETURNED */
        uint64_t crashed;    /**< #PLAIT_JOB_CRASHED */
        uint64_t timed_out;  /**< #PLAIT_JOB_TIMED_OUT */
        uint64_t cancelled;  /**< #PLAIT_JOB_CANCELLED */
        uint64_t refused;    /**< #PLAIT_JOB_REFUSED */
        uint64_t retried;    /**< how often a job was begun again */
        uint64_t started;    /**< workers so far */
        int64_t busy_ns;     /**< for how long workers have been in jobs that have ended, together; not of tasks: 0 */
        int64_t busy_cpu_ns; /**< of that, processor time; not of tasks: 0 */
};

/**
 * What an executor is doing at the moment.
 * @param executor   which
 * @param ret_stats  filled in; its *size* must be set
 * @return 0, or
 *   - -EINVAL  *size* is not that of the structure
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_executor_get_stats(struct plait_executor *executor,
                                                        struct plait_executor_stats *ret_stats);

/**
 * The tuner of an executor with #PLAIT_AUTO, to look at: plait_tuner_look() says how many workers it has and why,
 * plait_tuner_runs() what was measured with how many, for plait_advise(). A job of plait_executor_map() or
 * plait_executor_stream() is there an item.
 * @param executor  which
 * @return borrowed until plait_executor_free(); NULL: the number of workers is not found by measurement
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_tuner *plait_executor_get_tuner(const struct plait_executor *executor);

/**
 * Change how many workers there may be. More are started as jobs need them; those beyond it end after their job.
 * @param executor  which
 * @param workers   1 to 1024
 * @return 0, or
 *   - -EINVAL   *workers* is out of its range
 *   - -ENOTSUP  it was opened with #PLAIT_AUTO
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_executor_resize(struct plait_executor *executor, unsigned workers);

PLAIT_END_DECLS

#endif
