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

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "plait/parallel.h"

enum { PL_DEQUE_SIZE = PLAIT_DEQUE_SIZE };

static inline uintptr_t *pl_deque_slot(struct plait_deque *deque, int64_t index)
{
        return &deque->pl_slots[(uint64_t)index % PL_DEQUE_SIZE];
}

static inline int64_t pl_deque_bottom(const struct plait_deque *deque)
{
        return __atomic_load_n(&deque->pl_bottom, __ATOMIC_RELAXED);
}

/* Owner, who knows that there is room. */
static inline void pl_deque_put(struct plait_deque *deque, int64_t bottom, void *work)
{
        __atomic_store_n(pl_deque_slot(deque, bottom), (uintptr_t)work, __ATOMIC_RELAXED);
        __atomic_store_n(&deque->pl_bottom, bottom + 1, __ATOMIC_RELEASE);
}

/* Owner. False: it is full. */
static inline bool pl_deque_push(struct plait_deque *deque, void *work)
{
        int64_t bottom = __atomic_load_n(&deque->pl_bottom, __ATOMIC_RELAXED);

        if (PL_UNLIKELY(bottom - deque->pl_top_seen >= PL_DEQUE_SIZE)) {
                deque->pl_top_seen = __atomic_load_n(&deque->pl_top, __ATOMIC_ACQUIRE);
                if (bottom - deque->pl_top_seen >= PL_DEQUE_SIZE)
                        return false;
        }
        pl_deque_put(deque, bottom, work);
        return true;
}

/* Anybody; roughly. */
static inline int64_t pl_deque_length(const struct plait_deque *deque)
{
        int64_t length = __atomic_load_n(&deque->pl_bottom, __ATOMIC_RELAXED) -
                         __atomic_load_n(&deque->pl_top, __ATOMIC_RELAXED);

        return length > 0 ? length : 0;
}

/* Anybody; exact for the owner when it says that nothing is there. */
static inline bool pl_deque_empty(const struct plait_deque *deque)
{
        return __atomic_load_n(&deque->pl_top, __ATOMIC_RELAXED) >=
               __atomic_load_n(&deque->pl_bottom, __ATOMIC_RELAXED);
}

/* Owner: the first half of pl_deque_pop(). An exchange, since qemu orders no mere store here. */
static inline int64_t pl_deque_pop_begin(struct plait_deque *deque)
{
        int64_t bottom = __atomic_load_n(&deque->pl_bottom, __ATOMIC_RELAXED) - 1;

        (void)__atomic_exchange_n(&deque->pl_bottom, bottom, __ATOMIC_SEQ_CST);
        return bottom;
}

/* Owner: the rest of it. */
static inline void *pl_deque_pop_rest(struct plait_deque *deque, int64_t bottom)
{
        int64_t top = __atomic_load_n(&deque->pl_top, __ATOMIC_SEQ_CST);
        void *work = NULL;

        if (PL_LIKELY(top < bottom))
                return (void *)__atomic_load_n(pl_deque_slot(deque, bottom), __ATOMIC_RELAXED);
        if (top == bottom) {
                work = (void *)__atomic_load_n(pl_deque_slot(deque, bottom), __ATOMIC_RELAXED);
                if (!__atomic_compare_exchange_n(&deque->pl_top, &top, top + 1, false, __ATOMIC_SEQ_CST,
                                                 __ATOMIC_RELAXED))
                        work = NULL;
        }
        __atomic_store_n(&deque->pl_bottom, bottom + 1, __ATOMIC_RELAXED);
        return work;
}

/* Owner: the youngest; NULL: empty. */
static inline void *pl_deque_pop(struct plait_deque *deque)
{
        return pl_deque_pop_rest(deque, pl_deque_pop_begin(deque));
}

/* Anybody, roughly: whether *fits* says so of one of the items, which may have been stolen meanwhile. */
static inline bool pl_deque_any(struct plait_deque *deque, bool (*fits)(void *work))
{
        int64_t end = __atomic_load_n(&deque->pl_bottom, __ATOMIC_RELAXED);

        for (int64_t i = __atomic_load_n(&deque->pl_top, __ATOMIC_RELAXED); i < end; i++)
                if (fits((void *)__atomic_load_n(pl_deque_slot(deque, i), __ATOMIC_RELAXED)))
                        return true;
        return false;
}

/* Owner: the oldest and the youngest; both may have been stolen. */
static inline void *pl_deque_oldest(struct plait_deque *deque)
{
        int64_t top = __atomic_load_n(&deque->pl_top, __ATOMIC_RELAXED);

        return (void *)__atomic_load_n(pl_deque_slot(deque, top), __ATOMIC_RELAXED);
}

static inline void *pl_deque_youngest(struct plait_deque *deque)
{
        return (void *)__atomic_load_n(pl_deque_slot(deque, pl_deque_bottom(deque) - 1), __ATOMIC_RELAXED);
}

/* Anybody: the oldest; NULL: empty, or another one was faster. */
static inline void *pl_deque_steal(struct plait_deque *deque)
{
        int64_t top = __atomic_load_n(&deque->pl_top, __ATOMIC_SEQ_CST);
        int64_t bottom = __atomic_load_n(&deque->pl_bottom, __ATOMIC_SEQ_CST);

        if (top >= bottom)
                return NULL;
        void *work = (void *)__atomic_load_n(pl_deque_slot(deque, top), __ATOMIC_RELAXED);
        if (!__atomic_compare_exchange_n(&deque->pl_top, &top, top + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
                return NULL;
        return work;
}

/*
 * The limit: below it, plait_fork_join() and plait_scope_go() push without asking anybody. It is the end of the room
 * that the owner knows of, or out of reach: while somebody is to be woken for new work, and after anything has run here
 * that must not fork. Only the owner opens it; anybody may close it, and a closed one costs a push some time, no more.
 */
static inline bool pl_deque_is_open(const struct plait_deque *deque)
{
        return pl_deque_bottom(deque) < __atomic_load_n(&deque->pl_limit, __ATOMIC_RELAXED);
}

static inline void pl_deque_close(struct plait_deque *deque)
{
        __atomic_store_n(&deque->pl_limit, INT64_MIN, __ATOMIC_SEQ_CST);
}

static inline void pl_deque_open(struct plait_deque *deque)
{
        deque->pl_top_seen = __atomic_load_n(&deque->pl_top, __ATOMIC_ACQUIRE);
        __atomic_store_n(&deque->pl_limit, deque->pl_top_seen + PL_DEQUE_SIZE, __ATOMIC_SEQ_CST);
}

#endif
