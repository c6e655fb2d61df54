/*
 * A lock for what is done often: that of objects, queues and timers. Four bytes, valid when zero: 0 free, 1 held.
 *
 * It guards a few dozen instructions in which nothing suspends. Unlike pl_lock it is left by a plain store, which makes
 * a round cost 2.3 ns instead of 4.4. The price: nobody is told that it is free. Who waits spins for about a
 * microsecond, and then, since the holder must have lost its processor, yields and takes naps (spin.c).
 */
#ifndef PL_PLAT_SPIN_H
#define PL_PLAT_SPIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "plat/lock.h"

struct PL_CAPABILITY pl_spin {
        _Atomic uint32_t word;
};

/* The slow half of taking it. */
PL_COLD void pl_spin_wait(struct pl_spin *spin);

static inline bool pl_spin_try(struct pl_spin *spin) PL_TRY_ACQUIRE(true, spin);
static inline void pl_spin_lock(struct pl_spin *spin) PL_ACQUIRE(spin);
static inline void pl_spin_unlock(struct pl_spin *spin) PL_RELEASE(spin);

static inline bool pl_spin_try(struct pl_spin *spin) PL_NO_LOCK_CHECK
{
        return !atomic_exchange_explicit(&spin->word, 1, memory_order_acquire);
}

static inline void pl_spin_lock(struct pl_spin *spin) PL_NO_LOCK_CHECK
{
        if (PL_UNLIKELY(!pl_spin_try(spin)))
                pl_spin_wait(spin);
}

static inline void pl_spin_unlock(struct pl_spin *spin) PL_NO_LOCK_CHECK
{
        atomic_store_explicit(&spin->word, 0, memory_order_release);
}

/*
 * The same in the lowest bit of a word that is otherwise a pointer, for objects that have no room for more. Who holds
 * it writes the word, the bit included; others only ever set the bit.
 */
PL_COLD void pl_spin_bit_wait(uintptr_t *word);

static inline void pl_spin_bit_lock(uintptr_t *word)
{
        if (PL_UNLIKELY(__atomic_fetch_or(word, (uintptr_t)1, __ATOMIC_ACQUIRE) & 1))
                pl_spin_bit_wait(word);
}

static inline void pl_spin_bit_unlock(uintptr_t *word)
{
        __atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) & ~(uintptr_t)1, __ATOMIC_RELEASE);
}

#endif
