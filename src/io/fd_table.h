/*
 * What plait knows about each descriptor number.
 *
 * A descriptor is *owned* when plait made it (or plait_adopt() was called): it does not block, is closed with
 * plait_close(), and is armed once and for all, with flags that say whether reading or writing may succeed. Any other
 * is *foreign*: its number can be closed and used again behind plait's back, so each wait arms it anew, once.
 *
 * Flags. It is legal for PL_IO_IN and PL_IO_OUT to stand although reading or writing would block: it is tried, and the
 * flag cleared. It is illegal for one to be clear although it would not block, unless a report is on its way. So a flag
 * is cleared *before* the attempt that may use up what there is, and set again (with a wake-up for the next waiter) if
 * that attempt left something.
 *
 * Locking: the lock guards everything but state, which is atomic; flags are set under the lock, so that a waiter that
 * queues itself under the lock sees them; they are cleared without it. Below this lock there are only those of waking.
 */
#ifndef PL_IO_FD_TABLE_H
#define PL_IO_FD_TABLE_H

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"
#include "io/backend.h"
#include "plat/lock.h"
#include "sched/registry.h"
#include "sched/wait.h"

enum pl_io_state {
        PL_IO_IN = 1,     /* reading (or accepting) may succeed */
        PL_IO_OUT = 2,    /* writing may succeed */
        PL_IO_ENDED = 4,  /* hung up or failed: reading does not block, though no more news will say so */
        PL_IO_URGENT = 8, /* urgent data were seen, at whose mark reads stop short */
        PL_IO_OWNED = 16, /* see above */
        PL_IO_SOCKET = 32,
        PL_IO_STREAM = 64,   /* a TCP connection: a read that returns less than asked has emptied it */
        PL_IO_CLOSING = 128, /* plait_close() is under way: nobody may begin to wait */
        PL_IO_FLAGS = 255,
        PL_IO_USER = 256, /* the bits above the flags count the attempts under way, for which plait_close() waits */
};

/* In pl_wait_node.slot, beside what is waited for (POLLIN, POLLOUT, POLLPRI). */
enum pl_io_slot {
        PL_IO_SLOT_CONSUMES = 1 << 16, /* will read, or write: one such waiter per report is enough */
        PL_IO_SLOT_CLOSED = 1 << 17,   /* told to the waiter: the descriptor is being closed */
};

struct pl_io_watch;

struct pl_io_fd {
        struct pl_lock lock;
        _Atomic uint32_t state;   /* enum pl_io_state */
        uint32_t seq;             /* of the last arming */
        uint32_t epoch;           /* the poller's, then */
        struct pl_poller *poller; /* where it was armed last */
        struct pl_list waiters;   /* pl_wait_node.link; zero until first used */
        struct pl_io_watch *watch;
        uint8_t arming; /* enum pl_io_arming */
        int number;     /* the descriptor's, for tools */
} PL_LINE_ALIGNED;

_Static_assert(offsetof(struct pl_io_fd, number) == PL_REGISTRY_FD_NUMBER, "the registry says where it is");

_Static_assert(sizeof(struct pl_io_fd) == PL_CACHE_LINE, "one line per descriptor");

/* The entry of *fd*; NULL: *fd* is negative, or there is no memory. */
struct pl_io_fd *pl_io_fd_get(int fd);

/* The same, but NULL if there is none yet. */
struct pl_io_fd *pl_io_fd_peek(int fd);

/* *fd* is new and plait's: forget what the number meant before. *flags*: PL_IO_SOCKET, PL_IO_STREAM. 0 or -ENOMEM. */
PL_WARN_UNUSED int pl_io_fd_own(int fd, unsigned flags);

/* The end of what plait knows about *fd*: waiters get -EBADF. 0, or -EBUSY: it has a watch. May suspend. */
PL_WARN_UNUSED int pl_io_fd_drop(int fd, enum pl_io_reason reason);

/* The same, and close it. As plait_close(). */
PL_WARN_UNUSED int pl_io_fd_close(int fd);

/* Set flags, and wake who waits for them: after an attempt that left something. */
void pl_io_fd_mark(struct pl_io_fd *entry, unsigned flags);

/* There will be a report on it soon: fetch what that touches of who waits, once the entry itself has been fetched. */
void pl_io_fd_fetch_waiter(int fd);

/* From a poller: *events* (POLL...) on the arming *tag*. *last*: it is disarmed by that. Never suspends. */
void pl_io_fd_report(uint64_t tag, unsigned events, bool last);

/* Take the lock of an entry, whose queue can then be used. */
void pl_io_fd_lock(struct pl_io_fd *entry) PL_ACQUIRE(entry->lock);

/* With the lock held. */
bool pl_io_fd_armed(const struct pl_io_fd *entry) PL_REQUIRES(entry->lock);
PL_WARN_UNUSED int pl_io_fd_arm(struct pl_io_fd *entry, int fd, enum pl_io_arming arming, unsigned events)
        PL_REQUIRES(entry->lock);
void pl_io_fd_disarm(struct pl_io_fd *entry, int fd, enum pl_io_reason reason) PL_REQUIRES(entry->lock);
void pl_io_fd_queue(struct pl_io_fd *entry, struct pl_wait_node *node, struct pl_wait *wait, unsigned slot)
        PL_REQUIRES(entry->lock);

/* Take a node out if it is still queued. Takes the lock. */
void pl_io_fd_unqueue(struct pl_io_fd *entry, struct pl_wait_node *node);

/*
 * After a wait for a foreign descriptor: if nobody else waits, disarm it, so that its owner's close() closes the file.
 * Takes the lock; may suspend, so none of the caller's nodes may be queued any more.
 */
void pl_io_fd_let_go(struct pl_io_fd *entry, int fd);

/*
 * Around an attempt on an owned descriptor, so that its number is not closed, and maybe used again, meanwhile. Nothing
 * in between may suspend. *clear*: flags to be cleared. False: it is not owned any more.
 */
PL_WARN_UNUSED static inline bool pl_io_fd_begin(struct pl_io_fd *entry, unsigned clear)
{
        unsigned state = atomic_load_explicit(&entry->state, memory_order_relaxed);

        do
                if (PL_UNLIKELY(!(state & PL_IO_OWNED)))
                        return false;
        while (!atomic_compare_exchange_weak_explicit(&entry->state, &state, (state & ~clear) + PL_IO_USER,
                                                      memory_order_acq_rel, memory_order_relaxed));
        return true;
}

static inline void pl_io_fd_end(struct pl_io_fd *entry)
{
        atomic_fetch_sub_explicit(&entry->state, PL_IO_USER, memory_order_release);
}

/*
 * In a task: wait until an owned descriptor may be read from (*event* POLLIN) or written to (POLLOUT). 0, -EBADF (it is
 * closed), as pl_sched_wait_finish(), or an error of arming.
 */
PL_WARN_UNUSED int pl_io_fd_wait(struct pl_io_fd *entry, int fd, unsigned event, int64_t deadline_ns);

#endif
