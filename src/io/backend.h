/*
 * What epoll.c and uring.c have in common: the poller's first members, how descriptors are armed, how the owner sleeps,
 * and the handshake of notify().
 *
 * Pollers are never freed: each worker index has one per kind, opened and closed by the runs that use it. So a
 * descriptor may remember where it is armed; whether that still holds is told by the epoch.
 */
#ifndef PL_IO_BACKEND_H
#define PL_IO_BACKEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "plat/lock.h"
#include "sched/poller.h"

/* How a descriptor is watched. */
enum pl_io_arming {
        PL_IO_UNARMED,
        PL_IO_STANDING, /* once and for all; news are reported, not states (edge-triggered) */
        PL_IO_ONCE,     /* the state now or the next news, one report */
        PL_IO_LEVEL,    /* a report per look for as long as it is ready */
};

/* Why a descriptor is disarmed. */
enum pl_io_reason {
        PL_IO_REPLACE, /* it is armed anew, or soon forgotten; late reports are ignored by their number */
        PL_IO_FORGET,  /* nobody waits any more, and it may be closed at any time, without a word: nothing of the
                          poller's may keep the file open. May suspend */
        PL_IO_UNWATCH, /* it stays open, and would be reported for ever; there is no hurry */
        PL_IO_DETACH,  /* others will use the descriptor: nothing of the poller may be left on it. May suspend */
        PL_IO_CLOSE,   /* it will be closed: nothing may keep the file open. May suspend */
};

/*
 * Reports carry the descriptor and the number of the arming, as one word. A report with an old number is ignored, so
 * nothing that the kernel says late can reach whoever uses the number of a descriptor next.
 */
static inline uint64_t pl_io_tag(int fd, uint32_t seq)
{
        return (uint64_t)seq << 32 | (uint32_t)fd;
}

#define PL_IO_TAG_NOTIFY UINT64_MAX /* the descriptor part is -1, which no descriptor has */

/* Both hold the descriptor's lock. */
struct pl_io_backend {
        bool shared; /* any thread may arm here */
        /* 0 or -errno; *again*: it was armed here before, or still is. Where not shared, the owner calls. */
        int (*arm)(struct pl_poller *poller, int fd, uint32_t seq, enum pl_io_arming arming, unsigned events,
                   bool again);
        /* Stop reports about arming *seq*. Any thread; those that may suspend are called without the lock
           (PL_IO_FORGET with it where shared). */
        void (*disarm)(struct pl_poller *poller, int fd, uint32_t seq, enum pl_io_reason reason);
};

/*
 * What the owner does. Where it watches nothing it sleeps on the word itself, by a futex: that takes both sides less
 * than an eventfd and a poller do. Who arms a descriptor in another worker's poller counts it in *armed*, then looks at
 * *sleep*; the owner writes *sleep*, then looks at *armed*: it is woken, or does not go to sleep like that.
 */
enum pl_io_sleep {
        PL_IO_RUNNING,
        PL_IO_PARKED, /* in the kernel's poller; the eventfd wakes it */
        PL_IO_ASLEEP, /* on the word */
        PL_IO_NOTIFIED,
};

struct pl_poller {
        const struct pl_io_backend *backend;
        _Atomic uint32_t epoch; /* odd while it is open */
        _Atomic uint32_t armed; /* descriptors armed here, about: raw closes go unseen */
        uint32_t spent;         /* operations since the last look; the owner's */
        int notify_fd;
        bool has_bell;                          /* *notify_fd* is written to by others than notify(); the owner's */
        unsigned index;                         /* of its worker */
        struct pl_lock lock;                    /* guards being open against threads that are no workers */
        PL_LINE_ALIGNED _Atomic uint32_t sleep; /* enum pl_io_sleep */
};

extern const struct pl_poller_ops pl_io_epoll;
extern const struct pl_poller_ops pl_io_uring;

/* Whether a ring can be had, before the workers start. 0 or -errno. */
int pl_io_uring_probe(void);

enum { PL_IO_POLLERS = 1024 + 64 }; /* workers and spare ones */

/* The poller of worker *index* among those of one kind, which have *bytes*; made when it is first asked for. NULL: no
 * memory. */
struct pl_poller *pl_io_poller_at(struct pl_poller *pollers[PL_IO_POLLERS], unsigned index, size_t bytes,
                                  const struct pl_io_backend *backend);

/* The common parts of the operations. */
int pl_io_poller_open(struct pl_poller *poller);
void pl_io_poller_close(struct pl_poller *poller);
void pl_io_poller_notify(struct pl_poller *poller);
bool pl_io_poller_watching(const struct pl_poller *poller);
int pl_io_poller_bell(struct pl_poller *poller);

/* Owner: sleep without the kernel's poller. False: there is something that only that one would tell. */
PL_WARN_UNUSED bool pl_io_poller_sleep(struct pl_poller *poller, int64_t deadline_ns);

/* A descriptor has been armed here by another worker than the owner. */
void pl_io_poller_armed(struct pl_poller *poller);

/* Before blocking: false if it has been notified, so that it must not. */
static inline bool pl_io_poller_park(struct pl_poller *poller)
{
        return atomic_exchange(&poller->sleep, PL_IO_PARKED) != PL_IO_NOTIFIED;
}

/* Back from the kernel; takes note of a notification. */
static inline void pl_io_poller_unpark(struct pl_poller *poller)
{
        poller->spent = 0;
        if (atomic_load_explicit(&poller->sleep, memory_order_relaxed) != PL_IO_RUNNING)
                atomic_exchange(&poller->sleep, PL_IO_RUNNING);
}

#endif
