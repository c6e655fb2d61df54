/**
 * @file plait/signal.h
 * Signals as something to wait for: Ctrl-C, a request to end, a changed configuration.
 *
 * While a struct plait_signals is open, its signals do not end or interrupt the program: a handler of the library's
 * notes them down, whichever thread they hit, and tasks and plain threads wait for them with plait_signals_wait() or as
 * a case of plait_select().
 *
 * What happens to threads: signal masks are left as they are, but for one: plait_signals_open() unblocks its signals in
 * the thread that calls, so that there is one that takes them, even if the program has blocked them everywhere else.
 * The workers of a run, other than the thread that called plait_run(), have all such signals blocked otherwise. System
 * calls that a handled signal interrupts are restarted (SA_RESTART); poll(2), select(2) and the like are not, and
 * return EINTR in plain threads. Child processes of plait/child.h start with default dispositions and nothing blocked.
 *
 * Like the system, the library does not count: signals of one number that come before anybody asks may be reported as
 * one.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 * #include <signal.h>
 * #include <unistd.h>
 *
 * static int app(void *arg)
 * {
 *         struct plait_signals *signals;
 *         struct plait_signal_info info;
 *
 *         (void)arg;
 *         int r = plait_signals_open((const int[]){SIGINT, SIGTERM}, 2, &signals);
 *         if (r < 0)
 *                 return r;
 *         kill(getpid(), SIGTERM);
 *         r = plait_signals_wait(signals, plait_in_s(10), &info);
 *         assert(r == SIGTERM && info.sender_pid == getpid());
 *         plait_signals_close(signals);
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_SIGNAL_H
#define PLAIT_SIGNAL_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/select.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A set of signals that is being watched; opaque. */
struct plait_signals;

/** What is known of a signal that has come; the last one, if several have. */
struct plait_signal_info {
        int number;     /**< of the signal */
        int sender_pid; /**< who sent it; 0: the kernel */
        int sender_uid; /**< the sender's user */
};

/**
 * Watch signals. From here to plait_signals_close() they have no other effect.
 * @param numbers      of the signals; not SIGKILL and SIGSTOP, which cannot be caught, nor SIGSEGV, SIGBUS, SIGFPE,
 *                     SIGILL, SIGTRAP, SIGSYS, which a thread brings upon itself
 * @param count        1 or more
 * @param ret_signals  to be closed with plait_signals_close()
 * @return 0, or
 *   - -EINVAL  *count* is 0, or a number is none that can be watched
 *   - -EBUSY   one of the signals is being watched already
 *   - -EMFILE, -ENFILE, -ENOMEM  no descriptor or memory left
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_signals_open(const int *numbers, size_t count, struct plait_signals **ret_signals);

/**
 * Stop watching: the signals have the effect again that they had before, and what has come but not been waited for is
 * forgotten.
 * @param signals  nobody may be waiting for them; NULL does nothing
 *
 * Threads: any; not a signal handler. Suspends: may. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_signals_close(struct plait_signals *signals);

/**
 * Wait for one of the signals. Each that comes is given to one who waits, the lowest number first.
 * @param signals      which
 * @param deadline_ns  see plait/time.h; with one that has passed it looks once
 * @param ret_info     what is known of it; NULL when it does not matter
 * @return the signal's number, or
 *   - -ETIMEDOUT  the deadline, or the deadline of a scope, came first
 *   - -ECANCELED  the scope was cancelled first
 *   - otherwise as plait_select() says of a descriptor
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait; a signal that has come is had in any case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_signals_wait(struct plait_signals *signals, int64_t deadline_ns,
                                                  struct plait_signal_info *ret_info);

/**
 * A case of plait_select(): one of the signals has come, and is taken.
 * @param signals   which
 * @param ret_info  written if this case happens; NULL when it does not matter
 * @return the case; its *result* will be the signal's number
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API struct plait_case plait_case_signal(struct plait_signals *signals, struct plait_signal_info *ret_info);

PLAIT_END_DECLS

#endif
