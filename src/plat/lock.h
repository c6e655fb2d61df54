/*
 * A mutex for the library's own short critical sections, where a suspension is impossible. Four bytes, valid when zero.
 * It spins for about a microsecond and then sleeps on a futex.
 *
 * Word: 0 free, 1 held, 2 held and there may be sleepers. It is legal for 2 to stand without a sleeper (a needless
 * wake), illegal for 1 to stand with one.
 */
#ifndef PL_PLAT_LOCK_H
#define PL_PLAT_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

#ifdef __clang__
#define PL_CAPABILITY __attribute__((capability("mutex")))
#define PL_ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define PL_TRY_ACQUIRE(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define PL_RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define PL_REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define PL_NO_LOCK_CHECK __attribute__((no_thread_safety_analysis))
#else
#define PL_CAPABILITY
#define PL_ACQUIRE(...)
#define PL_TRY_ACQUIRE(...)
#define PL_RELEASE(...)
#define PL_REQUIRES(...)
#define PL_NO_LOCK_CHECK
#endif

struct PL_CAPABILITY pl_lock {
        _Atomic uint32_t word;
};

/* The slow halves. */
void pl_lock_wait(struct pl_lock *lock) PL_NO_LOCK_CHECK;
void pl_lock_wake(struct pl_lock *lock);

static inline bool pl_lock_try(struct pl_lock *lock) PL_TRY_ACQUIRE(true, lock);
static inline void pl_lock_acquire(struct pl_lock *lock) PL_ACQUIRE(lock);
static inline void pl_lock_release(struct pl_lock *lock) PL_RELEASE(lock);

static inline bool pl_lock_try(struct pl_lock *lock) PL_NO_LOCK_CHECK
{
        uint32_t expected = 0;

        return atomic_compare_exchange_strong_explicit(&lock->word, &expected, 1, memory_order_acquire,
                                                       memory_order_relaxed);
}

static inline void pl_lock_acquire(struct pl_lock *lock) PL_NO_LOCK_CHECK
{
        if (PL_UNLIKELY(!pl_lock_try(lock)))
                pl_lock_wait(lock);
}

static inline void pl_lock_release(struct pl_lock *lock) PL_NO_LOCK_CHECK
{
        if (PL_UNLIKELY(atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2))
                pl_lock_wake(lock);
}

#endif
