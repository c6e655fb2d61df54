/* The slow half of the lock of sync/spin.h. */
#include "sync/spin.h"

#include <sched.h>

#include "plat/sys.h"

enum {
        SPINS = 32,    /* with pauses of 1, 2, 3 ... between two looks: about 10 us in all */
        YIELDS = 8,    /* lets a holder run that waits for this very processor */
        NAP_NS = 50000 /* the holder is without a processor, or there are many like us */
};

static bool try_lock(struct pl_spin *spin)
{
        return !atomic_load_explicit(&spin->word, memory_order_relaxed) &&
               !atomic_exchange_explicit(&spin->word, 1, memory_order_acquire);
}

void pl_sync_spin_wait(struct pl_spin *spin)
{
        for (int i = 1; i <= SPINS; i++) {
                for (int pause = 0; pause < i; pause++)
                        pl_cpu_relax();
                if (try_lock(spin))
                        return;
        }
        for (int i = 0; i < YIELDS; i++) {
                sched_yield();
                if (try_lock(spin))
                        return;
        }
        while (!try_lock(spin))
                pl_plat_futex_wait(&spin->word, 1, pl_plat_now_ns() + NAP_NS); /* nobody wakes it: a nap */
}
