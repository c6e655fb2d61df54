/**
 * @file plait/fork_server.h
 * Where the worker processes of plait_executor_processes() come from.
 *
 * Threads and fork() do not go together: a process that is forked while another thread holds a lock (of malloc(), of
 * stdio) keeps that lock for ever. So worker processes are forked by a process that never has a thread, the fork
 * server. There are two ways to come by one.
 *
 * By itself: with its first worker, an executor has the program started anew, from its own file, and stopped before
 * main(). So constructors (of C++ too) have run there, but nothing else has: a job finds static data as they are when
 * main() begins, whatever the program has made of them since. What jobs need beyond their argument, an executor's
 * *initializer* can make. This works in any program at any time, threads or not, and a worker has only the memory that
 * it uses.
 *
 * By plait_fork_server_start(): the server is a copy of the program as it is then, so jobs find what it has computed,
 * without a copy until they write to it. It has to be called before the program has a thread.
 *
 * In either case a worker starts with
 *   - the environment, the working directory, and the niceness and processors that plait_executor_opts ask for, as they
 *     are when the executor is opened;
 *   - standard input from nowhere (/dev/null), standard output and error to this program's, passed on in whole lines,
 *     and no other descriptor;
 *   - no signal blocked, each with its default action (those of crashes are reported first); in a process group of its
 *     own, so that Ctrl-C at the terminal reaches the program only;
 *   - the resource limits, user and groups, umask and signals of the server, which are those of the program when the
 *     server was started.
 *
 * No process is left behind: the workers and what they have started end with the server, and the server ends with the
 * program, however that ends.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * static int table[1000];
 *
 * static int look_up(void *arg, void *result)
 * {
 *         *(int *)result = table[*(const int *)arg];
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         struct plait_executor *executor;
 *         int key = 30, value = 0;
 *
 *         for (int i = 0; i < 1000; i++)
 *                 table[i] = i * i;
 *         int r = plait_fork_server_start(); // from here on, workers have the table
 *         if (r == 0)
 *                 r = plait_executor_processes(NULL, &executor);
 *         if (r < 0)
 *                 return 1;
 *         struct plait_job job = {.fn = look_up, .arg = &key, .arg_bytes = sizeof key,
 *                                 .result = &value, .result_bytes = sizeof value};
 *         r = plait_executor_call(executor, &job, PLAIT_NEVER, NULL);
 *         assert(r == 0 && value == 900);
 *         plait_executor_free(executor);
 *         plait_fork_server_stop();
 *         return 0;
 * }
 * @endcode
 */
#ifndef PLAIT_FORK_SERVER_H
#define PLAIT_FORK_SERVER_H

#include <plait/base.h>
#include <plait/errno.h>

PLAIT_BEGIN_DECLS

/**
 * Fork a server of the program as it is now. Executors of processes that get their first worker from now on use it. If
 * it dies, their jobs end as #PLAIT_JOB_REFUSED with -EPIPE, until it is stopped and, perhaps, another one started.
 * @return 0, or
 *   - -EALREADY  there is one
 *   - -EBUSY     there are threads, or plait_run() is under way: it is too late
 *   - -EAGAIN, -ENOMEM, -EMFILE, -ENFILE  the system has no process, memory or descriptor left
 *
 * It writes out what stdio holds (fflush(NULL)), so that nothing is printed twice.
 *
 * Threads: the only one. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_fork_server_start(void);

/**
 * End the server of plait_fork_server_start(), and wait until it and its workers are gone. Without one it does nothing.
 * At the end of the program it is not needed.
 * @return 0, or
 *   - -EBUSY  an executor uses it
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_fork_server_stop(void);

PLAIT_END_DECLS

#endif
