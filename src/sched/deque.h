/*
 * A worker's work that has not started yet (tasks and forks, see fork.h): the work-stealing deque of Chase and Lev
 * (SPAA 2005), of fixed size.
 *
 * The owner pushes and pops at the bottom, thieves take from the top. Indices only grow (64 bits do not wrap). Where
 * Le et al. (PPoPP 2013) use fences, this uses sequentially consistent accesses to the same variables, which cost the
 * same on x86-64 and arm64 and which ThreadSanitizer understands:
 *
 *   pop   stores bottom, then loads top;   steal loads top, then loads bottom: of an owner and a thief who both want
 *   the last item at least one sees the other, and the CAS on top decides;
 *   push  publishes the item with its store of bottom (release); steal's load of bottom acquires it;
 *   steal reads the item before its CAS. The slot may be overwritten meanwhile only if top has moved, and then the CAS
 *   fails. That is why the slots are atomic, too.
 */
#ifndef PL_SCHED_DEQUE_H
#define PL_SCHED_DEQUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

enum { PL_DEQUE_SIZE = 256 };

/* Valid when zero. */
struct pl_deque {
        PL_LINE_ALIGNED _Atomic int64_t bottom; /* only the owner writes it */
        int64_t top_seen;                       /* the owner's: a value that top had */
        PL_LINE_ALIGNED _Atomic int64_t top;
        PL_LINE_ALIGNED _Atomic(void *) slots[PL_DEQUE_SIZE];
};

static inline void *_Atomic *pl_deque_slot(struct pl_deque *deque, int64_t index)
{
        return &deque->slots[(uint64_t)index % PL_DEQUE_SIZE];
}

/* Owner. False: it is full. */
static inline bool pl_deque_push(struct pl_deque *deque, void *work)
{
        int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed);

        if (PL_UNLIKELY(bottom - deque->top_seen >= PL_DEQUE_SIZE)) {
                deque->top_seen = atomic_load_explicit(&deque->top, memory_order_acquire);
                if (bottom - deque->top_seen >= PL_DEQUE_SIZE)
                        return false;
        }
        atomic_store_explicit(pl_deque_slot(deque, bottom), work, memory_order_relaxed);
        atomic_store_explicit(&deque->bottom, bottom + 1, memory_order_release);
        return true;
}

/* Anybody; exact for the owner when it says that nothing is there. */
static inline bool pl_deque_empty(const struct pl_deque *deque)
{
        return atomic_load_explicit(&deque->top, memory_order_relaxed) >=
               atomic_load_explicit(&deque->bottom, memory_order_relaxed);
}

/* Owner: the youngest; NULL: empty. */
static inline void *pl_deque_pop(struct pl_deque *deque)
{
        int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed) - 1;
        int64_t top;
        void *work = NULL;

        /* An exchange, since qemu orders no mere store here. */
        (void)atomic_exchange_explicit(&deque->bottom, bottom, memory_order_seq_cst);
        top = atomic_load_explicit(&deque->top, memory_order_seq_cst);
        if (PL_LIKELY(top < bottom))
                return atomic_load_explicit(pl_deque_slot(deque, bottom), memory_order_relaxed);
        if (top == bottom) {
                work = atomic_load_explicit(pl_deque_slot(deque, bottom), memory_order_relaxed);
                if (!atomic_compare_exchange_strong_explicit(&deque->top, &top, top + 1, memory_order_seq_cst,
                                                             memory_order_relaxed))
                        work = NULL;
        }
        atomic_store_explicit(&deque->bottom, bottom + 1, memory_order_relaxed);
        return work;
}

/* Anybody: the oldest; NULL: empty, or another one was faster. */
static inline void *pl_deque_steal(struct pl_deque *deque)
{
        int64_t top = atomic_load_explicit(&deque->top, memory_order_seq_cst);
        int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_seq_cst);

        if (top >= bottom)
                return NULL;
        void *work = atomic_load_explicit(pl_deque_slot(deque, top), memory_order_relaxed);
        if (!atomic_compare_exchange_strong_explicit(&deque->top, &top, top + 1, memory_order_seq_cst,
                                                     memory_order_relaxed))
                return NULL;
        return work;
}

#endif
