/**
 * @file plait/child.h
 * Child processes: started without a shell, waited for like anything else, and ended with their scope.
 *
 * A child process belongs to a scope as a task does: plait_scope_join() returns when it has exited and been reaped. If
 * the scope is cancelled, or its deadline comes, the process is told to end (SIGTERM), killed if it has not after a
 * grace time (SIGKILL), and reaped. So no process is forgotten, and no zombie is left.
 *
 * The process starts with no signal blocked or ignored, and with no other descriptors than its standard input, output
 * and error. Those are this process's own unless the options say something else; pipes to them are used with
 * plait_read() and plait_write().
 *
 * Exits are waited for by pidfd, one process at a time, so other parts of the program may have children of their own.
 * They must not take plait's: by waiting for any child (wait(2), waitpid(-1)), or by ignoring SIGCHLD; then the exit
 * status is lost, and said to be (-ECHILD).
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 * #include <string.h>
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         struct plait_child_opts opts = {.size = sizeof opts, .in = PLAIT_CHILD_PIPE, .out = PLAIT_CHILD_PIPE};
 *         const char *const argv[] = {"tr", "a-z", "A-Z", NULL};
 *         struct plait_child_status status;
 *         struct plait_child *child;
 *         char text[16] = "";
 *
 *         (void)arg;
 *         int r = plait_child_start(&scope, argv, &opts, &child);
 *         if (r < 0)
 *                 return r;
 *         ssize_t n = plait_write_full(plait_child_pipe(child, 0), "hello", 5, plait_in_s(10));
 *         assert(n == 5);
 *         plait_child_close_pipe(child, 0);
 *         n = plait_read_full(plait_child_pipe(child, 1), text, sizeof text - 1, plait_in_s(10));
 *         assert(n == 5 && strcmp(text, "HELLO") == 0);
 *         r = plait_child_wait(child, plait_in_s(10), &status);
 *         assert(r == 0 && status.exit_code == 0 && status.signal == 0);
 *         plait_child_free(child);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_CHILD_H
#define PLAIT_CHILD_H

#include <stdbool.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/scope.h>
#include <plait/select.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A child process; opaque. */
struct plait_child;

/** For plait_child_opts.in, .out, .err: this process's own. */
#define PLAIT_CHILD_INHERIT 0
/** For .in, .out, .err: a pipe, whose other end plait_child_pipe() gives. */
#define PLAIT_CHILD_PIPE (-1)
/** For .in, .out, .err: /dev/null. */
#define PLAIT_CHILD_NULL (-2)
/** For .err: wherever .out goes. */
#define PLAIT_CHILD_TO_OUT (-3)

/** For plait_child_opts.flags: a process group of its own, and signals go to all of the group. */
#define PLAIT_CHILD_GROUP 1U
/** For plait_child_opts.flags: descriptors of this process that are not closed on exec stay open in the child. */
#define PLAIT_CHILD_KEEP_FDS 2U

/** How to start a child. Zero means the default in every member but *size*. */
struct plait_child_opts {
        size_t size;            /**< sizeof(struct plait_child_opts) */
        const char *cwd;        /**< working directory; default: this process's */
        const char *const *env; /**< environment, ended by NULL; default: this process's */
        int in;                 /**< PLAIT_CHILD_..., or a descriptor of 1 or more to be used instead */
        int out;                /**< the same */
        int err;                /**< the same */
        unsigned flags;         /**< #PLAIT_CHILD_GROUP, #PLAIT_CHILD_KEEP_FDS */
        int stop_signal;        /**< what tells it to end; default: SIGTERM */
        int64_t grace_ns;       /**< how long it may take to end before it is killed; default: 5 s; negative: none */
        const char **ret_cause; /**< where to put what plait_child_start() failed at: "working directory", "program",
                                     "descriptors" or "process", a static string; default: nowhere */
};

/** How a child ended. */
struct plait_child_status {
        int exit_code;         /**< 0 to 255; -1: it was killed by a signal */
        int signal;            /**< the signal that killed it; 0: none did */
        bool core_dumped;      /**< whether that left a core file */
        int64_t user_ns;       /**< processor time of it and of its own children that it waited for */
        int64_t system_ns;     /**< the same, in the kernel */
        int64_t max_rss_bytes; /**< the most memory that it, or one of those children, had resident */
};

/**
 * Start a child process in a scope.
 * @param scope      as for plait_scope_start()
 * @param argv       the program and its arguments, ended by NULL. Without a slash, the program is looked for in this
 *                   process's PATH; a relative one with a slash is taken from *cwd*.
 * @param opts       NULL for the defaults; read, as *argv* is, before this returns
 * @param ret_child  a handle, to be given back with plait_child_free(). It may be used by other tasks and threads.
 * @return 0: the program runs. Or, and no process is left,
 *   - -EINVAL     *argv* is empty, an option is out of its range, or as plait_scope_start(). With the cause "program":
 *                 the system cannot run a program of this kind
 *   - -ENOENT, -EACCES, -ENOTDIR, -ELOOP, -ENAMETOOLONG  there is no such program or working directory, or it may not
 *                 be used; *ret_cause* tells which
 *   - -ENOEXEC    the program is no program
 *   - -E2BIG      arguments and environment are too long
 *   - -EBADF      one of .in, .out, .err is not open
 *   - -EAGAIN     no more processes or threads are allowed
 *   - -EMFILE, -ENFILE, -ENOMEM  no descriptor or memory left
 *   - -ECANCELED, -ETIMEDOUT     *scope* was cancelled, or its deadline has come
 *
 * Threads: as plait_scope_start(); not compact tasks. Suspends: may, for as long as the system takes to start a
 * program. Cancellation: of *scope*, until the process exists; of the caller's own: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_child_start(struct plait_scope *scope, const char *const argv[],
                                                 const struct plait_child_opts *opts, struct plait_child **ret_child);

/**
 * Give a handle back: the pipes that are open are closed. The process runs on in its scope.
 * @param child  NULL does nothing; nobody may be using it
 *
 * Threads: any. Suspends: may. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_child_free(struct plait_child *child);

/**
 * The process number, for messages: once the process has been reaped, it may be another one's.
 * @param child  which
 * @return 1 or more
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_child_pid(const struct plait_child *child);

/**
 * This end of a pipe to a child.
 * @param child  which
 * @param which  0: its standard input, to write to; 1 or 2: its output or error, to read from
 * @return the descriptor, borrowed: good until plait_child_close_pipe() or plait_child_free(); or
 *   - -EBADF  there is no such pipe, or it has been closed
 *
 * Threads: any; none may be closing it. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_child_pipe(const struct plait_child *child, int which);

/**
 * Close this end of a pipe to a child. Of its input: that is how it sees the end.
 * @param child  which
 * @param which  as for plait_child_pipe(); one that is not open does nothing
 *
 * Threads: any, one at a time. Suspends: may. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_child_close_pipe(struct plait_child *child, int which);

/**
 * Wait until a child has exited.
 * @param child        which
 * @param deadline_ns  see plait/time.h; with one that has passed it looks once
 * @param ret_status   how it ended; NULL when it does not matter
 * @return 0, now and whenever this is called again; or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first; the process runs on
 *   - -ECANCELED  the caller's scope was cancelled first
 *   - -ECHILD     it has exited, but somebody else has taken its status
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; if the caller is in the child's scope, that is cancelled,
 * too, and so ends the child. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_child_wait(struct plait_child *child, int64_t deadline_ns,
                                                struct plait_child_status *ret_status);

/**
 * Send a signal to a child, or with #PLAIT_CHILD_GROUP to all of its group.
 * @param child   which
 * @param number  of the signal; 0 only asks whether it could be sent
 * @return 0, or
 *   - -ESRCH   it has exited
 *   - -EPERM   it is another user's by now
 *   - -EINVAL  there is no such signal
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_child_signal(struct plait_child *child, int number);

/**
 * Have a child end, as if its scope had been cancelled: told, after the grace time killed, reaped. This does not wait
 * for it. With #PLAIT_CHILD_GROUP, what is left of the group when the child has ended is killed.
 * @param child  which; one that has exited, or is being stopped, does nothing
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_child_stop(struct plait_child *child);

/**
 * A case of plait_select(): a child has exited. plait_child_wait() then tells how.
 * @param child  whose handle is not given back before plait_select() returns
 * @return the case; its *result* will be 0 or -ECHILD, as of plait_child_wait()
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_case plait_case_child(struct plait_child *child);

PLAIT_END_DECLS

#endif
