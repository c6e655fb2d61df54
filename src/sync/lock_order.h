/*
 * The lock-order detector: what locks tell it. How it judges is told in order_graph.c.
 *
 * A lock that takes part in it begins with a 64-bit word whose upper 16 bits are the detector's, zero in a new lock.
 */
#ifndef PL_SYNC_LOCK_ORDER_H
#define PL_SYNC_LOCK_ORDER_H

#include <stdint.h>

#include "sched/held.h"

#define PL_ORDER_NO_SET UINT32_MAX

/*
 * *flow*, the caller's, which holds something, is about to take *lock* (its address and mode), and may have to wait for
 * it. To be called before it does. Returns what to pass on to pl_sched_held_add(). *n_before*: the lock is one of a set
 * that is taken in the order of addresses, and this is how many the flow held before it began; within the set, no order
 * between classes is learnt.
 */
uint32_t pl_order_acquire_of_set(struct pl_wait *flow, uintptr_t lock, unsigned level, unsigned n_before);

static inline uint32_t pl_order_acquire(struct pl_wait *flow, uintptr_t lock, unsigned level)
{
        return pl_order_acquire_of_set(flow, lock, level, PL_ORDER_NO_SET);
}

/* The bits that mark a new lock as one of a class. 0: there are too many. */
uint16_t pl_order_class(const char *name);

/* What the class is called that these bits mark a lock of; NULL: it is of none. */
const char *pl_order_class_name(uint16_t class);

/* Forget what was known of a lock at this address. */
void pl_order_forget(const void *lock);

#endif
