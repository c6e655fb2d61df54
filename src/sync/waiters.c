/* Waking many. The rules are in sync/waiters.h. */
#include "sync/waiters.h"

#include <errno.h>

void pl_sync_claimed_ready(struct pl_sync_claimed *claimed, bool keep_last)
{
        struct pl_list *link = claimed->first;

        while (link && !(keep_last && link == claimed->last)) {
                struct pl_list *next = link->next; /* once it is ready, the node is its own again */

                pl_sched_wake_ready(pl_sync_node_of(link)->wait);
                link = next;
        }
        claimed->first = link;
}

static PL_ALWAYS_INLINE void wake(struct pl_spin *lock, struct pl_list *all, bool clear) PL_NO_LOCK_CHECK
{
        struct pl_sync_claimed claimed = {0};

        for (;;) {
                /* Not without one to keep the object in being, however many claims are lost. */
                for (int i = 0; !pl_list_empty(all) && (i < PL_SYNC_BATCH || !claimed.first); i++) {
                        struct pl_wait_node *node = pl_sync_node_of(pl_list_pop_front(all));

                        node->link.next = NULL;
                        if (pl_sync_claim_node(node)) {
                                if (clear)
                                        node->slot = NULL;
                                pl_sync_claimed_add(&claimed, node);
                        }
                }
                bool more = !pl_list_empty(all);

                pl_spin_unlock(lock);
                pl_sync_claimed_ready(&claimed, more);
                if (!more)
                        return;
                pl_spin_lock(lock);
        }
}

void pl_sync_wake_all(struct pl_spin *lock, struct pl_list *all) PL_NO_LOCK_CHECK
{
        wake(lock, all, true);
}

void pl_sync_wake_told(struct pl_spin *lock, struct pl_list *all, void *what) PL_NO_LOCK_CHECK
{
        for (struct pl_list *link = all->next; link != all; link = link->next)
                pl_sync_node_of(link)->slot = what;
        wake(lock, all, false);
}

int pl_sync_refuse(void)
{
        int r = pl_sched_wait_check();

        return r < 0 ? r : -ETIMEDOUT;
}
