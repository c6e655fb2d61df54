/*
 * What follows scopes. A scope's followers are on a list of their own, with a lock of its own, so that it can outlive
 * the scope: each follower has a reference to it, the scope has one, and so has a canceller. The scope's lock guards
 * which list is the scope's; it may be held when the list's is taken, not the other way round.
 *
 * The last to come is cancelled first: a job that waits for one before it to end does not begin when that is cancelled.
 *
 * Who follows puts itself on the list and then asks whether the scope is cancelled; a canceller marks the scope and
 * then looks at the list. Both by sequentially consistent operations, so one sees the other.
 */
#include "sched/follow.h"

#include <errno.h>
#include <stdlib.h>

#include "plait/time.h"
#include "sched/scope.h"
#include "sched/worker.h"

struct pl_following {
        struct pl_lock lock; /* guards the next */
        struct pl_list followers;
        _Atomic uint32_t refs;
        _Atomic bool collected;
        struct pl_following *next; /* in a canceller's chain */
};

static void let_go(struct pl_following *following)
{
        if (atomic_fetch_sub_explicit(&following->refs, 1, memory_order_acq_rel) == 1)
                free(following);
}

/* The list of *scope*, with a reference; NULL: no memory. */
static struct pl_following *list_of(struct plait_scope *scope)
{
        if (!pl_scope_more(scope) && pl_sched_scope_add_more(scope) < 0)
                return NULL;
        struct pl_scope_more *more = pl_scope_more(scope);

        pl_lock_acquire(pl_scope_lock(scope));
        if (!more->following) {
                struct pl_following *made = calloc(1, sizeof *made);

                if (made) {
                        pl_list_init(&made->followers);
                        made->refs = 1;
                }
                more->following = made;
        }
        struct pl_following *following = more->following;
        if (following)
                atomic_fetch_add_explicit(&following->refs, 1, memory_order_relaxed);
        pl_lock_release(pl_scope_lock(scope));
        return following;
}

static int ask(struct plait_task *self, int64_t *deadline_ns)
{
        int r = pl_sched_scope_enter_wait(self, deadline_ns);

        return r < 0 ? r : *deadline_ns != PLAIT_NEVER && *deadline_ns <= pl_plat_now_ns() ? -ETIMEDOUT : 0;
}

int pl_sched_follow(struct pl_follower *follower, int64_t *deadline_ns)
{
        struct pl_worker *worker = pl_sched_self_get();
        struct plait_task *self = worker ? worker->current : NULL;

        pl_list_init(&follower->link);
        follower->following = NULL;
        if (!self)
                return 0;
        if (self->scope->pl_parent) { /* the first task's own scope is nobody's to cancel */
                follower->following = list_of(self->scope);
                if (!follower->following)
                        return -ENOMEM;
                pl_lock_acquire(&follower->following->lock);
                pl_list_push_front(&follower->following->followers, &follower->link);
                pl_lock_release(&follower->following->lock);
        }
        int64_t earliest_ns = *deadline_ns;
        int r = ask(self, &earliest_ns);
        if (r < 0)
                pl_sched_unfollow(follower);
        else
                *deadline_ns = earliest_ns;
        return r;
}

void pl_sched_unfollow(struct pl_follower *follower)
{
        struct pl_following *following = follower->following;

        if (!following)
                return;
        pl_lock_acquire(&following->lock);
        pl_list_remove(&follower->link);
        pl_lock_release(&following->lock);
        follower->following = NULL;
        let_go(following);
}

void pl_sched_following_collect(struct pl_following *following, struct pl_following **chain)
{
        if (atomic_exchange(&following->collected, true))
                return;
        atomic_fetch_add_explicit(&following->refs, 1, memory_order_relaxed);
        following->next = *chain;
        *chain = following;
}

static struct pl_follower *take(struct pl_following *following)
{
        pl_lock_acquire(&following->lock);
        struct pl_list *link = pl_list_pop_front(&following->followers);
        struct pl_follower *follower = link ? PL_CONTAINER_OF(link, struct pl_follower, link) : NULL;
        if (follower)
                follower->hold(follower);
        pl_lock_release(&following->lock);
        return follower;
}

void pl_sched_following_cancel(struct pl_following *chain)
{
        while (chain) {
                struct pl_following *following = chain;
                struct pl_follower *follower;

                chain = following->next;
                while ((follower = take(following)))
                        follower->cancel(follower);
                let_go(following);
        }
}

void pl_sched_following_close(struct pl_following *following)
{
        if (following)
                let_go(following);
}
