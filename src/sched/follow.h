/*
 * Following: work that is done elsewhere (a job of a pool, say) and is to be cancelled together with the scope in which
 * a task has asked for it. Tasks are found by their scope; what follows is what is no task.
 */
#ifndef PL_SCHED_FOLLOW_H
#define PL_SCHED_FOLLOW_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"

struct pl_following;
struct plait_scope;

struct pl_follower {
        struct pl_list link;
        struct pl_following *following; /* NULL: it follows nothing */
        /*
         * The scope, or one around it up to a shield, has been cancelled. hold() keeps the follower in being, under a
         * lock: it may only count. cancel() comes soon after, without lock, in the canceller's flow, and gives back
         * what hold() took. Once at most, and not begun after pl_sched_unfollow() has returned.
         */
        void (*hold)(struct pl_follower *follower);
        void (*cancel)(struct pl_follower *follower);
};

/*
 * Have *follower*, whose functions are filled in, follow the innermost scope of the calling task until
 * pl_sched_unfollow(). In a plain thread it follows nothing. Lowers *deadline_ns* to the earliest of the scopes'. 0; or
 * -ECANCELED, -ETIMEDOUT (as pl_sched_wait_check()), -ENOMEM, and it does not follow. A scope that is joined is
 * followed no more.
 */
PL_WARN_UNUSED int pl_sched_follow(struct pl_follower *follower, int64_t *deadline_ns);

/* In any flow; of one that follows nothing, too. */
void pl_sched_unfollow(struct pl_follower *follower);

/* --- for cancel.c and record.c; the second also for who has called pl_sched_scope_cancel_tasks() --- */

/* Under the scope's lock: put what follows it into *chain*, unless it has been. */
void pl_sched_following_collect(struct pl_following *following, struct pl_following **chain);

/* Without any lock: cancel all that is in *chain*. */
void pl_sched_following_cancel(struct pl_following *chain);

/* The scope is gone; NULL does nothing. */
void pl_sched_following_close(struct pl_following *following);

#endif
