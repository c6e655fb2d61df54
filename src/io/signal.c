/*
 * Signals as something to wait for. The handler sets a bit in *pending*, notes the sender, and writes to the eventfd of
 * whoever watches that number; so it works in any thread and with any mask, and needs no thread of its own.
 *
 * The eventfd is level: readable while something is pending. Who takes a signal first drains it, then takes the bit,
 * and then, if more bits of his set stand, writes to it again. The handler sets the bit before it writes, so a bit that
 * the taker does not see is followed by a write.
 *
 * *watchers* are changed under *lock*. After that, plait_signals_close() waits until no handler runs that may have seen
 * the old one: *n_handling* is raised before the watcher is read, and both are sequentially consistent.
 */
#include "plait/signal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/call.h"
#include "io/descriptor.h"
#include "io/select.h"
#include "plait/fd.h"
#include "plat/lock.h"

enum { NUMBERS = 65 }; /* 1 to 64 */

struct plait_signals {
        int fd;
        uint64_t set;
};

static struct {
        struct pl_lock lock;
        _Atomic uint64_t pending;
        _Atomic uint32_t n_handling;
        _Atomic uint64_t sender[NUMBERS]; /* process in the upper half, user in the lower */
        struct plait_signals *_Atomic watchers[NUMBERS];
        struct sigaction before[NUMBERS];
} table;

static uint64_t bit(int number)
{
        return UINT64_C(1) << (number - 1);
}

static void handle(int number, siginfo_t *info, void *context)
{
        int saved = errno;
        bool from_process = info->si_code <= 0;
        uint64_t sender = from_process ? (uint64_t)(uint32_t)info->si_pid << 32 | (uint32_t)info->si_uid : 0;

        (void)context;
        atomic_fetch_add(&table.n_handling, 1);

        struct plait_signals *watcher = atomic_load(&table.watchers[number]);

        if (watcher) {
                atomic_store(&table.sender[number], sender);
                atomic_fetch_or(&table.pending, bit(number));
                (void)!eventfd_write(watcher->fd, 1);
        }
        atomic_fetch_sub(&table.n_handling, 1);
        errno = saved;
}

/* --- opening and closing --- */

static bool watchable(int number)
{
        static const int not_these[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};

        for (size_t i = 0; i < PL_ARRAY_SIZE(not_these); i++)
                if (number == not_these[i])
                        return false;
        return number > 0 && number < NUMBERS && (number < 32 || number >= SIGRTMIN);
}

static int set_of(const int *numbers, size_t count, uint64_t *ret_set)
{
        uint64_t set = 0;

        for (size_t i = 0; i < count; i++) {
                if (!watchable(numbers[i]))
                        return -EINVAL;
                set |= bit(numbers[i]);
        }
        *ret_set = set;
        return count ? 0 : -EINVAL;
}

/* With the lock held. */
static bool is_free(uint64_t set)
{
        for (int number = 1; number < NUMBERS; number++)
                if (set & bit(number) && atomic_load(&table.watchers[number]))
                        return false;
        return true;
}

static void start_watching(struct plait_signals *signals)
{
        struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
        sigset_t mask;

        sigfillset(&action.sa_mask);
        sigemptyset(&mask);
        atomic_fetch_and(&table.pending, ~signals->set);
        for (int number = 1; number < NUMBERS; number++) {
                if (!(signals->set & bit(number)))
                        continue;
                atomic_store(&table.watchers[number], signals);
                sigaction(number, &action, &table.before[number]);
                sigaddset(&mask, number);
        }
        pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
}

static int new_signals(uint64_t set, struct plait_signals **ret)
{
        struct plait_signals *signals = malloc(sizeof *signals);

        if (!signals)
                return -ENOMEM;

        int saved = errno;
        int r = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        if (r < 0)
                r = -errno;
        errno = saved;
        if (r >= 0)
                r = pl_io_own_or_close(r, 0);
        if (r < 0) {
                free(signals);
                return r;
        }
        *signals = (struct plait_signals){.fd = r, .set = set};
        *ret = signals;
        return 0;
}

int plait_signals_open(const int *numbers, size_t count, struct plait_signals **ret_signals)
{
        struct plait_signals *signals;
        uint64_t set;
        int r = set_of(numbers, count, &set);

        if (r < 0)
                return r;
        r = new_signals(set, &signals);
        if (r < 0)
                return r;
        pl_lock_acquire(&table.lock);
        if (is_free(set))
                start_watching(signals);
        else
                r = -EBUSY;
        pl_lock_release(&table.lock);
        if (r < 0) {
                (void)plait_close(signals->fd);
                free(signals);
                return r;
        }
        *ret_signals = signals;
        return 0;
}

void plait_signals_close(struct plait_signals *signals)
{
        if (!signals)
                return;
        pl_lock_acquire(&table.lock);
        for (int number = 1; number < NUMBERS; number++) {
                if (!(signals->set & bit(number)))
                        continue;
                sigaction(number, &table.before[number], NULL);
                atomic_store(&table.watchers[number], NULL);
        }
        while (atomic_load(&table.n_handling))
                sched_yield();
        atomic_fetch_and(&table.pending, ~signals->set);
        pl_lock_release(&table.lock);
        (void)plait_close(signals->fd);
        free(signals);
}

/* --- waiting --- */

/* Take one of *set*; 0: there is none. */
static int take(const struct plait_signals *signals)
{
        uint64_t count, pending;
        int number = 0;

        (void)!plait_read(signals->fd, &count, sizeof count, 0); /* what there was to be told has been */
        while ((pending = atomic_load(&table.pending) & signals->set)) {
                number = __builtin_ctzll(pending) + 1;
                if (atomic_fetch_and(&table.pending, ~bit(number)) & bit(number))
                        break;
                number = 0;
        }
        if (atomic_load(&table.pending) & signals->set)
                (void)!eventfd_write(signals->fd, 1);
        return number;
}

static bool settle(struct plait_case *entry)
{
        struct plait_signal_info *ret_info = entry->pl_item;
        int number = take(entry->pl_object);

        if (!number)
                return false;
        entry->result = number;
        if (ret_info) {
                uint64_t sender = atomic_load(&table.sender[number]);

                *ret_info = (struct plait_signal_info){
                        .number = number, .sender_pid = (int)(sender >> 32), .sender_uid = (int)(uint32_t)sender};
        }
        return true;
}

static const struct plait_selectable signal_kind = {.watcher = &pl_io_select_watcher, .settle = settle};

struct plait_case plait_case_signal(struct plait_signals *signals, struct plait_signal_info *ret_info)
{
        struct plait_case entry = pl_io_select_case(signals->fd, POLLIN, &signal_kind, signals);

        entry.pl_item = ret_info;
        return entry;
}

int plait_signals_wait(struct plait_signals *signals, int64_t deadline_ns, struct plait_signal_info *ret_info)
{
        struct plait_case entry = plait_case_signal(signals, ret_info);
        int r = pl_sync_select(&entry, 1, deadline_ns, PL_WAIT_SIGNAL);

        return r < 0 ? r : entry.result;
}
