/**
 * @file plait/run.h
 * Start the runtime, run a function as its first task, and stop the runtime.
 *
 * The runtime has a worker thread per processor that this process may use (its affinity and its cgroup's CPU quota
 * counted), and the calling thread is one of them. `PLAIT_WORKERS` in the environment overrides the number,
 * `PLAIT_POLLER` (epoll or io_uring) the way of waiting for the kernel, and `PLAIT_DEBUG` switches on aids for
 * debugging: `migrate` moves a task to another worker at every suspension, `cancel=N` cancels the scope around the
 * N-th wait.
 *
 * A task that computes or blocks for `PLAIT_STUCK_MS` (10 by default, 0: never) does not hold up the others: what waits
 * behind it is run by the other workers or, when all are held up, by spare threads. When the variable is set, such a
 * task is named on stderr with its stack (taken by SIGURG). With one worker there are no spare threads, and so never
 * two tasks at a time.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <stdio.h>
 * #include <stdlib.h>
 *
 * static int app(void *name)
 * {
 *         printf("hello, %s, from task \"%s\"\n", (char *)name, plait_task_name(NULL));
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         struct plait_run_opts opts = {.size = sizeof opts, .name = "greeter"};
 *
 *         return plait_run(app, "world", &opts) ? EXIT_FAILURE : EXIT_SUCCESS;
 * }
 * @endcode
 */
#ifndef PLAIT_RUN_H
#define PLAIT_RUN_H

#include <plait/base.h>
#include <plait/thread.h>

PLAIT_BEGIN_DECLS

/**
 * For plait_run_opts.flags: each worker runs on one processor only, of those in *threads* or else of those that the
 * calling thread may use, by turns if there are fewer. Other threads of the library's may use all of them.
 */
#define PLAIT_RUN_PIN 1U

/** How to run. Zero means the default in every member but *size*. */
struct plait_run_opts {
        size_t size;         /**< sizeof(struct plait_run_opts) */
        unsigned workers;    /**< worker threads, 1 to 1024; default: the processors this process may use */
        size_t stack_bytes;  /**< stack of a task that asks for none, 16 KiB to 8 MiB; default 64 KiB */
        const char *name;    /**< name of the first task; default "main"; copied */
        int64_t deadline_ns; /**< everything in the run is to end by then; 0: no deadline */
        const struct plait_thread_opts
                *threads; /**< how the system is to schedule the workers; default: as the caller */
        unsigned flags;   /**< #PLAIT_RUN_PIN or 0 */
};

/**
 * Run *fn* as the first task, and return when it and everything it started has ended.
 * @param fn    the first task; its result, if negative a -errno, is plait_run()'s
 * @param arg   handed to *fn*
 * @param opts  NULL for the defaults; read before *fn* starts
 *
 * @return what *fn* returned, or
 *   - -EINVAL  *fn* is NULL, or an option is out of its range, or the process may use none of the processors
 *   - -EPERM   the system does not permit what *threads* asks for; see plait/thread.h
 *   - -EBUSY   a run is under way in this process (plait_run() was called from a task, or from two threads)
 *   - -ENOMEM  no memory for workers or stacks
 *   - -EAGAIN  the system refused to create a thread
 *   - -EMFILE, -ENFILE  no file descriptor left for the poller
 *
 * Threads: any that is no worker; it becomes one until plait_run() returns, scheduled like the others. Afterwards it is
 * as before, as far as the system permits (without CAP_SYS_NICE, niceness cannot be taken back). Suspends: never (it
 * blocks its thread). Cancellation: not affected; the deadline in *opts* reaches every task. Since: 0.1.
 */
PLAIT_API int plait_run(int (*fn)(void *arg), void *arg, const struct plait_run_opts *opts);

/**
 * The number of workers of the run that is under way.
 * @return 1 or more, 0 when nothing runs
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API unsigned plait_workers(void);

PLAIT_END_DECLS

#endif
