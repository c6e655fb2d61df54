/**
 * @file plait/task.h
 * What a task can do about itself, and handles to tasks.
 *
 * A task is a function that runs concurrently with others: plain blocking code on a stack of its own, moved by the
 * runtime between worker threads whenever it waits. Tasks are started in scopes (plait/scope.h). Waits are the only
 * points where a task can be suspended; each function says in its block if it may.
 *
 * Between waits a task has its thread for itself. Do not hold a pthread mutex across a wait (the task may go on in
 * another thread), and do not keep the address of thread-local data across one.
 *
 * A task gets its stack when it first runs. If there is no memory for it then, the program ends with a message that
 * names the task: whoever started it can no longer be told.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int answer(void *arg)
 * {
 *         (void)arg;
 *         plait_sleep(plait_in_ms(5));
 *         return 42;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         struct plait_task_opts opts = {.size = sizeof opts, .name = "deep thought", .stack_bytes = 256 << 10};
 *         struct plait_task *task;
 *         int result = 0;
 *
 *         (void)arg;
 *         int r = plait_scope_start(&scope, answer, NULL, &opts, &task);
 *         if (r < 0)
 *                 return r;
 *         r = plait_task_wait(task, PLAIT_NEVER, &result);
 *         assert(r == 0 && result == 42);
 *         plait_task_unref(task);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_TASK_H
#define PLAIT_TASK_H

#include <plait/base.h>
#include <plait/errno.h>

PLAIT_BEGIN_DECLS

/** A task; opaque. */
struct plait_task;

/**
 * For plait_task_opts.flags: the task shares a stack with other compact tasks of its worker. While it waits, what it
 * has on the stack is moved elsewhere: a waiting task takes some 650 bytes instead of some 4,400. For tasks that exist
 * in millions and mostly wait. The rules:
 *   - While it waits, nobody else may use a pointer to its local variables. So an item that it sends to or receives
 *     from a channel, or an object that it waits for, must not be a local variable. Buffers of plait_read() and its
 *     kin may.
 *   - It can wait for time, locks, events, channels, tasks, sockets and pipes, but not call what runs in another
 *     thread or task: plait_blocking(), names, regular files, HTTP, plait_wait_fd() or plait_poll(). Both rules are
 *     checked where the library can: breaking them ends the program with a message.
 *   - It cannot open scopes (-EINVAL); it can start tasks in a scope that is open. plait_fork_join() and
 *     plait_parallel_for() work, on one worker.
 *   - It stays on the worker that it started on; a task that computes there holds it up. Its stack has the run's
 *     default size, *stack_bytes* must be 0.
 */
#define PLAIT_TASK_COMPACT 1U

/**
 * For plait_task_opts.flags: whenever the task can run, it does so before ordinary ones, on whichever worker is the
 * first to choose what to run next; 1 choice in 16 goes to the others in any case, so those are not starved. Nothing is
 * taken off a worker that is in the middle of a task. For few tasks that react to something and wait again. Tasks that
 * it starts are ordinary ones.
 */
#define PLAIT_TASK_HIGH 2U

/**
 * For plait_task_opts.flags: the task runs when a worker has nothing else to run, and in 1 of 64 choices of each worker
 * in any case. For work that can wait, such as clean-up.
 */
#define PLAIT_TASK_LOW 4U

/** How to start a task. Zero means the default in every member but *size*. */
struct plait_task_opts {
        size_t size;        /**< sizeof(struct plait_task_opts) */
        const char *name;   /**< shown by tools and messages; copied, cut after 31 bytes; default: none */
        size_t stack_bytes; /**< 16 KiB to 8 MiB, rounded up to 16 KiB, 64 KiB, 256 KiB, 1 MiB or 8 MiB; default: the
                                 run's */
        unsigned flags;     /**< #PLAIT_TASK_COMPACT, or #PLAIT_TASK_HIGH, or #PLAIT_TASK_LOW, or 0 */
};

/**
 * Let other tasks run: the caller goes to the end of its worker's queue.
 *
 * Threads: any; in a thread that is no worker it is sched_yield(). Suspends: may. Cancellation: not affected; it is no
 * wait. Since: 0.1.
 */
PLAIT_API void plait_yield(void);

/**
 * Wait until *deadline_ns*.
 * @param deadline_ns  see plait/time.h; with one that has passed it only yields
 * @return 0 when the time has come, or, even if it has,
 *   - -ECANCELED  the scope was cancelled
 *   - -ETIMEDOUT  a scope's deadline came first
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API int plait_sleep(int64_t deadline_ns);

/**
 * The task that calls.
 * @return borrowed, good while it runs; NULL in a thread that runs no task
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_task *plait_task_self(void);

/**
 * A number that no other task of this process has or had.
 * @param task  NULL for the caller
 * @return 1 or more; 0 when *task* is NULL and no task calls
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API uint64_t plait_task_id(const struct plait_task *task);

/**
 * A task's name.
 * @param task  NULL for the caller
 * @return borrowed, good until the task ends or is renamed; "" when it has none or no task calls
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API const char *plait_task_name(const struct plait_task *task);

/**
 * Name the calling task.
 * @param name  copied, cut after 31 bytes; NULL takes the name away
 * @return 0, or
 *   - -EINVAL  no task calls
 *   - -ENOMEM  no memory for the name
 *
 * Threads: tasks only. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_task_set_name(const char *name);

/**
 * Wait for a task to end.
 * @param task         a handle from plait_scope_start()
 * @param deadline_ns  see plait/time.h
 * @param ret_result   what the task returned; NULL when it does not matter
 * @return 0, or
 *   - -ETIMEDOUT  the deadline came first; the task runs on
 *   - -ECANCELED  the caller's scope was cancelled; the task runs on
 *   - -EDEADLK    the task is the caller
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API int plait_task_wait(struct plait_task *task, int64_t deadline_ns, int *ret_result);

/**
 * Take one more reference to a task.
 * @param task  not NULL
 * @return *task*, to be given back with plait_task_unref()
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_task *plait_task_ref(struct plait_task *task);

/**
 * Give a reference back. The task itself is not affected.
 * @param task  NULL does nothing
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_task_unref(struct plait_task *task);

PLAIT_END_DECLS

#endif
