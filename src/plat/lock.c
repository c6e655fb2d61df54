/* The slow halves of pl_lock. See plat/lock.h for what the word means. */
#include "plat/lock.h"
#include "plat/sys.h"

enum { SPINS = 50 };

void pl_lock_wait(struct pl_lock *lock)
{
        for (int i = 0; i < SPINS; i++) {
                pl_cpu_relax();
                if (atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 && pl_lock_try(lock))
                        return;
        }
        /* Whoever takes the lock here leaves 2 behind, because others may sleep as well. */
        while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
                pl_plat_futex_wait(&lock->word, 2, PL_PLAT_NEVER);
}

void pl_lock_wake(struct pl_lock *lock)
{
        pl_plat_futex_wake(&lock->word, 1);
}
