/**
 * @file plait/shared_mutex.h
 * Mutual exclusion between processes, which survives the death of whoever holds the mutex.
 *
 * A shared mutex lies in memory that processes share: an array (plait/array.h), or any other mapping with MAP_SHARED.
 * Tasks and plain threads of all of them lock it. When a process ends, by whatever cause, while one of its tasks or
 * threads holds the mutex, the next who locks it gets -EOWNERDEAD: he *has* the mutex, but what it guards may be half
 * changed. He mends it and says so by plait_shared_mutex_consistent(). If he unlocks without, nobody can lock the mutex
 * any more (-ENOTRECOVERABLE), until it is made anew. These are the rules of POSIX's robust mutexes; unlike those, it
 * may be held across waits of a task, which moves between threads.
 *
 * A task that has to wait lets its worker run other tasks: a thread that is kept for this sleeps on its behalf, one for
 * each mutex at most. Those of one process who wait for the same mutex take turns in the order they came. Between
 * processes there is no order: whoever comes first when it is free has it. The death of a holder is noticed at once by
 * those who come later, and within 50 ms by those who wait already.
 *
 * Processes know each other by their numbers, so all must be in the same PID namespace.
 *
 * All zeroes is an unlocked mutex, and new shared memory is all zeroes.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 * #include <signal.h>
 * #include <sys/mman.h>
 * #include <sys/wait.h>
 * #include <unistd.h>
 *
 * struct stock {
 *         struct plait_shared_mutex mutex; // guards what follows
 *         int apples, pears;               // always as many of these as of those
 * };
 *
 * int main(void)
 * {
 *         struct stock *stock = mmap(NULL, sizeof *stock, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
 *
 *         if (stock == MAP_FAILED)
 *                 return 1;
 *         pid_t child = fork();
 *         if (child == 0) {
 *                 int r = plait_shared_mutex_lock(&stock->mutex, PLAIT_NEVER);
 *                 if (r == 0)
 *                         stock->apples++;
 *                 raise(SIGKILL); // before it has come to the pears
 *         }
 *         waitpid(child, NULL, 0);
 *
 *         int r = plait_shared_mutex_lock(&stock->mutex, plait_in_s(10));
 *         assert(r == -EOWNERDEAD && stock->apples == 1);
 *         stock->apples = stock->pears;
 *         r = plait_shared_mutex_consistent(&stock->mutex);
 *         assert(r == 0);
 *         plait_shared_mutex_unlock(&stock->mutex);
 *
 *         r = plait_shared_mutex_trylock(&stock->mutex);
 *         assert(r == 0);
 *         plait_shared_mutex_unlock(&stock->mutex);
 *         return 0;
 * }
 * @endcode
 */
#ifndef PLAIT_SHARED_MUTEX_H
#define PLAIT_SHARED_MUTEX_H

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A mutex in shared memory, at an address that is a multiple of 8; unlocked when zeroed. */
struct plait_shared_mutex {
        /** @cond private */
        uint64_t pl_word;
        uint64_t pl_flow;
        /** @endcond */
};

/* clang-format off */
/** An unlocked mutex. */
#define PLAIT_SHARED_MUTEX_INIT {0}
/* clang-format on */

/**
 * Lock a mutex, waiting while somebody else holds it.
 * @param mutex        in shared memory, which stays mapped in this process until it is unlocked
 * @param deadline_ns  see plait/time.h; with one that has passed it tries once
 * @return 0: the caller holds it. Or, with the mutex held, too,
 *   - -EOWNERDEAD  the process that held it has ended: what it guards is to be mended
 *   .
 *   Or, with the mutex not held by the caller,
 *   - -ENOTRECOVERABLE  somebody has unlocked it without having mended what it guards
 *   - -ETIMEDOUT   the deadline, or the deadline of a scope, came first
 *   - -ECANCELED   the scope was cancelled first
 *   - -EDEADLK     the caller itself holds it
 *
 * Threads: any; not compact tasks. Suspends: may. Cancellation: ends the wait; a mutex that is free is locked in any
 * case. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_mutex_lock(struct plait_shared_mutex *mutex, int64_t deadline_ns);

/**
 * Lock a mutex if that is possible at once.
 * @param mutex  in shared memory, which stays mapped in this process until it is unlocked
 * @return 0, -EOWNERDEAD, -ENOTRECOVERABLE or -EDEADLK, as plait_shared_mutex_lock(). Or
 *   - -EBUSY  somebody else holds it
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_mutex_trylock(struct plait_shared_mutex *mutex);

/**
 * After -EOWNERDEAD: say that what the mutex guards has been mended.
 * @param mutex  held by the caller; if not, the program ends with a message
 * @return 0, or
 *   - -EINVAL  it is not in doubt
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_mutex_consistent(struct plait_shared_mutex *mutex);

/**
 * Unlock a mutex. After -EOWNERDEAD without plait_shared_mutex_consistent(), it is lost for all.
 * @param mutex  held by the caller. Unlocking one that nobody holds, or somebody else, ends the program with a message.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_shared_mutex_unlock(struct plait_shared_mutex *mutex);

PLAIT_END_DECLS

#endif
