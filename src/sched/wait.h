/*
 * Waiting: how a task or a plain thread blocks, and how others wake it. Everything that blocks is built on this.
 *
 * A flow (task or thread) has one struct pl_wait. To block on an object:
 *
 *      lock the object
 *      if (it can be had) { take it; unlock; return 0; }
 *      wait = pl_sched_wait_begin(PL_WAIT_MUTEX, object);
 *      node.wait = wait; queue the node (&wait->node will do) on the object
 *      unlock the object                        (from here on it can be woken)
 *      r = pl_sched_wait_finish(wait, deadline_ns, 0);
 *      if (r < 0) { lock; if the node is still queued, unqueue it; unlock; }
 *
 * To wake: lock the object, unqueue a node, and pl_sched_wake_claim(node->wait). Many may try (a waker, a deadline, a
 * cancellation); one CAS decides, and only the winner's claim returns true. The winner may then hand something over
 * (into node->slot), and must call pl_sched_wake_ready(). A loser leaves what it wanted to give for the next waiter.
 * After a lost claim the flow may be gone as soon as the object is unlocked: claim under the object's lock.
 *
 * wait_finish() returns 0 exactly when a waker won, so what was handed over is never lost to a cancellation.
 */
#ifndef PL_SCHED_WAIT_H
#define PL_SCHED_WAIT_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"
#include "plat/tls.h"

struct plait_task;

/* What a flow waits for; shown by tools and traces, with the names in registry.c. New ones are added at the end. */
enum pl_wait_cause {
        PL_WAIT_NONE,
        PL_WAIT_SLEEP,
        PL_WAIT_JOIN,
        PL_WAIT_TASK,
        PL_WAIT_MUTEX,
        PL_WAIT_CONDITION,
        PL_WAIT_SEMAPHORE,
        PL_WAIT_EVENT,
        PL_WAIT_CHANNEL_SEND,
        PL_WAIT_CHANNEL_RECEIVE,
        PL_WAIT_FD_READ,
        PL_WAIT_FD_WRITE,
        PL_WAIT_BLOCKING_CALL,
        PL_WAIT_HTTP,
        PL_WAIT_RWLOCK_READ,
        PL_WAIT_RWLOCK_WRITE,
        PL_WAIT_BARRIER,
        PL_WAIT_ONCE,
        PL_WAIT_LATCH,
        PL_WAIT_BROADCAST_SEND,
        PL_WAIT_BROADCAST_RECEIVE,
        PL_WAIT_QUEUE_PUT,
        PL_WAIT_QUEUE_GET,
        PL_WAIT_QUEUE_JOIN,
        PL_WAIT_FUTURE,
        PL_WAIT_SELECT,
        PL_WAIT_SIGNAL,
        PL_WAIT_CHILD,
        PL_WAIT_POLL, /* the object is an array of struct pollfd */
        PL_WAIT_LIMITER,
        PL_WAIT_CAUSES,
};

/*
 * The low bits of a wait's word; above them stands a number that each wait increments, so that a cancellation cannot
 * end another wait than the one it looked at.
 */
enum pl_wait_state {
        PL_WAIT_IDLE,    /* it does not wait */
        PL_WAIT_BEGUN,   /* a waker can claim it */
        PL_WAIT_WAITING, /* so can a deadline and a cancellation */
        PL_WAIT_WOKEN,
        PL_WAIT_TIMED_OUT,
        PL_WAIT_CANCELED,
        PL_WAIT_READY, /* only of a thread: pl_sched_wake_ready() has come after WOKEN */
        PL_WAIT_STATE_MASK = 7,
        PL_WAIT_STATE_BITS = 3,
};

/* A place in the queue of what is waited for. *link* belongs to that object and is guarded by its lock. */
struct pl_wait_node {
        struct pl_list link;
        struct pl_wait *wait;
        void *slot; /* for what is handed over; what it means is the object's business */
};

struct pl_wait {
        /* What the flow holds: see sync/held.h. First, so that the address of this is the flow's in flow.h. */
        _Atomic uintptr_t held;
        _Atomic uint32_t state; /* enum pl_wait_state and the wait's number */
        uint16_t cause;         /* enum pl_wait_cause; this and object are also read by others (registry.h) */
        uint8_t of_task;        /* 0: a plain thread's, asleep on the futex *state* */
        uint8_t endless;        /* nothing but a waker and a cancellation ends it; while it is suspended */
        const void *object;     /* what it waits for */
        struct pl_wait_node node;
};

enum pl_wait_flag {
        PL_WAIT_UNINTERRUPTIBLE = 1, /* scopes and their deadlines do not end it; deadline_ns does */
        PL_WAIT_LENDS = 2,           /* others use memory on the flow's stack meanwhile: not for compact tasks */
};

/* The calling flow's wait, claimable from now on. Nothing may block between this and wait_finish(). */
struct pl_wait *pl_sched_wait_begin(enum pl_wait_cause cause, const void *object);

/* The calling flow as it has been noted (flow.h): of a task its wait; else that of a thread, or of nobody. */
static PL_ALWAYS_INLINE struct pl_wait *pl_sched_flow_noted(void)
{
        void *flow;

        PL_TLS_LOAD(flow, "plait_flow_tls");
        return flow;
}

/*
 * The same as pl_sched_wait_begin(), inline, of the calling flow's own wait. *slot* goes to its node. Atomically, since
 * the registry's readers do not ask; what is there stays there, since they see whether it still waits.
 */
static PL_ALWAYS_INLINE void pl_sched_wait_begin_own(struct pl_wait *wait, enum pl_wait_cause cause, const void *object,
                                                     void *slot)
{
        uint32_t number = atomic_load_explicit(&wait->state, memory_order_relaxed) & ~(uint32_t)PL_WAIT_STATE_MASK;

        __atomic_store_n(&wait->cause, (uint16_t)cause, __ATOMIC_RELAXED);
        __atomic_store_n(&wait->endless, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&wait->object, object, __ATOMIC_RELAXED);
        wait->node.wait = wait;
        wait->node.slot = slot;
        atomic_store_explicit(&wait->state, number + (1U << PL_WAIT_STATE_BITS) + PL_WAIT_BEGUN, memory_order_release);
}

/*
 * Block until *wait* is claimed. Returns 0 when a waker claimed it, -ETIMEDOUT when *deadline_ns* (or the deadline of a
 * scope the task is in) came first, -ECANCELED when its scope was cancelled first. A task may go on in another thread.
 */
PL_WARN_UNUSED int pl_sched_wait_finish(struct pl_wait *wait, int64_t deadline_ns, unsigned flags);

/*
 * Of a plain thread that is going to sleep elsewhere than in wait_finish(), and before anybody is told of its wait,
 * whose own node it does not use: who claims it also writes to *eventfd*.
 */
static inline void pl_sched_wait_notify(struct pl_wait *wait, int eventfd)
{
        wait->node.slot = (void *)((uintptr_t)eventfd + 1);
}

/* The flow's own: its wait is over. How it has ended, as wait_finish() says it. */
static PL_ALWAYS_INLINE int pl_sched_wait_end(struct pl_wait *wait)
{
        uint32_t word = atomic_load_explicit(&wait->state, memory_order_acquire);
        uint32_t state = word & PL_WAIT_STATE_MASK;

        atomic_store_explicit(&wait->state, word & ~(uint32_t)PL_WAIT_STATE_MASK, memory_order_relaxed);
        return PL_LIKELY(state == PL_WAIT_WOKEN || state == PL_WAIT_READY) ? 0
               : state == PL_WAIT_TIMED_OUT                                ? -ETIMEDOUT
                                                                           : -ECANCELED;
}

/* Begun, but nobody has been told of it: do not wait after all. */
void pl_sched_wait_abandon(struct pl_wait *wait);

static inline bool pl_sched_wait_claimable(uint32_t state)
{
        state &= PL_WAIT_STATE_MASK;
        return state == PL_WAIT_BEGUN || state == PL_WAIT_WAITING;
}

/* Try to be the one that wakes it. True: nobody else will, and pl_sched_wake_ready() must follow. */
static inline bool pl_sched_wake_claim(struct pl_wait *wait)
{
        uint32_t state = atomic_load_explicit(&wait->state, memory_order_relaxed);

        while (pl_sched_wait_claimable(state)) {
                uint32_t woken = (state & ~(uint32_t)PL_WAIT_STATE_MASK) | PL_WAIT_WOKEN;

                if (atomic_compare_exchange_weak_explicit(&wait->state, &state, woken, memory_order_acq_rel,
                                                          memory_order_relaxed))
                        return true;
        }
        return false;
}

/* Under the lock that guards *place*: take the wait that is there and claim it. NULL: there is none, or others won. */
static inline struct pl_wait *pl_sched_wake_take(struct pl_wait **place)
{
        struct pl_wait *wait = *place;

        *place = NULL;
        return wait && pl_sched_wake_claim(wait) ? wait : NULL;
}

/* Make a claimed flow run. It may be gone when this returns. Callable from tasks, workers and plain threads. */
void pl_sched_wake_ready(struct pl_wait *wait);

/*
 * Would a wait that begins now end at once? 0, -ECANCELED or -ETIMEDOUT, as the caller's scopes say. wait_finish() asks
 * by itself; this is for operations that start something that cannot be taken back.
 */
int pl_sched_wait_check(void);

#endif
