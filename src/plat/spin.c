/* The slow half of the lock of plat/spin.h. */
#include "plat/spin.h"

#include <sched.h>

#include "plat/sys.h"

enum {
        SPINS = 32,    /* with pauses of 1, 2, 3 ... between two looks: about 10 us in all */
        YIELDS = 8,    /* lets a holder run that waits for this very processor */
        NAP_NS = 50000 /* the holder is without a processor, or there are many like us */
};

/* Try until it succeeds. *word* is 1 in its lowest bit while the lock is held. */
static PL_ALWAYS_INLINE void keep_trying(bool (*try)(void *lock), void *lock, _Atomic uint32_t *word)
{
        for (int i = 1; i <= SPINS; i++) {
                for (int pause = 0; pause < i; pause++)
                        pl_cpu_relax();
                if (try(lock))
                        return;
        }
        for (int i = 0; i < YIELDS; i++) {
                sched_yield();
                if (try(lock))
                        return;
        }
        while (!try(lock)) { /* nobody wakes it: a nap */
                uint32_t held = atomic_load_explicit(word, memory_order_relaxed) | 1;

                pl_plat_futex_wait(word, held, pl_plat_now_ns() + NAP_NS);
        }
}

static bool try_spin(void *lock)
{
        struct pl_spin *spin = lock;

        return !atomic_load_explicit(&spin->word, memory_order_relaxed) &&
               !atomic_exchange_explicit(&spin->word, 1, memory_order_acquire);
}

void pl_spin_wait(struct pl_spin *spin)
{
        keep_trying(try_spin, spin, &spin->word);
}

static bool try_bit(void *lock)
{
        uintptr_t *word = lock;

        return !(__atomic_load_n(word, __ATOMIC_RELAXED) & 1) &&
               !(__atomic_fetch_or(word, (uintptr_t)1, __ATOMIC_ACQUIRE) & 1);
}

void pl_spin_bit_wait(uintptr_t *word)
{
        keep_trying(try_bit, word, (_Atomic uint32_t *)(void *)word); /* little endian */
}
